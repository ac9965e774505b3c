"""All that is said of a part of the votes, of one moment and from one selection: board, provenances, biases."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from .bias import Bias, bias
from .board import Board, Rule, board
from .preference import Weighting
from .provenance import Provenances, provenances
from .selection import Selection, select

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
    counted, _ = select(frame, selection)
    whole = board(frame, selection, as_of=as_of, rule=rule, weighting=weighting)
    return Report(whole, provenances(counted, whole.raw, whole.controlled), bias(counted, whole.controlled))
