"""Reasons to doubt a vote: each a rule on what one voter said, with its threshold and why it is there.

A doubt never deletes: it is kept beside the vote, and the board leaves the vote out. The thresholds are set so that who
reads and judges is practically never doubted, at the price of abusers who stay below them. Pure: knows no database and
no clock.
"""

from __future__ import annotations

import functools
import itertools
import math
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final

from ..domain import Verdict
from ..pairing import pairs


class Doubt(StrEnum):
    """A reason to doubt a vote."""

    TOO_FAST = "too_fast"
    ONE_SIDE = "one_side"
    BURST = "burst"
    SAME_QUESTION = "same_question"


@dataclass(frozen=True)
class Cast:
    """A live vote as the rules see it."""

    vote: str
    at: datetime
    prompt: str
    verdict: Verdict | None
    """None where it is no verdict on two sides, as the order of a ranking."""
    words: int
    """Of all answers to the last message."""
    streamed: float
    """Seconds in which these answers came, and could be read as they came."""
    seconds: float | None
    """From their end to the vote; None where not known."""
    blind: bool = True


History = Sequence[Cast]
"""The live votes of one voter, the oldest first."""
Rule = Callable[[History], frozenset[str]]
"""A rule finds the votes that it doubts."""

REACTION: Final = 0.4
"""Seconds from the end of the answers below which no hand follows an eye: a simple visual reaction takes 0.23 s in the
median (Woods et al., 2015, Front. Hum. Neurosci. 9:131), a choice among five takes longer, and the page has to be
drawn before."""
READING: Final = 50.0
"""Words a second that nobody reads or skims: silent reading is at 4 (Brysbaert, 2019, J. Mem. Lang. 109:104047)."""
MOST_READ: Final = 100
"""Words that have to be seen at most: a long answer may be judged by its beginning."""


def least_seconds(words: int, streamed: float) -> float:
    """The least time between the end of the answers and a vote on them: a reaction, and the words not seen before."""
    return REACTION + min(max(0.0, words - READING * streamed), MOST_READ) / READING


def too_fast(history: History) -> frozenset[str]:
    """Votes given before anybody could have seen the answers: ``seconds`` below ``least_seconds``."""
    return frozenset(
        each.vote
        for each in history
        if each.seconds is not None and each.seconds < least_seconds(each.words, each.streamed)
    )


WINDOW: Final = 30
"""Latest verdicts for one of the sides that are looked at together."""
CHANCE: Final = 1e-6
"""Probability, of a fair coin and on either side, below which a window is doubted: all of 21, or 28 of 30."""


def one_side(history: History) -> frozenset[str]:
    """Windows of at most 30 blind verdicts for a side, nearly all for the same one.

    Sides are drawn by lot, so that who judges answers prefers each about as often. A window of n with k on the more
    frequent side is doubted, whole, where 2 P(X >= k), X binomial (n, 1/2), is below one in a million. The window is
    short on purpose: over hundreds of votes a slight preference for a side, which many honest voters have, would be as
    significant.
    """
    sided = [each for each in history if each.blind and each.verdict in (Verdict.LEFT, Verdict.RIGHT)]
    doubted: set[str] = set()
    for end in range(1, len(sided) + 1):
        window = sided[max(0, end - WINDOW) : end]
        ((_, most),) = Counter(each.verdict for each in window).most_common(1)
        if most >= least_of_one_side(len(window)):
            doubted.update(each.vote for each in window)
    return frozenset(doubted)


@functools.cache
def least_of_one_side(votes: int) -> int:
    """How many of so many verdicts are on one side at least, to be doubted; more than there are where none can be."""
    least, tail = votes + 1, 0
    while 2 * (tail + math.comb(votes, least - 1)) < CHANCE * 2**votes:
        least, tail = least - 1, tail + math.comb(votes, least - 1)
    return least


MINUTE: Final = timedelta(minutes=1)
MOST_A_MINUTE: Final = 15
"""Votes of one voter within a minute that two answers each leave time for: four seconds to ask, read and vote."""


def burst(history: History) -> frozenset[str]:
    """Votes that are more than 15 within one minute, all of them."""
    doubted: set[str] = set()
    for last, first in _minutes(history):
        if last - first > MOST_A_MINUTE:
            doubted.update(each.vote for each in history[first:last])
    return frozenset(doubted)


def _minutes(history: History) -> Iterator[tuple[int, int]]:
    """For each vote, the place behind it and the place of the first within the minute before it."""
    first = 0
    for place, each in enumerate(history):
        while each.at - history[first].at >= MINUTE:
            first += 1
        yield place + 1, first


MOST_TIMES: Final = len(pairs())
"""A question can be judged once for each pair of arms: 28."""


def same_question(history: History) -> frozenset[str]:
    """Votes of one voter on the same question from the 29th on."""
    times: Counter[str] = Counter()
    doubted: set[str] = set()
    for each in history:
        times[each.prompt] += 1
        if times[each.prompt] > MOST_TIMES:
            doubted.add(each.vote)
    return frozenset(doubted)


RULES: Final[Mapping[Doubt, Rule]] = {
    Doubt.TOO_FAST: too_fast,
    Doubt.ONE_SIDE: one_side,
    Doubt.BURST: burst,
    Doubt.SAME_QUESTION: same_question,
}


def doubts(history: History) -> frozenset[tuple[str, Doubt]]:
    """Every vote that a rule doubts, with the rule's reason."""
    return frozenset(
        itertools.chain.from_iterable(((vote, doubt) for vote in rule(history)) for doubt, rule in RULES.items())
    )
