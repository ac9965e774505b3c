"""Reports made by hand, to be drawn: strengths and widths are given, nothing is fitted."""

from __future__ import annotations

import itertools
from datetime import UTC, datetime
from typing import Final

from medinject_demo.domain import BASE, MIXTURES, Mixture, Provenance
from medinject_demo.pairing import pairs
from medinject_demo.stats.bias import Agreement, Bias, Length, Position, Spread, Voters
from medinject_demo.stats.board import HOME, POINTS, Board, Cell, Rating, Row, Rule, Standing, Tally
from medinject_demo.stats.estimate import Estimate
from medinject_demo.stats.preference import Preference, Term, Weighting
from medinject_demo.stats.provenance import Conclusion, Effect, Effects, Outcome, Provenances, Share, Step
from medinject_demo.stats.report import Report
from medinject_demo.stats.selection import Selection, SetAside

AT: Final = datetime(2026, 3, 6, 9, 5, 7, tzinfo=UTC)
CONTROLLED: Final = (0.0, 0.7, 0.3, -0.2, 0.9, 0.8, 0.4, 1.0)
RAW: Final = (0.0, -0.9, -1.1, -1.3, -0.8, -0.9, -1.2, -0.7)
SUBSETS: Final = tuple(each for order in (0, 1, 2) for each in itertools.combinations(Provenance, order))


def estimate(value: float, half: float) -> Estimate:
    return Estimate(value, half / 1.96, value - half, value + half)


def report(
    votes: int = 500,
    half: float = 0.3,
    *,
    selection: Selection = Selection(),
    at: datetime = AT,
    apart: float | None = None,
) -> Report:
    """A report of so many votes, spread evenly over the 28 pairs; intervals of ``half`` logits on each side."""
    controlled, raw = preference(CONTROLLED, votes), preference(RAW, votes)
    cells = {
        cell: Cell(
            tally(votes // 28 + (place < votes % 28), cell == pair),
            votes // 28 + (place < votes % 28),
            chance(RAW, *cell, half),
            chance(CONTROLLED, *cell, half),
            standing(difference(CONTROLLED, *cell, half), votes),
        )
        for place, pair in enumerate(pairs())
        for cell in (pair, pair[::-1])
    }
    rows = sorted((row(arm, votes, half) for arm in MIXTURES), key=lambda row: -row.controlled.points.value)
    board = Board(
        rows=tuple(rows),
        cells=cells,
        selection=selection,
        set_aside=SetAside(not_blind=votes // 40, suspect=votes // 100),
        rule=Rule(),
        weighting=Weighting.EQUAL,
        comparisons=votes,
        ballots=votes,
        battles=votes,
        voters=max(0, votes // 6),
        prompts=min(votes, 76),
        as_of=at,
        apart=apart,
        raw=raw,
        controlled=controlled,
    )
    return Report(board, provenances(votes, half), bias(votes, controlled))


def preference(strengths: tuple[float, ...], votes: int) -> Preference:
    eye = tuple(tuple(float(one == other) for other in range(8)) for one in range(8))
    styles = (Term("words", estimate(0.6, 0.2), 1.4), Term("emoji", estimate(-0.1, 0.2), 0.5))
    return Preference(
        strengths, eye, estimate(0.1, 0.2), styles, votes, votes, votes // 6, min(votes, 76), 1.96, 60.0, 0.1
    )


def difference(strengths: tuple[float, ...], one: Mixture, other: Mixture, half: float) -> Estimate:
    return estimate(strengths[MIXTURES.index(one)] - strengths[MIXTURES.index(other)], half)


def chance(strengths: tuple[float, ...], one: Mixture, other: Mixture, half: float) -> Estimate:
    return difference(strengths, one, other, half).chance


def standing(logit: Estimate, votes: int) -> Standing:
    if votes < 100:
        return Standing.TOO_FEW
    return {1: Standing.AHEAD, 0: Standing.LEVEL, -1: Standing.BEHIND}[logit.sign()]


def tally(each: int, forwards: bool) -> Tally:
    more, less = (each + 1) // 2, each // 4
    wins, losses = (more, less) if forwards else (less, more)
    return Tally(wins, losses, both_good=each - more - less)


def row(arm: Mixture, votes: int, half: float) -> Row:
    place = MIXTURES.index(arm)
    counted = Tally(-(-votes // 9), votes // 10, votes // 40, votes // 50, votes // 80)
    failures = estimate(0.1, 0.05) if votes else None
    ratings = (rating(strengths, arm, votes, half) for strengths in (RAW, CONTROLLED))
    return Row(
        arm, *ratings, counted, counted.votes, votes // 7, votes // 12, failures, provisional=votes < 400 or place == 3
    )


def rating(strengths: tuple[float, ...], arm: Mixture, votes: int, half: float) -> Rating:
    value = strengths[MIXTURES.index(arm)]
    points = estimate(value, 0.0 if arm == BASE else half).scaled(POINTS, HOME)
    better = sum(other > value for other in strengths)
    said = Standing.REFERENCE if arm == BASE else standing(estimate(value, half), votes)
    return Rating(points, (1 + max(0, better - 1), min(8, better + 2)), said)


def conclusion(value: Estimate, matters: float) -> Conclusion:
    if sign := value.sign():
        return Conclusion.ADDS if sign > 0 else Conclusion.TAKES
    return Conclusion.NONE if value.within(matters) else Conclusion.UNKNOWN


def effects(outcome: Outcome, half: float, matters: float, votes: int, scale: float = 1.0) -> Effects:
    """Effects of several signs and widths, so that every conclusion is there."""
    values = (0.5, 0.2, -0.4, -0.1, 0.05, 0.3, 0.02)
    widths = (half, half, half, half, half, 3 * half, half)
    given = tuple(
        Effect(subset, found := estimate(scale * value, abs(scale) * width), conclusion(found, matters))
        for subset, value, width in zip(SUBSETS, values, widths, strict=True)
    )
    steps = tuple(
        Step(added, to, found := estimate(scale * values[place % 7], abs(scale) * half), conclusion(found, matters))
        for place, (to, added) in enumerate(
            (to, added) for to in MIXTURES for added in Provenance if added not in to.provenances
        )
    )
    shares = () if outcome is Outcome.PREFERENCE else tuple(Share(arm, estimate(0.6, 0.1), votes) for arm in MIXTURES)
    return Effects(outcome, given, steps, shares, votes, votes // 6, votes // 7, matters)


def provenances(votes: int, half: float) -> Provenances:
    controlled = effects(Outcome.PREFERENCE, half, 0.3, votes)
    raw = effects(Outcome.PREFERENCE, half, 0.3, votes, scale=-1.0)
    if votes < 100:
        return Provenances(controlled, raw, None, None)
    return Provenances(controlled, raw, effects(Outcome.EQUIVALENCE, half, 0.05, votes, 0.2), None)


def bias(votes: int, controlled: Preference) -> Bias:
    if not votes:
        nothing = Voters(None, 0.0, 0.0)
        position, length = Position(estimate(0.5, 0.4), None), Length(None, None)
        return Bias(position, (), length, None, None, None, None, nothing, Agreement(None, 0, 0), None, 0)
    spread = Spread(votes, 1.0, 4.0, 9.5, 20.0, 300.0)
    return Bias(
        position=Position(estimate(0.53, 0.02), estimate(0.54, 0.03)),
        styles=controlled.styles,
        length=Length(estimate(0.68, 0.04), Spread(2 * votes, 1, 8, 12, 120, 400)),
        seconds=spread,
        ties=estimate(0.2, 0.03),
        both_bad=estimate(0.1, 0.02),
        unsure=estimate(0.05, 0.01),
        voters=Voters(Spread(votes // 6, 1, 2, 4, 7, 40), 0.08, votes / 9),
        agreement=Agreement(0.31 if votes > 50 else None, votes // 30, votes // 12),
        equivalence=estimate(0.72, 0.1) if votes > 50 else None,
        equivalence_votes=votes // 20 if votes > 50 else 0,
    )
