"""All that is said of a part of the votes, of one moment and from one selection: board, provenances, biases."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from .bias import Bias
from .board import Board, Rule
from .preference import Weighting
from .provenance import Provenances
from .selection import Selection

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True)
class Report:
    """The board and what stands beside it."""

    board: Board
    provenances: Provenances
    bias: Bias


def report(
    frame: pd.DataFrame,
    selection: Selection = Selection(),
    *,
    as_of: datetime,
    rule: Rule = Rule(),
    weighting: Weighting = Weighting.EQUAL,
) -> Report:
    """All of it. Takes seconds for a million votes: call it off the path of a request."""
    raise NotImplementedError
