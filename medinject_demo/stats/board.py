"""The board: each arm's strength, raw and with the style controlled, who met whom, and what can be said of it.

Strengths are shown on a scale as Elo's: the base at 1000, 400 points for odds of ten to one. An interval is that of the
difference from the base, so the base itself has none. Knows no page: verdicts are codes, rules are numbers.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import TYPE_CHECKING, Final

import numpy as np

from ..domain import ARMS, BASE, MIXTURES, Mixture, Verdict
from ..pairing import Pair, pairs
from .comparisons import VERDICTS, Comparisons, Tally
from .estimate import CONFIDENCE, Estimate
from .preference import STYLES, Preference, Weighting, fit
from .selection import Selection, SetAside, select
from .shares import arm_shares
from .together import sure

if TYPE_CHECKING:
    import pandas as pd

POINTS: Final = 400 / math.log(10)
"""Points of the scale in one logit."""
HOME: Final = 1000
"""Points of the base."""


class Standing(StrEnum):
    """What can be said of an arm beside another: beside the base in a row, beside the column's arm in a cell."""

    REFERENCE = "reference"
    """The base itself."""
    AHEAD = "ahead"
    LEVEL = "level"
    BEHIND = "behind"
    TOO_FEW = "too_few"


@dataclass(frozen=True)
class Rule:
    """When a standing is said, as numbers. The texts of a page quote them.

    ``TOO_FEW``: the arm or the one beside it has fewer than ``least_votes`` battles, ``least_voters`` voters or
    ``least_prompts`` prompts. A battle counts once: a ranking, whatever its comparisons, and a duel that was shared,
    whatever its guests.
    Else ``AHEAD`` or ``BEHIND`` where the difference is sure, told together with others by ``together.sure``: in a row
    with the seven from the base, in a cell and for ranks with all 28 pairs, but for those with too few. Else ``LEVEL``
    where the whole interval is within ``level_within`` points of 0, on either side; else, as it leaves room for more,
    ``TOO_FEW`` again.
    A row is provisional below ``settled_votes`` battles, ``settled_voters`` voters or ``settled_prompts`` prompts.
    """

    confidence: float = CONFIDENCE
    least_votes: int = 20
    least_voters: int = 3
    least_prompts: int = 3
    settled_votes: int = 100
    settled_voters: int = 10
    settled_prompts: int = 10
    level_within: float = 100.0
    """Points: 100 are odds of 64 to 36."""
    apart_from: float = 0.95
    """``Board.apart`` from which the base and its style are said not to be told apart."""
    reference: Mixture = BASE
    reference_points: int = HOME
    points_per_logit: float = POINTS


@dataclass(frozen=True)
class Rating:
    """An arm's strength by one of the two models."""

    points: Estimate
    """The base is at 1000, with an interval of no width."""
    ranks: tuple[int, int]
    """Best and worst: one more than the arms that are stronger for sure, and eight less those that are weaker for sure,
    all pairs taken together. An arm with too few votes, voters or prompts to say something is told from no other."""
    standing: Standing


@dataclass(frozen=True)
class Row:
    """One arm on the board."""

    arm: Mixture
    raw: Rating
    controlled: Rating
    tally: Tally
    battles: int
    """That this arm stood in and that were voted on: what the rule counts."""
    voters: int
    """Who voted on a comparison of this arm."""
    prompts: int
    """Whose answer by this arm was voted on."""
    failures: Estimate | None
    """Share of the votes on this arm's duels that call both answers bad: an absolute rate. None without duels.
    Rankings are no part of it: they cannot say it."""
    provisional: bool


@dataclass(frozen=True)
class Cell:
    """A row's arm beside a column's: what was said where they met, and what all votes say of the two."""

    tally: Tally
    """Seen from the row's arm."""
    battles: int
    """In which the two met: a duel is one, whatever the number of its votes."""
    raw: Estimate
    """Probability that the row's arm is preferred, from the raw model, sides and styles apart."""
    controlled: Estimate
    standing: Standing
    """Of the controlled model."""


@dataclass(frozen=True)
class Board:
    """Everything on the board. ``rows`` has all eight arms, strongest first by the controlled model."""

    rows: tuple[Row, ...]
    cells: Mapping[Pair, Cell]
    """All 56 ordered pairs of distinct arms: (row, column)."""
    selection: Selection
    set_aside: SetAside
    rule: Rule
    weighting: Weighting
    comparisons: int
    """That count. A vote on a duel is one, a ranking of k answers is k (k - 1) / 2."""
    ballots: int
    battles: int
    """Of those ballots: a duel that was shared is one, whatever its guests."""
    voters: int
    prompts: int
    as_of: datetime
    apart: float | None
    """Of the base's comparisons, the share in which the one of the two that more often writes more does: at 1, the
    lengths of the base and of the others never overlap. None below the rule's least votes."""
    raw: Preference
    controlled: Preference

    def row(self, arm: Mixture) -> Row:
        """The row of an arm."""
        return next(row for row in self.rows if row.arm == arm)

    @property
    def met(self) -> int:
        """How many of the 28 pairs have at least one comparison that counts."""
        return sum(cell.tally.votes > 0 for cell in self.cells.values()) // 2

    @property
    def overlaps(self) -> bool:
        """Whether the lengths of the base and of the others do, so that the base and its style can be told apart."""
        return self.apart is None or self.apart < self.rule.apart_from

    @property
    def coverage(self) -> float:
        """Share of the 28 pairs that met."""
        return self.met / (len(self.cells) / 2)


def board(
    frame: pd.DataFrame,
    selection: Selection = Selection(),
    *,
    as_of: datetime,
    rule: Rule = Rule(),
    weighting: Weighting = Weighting.EQUAL,
) -> Board:
    """The board of a part of the votes (a frame of ``votes.frame``), as of a time that the caller gives."""
    counted, set_aside = select(frame, selection)
    said = Comparisons.of(counted)
    raw, controlled = (fit(counted, styles=styles, weighting=weighting) for styles in ((), STYLES))
    cells = _cells(said, raw, controlled, rule)
    return Board(
        rows=_rows(said, raw, controlled, rule),
        cells=cells,
        selection=selection,
        set_aside=set_aside,
        rule=rule,
        weighting=weighting,
        comparisons=len(counted),
        ballots=counted["ballot"].nunique(),
        battles=said.battles,
        voters=said.voters,
        prompts=said.prompts,
        as_of=as_of,
        apart=_apart(counted, said, rule),
        raw=raw,
        controlled=controlled,
    )


def _cells(said: Comparisons, raw: Preference, controlled: Preference, rule: Rule) -> dict[Pair, Cell]:
    tallies, battles = said.tallies, said.battles_by_pair
    told = _told(controlled, pairs(), _known(said, rule), rule)
    return {
        (one, other): Cell(
            tallies[one, other],
            battles[one, other],
            raw.difference(one, other).chance,
            controlled.difference(one, other).chance,
            told[one, other],
        )
        for one, other in itertools.permutations(MIXTURES, 2)
    }


def _rows(said: Comparisons, raw: Preference, controlled: Preference, rule: Rule) -> tuple[Row, ...]:
    tallies, known, failures = said.tallies, _known(said, rule), _failures(said)
    plain, twin = (_ratings(model, known, rule) for model in (raw, controlled))
    settled = _reached(said, rule.settled_votes, rule.settled_voters, rule.settled_prompts)
    rows = []
    counts = zip(said.battles_by_arm, said.voters_by_arm, said.prompts_by_arm, strict=True)
    for arm, (battles, voters, prompts) in zip(MIXTURES, counts, strict=True):
        tally = sum((tallies[arm, other] for other in MIXTURES if other != arm), Tally())
        rows.append(Row(arm, plain[arm], twin[arm], tally, battles, voters, prompts, failures[arm], not settled[arm]))
    return tuple(sorted(rows, key=lambda row: (not row.tally.votes, -round(row.controlled.points.value, 6))))


def _known(said: Comparisons, rule: Rule) -> dict[Mixture, bool]:
    """Whether there is enough of an arm to say something."""
    return _reached(said, rule.least_votes, rule.least_voters, rule.least_prompts)


def _reached(said: Comparisons, *least: int) -> dict[Mixture, bool]:
    """Whether an arm has so many battles, voters and prompts at least."""
    counts = zip(said.battles_by_arm, said.voters_by_arm, said.prompts_by_arm, strict=True)
    return {
        arm: all(count >= enough for count, enough in zip(each, least, strict=True))
        for arm, each in zip(MIXTURES, counts, strict=True)
    }


def _ratings(model: Preference, known: Mapping[Mixture, bool], rule: Rule) -> dict[Mixture, Rating]:
    """Each arm's points, its ranks by all pairs together, and its standing by the differences from the base."""
    beside = _told(model, [(arm, BASE) for arm in ARMS], known, rule) | {(BASE, BASE): Standing.REFERENCE}
    told = _told(model, pairs(), known, rule)
    ratings = {}
    for arm in MIXTURES:
        seen = [told[arm, other] for other in MIXTURES if other != arm]
        ranks = (1 + seen.count(Standing.BEHIND), len(MIXTURES) - seen.count(Standing.AHEAD))
        ratings[arm] = Rating(model.difference(arm, BASE).scaled(POINTS, HOME), ranks, beside[arm, BASE])
    return ratings


def _told(model: Preference, asked: Sequence[Pair], known: Mapping[Mixture, bool], rule: Rule) -> dict[Pair, Standing]:
    """What can be said of each of some pairs, all of them together, seen from the one arm and from the other."""
    clear = sure({pair: model.doubt(*pair) for pair in asked if all(known[arm] for arm in pair)})
    told = {}
    for one, other in asked:
        enough = known[one] and known[other]
        for ends in ((one, other), (other, one)):
            told[ends] = (
                _standing(model.difference(*ends), rule, sure=(one, other) in clear) if enough else Standing.TOO_FEW
            )
    return told


def _standing(difference: Estimate, rule: Rule, *, sure: bool) -> Standing:
    """What can be said of a difference in logits."""
    if sure and (sign := difference.sign()):
        return Standing.AHEAD if sign > 0 else Standing.BEHIND
    return Standing.LEVEL if difference.scaled(POINTS).within(rule.level_within) else Standing.TOO_FEW


def _apart(frame: pd.DataFrame, said: Comparisons, rule: Rule) -> float | None:
    base = MIXTURES.index(BASE)
    met = (said.left == base) | (said.right == base)
    if met.sum() < rule.least_votes:
        return None
    more = np.sign(frame["words_left"].to_numpy(np.int64) - frame["words_right"].to_numpy(np.int64))
    of_base = np.where(said.left == base, more, -more)[met]
    return float(max((of_base > 0).mean(), (of_base < 0).mean()))


def _failures(said: Comparisons) -> dict[Mixture, Estimate | None]:
    said = said.kept(~said.ranked)
    bad = said.verdict == VERDICTS.index(Verdict.BOTH_BAD)
    arm = np.concatenate([said.left, said.right])
    yes, voter, prompt = (np.concatenate([each, each]) for each in (bad, said.voter, said.prompt))
    return arm_shares(arm, yes, voter, prompt).estimates
