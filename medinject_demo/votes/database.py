"""A database that is opened late, migrated once, retried where its connection is lost, and clear about what fails.

The one boundary at which the library's errors become sentences. Knows the tables only by ``schema.migrate``.
"""

from __future__ import annotations

import shutil
import sqlite3
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import closing, nullcontext
from pathlib import Path
from typing import Any, Final, TypeVar

from sqlalchemy import Connection
from sqlalchemy.exc import (
    DataError,
    DBAPIError,
    IntegrityError,
    OperationalError,
    SQLAlchemyError,
)
from sqlalchemy.exc import TimeoutError as PoolTimeout

from ..errors import StoreError
from .engines import engine_of, parsed
from .migrations import MIGRATIONS, Migration
from .outage import Outage
from .schema import migrate, migrations, require_known, version_of

WAITS: Final = (0.1, 0.5, 2.0)
"""Seconds before each new attempt after a lost connection."""
BUSY: Final = 5
"""Seconds to wait for a server, for a free connection, or for another program that writes to the same file."""
LEAST_ROOM: Final = 1 << 20
"""Bytes free on the disk below which ``check`` says that it is full."""
T = TypeVar("T")


class Unfit(StoreError):
    """What was to be stored is nothing that this database takes; another row may be."""


class Database:
    """Transactions on an SQLite file or a PostgreSQL server. Making one opens nothing."""

    def __init__(
        self,
        url: str,
        *,
        steps: Sequence[Migration] = MIGRATIONS,
        busy: int = BUSY,
        sleep: Callable[[float], None] = time.sleep,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._url, self._steps, self._sleep = parsed(url), steps, sleep
        self._shown = self._url.render_as_string(hide_password=True)
        self._engine = engine_of(self._url, busy)
        self._lock = threading.Lock()
        self._writing = threading.Lock()
        self._outage = Outage(clock)
        self._version = -1
        self._reading: dict[str, Any] = {"reads": True}
        if self._file is None:
            self._reading["isolation_level"] = "REPEATABLE READ"

    def read(self, work: Callable[[Connection], T], *, patient: bool = True) -> T:
        """Run queries in one transaction that sees one state.

        Who can do without is not ``patient``: one attempt, and none for a while after a connection was lost.

        Raises:
            StoreError: the database cannot be read.
        """
        return self._run(work, reads=True, patient=patient)

    def write(self, work: Callable[[Connection], T], *, patient: bool = True) -> T:
        """Run statements in one transaction; when this returns, they are stored for good.

        ``work`` may run more than once, where a connection was lost: it looks first at what is there.

        Raises:
            StoreError: nothing was stored, or (connection lost at the last moment) it cannot be known.
        """
        return self._run(work, reads=False, patient=patient)

    def check(self, *, patient: bool = True) -> None:
        """Do nothing where a write would work at this moment.

        Raises:
            StoreError: the database cannot be written, or the disk of its file is full.
        """
        self.write(_try, patient=patient)
        if (file := self._file) is not None and shutil.disk_usage(file.parent).free < LEAST_ROOM:
            raise self._error("room on the disk", "a full disk", "Make room.")

    def system(self) -> str:
        """What keeps the votes, with its version.

        Raises:
            StoreError: it does not answer.
        """
        name = "SQLite" if self._file is not None else "PostgreSQL"
        version = self.read(lambda connection: connection.dialect.server_version_info) or ()
        return f"{name} {'.'.join(map(str, version))}"

    def scrub(self) -> None:
        """Leave no copy of what was written over, but for what ``left_behind`` says.

        A file written ahead is emptied; a server writes its tables, their indexes and what it noted of their values
        anew, and nobody reads or writes these meanwhile.

        Raises:
            StoreError: copies are left, for somebody reads them.
        """
        try:
            if self._file is None:
                self._rewrite_tables()
                return
            with closing(self._engine.raw_connection()) as raw:
                busy, *_ = raw.cursor().execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
        except SQLAlchemyError as error:
            raise self._sentence(error, True) from error
        if busy:
            raise self._error("a file that nobody reads", "one in use", "Close the page, and do this again.")

    @property
    def left_behind(self) -> str:
        """Where copies of what was written over are left after ``scrub``, in a sentence."""
        if self._file is not None:
            return "No copy is left in the files of the database."
        return (
            "No copy is left in the tables of the database; the server's write-ahead log keeps one until it is "
            "recycled, and its archives, replicas and backups until you erase them."
        )

    @classmethod
    def there(cls, url: str) -> Database:
        """The database of a URL, for who only reads or erases, and shall make none by a name typed wrong.

        Raises:
            StoreError: it is an SQLite file that is not there.
            InvalidValue: the URL is none, or of a database of another kind.
        """
        found = cls(url)
        if found._file is not None and not found._file.is_file():
            remedy = "Check the URL; serving the page makes one."
            raise StoreError.of("votes", expected="a database", got=f"no file {found._file}", remedy=remedy)
        return found

    def close(self) -> None:
        """Give the connections back."""
        self._engine.dispose()

    def _rewrite_tables(self) -> None:
        """A plain ``VACUUM`` frees the room of dead rows and leaves in it what they said; the planner keeps samples."""
        with self._engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            connection.exec_driver_sql(f"SET lock_timeout = '{BUSY}s'")  # who waits for a reader holds up all others
            try:
                connection.exec_driver_sql("VACUUM (FULL, ANALYZE) votes, battles, answers, owed")
                connection.exec_driver_sql("VACUUM (FULL) pg_catalog.pg_statistic")  # skipped where it is not ours
            finally:
                connection.exec_driver_sql("RESET lock_timeout")

    @property
    def _file(self) -> Path | None:
        if self._url.get_backend_name() != "sqlite":
            return None
        return Path((self._url.database or "").removeprefix("file:"))

    def _run(self, work: Callable[[Connection], T], *, reads: bool, patient: bool) -> T:
        if not patient:
            self._outage.require_over()
        for wait in (*(WAITS if patient else ()), None):
            try:
                self._prepare()
                done = self._once(work, reads)
                self._outage.end()
                return done
            except SQLAlchemyError as error:
                if wait is None or not _passes(error):
                    raise self._failed(error, reads) from error
                self._sleep(wait)
            except OverflowError as error:  # of a driver, before it asks the database
                raise self._unfit(str(error)) from error
            except OSError as error:
                raise self._error("a folder that can be made", error.strerror or str(error), _ELSEWHERE) from error
        raise AssertionError("the last attempt returns or raises")

    def _once(self, work: Callable[[Connection], T], reads: bool) -> T:
        turn = nullcontext() if self._file is None or reads else self._writing  # a file has one writer at a time
        options = self._reading if reads else {}
        with turn, self._engine.connect().execution_options(**options) as connection, connection.begin():
            return work(connection)

    def _prepare(self) -> None:
        """Migrate at the first use; a file that is up to date is read without a write."""
        file = self._file
        if self._version == len(self._steps) and (file is None or file.exists()):
            return
        with self._lock:
            if file is not None and not file.exists():
                file.parent.mkdir(parents=True, exist_ok=True)
                self._engine.dispose()  # the file was taken away: what is open would be written to nowhere
                self._version = -1
            else:
                self._version = self._once(version_of, True)
                require_known(self._version, self._steps)
            if self._version != len(self._steps):
                self._once(lambda connection: migrate(connection, self._steps), False)
                self._version = len(self._steps)

    def _failed(self, error: SQLAlchemyError, reads: bool) -> StoreError:
        said = self._sentence(error, reads)
        if _passes(error) and not isinstance(said, Unfit):
            self._outage.begin(said)
        return said

    def _sentence(self, error: SQLAlchemyError, reads: bool) -> StoreError:
        lines = str(getattr(error, "orig", None) or error).strip().splitlines()
        said = lines[0] if lines else type(error).__name__
        nothing = "" if reads else "Nothing was stored. "
        for signs, expected, got, remedy in _KNOWN:
            if any(sign in said.lower() for sign in signs):
                return self._error(expected, got, nothing + remedy)
        if isinstance(error, DataError | IntegrityError):
            return self._unfit(said)
        if _passes(error):  # where the connection was lost at the last moment, it may be stored all the same
            unknown = "" if reads else "Nothing is known to be stored. "
            return self._error("a database that answers", said, unknown + "Check that it runs, and try again.")
        return self._error("a database that works", said, nothing + _ELSEWHERE)

    def _unfit(self, said: str) -> Unfit:
        expected = "values that the database takes"
        return Unfit.of(f"votes in {self._shown}", expected=expected, got=said, remedy="Nothing was stored.")

    def _error(self, expected: str, got: str, remedy: str) -> StoreError:
        return StoreError.of(f"votes in {self._shown}", expected=expected, got=got, remedy=remedy)


_ELSEWHERE: Final = "Set MEDINJECT_DATABASE_URL to another place."
_KNOWN: Final = (
    (("readonly", "read-only"), "a database that can be written", "a read-only one", "Give write access."),
    (("disk is full", "no space left"), "room on the disk", "a full disk", "Make room."),
    (
        ("malformed", "not a database", "file is encrypted"),
        "an SQLite file",
        "a corrupt one",
        "Put a copy back, or move it away to begin anew.",
    ),
    (("unable to open",), "a file that can be opened", "none", _ELSEWHERE),
    (("lock timeout",), "tables that nobody reads", "some in use", "Do this again."),
    (("is locked",), "a file free to write", "one that another program keeps locked", "Close that program."),
)


def _passes(error: SQLAlchemyError) -> bool:
    """True where the connection was lost or not had, or where another writer came first."""
    if isinstance(error, PoolTimeout | IntegrityError):
        return True
    if isinstance(error, DBAPIError) and error.connection_invalidated:
        return True
    if not isinstance(error, OperationalError):
        return False
    if isinstance(error.orig, sqlite3.Error):
        return "is locked" in str(error.orig)
    state = getattr(error.orig, "sqlstate", None) or ""
    return error.statement is None or state[:2] in ("08", "40", "57")  # connection, serialisation, shutdown


def _try(connection: Connection) -> None:
    """Write a row and take it back: on a read-only file a transaction begins and ends without complaint."""
    with connection.begin_nested() as trial:
        connection.execute(migrations.insert(), {"number": -1, "name": "trial"})
        trial.rollback()
