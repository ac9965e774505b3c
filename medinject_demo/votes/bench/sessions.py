"""Simulated visitors, honest ones and abusers, and how many of their votes the rules of suspicion doubt.

A visitor is when, on how many words and for which side votes are given. The honest ones are made hasty on purpose: what
is measured is that haste, a preference for a side or answers that come at once are not taken for abuse. Pure, from a
seed. Knows the rules by ``doubts`` alone.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Final

from ...domain import Verdict
from ..suspicion import Cast, Doubt, doubts

START: Final = datetime(2026, 1, 1, tzinfo=UTC)
LEAST_VOTES: Final = 5
MOST_VOTES: Final = 120
"""Votes of one visitor are drawn between these."""


@dataclass(frozen=True)
class Habit:
    """How a visitor votes. Times are in seconds, each drawn from a log-normal law of this median and spread."""

    name: str
    honest: bool
    thinks: float
    """Median from a reaction after the end of the answers to the vote."""
    spread: float = 0.7
    """Standard deviation of its logarithm."""
    reaction: float = 0.55
    """Before it: to see that the answers have ended, and to move a hand."""
    pause: float = 4.0
    """Median between a vote and the next question."""
    streamed: float = 30.0
    """Words a second at which answers come; infinite where they are there at once."""
    left: float = 0.5
    """Share of the left among verdicts for a side."""
    ties: float = 0.25
    """Share of verdicts for no side."""
    questions: int = 76
    """Different questions that are asked."""
    reads: float = 25.0
    """Words a second that are skimmed of answers that are there at once."""


HABITS: Final = (
    Habit("reads", True, thinks=9.0),
    Habit("skims, and votes as soon as it is clear", True, thinks=1.2, spread=0.6, pause=2.0),
    Habit("skims answers that are there at once", True, thinks=1.2, spread=0.6, pause=2.0, streamed=math.inf),
    Habit("prefers the left a little (60 %)", True, thinks=5.0, left=0.6),
    Habit("prefers the left much (70 %)", True, thinks=5.0, left=0.7),
    Habit("tries one question on many pairs", True, thinks=5.0, questions=5),
    Habit("votes before anybody could look", False, thinks=0.05, reaction=0.02, pause=0.5),
    Habit("always the left, at a human pace", False, thinks=5.0, left=1.0, ties=0.0),
    Habit("the left, and one in twenty for show", False, thinks=5.0, left=0.95, ties=0.0),
    Habit("a script: a vote every two seconds", False, thinks=0.5, spread=0.1, pause=0.3, streamed=math.inf),
    Habit("one question without end", False, thinks=5.0, questions=1),
    Habit("a robot that reads as a person would", False, thinks=9.0),
)


@dataclass(frozen=True)
class Found:
    """What the rules said of so many visitors of one habit."""

    habit: Habit
    sessions: int
    votes: int
    doubted: int
    """Votes with a reason."""
    sessions_doubted: int
    """Visitors with at least one."""
    reasons: Mapping[Doubt, int]

    @property
    def share(self) -> float:
        """Share of the votes that a board would leave out."""
        return self.doubted / self.votes


def examine(sessions: int, seed: int = 1) -> list[Found]:
    """Have so many visitors of each habit vote, and apply the rules to each."""
    return [
        _found(habit, [session(habit, Random(f"{seed} {habit.name} {n}")) for n in range(sessions)]) for habit in HABITS
    ]


def _found(habit: Habit, histories: Sequence[Sequence[Cast]]) -> Found:
    said = [doubts(history) for history in histories]
    reasons = Counter(doubt for found in said for _, doubt in found)
    doubted = [len({vote for vote, _ in found}) for found in said]
    votes = sum(map(len, histories))
    return Found(habit, len(histories), votes, sum(doubted), sum(map(bool, doubted)), reasons)


def session(habit: Habit, random: Random) -> list[Cast]:
    """One visitor's votes."""
    return list(_votes(habit, random, random.randint(LEAST_VOTES, MOST_VOTES)))


def _votes(habit: Habit, random: Random, votes: int) -> Iterator[Cast]:
    at = START
    for number in range(votes):
        lengths = [_words(random) for _ in range(2)]
        streamed = max(lengths) / habit.streamed
        seconds = habit.reaction + _drawn(random, habit.thinks, habit.spread)
        if math.isinf(habit.streamed) and habit.honest:
            seconds += min(sum(lengths), 60) / habit.reads
        at += timedelta(seconds=_drawn(random, habit.pause, 0.6) + streamed + seconds)
        prompt = f"question {random.randrange(habit.questions)}"
        yield Cast(f"vote {number}", at, prompt, _verdict(habit, random), sum(lengths), streamed, seconds)


def _words(random: Random) -> int:
    """The length of an answer: one arm in eight is the base, which writes at length; the others in about ten words."""
    return random.randint(120, 320) if random.random() < 1 / 8 else random.randint(3, 25)


def _drawn(random: Random, median: float, spread: float) -> float:
    return random.lognormvariate(math.log(median), spread)


def _verdict(habit: Habit, random: Random) -> Verdict:
    if random.random() < habit.ties:
        return random.choice((Verdict.BOTH_GOOD, Verdict.BOTH_BAD, Verdict.UNSURE))
    return Verdict.LEFT if random.random() < habit.left else Verdict.RIGHT
