"""The adapter bank: every arm's DoRA in stacked slots beside the base's linear layers, chosen row by row.

DoRA at inference (Liu et al. 2024, eq. 5; peft's ``DoraLinearLayer``) is, per output row, ``s * (x W^T + k x A^T B^T)``
with ``k = alpha / r`` and ``s = m / ||W + k B A||``, constant once loaded. ``k`` and ``s`` are folded into B. Slot 0 is
the base: s = 1, and neither A nor B. Knows nothing of files, tokens or caches; how rows find their slots is ``ways``'.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import torch
from torch import Tensor, nn

from ..errors import ModelError
from .adapter import LayerWeights
from .halves import precision_of
from .ways import Masked, RowByRow, Sorted, Way

BASE_SLOT: Final = 0
SHARED: Final = (("q_proj", "k_proj", "v_proj"), ("gate_proj", "up_proj"))
"""Layers that a block gives one and the same input, by their names in every model that keeps them apart."""


@dataclass
class Present:
    """How the rows of the present forward find their adapters; every layer looks here. None is the base for all."""

    way: Way | None = None
    scales: Sequence[Tensor] = ()
    """Each layer's (rows, 1, outputs): looked up once for the batch, not once in every layer."""


class SharedInput(nn.Module):
    """The A of layers that are given the same input: one product serves them all."""

    def __init__(self, present: Present, shape: tuple[int, int, int], members: int, model: Any) -> None:
        super().__init__()
        adapters, rank, inputs = shape
        self.present, self.rank, self.members = present, rank, members
        # inputs first: every way multiplies by it as it lies, without a transposed view
        like = {"device": model.device, "dtype": precision_of(model)}
        self.register_buffer("down", torch.zeros(adapters, inputs, members * rank, **like))
        self.down: Tensor
        self._given: Tensor | None = None
        self._low: Sequence[Tensor] = ()
        self._left = 0

    def low(self, inputs: Tensor, way: Way, member: int) -> Tensor:
        """A member's ``x A^T``, all computed for the first member that asks, and let go of with the last."""
        if self._given is not inputs:
            self._given, self._low, self._left = inputs, way.low(inputs, self.down, self.members), self.members
        low = self._low[member]
        self._left -= 1
        if not self._left:
            self._given, self._low = None, ()
        return low

    def of(self, member: int) -> Tensor:
        """A member's own A of every adapter, (adapters, rank, inputs)."""
        return self.down[:, :, member * self.rank : (member + 1) * self.rank].mT


class BankedLinear(nn.Module):
    """A linear layer with A, B and s of each adapter, added row by row of the batch."""

    def __init__(self, base: nn.Module, shared: SharedInput, member: int, scale: Tensor, place: int) -> None:
        super().__init__()
        self.base, self.shared = base, shared
        self.member, self._place, self._present = member, place, shared.present
        self.register_buffer("up", shared.down.new_zeros(len(shared.down), shared.rank, scale.shape[-1]))
        # in fp32 whatever the rest is in: in bf16 a scale near 1 would lose a fifth of what tells it from 1
        self.register_buffer("scale", scale)
        self.up: Tensor
        self.scale: Tensor

    @property
    def weight(self) -> Tensor:
        """The base's own, (outputs, inputs)."""
        weight: Tensor = self.base.weight  # type: ignore[assignment]
        return weight

    @property
    def bias(self) -> Tensor | None:
        """The base's own, (outputs)."""
        bias: Tensor | None = self.base.bias  # type: ignore[assignment]
        return bias

    @property
    def down(self) -> Tensor:
        """A of every adapter, (adapters, rank, inputs)."""
        return self.shared.of(self.member)

    def forward(self, inputs: Tensor) -> Tensor:
        """(rows, tokens, inputs) to (rows, tokens, outputs), each row by its own slot."""
        outputs: Tensor = self.base(inputs)
        present = self._present
        if present.way is None:
            return outputs
        scale, bias = present.scales[self._place], self.bias
        outputs.mul_(scale)
        if bias is not None:  # DoRA scales the product alone; a base row, whose s is 1, stays what it was to the bit
            outputs.add_(bias * (1 - scale))
        present.way.add(outputs, self.shared.low(inputs, present.way, self.member), self.up)
        return outputs

    def put(self, slot: int, weights: LayerWeights | None, scale: Tensor | None = None) -> None:
        """Fill an adapter's slot in place; None makes it the base's."""
        down, up = self.down[slot - 1], self.up[slot - 1]
        down.zero_()
        up.zero_()
        self.scale[slot].fill_(1)
        if weights is None or scale is None:
            return
        folded = (scale[:, None] * weights.scaling * weights.up.float().cpu()).to(up.dtype)  # (outputs, rank)
        if not (torch.isfinite(folded).all() and torch.isfinite(weights.down.to(down.dtype)).all()):
            raise ModelError.of(
                "adapter", expected=f"numbers that {up.dtype} can hold", got="larger ones", remedy="Load in fp32."
            )
        down[: weights.rank].copy_(weights.down)
        up[: weights.rank].copy_(folded.T)
        self.scale[slot].copy_(scale)


class AdapterBank:
    """All banked layers of a model. A slot is refilled in place; addresses change only where ``top`` does."""

    def __init__(
        self, model: Any, adapters: int, rank: int, names: Collection[str] | None = None, *, spare: int = 0
    ) -> None:
        """Bank the layers of these names, all where None.

        There is memory for so many adapters at once, and for each of ``spare`` more from when it is first filled.
        """
        self.rank = rank
        self._adapters, self._device = adapters, model.device
        self._free = sorted(range(1, adapters + spare + 1), reverse=True)
        self._present = Present()
        self._used: tuple[int, ...] | None = None
        linears = {name: each for name, each in _linears(model) if names is None or name in names}
        self._outputs = [int(each.out_features) for each in linears.values()]
        self._scale = torch.ones(1 + adapters + spare, sum(self._outputs), device=self._device)
        self.layers: dict[str, BankedLinear] = {}
        for family in _families(linears):
            self._bank(model, {name: linears[name] for name in family}, list(linears))
        self._top = BASE_SLOT
        self.generation = 0
        """Grows where stacks are made anew: addresses from before are then void."""

    @property
    def top(self) -> int:
        """The highest slot that was ever filled: what a captured step reads."""
        return self._top

    def use(self, slots: Sequence[int]) -> None:
        """The slot of each row of the next forward; rows that lie in the order of their slots are the fastest."""
        wanted = tuple(slots)
        if wanted == self._used:
            return
        self._used = wanted
        if not any(wanted):
            self._present.way, self._present.scales = None, ()
            return
        rows = torch.tensor(wanted, device=self._device)
        self._choose(Sorted.of(wanted) if list(wanted) == sorted(wanted) else RowByRow.of(rows), rows)

    def use_any(self, slots: Tensor) -> None:
        """The same for one token a row, from a tensor (rows) on the device whose values may be any up to ``top``."""
        self._used = None
        if self._top == BASE_SLOT:
            self._present.way = None
        else:
            self._choose(Masked.of(slots, self._top), slots)

    def take(self) -> int | None:
        """The lowest free slot, now taken; None where there is none."""
        return self._free.pop() if self._free else None

    def free(self, slot: int) -> None:
        """Give a slot back."""
        self._free = sorted([*self._free, slot], reverse=True)

    @property
    def spare(self) -> int:
        """How many slots are free."""
        return len(self._free)

    def put(self, slot: int, adapter: Mapping[str, LayerWeights], scales: Mapping[str, Tensor]) -> None:
        """Fill a slot with an adapter: its layers by name, and their scales; other layers are the base's there."""
        self._used = None  # what was looked up may be of this slot
        self._make_room(slot)
        self._top = max(self._top, slot)
        for name, layer in self.layers.items():
            layer.put(slot, adapter.get(name), scales.get(name))

    def scales(self, slot: int) -> dict[str, Tensor]:
        """A copy of a slot's scales by layer, (outputs) each, on the CPU."""
        return {name: layer.scale[slot].cpu().clone() for name, layer in self.layers.items()}

    def _make_room(self, adapters: int) -> None:
        """Memory for at least so many adapters; those that are there are copied."""
        if adapters <= self._adapters:
            return
        downs = {shared: _longer(shared.down, adapters) for shared in {layer.shared for layer in self.layers.values()}}
        ups = {layer: _longer(layer.up, adapters) for layer in self.layers.values()}
        for shared, down in downs.items():  # all have room now: none is left behind
            shared.down = down
        for layer, up in ups.items():
            layer.up = up
        self._adapters = adapters
        self.generation += 1

    def _bank(self, model: Any, family: Mapping[str, Any], order: Sequence[str]) -> None:
        """Put banked layers in place of linear ones that share an input; ``order`` is that of the scales."""
        inputs = int(next(iter(family.values())).in_features)
        shared = SharedInput(self._present, (self._adapters, self.rank, inputs), len(family), model)
        scales = dict(zip(order, torch.split(self._scale, self._outputs, -1), strict=True))
        for member, (name, linear) in enumerate(family.items()):
            layer = BankedLinear(linear, shared, member, scales[name], order.index(name))
            block, _, last = name.rpartition(".")
            setattr(model.get_submodule(block), last, layer)
            self.layers[name] = layer

    def _choose(self, way: Way, rows: Tensor) -> None:
        self._present.way = way
        self._present.scales = torch.split(self._scale[rows][:, None], self._outputs, -1)


def _longer(stack: Tensor, adapters: int) -> Tensor:
    """A copy of a stack with room for so many adapters."""
    longer = stack.new_zeros(adapters, *stack.shape[1:])
    longer[: len(stack)] = stack
    return longer


def shapes_of(model: Any) -> dict[str, tuple[int, int]]:
    """(outputs, inputs) of each layer that a bank of this model could hold, by module name."""
    return {name: (int(each.out_features), int(each.in_features)) for name, each in _linears(model)}


def _linears(model: Any) -> Iterator[tuple[str, Any]]:
    """The linear layers of the decoder: everything with inputs and outputs except the head."""
    head = model.get_output_embeddings() if hasattr(model, "get_output_embeddings") else None
    for name, module in model.named_modules():
        if hasattr(module, "in_features") and module is not head and not isinstance(module, BankedLinear):
            yield name, module


def _families(layers: Mapping[str, Any]) -> list[list[str]]:
    """The names of layers, those that are given the same input together."""
    families: dict[tuple[str, object, int], list[str]] = {}
    for name, layer in layers.items():
        block, _, last = name.rpartition(".")
        kin = next((names for names in SHARED if last in names), last)
        families.setdefault((block, kin, layer.in_features), []).append(name)
    return list(families.values())
