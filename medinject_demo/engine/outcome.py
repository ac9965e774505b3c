"""What one step says of each row: its logits, the best of them, and whether all are finite.

Knows nothing of models or of how a token is drawn.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True)
class Outcome:
    """Of every row, in the order of the batch."""

    logits: Tensor
    """(rows, vocabulary), until the next step; of a steady step, not to be read at all."""
    best: Sequence[int]
    """The token with the highest logit, the first of equals."""
    finite: Sequence[bool]
    """False where a logit is not finite: then the rest is of no use."""

    @classmethod
    def of(cls, logits: Tensor) -> Outcome:
        """Read from the logits."""
        best, finite = told(logits).tolist()
        return cls(logits, best, [bool(each) for each in finite])

    def among(self, places: Sequence[int] | None) -> Outcome:
        """Of the rows at these places alone, all where None."""
        if places is None or len(places) == len(self.best):
            return self
        kept = list(places)
        return Outcome(self.logits[kept], [self.best[each] for each in kept], [self.finite[each] for each in kept])


def told(logits: Tensor) -> Tensor:
    """Each row's best token, and 1 where its logits are finite, (2, rows); the plain way of ``fused.launch.best``."""
    return torch.stack([logits.argmax(-1), torch.isfinite(logits).all(-1).long()])
