"""What a transaction leaves to be done after it, written down within it: voters to examine, copies of text to remove.

A debt stands until it is paid, by whichever program comes next. Knows neither the rules of suspicion nor a page.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Collection, Iterable
from enum import StrEnum
from typing import Any

from sqlalchemy import Connection, bindparam, delete, select

from .database import Database
from .schema import owed


class Debt(StrEnum):
    """Its kind."""

    EXAMINE = "examine"
    """The voter named said something that no rule has seen."""
    SCRUB = "scrub"
    """Text was written over, and copies of it may be left in the files."""


def owe_examination(connection: Connection, voters: Iterable[str]) -> None:
    """Have voters examined, once the caller's transaction is stored."""
    _owe(connection, Debt.EXAMINE, set(voters))


def owe_scrub(connection: Connection) -> None:
    """Have the copies of what was written over removed, once the caller's transaction is stored."""
    _owe(connection, Debt.SCRUB, {""})


def rename(connection: Connection, voter: str, nobody: str) -> None:
    """Owe of ``nobody`` what was owed of a voter who is forgotten; also where something is owed of ``nobody`` too."""
    if connection.execute(delete(owed).where(owed.c.debt == str(Debt.EXAMINE), owed.c.name == voter)).rowcount:
        owe_examination(connection, [nobody])


class Owed:
    """The debts of a database. Every method may raise StoreError; what was not done by then is owed still."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def examine(self, examine: Callable[[str], int]) -> int:
        """Call ``examine`` with each voter who is owed it; how many there were."""
        rows, done = self._rows(Debt.EXAMINE), set[str]()
        try:
            for voter in sorted({row["name"] for row in rows}):
                examine(voter)
                done.add(voter)
        finally:
            self._paid([row for row in rows if row["name"] in done])
        return len(done)

    @property
    def scrubs(self) -> bool:
        """True where a scrub is owed."""
        return bool(self._rows(Debt.SCRUB))

    def scrub(self) -> bool:
        """Remove the copies of what was written over; False where none was owed."""
        if rows := self._rows(Debt.SCRUB):
            self._database.scrub()
            self._paid(rows)
        return bool(rows)

    def _rows(self, debt: Debt) -> list[dict[str, Any]]:
        query = select(owed).where(owed.c.debt == debt)
        return self._database.read(lambda connection: [dict(row) for row in connection.execute(query).mappings()])

    def _paid(self, rows: Collection[dict[str, Any]]) -> None:
        """Strike out these rows, and none that came since."""
        if rows:
            these = delete(owed).where(*(column == bindparam(f"the_{column.name}") for column in owed.c))
            named = [{f"the_{name}": value for name, value in row.items()} for row in rows]
            self._database.write(lambda connection: connection.execute(these, named))


def _owe(connection: Connection, debt: Debt, names: Collection[str]) -> None:
    if names:
        mark = secrets.token_hex(8)  # no transaction's rows are another's: paying one pays none that came since
        rows = [{"debt": str(debt), "name": name, "mark": mark} for name in sorted(names)]
        connection.execute(owed.insert(), rows)
