"""Which votes a board counts: a part of them, and never those that are not blind or are suspect.

The votes of one battle weigh together as one: many guests of a shared duel judge the same two texts again and again.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

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
    """Votes of the part asked for that do not count, and why, each for one reason. None is deleted."""

    not_blind: int = 0
    """Given or changed after the arms were revealed, or by who had seen an answer by name, and not suspect."""
    suspect: int = 0
    """With a stored reason of suspicion, blind or not."""


def select(frame: pd.DataFrame, selection: Selection = Selection()) -> tuple[pd.DataFrame, SetAside]:
    """The comparisons that count, as a frame of the same columns, each by its battle's weight; and how many do not."""
    chosen = frame[_matches(frame, selection)]
    blind = chosen["blind"].to_numpy(bool)
    suspect = chosen["suspect"].to_numpy(bool)
    aside = (chosen["ballot"][where].nunique() for where in (~blind & ~suspect, suspect))
    return _shared(chosen[blind & ~suspect]), SetAside(*aside)


def _shared(counted: pd.DataFrame) -> pd.DataFrame:
    """Each weight divided by how many votes there are of its battle."""
    import pandas as pd

    battle = pd.factorize(counted["battle"])[0]
    first = ~counted["ballot"].duplicated().to_numpy(bool)
    return counted.assign(weight=counted["weight"].to_numpy(np.float64) / np.bincount(battle[first])[battle])


def _matches(frame: pd.DataFrame, selection: Selection) -> NDArray[np.bool_]:
    matches = np.ones(len(frame), bool)
    for column in fields(selection):
        asked = getattr(selection, column.name)
        if asked is not None:
            matches &= (frame[column.name] == str(asked)).to_numpy(bool)
    return matches
