"""What else than the arms decides votes: side, length, markdown, haste, a few voters; and whether voters agree.

Knows no page and no board.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from .estimate import Estimate
from .preference import Term

if TYPE_CHECKING:
    import pandas as pd

    from .preference import Preference


@dataclass(frozen=True)
class Spread:
    """How a quantity is spread: its quantiles, in its own unit."""

    count: int
    least: float
    lower: float
    """A quarter is below."""
    median: float
    upper: float
    """A quarter is above."""
    most: float


@dataclass(frozen=True)
class Position:
    """Whether the left is favoured."""

    left_wins: Estimate
    """Probability that the left is preferred where nothing else differs (arms and styles apart); 0.5 is no bias."""
    observed: Estimate | None
    """Share of the decisive votes that the left has; None without any."""


@dataclass(frozen=True)
class Length:
    """Whether the longer answer wins, as it was observed."""

    longer_wins: Estimate | None
    """Share of the decisive votes between answers of different lengths that the longer has."""
    words: Spread | None
    """Words of the answers."""


@dataclass(frozen=True)
class Voters:
    """Who votes how much."""

    votes: Spread | None
    """Ballots of a voter."""
    busiest_share: float
    """Share of the comparisons that come from the busiest voter; 0 without votes."""
    effective: float
    """How many voters with as many votes each would weigh alike: the square of the sum over the sum of squares."""


@dataclass(frozen=True)
class Agreement:
    """Whether voters who saw the same two arms answer the same prompt say the same."""

    alpha: float | None
    """Krippendorff's, ordinal (first preferred, tie, second preferred): 1 is perfect, 0 is chance. None where it cannot
    be told: no such case has two voters, or all say the same."""
    cases: int
    """Prompts with a pair on which two or more voters voted."""
    votes: int
    """Their votes."""


@dataclass(frozen=True)
class Bias:
    """Everything of the bias panel."""

    position: Position
    styles: tuple[Term, ...]
    """What each style is worth, from the controlled model."""
    length: Length
    seconds: Spread | None
    """From the end of the answers to the vote."""
    ties: Estimate | None
    """Share of the comparisons that are ties, good or bad; None without votes, as the two below."""
    both_bad: Estimate | None
    unsure: Estimate | None
    voters: Voters
    agreement: Agreement
    equivalence: Estimate | None
    """Where one answer alone was judged equivalent to the reference and the vote is decisive: share of the votes that
    prefer it. None where there is no such vote."""
    equivalence_votes: int


def bias(frame: pd.DataFrame, controlled: Preference) -> Bias:
    """The biases of the comparisons that count, and of the model fitted to them with the styles."""
    raise NotImplementedError
