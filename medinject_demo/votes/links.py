"""Which battles may be opened: those that their makers have shared by a link, and none that was erased since.

Knows neither what a battle holds nor how a link is written.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime

from sqlalchemy import Connection, or_, select

from .database import Database
from .moments import text_of
from .schema import battles, votes
from .schema import shared_battles as shared


class Links:
    """The table of shared battles; every method may raise StoreError."""

    def __init__(self, database: Database, *, now: Callable[[], datetime] = lambda: datetime.now(UTC)) -> None:
        self._database, self._now = database, now

    def share(self, battle: str) -> None:
        """Let a stored battle be opened by whoever has its identifier; twice is as once."""

        def work(connection: Connection) -> None:
            if not _is_shared(connection, battle):
                at = text_of(self._now())
                connection.execute(shared.insert(), {"battle": battle, "at": at})

        self._database.write(work)

    def shared(self, battle: str) -> bool:
        """True where its maker has shared it."""
        return self._database.read(lambda connection: _is_shared(connection, battle))

    def erased(self, battle: str, voter: str, vote: str = "") -> bool:
        """True where the text of a battle was erased, or a vote is this voter's no longer: they were forgotten.

        Nobody waits for a store that does not answer.
        """
        gone = select(battles.c.id).where(battles.c.id == battle, battles.c.erased == 1).exists()
        lost = select(votes.c.id).where(votes.c.id == vote, votes.c.voter != voter).exists()
        return bool(self._database.read(lambda connection: connection.scalar(select(or_(gone, lost))), patient=False))


def _is_shared(connection: Connection, battle: str) -> bool:
    return connection.execute(select(shared.c.battle).where(shared.c.battle == battle)).first() is not None
