"""Voters who vote without pause, all at once, as threads of one page do; and whether what they were told is true.

Each votes through ``VoteStore``. One who is told that a vote was not stored presses again, as a visitor would. In the
end the acknowledgements are compared with the rows, one by one.
"""

from __future__ import annotations

import itertools
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from dataclasses import dataclass
from random import Random
from typing import Final

from ...domain import MIXTURES, Answer, Battle, FinishReason, Kind, Prompt, Sampling, Verdict
from ...errors import InvalidValue, StoreError
from ..database import Database
from ..records import Ballot
from ..store import VoteStore
from ..suspects import Suspicions
from ..watch import Watch

AGAIN: Final = 0.2
"""Seconds after which a voter who was told "not stored" presses again."""
PATIENCE: Final = 60.0
"""Seconds after the end within which a vote under way must be acknowledged."""
PERSON: Final = 10
"""Votes of one person; the next votes of the same place are another's."""


@dataclass(frozen=True)
class Vote:
    """One vote as its voter saw it: when it was given, when it was acknowledged, and its name."""

    begun: float
    ended: float
    name: str


@dataclass(frozen=True)
class Keeping:
    """What became of the votes in one database."""

    system: str
    """What kept them, with its version."""
    voters: int
    seconds: float
    """From the first vote to the last acknowledgement."""
    votes: Sequence[Vote]
    """Those that were acknowledged."""
    rows: int
    """Votes in the database."""
    unknown: int
    """Acknowledged votes that are no row, rows that nobody was told of, and rows that are no first version."""
    refused: int
    """How often a voter was told "not stored"."""
    away: tuple[float, float] | None
    """From when to when the server was away; None where it was not."""

    @property
    def exact(self) -> bool:
        """True where the acknowledgements are the rows."""
        return self.rows == len(self.votes) and not self.unknown

    @property
    def rate(self) -> float:
        """Votes a second."""
        return len(self.votes) / self.seconds

    @property
    def waits(self) -> list[float]:
        """Seconds that each vote took, in increasing order."""
        return sorted(vote.ended - vote.begun for vote in self.votes)

    @property
    def calm(self) -> list[float]:
        """The same without the votes under way while the server was away."""
        if self.away is None:
            return self.waits
        gone, back = self.away
        return sorted(vote.ended - vote.begun for vote in self.votes if vote.ended < gone or vote.begun > back)


def quantile(waits: Sequence[float], share: float) -> float:
    """The wait that so large a share did not exceed, of waits in increasing order: the nearest rank."""
    return waits[min(len(waits) - 1, int(share * len(waits)))]


def crowd(url: str, *, voters: int, seconds: float, restart: Callable[[], None] | None = None) -> Keeping:
    """Have so many voters vote for so long; ``restart`` takes the server away in the middle and brings it back.

    Raises:
        InvalidValue: votes are there already.
        StoreError: the database does not answer, or a vote was not acknowledged long after the end.
    """
    with _store(url) as (database, store):
        if store.counts().kept:
            raise InvalidValue.of("database", expected="an empty one to measure", got="one with votes")
        begun = time.perf_counter()
        end = begun + seconds
        with ThreadPoolExecutor(voters + 1) as pool:
            interlude = pool.submit(_away, begun + seconds / 2, restart) if restart else None
            seats = [pool.submit(_vote, store, seat, end) for seat in range(voters)]
            done = [seat.result() for seat in seats]
        votes = [vote for each, _ in done for vote in each]
        rows, unknown = _compared(store, votes)
        lasted = max((vote.ended for vote in votes), default=end) - begun
        refused = sum(times for _, times in done)
        away = interlude.result() if interlude else None
        return Keeping(database.system(), voters, lasted, votes, rows, unknown, refused, away)


@contextmanager
def _store(url: str) -> Iterator[tuple[Database, VoteStore]]:
    """A store as the page has it, with the rules of suspicion beside it."""
    database = Database(url)
    watch = Watch(Suspicions(database).examine)
    with closing(VoteStore(database, voted=watch.voted)) as store, closing(watch):
        yield database, store


def _vote(store: VoteStore, seat: int, end: float) -> tuple[list[Vote], int]:
    """The votes of one place until the end, and how often they were not stored at first."""
    random, votes, refused = Random(seat), list[Vote](), 0
    for number in itertools.count():
        begun = time.perf_counter()
        if begun >= end:
            return votes, refused
        voter = f"voter {seat}-{number // PERSON}"
        name, again = _until_stored(store, _battle(f"duel {seat}-{number}", voter, random), voter, random, end)
        votes.append(Vote(begun, time.perf_counter(), name))
        refused += again
    raise AssertionError("counting has no end")


def _until_stored(store: VoteStore, battle: Battle, voter: str, random: Random, end: float) -> tuple[str, int]:
    """Cast one vote until it is acknowledged: its name, and how often it was not."""
    ballot, seconds = Ballot(random.choice([*Verdict])), random.uniform(2, 30)
    for times in itertools.count():
        try:
            return store.cast(battle, voter, ballot, seconds=seconds).id, times
        except StoreError:
            if time.perf_counter() > end + PATIENCE:
                raise
            threading.Event().wait(AGAIN)
    raise AssertionError("counting has no end")


def _battle(name: str, voter: str, random: Random) -> Battle:
    """A duel of two answers as long as an answer is: one of ten words, one of a few hundred."""
    texts = (" ".join(["réponse"] * random.randint(5, 20)), " ".join(["**réponse**"] * random.randint(100, 300)))
    arms = random.sample(MIXTURES, 2)
    given = tuple(
        Answer(arm, f"print-{arm}", text, FinishReason.STOP, 2 * len(text.split()), random.uniform(1, 10))
        for arm, text in zip(arms, texts, strict=True)
    )
    prompt = Prompt(Kind.OEQ, f"Question {random.randrange(76)} ?")
    return Battle(name, prompt, Sampling(), given, 1 / 28, voter)


def _away(when: float, restart: Callable[[], None]) -> tuple[float, float]:
    threading.Event().wait(max(0.0, when - time.perf_counter()))
    gone = time.perf_counter()
    restart()
    return gone, time.perf_counter()


def _compared(store: VoteStore, votes: Sequence[Vote]) -> tuple[int, int]:
    """How many votes there are, and how many do not agree with what their voters were told."""
    kept = [live.vote for live in store.live_votes()]
    told, there = {vote.name for vote in votes}, {vote.id for vote in kept}
    return len(kept), len(told ^ there) + sum(vote.version > 1 for vote in kept) + len(votes) - len(told)
