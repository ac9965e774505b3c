"""Which votes a board counts: a part of them, and never those that are not blind or are suspect."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True)
class Selection:
    """The part of the votes asked for; None takes every value."""

    kind: str | None = None
    """``mcqu``, ``mcq`` or ``oeq``."""
    specialty: str | None = None
    profile: str | None = None
    """A declared profile of voters, as in ``votes.records.Profile``."""


@dataclass(frozen=True)
class SetAside:
    """Comparisons of the part asked for that do not count, and why. None is deleted."""

    not_blind: int = 0
    """Given or changed after the arms were revealed."""
    suspect: int = 0
    """Blind, but with a stored reason of suspicion."""


def select(frame: pd.DataFrame, selection: Selection = Selection()) -> tuple[pd.DataFrame, SetAside]:
    """The comparisons that count, as a frame of the same columns, and how many do not."""
    raise NotImplementedError
