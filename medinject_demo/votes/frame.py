"""Votes as a data frame, one row for each comparison of two answers: what the statistics take.

The one module of the votes that needs pandas. Knows neither a database nor a statistic.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Final

from .records import LiveVote

if TYPE_CHECKING:
    import pandas as pd

STYLES: Final = ("words", "headers", "bold", "lists", "emoji")
COLUMNS: Final = (
    *("battle", "ballot", "voter", "cluster", "at", "left", "right", "verdict", "blind", "suspect"),
    *("kind", "specialty", "profile", "prompt", "propensity", "weight", "seconds", "turns"),
    *(f"{name}_{side}" for name in (*STYLES, "equivalent", "exact") for side in ("left", "right")),
)
"""Columns of a frame of votes."""


def frame(live: Iterable[LiveVote]) -> pd.DataFrame:
    """The votes as a frame, in the order given."""
    raise NotImplementedError
