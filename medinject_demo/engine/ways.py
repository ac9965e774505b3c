"""Ways to add to each row of a batch the adapter of its own slot: ``x A^T`` first, then ``(x A^T) B``.

``RowByRow`` is the plain one and the oracle of the others (``tests/engine/test_ways.py``). In every way a number that
overflows on its way through one slot spoils no row of another. Knows nothing of layers or scales.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor


class Way(Protocol):
    """How the rows of one forward find their adapters."""

    def low(self, inputs: Tensor, down: Tensor, members: int) -> Sequence[Tensor]:
        """``x A^T`` for each of the layers that share an input.

        From inputs (rows, tokens, width) and A (slots, width, members * rank), in a layout that ``add`` knows.
        """

    def add(self, outputs: Tensor, low: Tensor, up: Tensor) -> None:
        """Add ``(x A^T) B`` in place to outputs (rows, tokens, outputs), from B (slots, rank, outputs)."""


@dataclass(frozen=True)
class RowByRow:
    """Each row through a copy of its slot: for prompts, whose tokens are many beside what is copied."""

    slots: Tensor
    """(rows), the slot of each."""

    def low(self, inputs: Tensor, down: Tensor, members: int) -> Sequence[Tensor]:
        """Each (rows, tokens, rank)."""
        return torch.bmm(inputs, down[self.slots]).chunk(members, -1)

    def add(self, outputs: Tensor, low: Tensor, up: Tensor) -> None:
        """One product a row."""
        outputs.baddbmm_(low, up[self.slots])


@dataclass(frozen=True)
class Packed:
    """Rows of one token sorted by slot, each slot padded to as many places: slots are read where they lie, once."""

    span: slice
    """The slots from the first used to the last."""
    width: int
    """Places of each slot."""
    rows: Tensor | None
    """(slots * width), the row in each place, any row where a place is empty; None where rows lie so already."""
    places: Tensor | None
    """(rows), where each row lies; None likewise."""

    @classmethod
    def of(cls, slots: Sequence[int], device: torch.device) -> Packed:
        """The packing of rows of these slots."""
        span = slice(min(slots), max(slots) + 1)
        held = [[row for row, slot in enumerate(slots) if slot == each] for each in range(span.start, span.stop)]
        width = max(map(len, held))
        rows = [row for each in held for row in (each + [0] * width)[:width]]
        if rows == list(range(len(slots))):
            return cls(span, width, None, None)
        places = [(slot - span.start) * width + held[slot - span.start].index(row) for row, slot in enumerate(slots)]
        return cls(span, width, torch.tensor(rows, device=device), torch.tensor(places, device=device))

    def low(self, inputs: Tensor, down: Tensor, members: int) -> Sequence[Tensor]:
        """Each (slots, width, rank)."""
        used = down[self.span]
        packed = inputs if self.rows is None else inputs.index_select(0, self.rows)
        return torch.bmm(packed.view(used.shape[0], self.width, -1), used).chunk(members, -1)

    def add(self, outputs: Tensor, low: Tensor, up: Tensor) -> None:
        """One product a slot."""
        used = up[self.span]
        if self.places is None:
            outputs.view(used.shape[0], self.width, -1).baddbmm_(low, used)
        else:
            products = torch.bmm(low, used).view(-1, 1, used.shape[-1])
            outputs.add_(products.index_select(0, self.places))


@dataclass(frozen=True)
class Masked:
    """All rows of one token through every slot of a span in one product, zero where a slot is not the row's.

    The slots may be any number of the span, or the base's, and are never looked at on the host: shapes do not vary, as
    a captured graph needs. Zeroing is ``masked_fill``: 0 times infinity would not be a number.
    """

    others: Tensor
    """(slots, rows, 1), True where a slot is not the row's."""
    span: slice

    @classmethod
    def of(cls, slots: Tensor, span: slice) -> Masked:
        """The way of rows of these slots (rows)."""
        held = torch.arange(span.start, span.stop, device=slots.device)
        return cls((held[:, None] != slots)[:, :, None], span)

    def low(self, inputs: Tensor, down: Tensor, members: int) -> Sequence[Tensor]:
        """Each (rows, slots * rank)."""
        slots, rows, _ = self.others.shape
        low = torch.matmul(inputs[:, 0], down[self.span]).masked_fill_(self.others, 0)
        return low.view(slots, rows, members, -1).permute(2, 1, 0, 3).reshape(members, rows, -1).unbind()

    def add(self, outputs: Tensor, low: Tensor, up: Tensor) -> None:
        """One product in all."""
        outputs[:, 0].addmm_(low, up[self.span].flatten(0, 1))
