"""A ranking of several answers as the comparisons it holds: pure, from ranks to verdicts on pairs.

Ranks go by place, in display order: 1 for the best, equal where answers are tied, without gaps. Knows no vote, voter or
database. All comparisons of one ranking are of one voter at one moment: whoever counts them counts one cluster.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from ..domain import Verdict
from ..errors import InvalidValue

FEWEST: Final = 3
"""Answers of a ranking at least: two are a duel."""
MOST: Final = 8

Ranking = tuple[int, ...]
"""The rank of each place: ``(2, 1, 2)`` prefers the second answer to the two others, which are tied."""


@dataclass(frozen=True)
class Comparison:
    """What is said of two of the answers, ``left`` being the place that is shown first."""

    left: int
    right: int
    verdict: Verdict


def ranking_of(ranks: Sequence[object]) -> Ranking:
    """Ranks as they are kept: competition ranks such as 1, 1, 3 become 1, 1, 2.

    Raises:
        InvalidValue: fewer than three ranks, more than eight, or one that is no whole number from 1.
    """
    given = [rank for rank in ranks if isinstance(rank, int) and not isinstance(rank, bool) and rank >= 1]
    if len(given) != len(ranks) or not FEWEST <= len(ranks) <= MOST:
        expected = f"a whole number from 1 for each of {FEWEST} to {MOST} answers, ties allowed"
        raise InvalidValue.of("ranking", expected=expected, got=repr(list(ranks))[:60])
    order = sorted(set(given))
    return tuple(order.index(rank) + 1 for rank in given)


def comparisons(ranking: Ranking) -> tuple[Comparison, ...]:
    """The k(k-1)/2 comparisons of a ranking of k, each with its places in display order; a tie is ``both_good``."""
    pairs = itertools.combinations(range(len(ranking)), 2)
    return tuple(Comparison(left, right, _verdict(ranking[left], ranking[right])) for left, right in pairs)


def _verdict(left: int, right: int) -> Verdict:
    if left == right:
        return Verdict.BOTH_GOOD
    return Verdict.LEFT if left < right else Verdict.RIGHT
