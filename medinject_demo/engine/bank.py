"""The adapter bank: every arm's DoRA in stacked slots beside the base's linear layers, chosen row by row.

DoRA at inference (Liu et al. 2024, eq. 5; peft's ``DoraLinearLayer``) is, per output row, ``s * (x W^T + k x A^T B^T)``
with ``k = alpha / r`` and ``s = m / ||W + k B A||``, constant once loaded. ``k`` and ``s`` are folded into B. Slot 0 is
the base: A = B = 0, s = 1. Knows nothing of files, tokens or caches.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import torch
from torch import Tensor, nn

from .adapter import LayerWeights

BASE_SLOT: Final = 0


@dataclass(frozen=True)
class Chosen:
    """Which slot each row of a batch uses, and which slots are read for it."""

    rows: Tensor
    """(rows), the slot of each."""
    span: slice
    """The slots from the first used to the last: what one product reads."""
    others: Tensor
    """(rows, slots of the span, 1), True where a slot is not the row's."""

    @classmethod
    def of(cls, slots: Sequence[int], device: torch.device) -> Chosen:
        """The choice of these rows; the base's slot is never read, for it holds nothing."""
        adapted = [slot for slot in slots if slot != BASE_SLOT]
        return cls.within(torch.tensor(slots, device=device), slice(min(adapted), max(adapted) + 1))

    @classmethod
    def within(cls, rows: Tensor, span: slice) -> Chosen:
        """The choice of these rows among the slots of a span that holds them; for shapes that must not vary."""
        held = torch.arange(span.start, span.stop, device=rows.device)
        return cls(rows, span, (held != rows[:, None])[:, :, None])


class RowSlots:
    """The choice for the present batch; every layer of a bank looks here. None is the base for all, at no cost."""

    def __init__(self) -> None:
        self.chosen: Chosen | None = None


class BankedLinear(nn.Module):
    """A linear layer with a slot of A, B and s for each adapter, added row by row of the batch."""

    def __init__(self, base: nn.Module, slots: int, rank: int, dtype: torch.dtype, rows: RowSlots) -> None:
        super().__init__()
        self.base, self.rows = base, rows
        outputs, inputs = int(base.out_features), int(base.in_features)  # type: ignore[arg-type]
        where = next(base.parameters()).device
        self.register_buffer("down", torch.zeros(slots, rank, inputs, device=where, dtype=dtype))
        self.register_buffer("up", torch.zeros(slots, rank, outputs, device=where, dtype=dtype))
        self.register_buffer("scale", torch.ones(slots, outputs, device=where, dtype=dtype))
        self.down: Tensor
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

    def forward(self, inputs: Tensor) -> Tensor:
        """(rows, tokens, inputs) to (rows, tokens, outputs), each row by its own slot."""
        chosen, bias = self.rows.chosen, self.bias
        outputs: Tensor = self.base(inputs)
        if chosen is None:
            return outputs
        if bias is not None:
            outputs = outputs - bias
        adapted = self.together if inputs.shape[1] == 1 else self.one_by_one
        outputs = adapted(inputs, outputs, chosen)
        return outputs + bias if bias is not None else outputs

    def one_by_one(self, inputs: Tensor, outputs: Tensor, chosen: Chosen) -> Tensor:
        """Each row through a copy of its slot: for prompts, whose tokens are many; the oracle of ``together``."""
        down, up = self.down[chosen.rows], self.up[chosen.rows]
        return torch.baddbmm(outputs * self.scale[chosen.rows][:, None], torch.bmm(inputs, down.mT), up)

    def together(self, inputs: Tensor, outputs: Tensor, chosen: Chosen) -> Tensor:
        """One token a row: all rows through all slots of the span, then each row's own kept; no slot is copied."""
        rows, slots = inputs.shape[0], chosen.others.shape[1]
        low = nn.functional.linear(inputs[:, 0], self.down[chosen.span].flatten(0, 1)).view(rows, slots, -1)
        low.masked_fill_(chosen.others, 0)
        scaled = outputs[:, 0].mul_(self.scale[chosen.rows])
        return scaled.addmm_(low.view(rows, -1), self.up[chosen.span].flatten(0, 1))[:, None]

    def put(self, slot: int, weights: LayerWeights | None, scale: Tensor | None = None) -> None:
        """Fill a slot in place; None makes it the base's."""
        self.down[slot].zero_()
        self.up[slot].zero_()
        self.scale[slot].fill_(1)
        if weights is None or scale is None:
            return
        rank = weights.rank
        folded = scale[:, None] * weights.scaling * weights.up.float().cpu()  # (outputs, rank)
        self.down[slot, :rank].copy_(weights.down)
        self.up[slot, :rank].copy_(folded.T)
        self.scale[slot].copy_(scale)


class AdapterBank:
    """All banked layers of a model. Fixed addresses: a slot is refilled in place, nothing is replaced."""

    def __init__(self, model: nn.Module, slots: int, rank: int) -> None:
        self.rank, self.slots = rank, slots
        self._rows = RowSlots()
        self._device: torch.device = model.device  # type: ignore[assignment]
        self.layers: dict[str, BankedLinear] = {}
        for name, parent, attribute, linear in list(_linears(model)):
            layer = BankedLinear(linear, slots, rank, model.dtype, self._rows)  # type: ignore[arg-type]
            setattr(parent, attribute, layer)
            self.layers[name] = layer
        self._free = sorted(range(1, slots), reverse=True)

    def use(self, slots: Sequence[int]) -> None:
        """The slot of each row of the next forward."""
        self._rows.chosen = Chosen.of(slots, self._device) if any(slots) else None

    def use_any(self, slots: Tensor) -> None:
        """The same from a tensor (rows) on the device, whose values may be any: reads every slot."""
        self._rows.chosen = Chosen.within(slots, slice(1, self.slots))

    def take(self) -> int | None:
        """The lowest free slot, now taken; None where there is none."""
        return self._free.pop() if self._free else None

    def free(self, slot: int) -> None:
        """Give a slot back."""
        self._free = sorted([*self._free, slot], reverse=True)

    def put(self, slot: int, adapter: Mapping[str, LayerWeights], scales: Mapping[str, Tensor]) -> None:
        """Fill a slot with an adapter: its layers by name, and their scales; other layers are the base's there."""
        for name, layer in self.layers.items():
            layer.put(slot, adapter.get(name), scales.get(name))


def shapes_of(model: Any) -> dict[str, tuple[int, int]]:
    """(outputs, inputs) of each layer that a bank of this model would hold, by module name."""
    return {name: (int(each.out_features), int(each.in_features)) for name, _, _, each in _linears(model)}  # type: ignore[arg-type]


def _linears(model: Any) -> Iterator[tuple[str, nn.Module, str, nn.Module]]:
    """The linear layers of the decoder: everything with inputs and outputs except the head."""
    head = model.get_output_embeddings() if hasattr(model, "get_output_embeddings") else None
    for name, module in model.named_modules():
        if hasattr(module, "in_features") and module is not head and not isinstance(module, BankedLinear):
            parent = model.get_submodule(name.rpartition(".")[0])
            yield name, parent, name.rpartition(".")[2], module
