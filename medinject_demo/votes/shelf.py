"""Which files of a data set hold which votes of this database, and which of them have to be written anew.

A vote waits until a shard that is not stale holds it. A shard is stale once text in it was erased here. Knows no Hub.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence

from sqlalchemy import ColumnElement, Connection, delete, exists, func, select, update

from .database import Database
from .exchange import Merged, merge, records
from .schema import shards, shared, votes
from .sheet import Record


class Shelf:
    """The shards of one data set, beside the votes in one database. Every method may raise StoreError."""

    def __init__(self, database: Database, dataset: str) -> None:
        self.dataset, self._database = dataset, database

    def known(self) -> set[str]:
        """The shards that were read or written here."""
        return self._names()

    def stale(self) -> set[str]:
        """Of these, the ones that hold text that was erased since."""
        return self._names(shards.c.stale == 1)

    def waiting(self) -> list[str]:
        """Votes that no fresh shard holds, the oldest first."""
        query = select(votes.c.id).where(~self._held()).order_by(votes.c.at, votes.c.id)
        return self._database.read(lambda connection: list(connection.execute(query).scalars()))

    def how_many_wait(self) -> int:
        """Votes that no fresh shard holds."""
        query = select(func.count()).select_from(votes).where(~self._held())
        return self._database.read(lambda connection: connection.scalar(query) or 0)

    def how_many(self) -> int:
        """All votes, every version."""
        return self._database.read(lambda connection: connection.scalar(select(func.count()).select_from(votes)) or 0)

    def records(self, ids: Sequence[str]) -> list[Record]:
        """Votes with their battles, as they are now."""
        return self._database.read(lambda connection: list(records(connection, ids)))

    def take(self, name: str, given: Sequence[Record]) -> Merged:
        """Merge what a shard holds, and remember that it does.

        Raises:
            InvalidData: it disagrees with what is here; nothing of it was taken.
        """

        def work(connection: Connection) -> Merged:
            merged = merge(connection, given)
            self._remember(connection, name, {record.vote["id"] for record in given}, bool(merged.behind))
            return merged

        return self._database.write(work)

    def put(self, name: str, ids: Sequence[str], unchanged: Callable[[list[Record]], bool]) -> None:
        """Remember that a shard was written; it is stale at once where its votes changed meanwhile."""

        def work(connection: Connection) -> None:
            self._remember(connection, name, ids, not unchanged(list(records(connection, ids))))

        self._database.write(work)

    def keep(self, listed: Collection[str]) -> None:
        """Forget fresh shards that are not in the data set any more: what they held waits again."""
        gone = self._names(shards.c.stale == 0) - set(listed)
        if gone:
            self.drop(gone)

    def drop(self, names: Collection[str]) -> None:
        """Forget shards."""

        def work(connection: Connection) -> None:
            for name in names:
                connection.execute(delete(shared).where(shared.c.dataset == self.dataset, shared.c.shard == name))
                connection.execute(delete(shards).where(shards.c.dataset == self.dataset, shards.c.name == name))

        self._database.write(work)

    def renew(self, names: Collection[str]) -> None:
        """Have shards written anew, though nothing in them was erased."""
        these = (shards.c.dataset == self.dataset, shards.c.name.in_(sorted(names)))
        self._database.write(lambda connection: connection.execute(update(shards).where(*these).values(stale=1)))

    def _remember(self, connection: Connection, name: str, ids: Collection[str], stale: bool) -> None:
        mine = (shared.c.dataset == self.dataset, shared.c.shard == name)
        connection.execute(delete(shared).where(*mine))
        connection.execute(delete(shards).where(shards.c.dataset == self.dataset, shards.c.name == name))
        connection.execute(shards.insert(), {"dataset": self.dataset, "name": name, "stale": int(stale)})
        rows = [{"dataset": self.dataset, "shard": name, "vote": vote} for vote in ids]
        if rows:
            connection.execute(shared.insert(), rows)

    def _names(self, *which: object) -> set[str]:
        query = select(shards.c.name).where(shards.c.dataset == self.dataset, *which)  # type: ignore[arg-type]
        return set(self._database.read(lambda connection: list(connection.execute(query).scalars())))

    def _held(self) -> ColumnElement[bool]:
        fresh = exists().where(shared.c.dataset == self.dataset, shared.c.vote == votes.c.id)
        return fresh.where(shards.c.dataset == self.dataset, shards.c.name == shared.c.shard, shards.c.stale == 0)
