"""Which two arms meet next, and on which side: those whose duel tells most of the differences known least.

Or which three to eight are ranked, and in which order: every set of them alike.

Pure: battles so far come as counts, chance comes from a generator given by the caller. Knows no prompt, vote or page.
The probability of every pair is known and above zero, so that whoever analyses the votes can weigh by its inverse.

A duel of two arms tells of their difference by p (1 - p), p being the probability that one is preferred: much of two
that are alike, little of two of which one always wins. From the duels so far follow the variances of all differences;
the more a duel would lessen the widest of them, the more probable it is.
"""

from __future__ import annotations

import itertools
import math
import operator
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from random import Random
from typing import Final

from .domain import MIXTURES, Mixture
from .errors import InvalidValue

UNIFORM_SHARE: Final = 0.25
"""Share of the draws that ignores the counts: with all eight arms, no pair falls below 0.25 / 28."""

KEENNESS: Final = 32
"""The power that makes the widest difference count most: with 1 all 28 would count alike."""
GREED: Final = 2.0
"""The power by which a gain becomes a probability."""
PRIOR: Final = 0.1
"""Precision of each strength before any duel, as in ``stats.preference``."""
ROUNDS: Final = 15
"""Newton's steps, of one logit at most, in which strengths are found."""
FARTHEST: Final = math.log(99)

Pair = tuple[Mixture, Mixture]
"""Two distinct arms in the study's order: the pair whichever side each is on."""


@dataclass(frozen=True)
class Drawn:
    """Arms drawn, in display order, and the probability of this set of arms, among those that could be drawn.

    The order is a fair shuffle on top: the probability of a pair on these sides is half of ``propensity``.
    """

    arms: tuple[Mixture, ...]
    propensity: float


def pair_of(one: Mixture, other: Mixture) -> Pair:
    """The pair of two arms, whichever comes first."""
    first, second = sorted((one, other), key=MIXTURES.index)
    return first, second


def pairs(mixtures: Sequence[Mixture] = MIXTURES) -> tuple[Pair, ...]:
    """Every pair among these arms, in the study's order: 28 for all eight.

    Raises:
        InvalidValue: fewer than two distinct arms.
    """
    arms = sorted(set(mixtures), key=MIXTURES.index)
    if len(arms) < 2:
        got = ", ".join(map(str, arms)) or "none"
        raise InvalidValue.of("duel", expected="two arms that can answer", got=got, remedy="Install another arm.")
    return tuple(itertools.combinations(arms, 2))


def strengths(scores: Mapping[Pair, tuple[float, float]]) -> dict[Mixture, float]:
    """Each arm's strength in logits, from what each pair's first and second arm won, a tie being half a win of each.

    Bradley and Terry's model with the prior of ``stats.preference``, without its other terms: enough for a plan.
    """
    places = [(MIXTURES.index(first), MIXTURES.index(second)) for first, second in scores]
    found = [0.0] * len(MIXTURES)
    for _ in range(ROUNDS):
        slope, told = [-PRIOR * each - math.fsum(found) for each in found], []
        for (first, second), (firsts, seconds) in zip(places, scores.values(), strict=True):
            chance = _chance(found[first] - found[second])
            surplus = firsts - (firsts + seconds) * chance
            slope[first] += surplus
            slope[second] -= surplus
            told.append((firsts + seconds) * chance * (1 - chance))
        steps = [math.fsum(map(operator.mul, row, slope)) for row in _inverse(_information(len(found), places, told))]
        shrunk = max(1.0, *map(abs, steps))
        found = [each + step / shrunk for each, step in zip(found, steps, strict=True)]
    return dict(zip(MIXTURES, found, strict=True))


def gains(
    mixtures: Sequence[Mixture], battles: Mapping[Pair, int], strong: Mapping[Mixture, float] | None = None
) -> dict[Pair, float]:
    """How much one more duel of each pair would lessen the widest variances of the differences; always above 0.

    The derivative of the sum of the variances to the power of ``KEENNESS``, a smooth stand-in for the largest one.
    """
    everyone, strong = pairs(mixtures), strong or {}
    arms = list(dict.fromkeys(arm for pair in everyone for arm in pair))
    places = [(arms.index(first), arms.index(second)) for first, second in everyone]
    told = [_told(strong.get(first, 0.0) - strong.get(second, 0.0)) for first, second in everyone]
    known = [battles.get(pair, 0) * each for pair, each in zip(everyone, told, strict=True)]
    covariance = _inverse(_information(len(arms), places, known))

    def shared(one: tuple[int, int], other: tuple[int, int]) -> float:
        (a, b), (c, d) = one, other
        return covariance[a][c] - covariance[a][d] - covariance[b][c] + covariance[b][d]

    variances = [shared(each, each) for each in places]
    widest = max(variances)
    weights = [(variance / widest) ** (KEENNESS - 1) for variance in variances]
    return {
        pair: each
        * math.fsum(weight * shared(other, place) ** 2 for weight, other in zip(weights, places, strict=True))
        for pair, place, each in zip(everyone, places, told, strict=True)
    }


def probabilities(
    mixtures: Sequence[Mixture],
    battles: Mapping[Pair, int],
    uniform_share: float = UNIFORM_SHARE,
    strong: Mapping[Mixture, float] | None = None,
) -> dict[Pair, float]:
    """The probability of each pair: a share uniform, the rest as its gain.

    Raises:
        InvalidValue: fewer than two arms, or a share outside ]0, 1].
    """
    if not 0 < uniform_share <= 1:
        raise InvalidValue.of("uniform share", expected="a number above 0, up to 1", got=repr(uniform_share))
    gain = {pair: each**GREED for pair, each in gains(mixtures, battles, strong).items()}
    whole = math.fsum(gain.values())
    return {pair: uniform_share / len(gain) + (1 - uniform_share) * each / whole for pair, each in gain.items()}


def draw(
    mixtures: Sequence[Mixture],
    battles: Mapping[Pair, int],
    generator: Random,
    uniform_share: float = UNIFORM_SHARE,
    strong: Mapping[Mixture, float] | None = None,
    seen: Collection[Mixture] = (),
) -> Drawn:
    """Draw the next pair by ``probabilities``, and its sides by a fair coin.

    ``strong`` are the arms' ``strengths``, as far as they are known; without them all are taken for alike. The pair is
    of arms that are not ``seen``, where there are two.

    Raises:
        InvalidValue: as ``probabilities``.
    """
    chances = probabilities(unseen(mixtures, seen, 2), battles, uniform_share, strong)
    (pair,) = generator.choices(list(chances), list(chances.values()))
    first, second = pair
    return Drawn(pair if generator.random() < 0.5 else (second, first), chances[pair])


def draw_several(mixtures: Sequence[Mixture], count: int, generator: Random, seen: Collection[Mixture] = ()) -> Drawn:
    """Draw so many arms, every set of them as probable, and a fair order of them; not ``seen``, where so many are not.

    Raises:
        InvalidValue: fewer than three are asked for, or more than there are.
    """
    arms = sorted(set(mixtures), key=MIXTURES.index)
    if not 3 <= count <= len(arms):
        expected = f"3 to {len(arms)} arms to rank" if len(arms) >= 3 else "three arms that can answer"
        raise InvalidValue.of("ranking", expected=expected, got=str(count if len(arms) >= 3 else len(arms)))
    arms = unseen(arms, seen, count)
    return Drawn(tuple(generator.sample(arms, count)), 1 / math.comb(len(arms), count))


def unseen(mixtures: Sequence[Mixture], seen: Collection[Mixture], least: int) -> list[Mixture]:
    """The arms that were not seen, where there are so many of them at least; else all."""
    others = [mixture for mixture in mixtures if mixture not in seen]
    return others if len(set(others)) >= least else list(mixtures)


def _told(difference: float) -> float:
    """What one duel tells of a difference in logits: p (1 - p), at least that of 99 wins in 100."""
    chance = _chance(max(-FARTHEST, min(FARTHEST, difference)))
    return chance * (1 - chance)


def _chance(difference: float) -> float:
    """The probability of being preferred, for a difference in logits."""
    return 1 / (1 + math.exp(-difference))


def _information(count: int, places: Sequence[tuple[int, int]], known: Sequence[float]) -> list[list[float]]:
    """What is known of the strengths: the prior, 1 on their sum, and the duels of each pair."""
    matrix = [[1.0 + PRIOR * (row == column) for column in range(count)] for row in range(count)]
    for (one, other), each in zip(places, known, strict=True):
        for row, column, sign in ((one, one, 1), (other, other, 1), (one, other, -1), (other, one, -1)):
            matrix[row][column] += sign * each
    return matrix


def _inverse(matrix: Sequence[Sequence[float]]) -> list[list[float]]:
    """By Gauss and Jordan; the matrix is positive definite, so no pivot is 0."""
    size = len(matrix)
    work = [[*row, *(float(place == other) for other in range(size))] for place, row in enumerate(matrix)]
    for pivot in range(size):
        lead = [each / work[pivot][pivot] for each in work[pivot]]
        work = [
            lead if place == pivot else [each - row[pivot] * first for each, first in zip(row, lead, strict=True)]
            for place, row in enumerate(work)
        ]
    return [row[size:] for row in work]
