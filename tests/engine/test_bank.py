"""The bank: its two ways of adding an adapter agree, whoever shares the batch."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor, nn

from medinject_demo.engine.adapter import LayerWeights
from medinject_demo.engine.bank import BankedLinear, Chosen, RowSlots

SLOTS, RANK, INPUTS, OUTPUTS = 5, 4, 12, 20
CPU = torch.device("cpu")


def layer(bias: bool, fill: float = 1.0) -> BankedLinear:
    """A layer whose slots 1 to 3 hold DoRA adapters of rank 2 to 4; slot 4 is free."""
    torch.manual_seed(0)
    made = BankedLinear(nn.Linear(INPUTS, OUTPUTS, bias=bias), SLOTS, RANK, torch.float32, RowSlots())
    for slot in (1, 2, 3):
        rank = slot + 1
        weights = LayerWeights(
            torch.randn(rank, INPUTS) * fill, torch.randn(OUTPUTS, rank), 0.7, torch.rand(OUTPUTS) + 0.5
        )
        made.put(slot, weights, weights.scale(made.weight))
    return made


def plain(made: BankedLinear, inputs: Tensor, slot: int) -> Tensor:
    """A row alone, by the formula."""
    bias = made.bias if made.bias is not None else 0
    low = inputs @ made.down[slot].T
    return made.scale[slot] * (inputs @ made.weight.T) + low @ made.up[slot] + bias


rows_of_slots = st.lists(st.integers(0, 3), min_size=1, max_size=9).filter(any)


@torch.no_grad()
@pytest.mark.parametrize("bias", [False, True])
@given(rows_of_slots, st.integers(1, 5))
def test_each_row_is_answered_by_its_own_slot(bias: bool, slots: list[int], tokens: int) -> None:
    made = layer(bias)
    inputs = torch.randn(len(slots), tokens, INPUTS)
    made.rows.chosen = Chosen.of(slots, CPU)
    expected = torch.stack([plain(made, row, slot) for row, slot in zip(inputs, slots, strict=True)])
    torch.testing.assert_close(made(inputs), expected)


@torch.no_grad()
@given(rows_of_slots)
def test_all_rows_together_are_as_one_by_one(slots: list[int]) -> None:
    made = layer(bias=False)
    inputs = torch.randn(len(slots), 1, INPUTS)
    outputs = made.base(inputs)
    for chosen in (Chosen.of(slots, CPU), Chosen.within(torch.tensor(slots), slice(1, SLOTS))):
        torch.testing.assert_close(
            made.together(inputs, outputs.clone(), chosen), made.one_by_one(inputs, outputs.clone(), chosen)
        )


@torch.no_grad()
def test_another_row_whose_numbers_overflow_spoils_nothing() -> None:
    made = layer(bias=False)
    made.down[2].fill_(float("inf"))
    made.rows.chosen = Chosen.of([1, 0, 3], CPU)
    assert torch.isfinite(made(torch.randn(3, 1, INPUTS))).all()


@torch.no_grad()
def test_a_slot_emptied_is_the_base() -> None:
    made = layer(bias=True)
    made.put(2, None)
    inputs = torch.randn(1, 1, INPUTS)
    made.rows.chosen = Chosen.of([2], CPU)
    torch.testing.assert_close(made(inputs), made.base(inputs))
