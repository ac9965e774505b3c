"""The bank in a model of a few linear layers: each row by its own slot, layers with one input in one product."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor, nn

from medinject_demo.engine.adapter import LayerWeights
from medinject_demo.engine.bank import AdapterBank, shapes_of
from medinject_demo.errors import ModelError

ADAPTERS, RANK, WIDTH = 4, 4, 12
OUTPUTS = {"q_proj": 20, "k_proj": 8, "v_proj": 8, "other": 16}


class Block(nn.Module):
    """Three layers that share an input, one that has its own, and a head."""

    def __init__(self, bias: bool) -> None:
        super().__init__()
        for name, outputs in OUTPUTS.items():
            setattr(self, name, nn.Linear(WIDTH, outputs, bias=bias))
        self.head = nn.Linear(WIDTH, 30)
        self.device, self.dtype = torch.device("cpu"), torch.float32
        self.generation_config = SimpleNamespace()

    def get_output_embeddings(self) -> nn.Module:
        return self.head

    def forward(self, inputs: Tensor) -> dict[str, Tensor]:
        return {name: getattr(self, name)(inputs if name != "other" else -inputs) for name in OUTPUTS}


def adapter(rank: int) -> dict[str, LayerWeights]:
    return {
        name: LayerWeights(torch.randn(rank, WIDTH), torch.randn(outputs, rank), 0.7, torch.rand(outputs) + 0.5)
        for name, outputs in OUTPUTS.items()
    }


def banked(bias: bool = False) -> tuple[Block, AdapterBank, dict[int, dict[str, LayerWeights]]]:
    """A block whose slots 1 to 3 hold DoRA adapters of rank 2 to 4; slot 4 is free."""
    torch.manual_seed(0)
    block = Block(bias).requires_grad_(False)
    bank = AdapterBank(block, ADAPTERS, RANK)
    adapters = {slot: adapter(slot + 1) for slot in (1, 2, 3)}
    for slot, each in adapters.items():
        assert bank.take() == slot
        bank.put(slot, each, scales(bank, each))
    return block, bank, adapters


def scales(bank: AdapterBank, layers: dict[str, LayerWeights]) -> dict[str, Tensor]:
    return {name: each.scale(bank.layers[name].weight) for name, each in layers.items()}


def by_the_formula(bank: AdapterBank, name: str, inputs: Tensor, weights: LayerWeights | None) -> Tensor:
    """A row alone: the bias is not scaled (peft's ``DoraLinearLayer``)."""
    layer = bank.layers[name]
    bias = layer.bias if layer.bias is not None else 0
    plain = inputs @ layer.weight.T
    if weights is None:
        return plain + bias
    return weights.scale(layer.weight) * (plain + weights.scaling * inputs @ weights.down.T @ weights.up.T) + bias


rows_of_slots = st.lists(st.integers(0, 3), min_size=1, max_size=9)


@torch.no_grad()
@pytest.mark.parametrize("bias", [False, True])
@given(rows_of_slots | rows_of_slots.map(sorted), st.integers(1, 5), st.booleans())
def test_each_row_is_answered_by_its_own_slot(bias: bool, slots: list[int], tokens: int, on_device: bool) -> None:
    block, bank, adapters = banked(bias)
    inputs = torch.randn(len(slots), tokens, WIDTH)
    if on_device and tokens == 1:
        bank.use_any(torch.tensor(slots))
    else:
        bank.use(slots)
    for name, got in block(inputs).items():
        given = -inputs if name == "other" else inputs
        expected = [
            by_the_formula(bank, name, row, adapters[slot][name] if slot else None)
            for row, slot in zip(given, slots, strict=True)
        ]
        torch.testing.assert_close(got, torch.stack(expected))


@torch.no_grad()
@pytest.mark.parametrize("tokens", [1, 3])
def test_a_row_of_the_base_among_adapters_is_the_base_to_the_bit_biases_included(tokens: int) -> None:
    block, bank, _ = banked(bias=True)
    inputs = torch.randn(4, tokens, WIDTH)
    bank.use([0, 0, 0, 0])
    alone = block(inputs)
    bank.use([1, 0, 3, 0])
    for name, got in block(inputs).items():
        assert torch.equal(got[[1, 3]], alone[name][[1, 3]])


@torch.no_grad()
def test_layers_with_one_input_share_one_product(monkeypatch: pytest.MonkeyPatch) -> None:
    block, bank, _ = banked()
    bank.use([1, 2])
    products, way = [], bank._present.way
    assert way is not None
    low = type(way).low
    monkeypatch.setattr(type(way), "low", lambda *given: products.append(given[3]) or low(*given))
    block(torch.randn(2, 1, WIDTH))
    assert products == [3, 1]
    assert all(layer.shared._given is None for layer in bank.layers.values())  # nothing of the batch is kept


@torch.no_grad()
def test_another_row_whose_numbers_overflow_spoils_nothing() -> None:
    block, bank, _ = banked()
    bank.layers["q_proj"].down[1].fill_(float("inf"))
    for slots in ([1, 0, 3, 2], [0, 1, 2, 3]):
        others = [row for row, slot in enumerate(slots) if slot != 2]
        for choose in (bank.use, lambda slots: bank.use_any(torch.tensor(slots))):
            choose(slots)
            assert torch.isfinite(block(torch.randn(4, 1, WIDTH))["q_proj"][others]).all()


@torch.no_grad()
def test_a_slot_refilled_is_seen_by_rows_that_use_it_already() -> None:
    block, bank, adapters = banked()
    inputs = torch.randn(2, 1, WIDTH)
    bank.use([2, 1])
    block(inputs)
    bank.put(2, adapters[3], scales(bank, adapters[3]))
    bank.use([2, 1])
    torch.testing.assert_close(
        block(inputs)["q_proj"][0], by_the_formula(bank, "q_proj", inputs[0], adapters[3]["q_proj"])
    )


@torch.no_grad()
def test_a_slot_emptied_is_the_base() -> None:
    block, bank, _ = banked(bias=True)
    bank.put(2, {}, {})
    inputs = torch.randn(1, 1, WIDTH)
    bank.use([2])
    emptied = block(inputs)
    bank.use([0])
    assert all(torch.equal(emptied[name], each) for name, each in block(inputs).items())


@torch.no_grad()
def test_a_spare_slot_takes_memory_once_it_is_filled_and_leaves_the_others_as_they_are() -> None:
    torch.manual_seed(0)
    block = Block(bias=False).requires_grad_(False)
    bank = AdapterBank(block, 1, RANK, spare=1)
    held, inputs = {}, torch.randn(2, 1, WIDTH)
    for slot in (1, 2):
        assert (bank.take(), bank.top) == (slot, slot - 1)
        held[slot] = adapter(2)
        bank.put(slot, held[slot], scales(bank, held[slot]))
        assert len(bank.layers["q_proj"].up) == slot
    assert bank.take() is None
    bank.use([1, 2])
    for name, got in block(inputs).items():
        for row, slot in enumerate((1, 2)):
            given = -inputs[row] if name == "other" else inputs[row]
            torch.testing.assert_close(got[row], by_the_formula(bank, name, given, held[slot][name]))


@torch.no_grad()
def test_layers_that_are_not_named_stay_as_they_are() -> None:
    block = Block(bias=False)
    bank = AdapterBank(block, ADAPTERS, RANK, {"q_proj", "v_proj"})
    assert set(bank.layers) == {"q_proj", "v_proj"}
    assert type(block.k_proj) is nn.Linear
    assert set(shapes_of(Block(bias=False))) == set(OUTPUTS)


def test_numbers_that_the_precision_cannot_hold_are_refused() -> None:
    block = Block(bias=False).to(torch.float16)
    block.dtype = torch.float16
    bank = AdapterBank(block, ADAPTERS, RANK)
    each = adapter(2)
    large = {name: LayerWeights(one.down * 1e6, one.up, one.scaling, one.magnitude) for name, one in each.items()}
    with pytest.raises(ModelError, match=r"expected numbers that torch\.float16 can hold"):
        bank.put(1, large, {name: torch.ones(OUTPUTS[name]) for name in large})
