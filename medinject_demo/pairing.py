"""Which two arms meet next, and on which side; or which three to eight, and in which order.

Pure: battles so far come as counts, chance comes from a generator given by the caller. Knows no prompt, vote or page.
The probability of every pair is known and above zero, so that whoever analyses the votes can weigh by its inverse.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from random import Random
from typing import Final

from .domain import MIXTURES, Mixture
from .errors import InvalidValue

UNIFORM_SHARE: Final = 0.25
"""Share of the draws that ignores the counts: with all eight arms, no pair falls below 0.25 / 28."""

Pair = tuple[Mixture, Mixture]
"""Two distinct arms in the study's order: the pair whichever side each is on."""


@dataclass(frozen=True)
class Drawn:
    """Arms drawn, in display order, and the probability of this set of arms.

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


def probabilities(
    mixtures: Sequence[Mixture], battles: Mapping[Pair, int], uniform_share: float = UNIFORM_SHARE
) -> dict[Pair, float]:
    """The probability of each pair: a share uniform, the rest as the inverse of one more than its battles so far.

    Raises:
        InvalidValue: fewer than two arms, or a share outside ]0, 1].
    """
    if not 0 < uniform_share <= 1:
        raise InvalidValue.of("uniform share", expected="a number above 0, up to 1", got=repr(uniform_share))
    everyone = pairs(mixtures)
    rare = {pair: 1 / (1 + battles.get(pair, 0)) for pair in everyone}
    whole = math.fsum(rare.values())
    return {pair: uniform_share / len(everyone) + (1 - uniform_share) * weight / whole for pair, weight in rare.items()}


def draw(
    mixtures: Sequence[Mixture], battles: Mapping[Pair, int], generator: Random, uniform_share: float = UNIFORM_SHARE
) -> Drawn:
    """Draw the next pair by ``probabilities``, and its sides by a fair coin.

    Raises:
        InvalidValue: as ``probabilities``.
    """
    chances = probabilities(mixtures, battles, uniform_share)
    (pair,) = generator.choices(list(chances), list(chances.values()))
    first, second = pair
    return Drawn(pair if generator.random() < 0.5 else (second, first), chances[pair])


def draw_several(mixtures: Sequence[Mixture], count: int, generator: Random) -> Drawn:
    """Draw so many arms, every set of them as probable, and a fair order of them.

    Raises:
        InvalidValue: fewer than three are asked for, or more than there are.
    """
    arms = sorted(set(mixtures), key=MIXTURES.index)
    if not 3 <= count <= len(arms):
        expected = f"3 to {len(arms)} arms to rank" if len(arms) >= 3 else "three arms that can answer"
        raise InvalidValue.of("ranking", expected=expected, got=str(count if len(arms) >= 3 else len(arms)))
    return Drawn(tuple(generator.sample(arms, count)), 1 / math.comb(len(arms), count))
