"""Ways to add to each row of a batch the adapter of its own slot: ``x A^T`` first, then ``(x A^T) B``.

Slots count from 1, which lies first in a stack; 0 is the base, which has no A and no B. ``RowByRow`` is the plain way
and the oracle of the others (``tests/engine/test_ways.py``). In every way a number that overflows on its way through
one slot spoils no row of another. Knows nothing of layers or scales.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any, Protocol

import torch
from torch import Tensor


class Way(Protocol):
    """How the rows of one forward find their adapters."""

    def low(self, inputs: Tensor, down: Tensor, members: int) -> Sequence[Any]:
        """``x A^T`` for each of the layers that share an input.

        From inputs (rows, tokens, width) and A (slots, width, members * rank), in a layout that ``add`` knows.
        """

    def add(self, outputs: Tensor, low: Any, up: Tensor) -> None:
        """Add ``(x A^T) B`` in place to outputs (rows, tokens, outputs), from B (slots, rank, outputs)."""


@dataclass(frozen=True)
class RowByRow:
    """Each row that has an adapter through a copy of it, in whatever order the rows lie."""

    rows: Tensor
    """Those that have one."""
    places: Tensor
    """Where each one's adapter lies in the stack."""

    @classmethod
    def of(cls, slots: Tensor) -> RowByRow:
        """The way of rows of these slots (rows)."""
        (rows,) = slots.nonzero(as_tuple=True)
        return cls(rows, slots[rows] - 1)

    def low(self, inputs: Tensor, down: Tensor, members: int) -> Sequence[Tensor]:
        """Each (rows that have an adapter, tokens, rank)."""
        return torch.bmm(inputs[self.rows], down[self.places]).chunk(members, -1)

    def add(self, outputs: Tensor, low: Tensor, up: Tensor) -> None:
        """One product a row."""
        outputs.index_add_(0, self.rows, torch.bmm(low, up[self.places]))


@dataclass(frozen=True)
class Run:
    """Slots that follow each other in the stack and have as many rows each; their rows follow each other too."""

    rows: slice
    places: slice
    """Of the stack."""
    width: int
    """Rows of each slot."""


@dataclass(frozen=True)
class Sorted:
    """Rows that lie in the order of their slots: every adapter is read where it lies, once, and nothing is copied."""

    runs: tuple[Run, ...]

    @classmethod
    def of(cls, slots: Sequence[int]) -> Sorted:
        """The runs of rows whose slots never fall."""
        runs: list[Run] = []
        for slot, held in groupby(range(len(slots)), slots.__getitem__):
            rows = list(held)
            if slot:
                runs.append(Run(slice(rows[0], rows[-1] + 1), slice(slot - 1, slot), len(rows)))
            if len(runs) > 1 and runs[-2].width == runs[-1].width and runs[-2].places.stop == runs[-1].places.start:
                one, other = runs[-2:]
                rows_of_both = slice(one.rows.start, other.rows.stop)
                runs[-2:] = [Run(rows_of_both, slice(one.places.start, other.places.stop), one.width)]
        return cls(tuple(runs))

    def low(self, inputs: Tensor, down: Tensor, members: int) -> Sequence[Sequence[Tensor]]:
        """Each a (slots, rows of each * tokens, rank) for every run."""
        products = []
        for run in self.runs:
            used = down[run.places]
            given = inputs[run.rows].reshape(len(used), -1, inputs.shape[-1])
            products.append(torch.bmm(given, used).chunk(members, -1))
        return [[product[member] for product in products] for member in range(members)]

    def add(self, outputs: Tensor, low: Sequence[Tensor], up: Tensor) -> None:
        """One product a run."""
        for run, each in zip(self.runs, low, strict=True):
            used = up[run.places]
            outputs[run.rows].view(len(used), -1, outputs.shape[-1]).baddbmm_(each, used)


@dataclass(frozen=True)
class Masked:
    """All rows of one token through every slot up to a highest in one product, zero where a slot is not the row's.

    The slots may be any number up to it and are never looked at on the host: shapes do not vary, as a captured graph
    needs. Zeroing is ``masked_fill``: 0 times infinity would not be a number.
    """

    others: Tensor
    """(slots, rows, 1), True where a slot is not the row's."""

    @classmethod
    def of(cls, slots: Tensor, top: int) -> Masked:
        """The way of rows of these slots (rows), none above ``top``."""
        held = torch.arange(1, top + 1, device=slots.device)
        return cls((held[:, None] != slots)[:, :, None])

    def low(self, inputs: Tensor, down: Tensor, members: int) -> Sequence[Tensor]:
        """Each (rows, slots * rank)."""
        slots, rows, _ = self.others.shape
        low = torch.matmul(inputs[:, 0], down[:slots]).masked_fill_(self.others, 0)
        return low.view(slots, rows, members, -1).permute(2, 1, 0, 3).reshape(members, rows, -1).unbind()

    def add(self, outputs: Tensor, low: Tensor, up: Tensor) -> None:
        """One product in all."""
        outputs[:, 0].addmm_(low, up[: self.others.shape[0]].flatten(0, 1))
