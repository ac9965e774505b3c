"""Doubts beside the votes: found by the rules, kept as rows, taken back by a row. No vote is changed or deleted.

Knows the tables; what a doubt is, ``suspicion`` knows.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

from sqlalchemy import Connection, Select, case, func, or_, select

from ..domain import Verdict
from ..errors import InvalidValue
from .database import Database
from .forgetting import mark_stale
from .moments import text_of
from .rankings import comparisons
from .schema import answers, battles, suspicions, votes
from .suspicion import Cast, Doubt, doubts

CLEARED: Final = "cleared"
"""The reason that takes back all others of its vote, those that come later too."""
SUSPECT: Final = votes.c.id.in_(
    select(suspicions.c.vote)
    .where(suspicions.c.reason.in_([*Doubt]))
    .except_(select(suspicions.c.vote).where(suspicions.c.reason == CLEARED))
)
"""A vote counts on no board where it has a reason and was not cleared; a newer program's reasons say nothing here."""


@dataclass(frozen=True)
class Suspect:
    """A vote that a rule doubts, or doubted before it was cleared."""

    vote: str
    battle: str
    voter: str
    at: str
    """When the vote was stored, ISO 8601 in UTC."""
    reasons: frozenset[Doubt]
    cleared: bool
    live: bool
    """False where the voter has changed or withdrawn it since."""

    @property
    def left_out(self) -> bool:
        """True where a board would count the vote but for its reasons."""
        return self.live and bool(self.reasons) and not self.cleared


class Suspicions:
    """The doubts of a database. Every method may raise StoreError."""

    def __init__(self, database: Database, *, now: Callable[[], datetime] = lambda: datetime.now(UTC)) -> None:
        self._database, self._now = database, now

    def examine(self, voter: str) -> int:
        """Apply the rules to one voter's live votes and keep what they find; how many rows are new."""
        found = doubts(self._database.read(lambda connection: _history(connection, voter)))
        return self._keep(found) if found else 0

    def sweep(self, told: Callable[[int, int], None] = lambda done, of: None) -> int:
        """Examine every voter, as after an import; how many rows are new. ``told`` hears of each voter done."""
        query = select(votes.c.voter).distinct().order_by(votes.c.voter)
        voters = self._database.read(lambda connection: list(connection.execute(query).scalars()))
        new = 0
        for done, voter in enumerate(voters, start=1):
            new += self.examine(voter)
            told(done, len(voters))
        return new

    def clear(self, vote: str) -> None:
        """Take back every doubt of a vote, by one more row, which also goes to the data set that holds the vote.

        Raises:
            InvalidValue: nothing was doubted in a vote of this name.
        """

        def work(connection: Connection) -> bool:
            reasons = set(connection.execute(select(suspicions.c.reason).where(suspicions.c.vote == vote)).scalars())
            if reasons and CLEARED not in reasons:
                connection.execute(suspicions.insert(), [self._row(vote, CLEARED)])
                mark_stale(connection, votes.c.id == vote)
            return bool(reasons)

        if not self._database.write(work):
            remedy = "Run: python -m medinject_demo votes suspects"
            raise InvalidValue.of("vote", expected="one that a rule doubts", got=repr(vote)[:60], remedy=remedy)

    def suspects(self) -> tuple[Suspect, ...]:
        """Every vote with a reason, those that were cleared or superseded too, in the order of their time."""
        rows = self._database.read(lambda connection: list(connection.execute(_suspects())))
        reasons = _grouped((row.id, row.reason) for row in rows)
        return tuple(_suspect(row, reasons[row.id]) for row in {row.id: row for row in rows}.values())

    def _keep(self, found: Iterable[tuple[str, Doubt]]) -> int:
        """Store the reasons that are not there yet; where another program stores the same, the database tries again."""
        wanted = {(vote, str(doubt)) for vote, doubt in found}

        def work(connection: Connection) -> int:
            pairs = select(suspicions.c.vote, suspicions.c.reason)
            there = connection.execute(pairs.where(suspicions.c.vote.in_({vote for vote, _ in wanted})))
            new = sorted(wanted - {tuple(row) for row in there})
            if new:
                connection.execute(suspicions.insert(), [self._row(*each) for each in new])
            return len(new)

        return self._database.write(work)

    def _row(self, vote: str, reason: str) -> dict[str, str]:
        return {"vote": vote, "reason": reason, "at": text_of(self._now())}


def left_out(suspects: Iterable[Suspect]) -> dict[Doubt, int]:
    """How many votes a board leaves out for each reason; one with two reasons counts in both."""
    counts = Counter(doubt for each in suspects if each.left_out for doubt in each.reasons)
    return {doubt: counts[doubt] for doubt in Doubt}


def reasons_by_vote(connection: Connection) -> dict[str, frozenset[Doubt]]:
    """The reasons of every vote that is left out."""
    rows = connection.execute(select(suspicions.c.vote, suspicions.c.reason))
    kept = _grouped((row.vote, row.reason) for row in rows)
    return {vote: known for vote, reasons in kept.items() if CLEARED not in reasons and (known := _doubts(reasons))}


def _grouped(rows: Iterable[tuple[str, str]]) -> Mapping[str, set[str]]:
    reasons: dict[str, set[str]] = {}
    for vote, reason in rows:
        reasons.setdefault(vote, set()).add(reason)
    return reasons


def _doubts(reasons: set[str]) -> frozenset[Doubt]:
    """The reasons that this program knows; a newer one may have stored others."""
    return frozenset(doubt for doubt in Doubt if doubt in reasons)


def _suspects() -> Select[Any]:
    """Each reason with its vote, and the latest version of the same voter on the same battle."""
    theirs = votes.alias("theirs")
    latest = select(func.max(theirs.c.version)).where(
        theirs.c.battle == votes.c.battle, theirs.c.voter == votes.c.voter
    )
    query = select(votes, suspicions.c.reason, latest.scalar_subquery().label("latest"))
    query = query.join_from(suspicions, votes, suspicions.c.vote == votes.c.id)
    return query.order_by(votes.c.at, votes.c.id)


def _suspect(row: Any, reasons: set[str]) -> Suspect:
    live = row.version == row.latest and _said(row)
    return Suspect(row.id, row.battle, row.voter, row.at, _doubts(reasons), CLEARED in reasons, live)


def _history(connection: Connection, voter: str) -> list[Cast]:
    """A voter's live votes as the rules see them, the oldest first."""
    query = select(votes, battles.c.prompt).join_from(votes, battles, votes.c.battle == battles.c.id)
    rows = connection.execute(query.where(votes.c.voter == voter).order_by(votes.c.version)).all()
    latest = {row.battle: row for row in rows}
    read = _readings(connection, voter)
    live = [_cast(row, *read[row.battle]) for row in latest.values() if _said(row)]
    return sorted(live, key=lambda cast: (cast.at, cast.vote))


def _readings(connection: Connection, voter: str) -> dict[str, tuple[int, float]]:
    """Words of the last answers of each battle of a voter, and seconds in which they came; to a guest, all at once."""
    mine = select(votes.c.battle).where(votes.c.voter == voter)
    there = or_(answers.c.cached == 1, battles.c.voter != voter)  # kept answers, and those of a link, come at once
    seconds = case((there, 0.0), else_=answers.c.seconds)
    query = select(answers.c.battle, answers.c.turn, func.sum(answers.c.words), func.max(seconds))
    query = query.join_from(answers, battles, answers.c.battle == battles.c.id)
    query = query.where(answers.c.battle.in_(mine)).group_by(answers.c.battle, answers.c.turn).order_by(answers.c.turn)
    return {battle: (int(words), float(seconds)) for battle, _, words, seconds in connection.execute(query)}


def _cast(row: Any, words: int, streamed: float) -> Cast:
    at = datetime.fromisoformat(row.at)
    return Cast(row.id, at, row.prompt, _verdict(row), words, streamed, row.seconds, bool(row.blind))


def _said(row: Any) -> bool:
    """False for a withdrawal."""
    return row.verdict is not None or row.ranking is not None


def _verdict(row: Any) -> Verdict:
    """The verdict; of a ranking, that on its first place and its last: sides drawn by lot, as those of a duel."""
    if row.ranking is None:
        return Verdict(row.verdict)
    ranking = json.loads(row.ranking)
    (ends,) = (each for each in comparisons(ranking) if (each.left, each.right) == (0, len(ranking) - 1))
    return ends.verdict
