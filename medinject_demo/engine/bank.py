"""The adapter bank: every arm's DoRA in stacked slots beside the base's linear layers, chosen row by row.

DoRA at inference (Liu et al. 2024, eq. 5; peft's ``DoraLinearLayer``) is, per output row, ``s * (x W^T + k x A^T B^T)``
with ``k = alpha / r`` and ``s = m / ||W + k B A||``, constant once loaded. ``k`` and ``s`` are folded into B. Slot 0 is
the base: A = B = 0, s = 1. Knows nothing of files, tokens or caches.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

import torch
from torch import Tensor, nn

from .adapter import LayerWeights

BASE_SLOT: Final = 0


class RowSlots:
    """Which slot each row of the present batch uses; every layer of a bank looks here."""

    def __init__(self) -> None:
        self.slots: Tensor | None = None


class BankedLinear(nn.Module):
    """A linear layer with a slot of A, B and s for each adapter, added row by row of the batch."""

    def __init__(self, base: nn.Module, slots: int, rank: int, rows: RowSlots) -> None:
        super().__init__()
        self.base, self.rows = base, rows
        outputs, inputs = int(base.out_features), int(base.in_features)  # type: ignore[arg-type]
        like = next(base.parameters())
        dtype = like.dtype if like.dtype.is_floating_point else torch.float32
        self.register_buffer("down", torch.zeros(slots, inputs, rank, device=like.device, dtype=dtype))
        self.register_buffer("up", torch.zeros(slots, rank, outputs, device=like.device, dtype=dtype))
        self.register_buffer("scale", torch.ones(slots, outputs, device=like.device, dtype=dtype))
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
        slots, bias = self.rows.slots, self.bias
        outputs: Tensor = self.base(inputs)
        if slots is None:
            return outputs
        if bias is not None:
            outputs = outputs - bias
        outputs = outputs * self.scale[slots][:, None]
        outputs = torch.baddbmm(outputs, torch.bmm(inputs, self.down[slots]), self.up[slots])
        return outputs + bias if bias is not None else outputs

    def put(self, slot: int, weights: LayerWeights | None, scale: Tensor | None = None) -> None:
        """Fill a slot in place; None makes it the base's."""
        self.down[slot].zero_()
        self.up[slot].zero_()
        self.scale[slot].fill_(1)
        if weights is None or scale is None:
            return
        rank = weights.rank
        folded = scale[:, None] * weights.scaling * weights.up.float().cpu()  # (outputs, rank)
        self.down[slot, :, :rank].copy_(weights.down.T)
        self.up[slot, :rank].copy_(folded.T)
        self.scale[slot].copy_(scale)


class AdapterBank:
    """All banked layers of a model. Fixed addresses: a slot is refilled in place, nothing is replaced."""

    def __init__(self, model: nn.Module, slots: int, rank: int) -> None:
        self.rank = rank
        self._rows = RowSlots()
        self.layers: dict[str, BankedLinear] = {}
        for name, parent, attribute, linear in list(_linears(model)):
            layer = BankedLinear(linear, slots, rank, self._rows)
            setattr(parent, attribute, layer)
            self.layers[name] = layer
        self._free = set(range(1, slots))

    def use(self, slots: Tensor | None) -> None:
        """The slot of each row of the next forward; None is the base for all, at no cost."""
        self._rows.slots = slots

    def take(self) -> int | None:
        """A free slot, now taken; None where there is none."""
        return self._free.pop() if self._free else None

    def free(self, slot: int) -> None:
        """Give a slot back."""
        self._free.add(slot)

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
