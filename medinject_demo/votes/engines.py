"""From the URL of a database to connections that are safe to vote through: how each kind waits, writes and erases.

Knows no table.
"""

from __future__ import annotations

import sqlite3
from contextlib import suppress
from typing import Any, Final

from sqlalchemy import URL, Connection, Engine, create_engine, event, make_url
from sqlalchemy.exc import ArgumentError, NoSuchModuleError

from ..errors import InvalidValue

CONNECTIONS: Final = 32
"""Of one page at most: three pages have room in a PostgreSQL as installed, which takes 100."""

SILENCE: Final = {"keepalives_idle": 5, "keepalives_interval": 2, "keepalives_count": 3, "tcp_user_timeout": 10_000}
"""How libpq notices within about ten seconds that a server on the network is gone without a word."""


def parsed(url: str) -> URL:
    """Read the URL of a database.

    Raises:
        InvalidValue: it is none, or of a database of another kind, or of one in memory that no vote would survive.
    """
    try:
        given = make_url("postgresql" + url.removeprefix("postgres") if url.startswith("postgres://") else url)
    except ArgumentError as error:
        raise InvalidValue.of("MEDINJECT_DATABASE_URL", expected=_FORMS, got="something else") from error
    if given.get_backend_name() not in ("sqlite", "postgresql"):
        raise InvalidValue.of("MEDINJECT_DATABASE_URL", expected=_FORMS, got=given.drivername)
    if given.get_backend_name() == "sqlite" and (given.database or ":memory:") == ":memory:":
        raise InvalidValue.of("MEDINJECT_DATABASE_URL", expected=_FORMS, got="a database in memory")
    return given


_FORMS: Final = "sqlite:///<file> or postgresql://<user>@<host>/<name>"


def engine_of(url: URL, busy: int) -> Engine:
    """An engine that opens nothing yet; who waits for a file or a server waits ``busy`` seconds.

    Raises:
        InvalidValue: its driver is unknown, or not installed.
    """
    sqlite = url.get_backend_name() == "sqlite"
    waits: dict[str, Any] = {"timeout": busy} if sqlite else {"connect_timeout": max(2, busy)} | SILENCE
    try:
        engine = create_engine(
            url,
            connect_args=waits,
            pool_size=CONNECTIONS,
            max_overflow=0,
            pool_timeout=busy,
            pool_pre_ping=not sqlite,
        )
    except NoSuchModuleError as error:
        raise InvalidValue.of("MEDINJECT_DATABASE_URL", expected=_FORMS, got=url.drivername) from error
    except ModuleNotFoundError as error:
        remedy = f"Run: pip install {error.name}"
        raise InvalidValue.of(
            "MEDINJECT_DATABASE_URL", expected="a driver that is installed", got=url.drivername, remedy=remedy
        ) from error
    if sqlite:
        event.listen(engine, "connect", _settle)
        event.listen(engine, "begin", _begin)
    return engine


def _settle(connection: sqlite3.Connection, _record: object) -> None:
    """Leave transactions to ``_begin``; write ahead, each commit on the disk before it is acknowledged."""
    connection.isolation_level = None
    with suppress(sqlite3.OperationalError):  # a file that cannot be written keeps its mode, and can be read
        connection.execute("PRAGMA journal_mode=WAL")
    connection.execute("PRAGMA synchronous=EXTRA")  # FULL, and the folder too where a file system refuses WAL
    connection.execute("PRAGMA foreign_keys=ON")
    connection.execute("PRAGMA secure_delete=ON")  # a text that is erased leaves zeros, not itself


def _begin(connection: Connection) -> None:
    """A writer takes its lock at once: one that began by reading could not wait for another."""
    reads = connection.get_execution_options().get("reads")
    connection.exec_driver_sql("BEGIN" if reads else "BEGIN IMMEDIATE")
