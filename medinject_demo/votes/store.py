"""Where votes are kept: append-only rows, read back as frozen values. Ratings are not kept; they are computed.

A battle is stored with its first vote, in one transaction: of a duel that nobody voted on, nothing is kept. A change
or a withdrawal of a vote is a new row with the next version. Knows neither the page nor the engine.
"""

from __future__ import annotations

import itertools
import secrets
from collections.abc import Callable
from dataclasses import fields
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from sqlalchemy import Connection, exists, func, select

from ..domain import Battle, Mixture
from ..pairing import Pair, pair_of
from .database import Database
from .kept import KeptAnswers
from .links import Links
from .moments import text_of
from .reading import read_frame
from .records import UNSAID, Ballot, Counts, Equivalence, LiveVote, Style, Vote
from .rows import (
    arms_of,
    battle_of,
    live_vote_of,
    pair_counts,
    row_of_battle,
    row_of_vote,
    rows_of_answers,
    vote_of,
)
from .schema import answers, battles, suspicions, votes
from .suspects import SUSPECT, Suspicions, reasons_by_vote

if TYPE_CHECKING:
    import pandas as pd


class VoteStore:
    """Battles, answers and votes in a database, and the ``links`` to battles that were shared.

    Making one opens nothing; every method may raise StoreError.
    """

    def __init__(
        self,
        database: Database,
        *,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
        new_id: Callable[[], str] = lambda: secrets.token_hex(16),
        voted: Callable[[str], None] = lambda voter: None,
    ) -> None:
        """``voted`` is told of the voter of each vote once it is stored; it must neither wait nor raise."""
        self._database, self._now, self._new_id, self._voted = database, now, new_id, voted
        self.suspicions = Suspicions(database, now=now)
        self.links = Links(database, now=now)

    def kept_answers(self, setting: str = "") -> KeptAnswers:
        """The answers kept beside the votes, of weights run in this precision."""
        return KeptAnswers(self._database, setting=setting, now=self._now)

    def check(self, *, patient: bool = True) -> None:
        """Do nothing where a vote would be stored at this moment.

        Raises:
            StoreError: it would not be, and why.
        """
        self._database.check(patient=patient)

    def close(self) -> None:
        """Give the connections back."""
        self._database.close()

    def cast(
        self,
        battle: Battle,
        voter: str,
        ballot: Ballot | None,
        *,
        equivalent: Equivalence = UNSAID,
        seconds: float | None = None,
        blind: bool = True,
    ) -> Vote:
        """Store what a voter says of a battle, and the battle where it is new; None withdraws the vote.

        When this returns, the vote is on the disk. What is already the voter's latest word is not stored again.

        Raises:
            StoreError: the vote is not stored.
        """
        new = self._new_id()

        def work(connection: Connection) -> Vote:
            self._save(connection, battle)
            latest = _latest(connection, battle.id, voter)
            if latest is not None and (latest.ballot, latest.equivalent) == (ballot, equivalent):
                return latest
            version = latest.version + 1 if latest else 1
            vote = Vote(new, battle.id, voter, version, self._time(), ballot, equivalent, seconds, blind)
            connection.execute(votes.insert(), row_of_vote(vote))
            return vote

        stored = self._database.write(work)
        self._voted(voter)
        return stored

    def latest(self, battle: str, voter: str) -> Vote | None:
        """A voter's latest word on a battle, a withdrawal included; None where there is none."""
        return self._database.read(lambda connection: _latest(connection, battle, voter))

    def history(self, battle: str, voter: str) -> tuple[Vote, ...]:
        """Everything that a voter said of a battle, the oldest first."""
        query = select(votes).where(votes.c.battle == battle, votes.c.voter == voter).order_by(votes.c.version)
        return tuple(map(vote_of, self._rows(query)))

    def battle(self, battle: str) -> Battle | None:
        """A battle as it was voted on; None for an unknown one."""

        def work(connection: Connection) -> Battle | None:
            head = connection.execute(select(battles).where(battles.c.id == battle)).one_or_none()
            places = (answers.c.turn, answers.c.place)
            rows = connection.execute(select(answers).where(answers.c.battle == battle).order_by(*places)).all()
            return None if head is None else battle_of(head, rows)

        return self._database.read(work)

    def arms_met(self, voter: str, prompt: str, *, but: str = "", patient: bool = True) -> frozenset[Mixture]:
        """The arms of every battle on a prompt, except ``but``, that a voter voted on, withdrawn votes included."""
        mine = select(battles.c.arms).join_from(votes, battles, votes.c.battle == battles.c.id).distinct()
        mine = mine.where(votes.c.voter == voter, battles.c.prompt == prompt, battles.c.id != but)
        sets = self._database.read(lambda connection: list(connection.execute(mine).scalars()), patient=patient)
        return frozenset(arm for arms in sets for arm in arms_of(arms))

    def battles_by_pair(self) -> dict[Pair, int]:
        """How many battles each pair had, whichever side each arm was on; pairs without battles are left out.

        A ranking is a battle of each of its pairs. Nobody waits for a store that does not answer.
        """
        return self._database.read(_battles_by_pair, patient=False)

    def idle_by_pair(self) -> dict[Pair, int]:
        """How many of those have no vote that counts: withdrawn, suspect or not blind, all of them."""
        told = select(votes.c.battle).where(*_COUNTS)
        return self._database.read(lambda connection: _battles_by_pair(connection, battles.c.id.not_in(told)))

    def mark(self) -> tuple[int, str, int]:
        """Other than before where a vote was stored or doubted since: how many rows there are, and the last's time."""
        doubted = select(func.count()).select_from(suspicions).scalar_subquery()
        ((rows, last, doubts),) = self._rows(select(func.count(), func.max(votes.c.at), doubted).select_from(votes))
        return rows, last or "", doubts

    def counts(self) -> Counts:
        """Battles, votes, voters and verdicts by pair, all of one moment and by the board's definitions."""

        def work(connection: Connection) -> Counts:
            live = connection.scalar(select(func.count()).select_from(votes).where(*_LIVE)) or 0
            suspect = connection.scalar(select(func.count()).select_from(votes).where(*_LIVE, SUSPECT)) or 0
            how_many = (func.count(), func.count(votes.c.battle.distinct()), func.count(votes.c.voter.distinct()))
            counted, fought, voters = connection.execute(select(*how_many).where(*_COUNTS)).one()
            said = (battles.c.arms, votes.c.verdict, votes.c.ranking)
            verdicts = select(*said, func.count().label("votes")).where(*_COUNTS)
            verdicts = verdicts.join_from(votes, battles, votes.c.battle == battles.c.id)
            tallies = connection.execute(verdicts.group_by(*said)).all()
            met = _battles_by_pair(connection, battles.c.id.in_(select(votes.c.battle).where(*_COUNTS)))
            kept = connection.scalar(select(func.count()).select_from(battles)) or 0
            return Counts(kept, fought, live, voters, live - suspect - counted, pair_counts(met, tallies), suspect)

        return self._database.read(work)

    def live_votes(self) -> tuple[LiveVote, ...]:
        """The live votes, each with its battle's arms, styles and propensity, in the order of their time."""
        query = select(votes, battles.c.arms, battles.c.kind, battles.c.specialty, battles.c.propensity)
        query = query.join_from(votes, battles, votes.c.battle == battles.c.id).where(*_LIVE)
        parts = [func.sum(answers.c[each.name]).label(each.name) for each in fields(Style)]
        lengths = select(answers.c.battle, answers.c.place, func.count().label("turns"), *parts)

        def work(connection: Connection) -> tuple[LiveVote, ...]:
            styles: dict[str, list[Any]] = {}
            for row in connection.execute(lengths.group_by(answers.c.battle, answers.c.place).order_by("place")):
                styles.setdefault(row.battle, []).append(row)
            doubted = reasons_by_vote(connection)
            rows = connection.execute(query.order_by(votes.c.at, votes.c.id))
            return tuple(live_vote_of(row, styles[row.battle], doubted.get(row.id, frozenset())) for row in rows)

        return self._database.read(work)

    def frame(self) -> pd.DataFrame:
        """The same votes as a frame of comparisons, with the columns of ``frame.COLUMNS``: for the statistics."""
        return self._database.read(lambda connection: read_frame(connection, _LIVE))

    def _rows(self, query: Any) -> list[Any]:
        return self._database.read(lambda connection: list(connection.execute(query)))

    def _time(self) -> str:
        return text_of(self._now())

    def _save(self, connection: Connection, battle: Battle) -> None:
        """Store a battle and its answers where they are new, and hold its row: its votes come one after the other."""
        held = select(battles.c.id).where(battles.c.id == battle.id).with_for_update()
        if connection.execute(held).first() is None:
            connection.execute(battles.insert(), row_of_battle(battle) | {"at": self._time()})
            connection.execute(answers.insert(), list(rows_of_answers(battle)))


_later = votes.alias("later")
_LIVE = (
    votes.c.verdict.is_not(None) | votes.c.ranking.is_not(None),
    ~exists().where(
        _later.c.battle == votes.c.battle, _later.c.voter == votes.c.voter, _later.c.version > votes.c.version
    ),
)
"""A vote is live where it is no withdrawal and no later version of the same voter on the same battle is there."""
_COUNTS = (*_LIVE, ~SUSPECT, votes.c.blind == 1)
"""A vote counts where it is live, blind and not suspect: in SQL what ``stats.selection`` says of a frame."""


def _latest(connection: Connection, battle: str, voter: str) -> Vote | None:
    query = select(votes).where(votes.c.battle == battle, votes.c.voter == voter)
    row = connection.execute(query.order_by(votes.c.version.desc()).limit(1)).one_or_none()
    return None if row is None else vote_of(row)


def _battles_by_pair(connection: Connection, *which: Any) -> dict[Pair, int]:
    counts: dict[Pair, int] = {}
    sets = select(battles.c.arms, func.count().label("battles")).where(*which).group_by(battles.c.arms)
    for row in connection.execute(sets):
        for pair in itertools.combinations(arms_of(row.arms), 2):
            counts[pair_of(*pair)] = counts.get(pair_of(*pair), 0) + row.battles
    return counts
