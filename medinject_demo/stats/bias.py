"""What else than the arms decides votes: side, length, markdown, haste, a few voters; and whether voters agree.

Knows no page and no board.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ..domain import Verdict
from .agreement import ordinal_alpha
from .comparisons import ARMS, SIDES, VERDICTS, Comparisons, Counts, Truths, truths
from .estimate import Estimate
from .logistic import Codes, effective
from .preference import Term
from .shares import share

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
    be told: no such case has two voters, or all of them say that the two are alike."""
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
    """Share of the votes on duels that are ties, good or bad; None without, as the two below. Rankings say neither."""
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
    said = Comparisons.of(frame)
    rightly = _prefers_the_equivalent(frame, said)
    return Bias(
        position=_position(said, controlled),
        styles=controlled.styles,
        length=_length(frame, said),
        seconds=_spread(frame.loc[~frame["ballot"].duplicated(), "seconds"].dropna().to_numpy(np.float64)),
        ties=_given(said, Verdict.BOTH_GOOD, Verdict.BOTH_BAD),
        both_bad=_given(said, Verdict.BOTH_BAD),
        unsure=_given(said, Verdict.UNSURE),
        voters=_voters(frame, said),
        agreement=agreement(frame, said),
        equivalence=share(*rightly),
        equivalence_votes=len(rightly[0]),
    )


def agreement(frame: pd.DataFrame, said: Comparisons) -> Agreement:
    """Krippendorff's alpha over the prompts and pairs on which several voters voted; a voter's last vote of each."""
    import pandas as pd

    low, high = np.minimum(said.left, said.right), np.maximum(said.left, said.right)
    first = np.where(said.left == low, said.share, 1 - said.share)
    case = (pd.factorize(frame["prompt"])[0] * ARMS + low) * ARMS + high
    votes = pd.DataFrame({"case": case, "voter": said.voter, "first": first})[said.said]
    votes = votes.drop_duplicates(["case", "voter"], keep="last")
    cases, place = np.unique(votes["case"], return_inverse=True)
    counts = np.bincount(place * 3 + (2 * votes["first"]).to_numpy(np.int64), minlength=3 * len(cases)).reshape(-1, 3)
    counts = counts[counts.sum(axis=1) > 1]
    return Agreement(_alpha(counts), len(counts), int(counts.sum()))


def _alpha(counts: Counts) -> float | None:
    """From how often each of three values was given in each case; None where all are ties.

    Each case counts in both orders of its arms, so that what chance alone would do depends on no order of theirs.
    """
    counts = np.concatenate([counts, counts[:, ::-1]])
    if np.count_nonzero(counts.sum(axis=0)) < 2:
        return None
    return ordinal_alpha(counts)


def _position(said: Comparisons, controlled: Preference) -> Position:
    decisive = said.decisive
    left = share(said.share[decisive] == 1, said.voter[decisive], said.prompt[decisive])
    return Position(controlled.position.chance, left)


def _length(frame: pd.DataFrame, said: Comparisons) -> Length:
    left, right = (frame[f"words_{side}"].to_numpy(np.float64) for side in SIDES)
    unlike = said.decisive & (left != right)
    longer = (said.share == 1) == (left > right)
    wins = share(longer[unlike], said.voter[unlike], said.prompt[unlike])
    return Length(wins, _spread(np.concatenate([left, right])))


def _given(said: Comparisons, *verdicts: Verdict) -> Estimate | None:
    said = said.kept(~said.ranked)
    return share(np.isin(said.verdict, [VERDICTS.index(each) for each in verdicts]), said.voter, said.prompt)


def _voters(frame: pd.DataFrame, said: Comparisons) -> Voters:
    comparisons = np.bincount(said.voter, minlength=said.voters)
    ballots = frame.assign(voter_code=said.voter).groupby("voter_code")["ballot"].nunique().to_numpy()
    busiest = float(comparisons.max() / comparisons.sum()) if len(comparisons) else 0.0
    return Voters(_spread(ballots), busiest, effective(comparisons))


def _prefers_the_equivalent(frame: pd.DataFrame, said: Comparisons) -> tuple[Truths, Codes, Codes]:
    """Of the decisive votes with one equivalent answer of two: whether it was preferred, the voter, the prompt."""
    (known_left, left), (known_right, right) = (truths(frame, f"equivalent_{side}") for side in SIDES)
    telling = said.decisive & known_left & known_right & (left != right)
    preferred = (said.share == 1) == left
    return preferred[telling], said.voter[telling], said.prompt[telling]


def _spread(values: NDArray[Any]) -> Spread | None:
    if not len(values):
        return None
    return Spread(len(values), *np.quantile(values, [0, 0.25, 0.5, 0.75, 1]).tolist())
