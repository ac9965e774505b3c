"""The tables of the votes, and how a database is brought to them.

``TABLES`` describes what the last of the ``migrations`` leaves; a test compares the two.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Final

from sqlalchemy import BigInteger, Column, Connection, Double, Integer, MetaData, String, Table, func, inspect, select

from ..errors import StoreError
from .migrations import MIGRATIONS, Migration

TABLES: Final = MetaData()

battles: Final = Table(
    "battles",
    TABLES,
    Column("id", String, primary_key=True),
    Column("at", String),
    Column("voter", String),
    Column("prompt", String),
    Column("kind", String),
    Column("question", String),
    Column("context", String),
    Column("options", String),
    Column("reference", String),
    Column("specialty", String),
    Column("origin", String),
    Column("arms", String),
    Column("propensity", Double),
    Column("erased", Integer),
)

answers: Final = Table(
    "answers",
    TABLES,
    Column("battle", String, primary_key=True),
    Column("turn", Integer, primary_key=True),
    Column("place", Integer, primary_key=True),
    Column("message", String),
    Column("mixture", String),
    Column("fingerprint", String),
    Column("seed", BigInteger),
    Column("sampling", String),
    Column("text", String),
    Column("finish_reason", String),
    Column("tokens", Integer),
    Column("seconds", Double),
    Column("words", Integer),
    Column("headers", Integer),
    Column("bold", Integer),
    Column("lists", Integer),
    Column("emoji", Integer),
    Column("cached", Integer),
)

votes: Final = Table(
    "votes",
    TABLES,
    Column("id", String, primary_key=True),
    Column("battle", String),
    Column("voter", String),
    Column("version", Integer),
    Column("at", String),
    Column("verdict", String),
    Column("criteria", String),
    Column("comment", String),
    Column("profile", String),
    Column("equivalent", String),
    Column("seconds", Double),
    Column("blind", Integer),
    Column("ranking", String),
    Column("erased", Integer),
)

cached_answers: Final = Table(
    "cached_answers",
    TABLES,
    Column("prompt", String, primary_key=True),
    Column("fingerprint", String, primary_key=True),
    Column("sampling", String, primary_key=True),
    Column("at", String),
    Column("text", String),
    Column("finish_reason", String),
    Column("tokens", Integer),
    Column("seconds", Double),
)

shared_battles: Final = Table(
    "shared_battles",
    TABLES,
    Column("battle", String, primary_key=True),
    Column("at", String),
)

suspicions: Final = Table(
    "suspicions",
    TABLES,
    Column("vote", String, primary_key=True),
    Column("reason", String, primary_key=True),
    Column("at", String),
)

shards: Final = Table(
    "shards",
    TABLES,
    Column("dataset", String, primary_key=True),
    Column("name", String, primary_key=True),
    Column("stale", Integer),
)

shared: Final = Table(
    "shared",
    TABLES,
    Column("dataset", String, primary_key=True),
    Column("vote", String, primary_key=True),
    Column("shard", String, primary_key=True),
)

owed: Final = Table(
    "owed",
    TABLES,
    Column("debt", String, primary_key=True),
    Column("name", String, primary_key=True),
    Column("mark", String, primary_key=True),
)

migrations: Final = Table(
    "migrations",
    TABLES,
    Column("number", Integer, primary_key=True),
    Column("name", String),
    Column("applied_at", String),
)


def version_of(connection: Connection) -> int:
    """The number of the last migration applied; 0 for a database without any."""
    if not inspect(connection).has_table("migrations"):
        return 0
    return connection.scalar(select(func.max(migrations.c.number))) or 0


def migrate(connection: Connection, steps: Sequence[Migration] = MIGRATIONS) -> None:
    """Apply what is missing, inside the caller's transaction: all of it or nothing.

    Raises:
        StoreError: the database was made by a newer program.
    """
    if connection.dialect.name == "postgresql":  # two programs that start at once take turns
        connection.execute(select(func.pg_advisory_xact_lock(2603_06905)))
    done = version_of(connection)
    require_known(done, steps)
    if not done:
        migrations.create(connection, checkfirst=True)
    for number, step in enumerate(steps[done:], start=done + 1):
        for statement in step.statements:
            connection.exec_driver_sql(statement)
        row = {"number": number, "name": step.name, "applied_at": datetime.now(UTC).isoformat()}
        connection.execute(migrations.insert(), row)


def require_known(version: int, steps: Sequence[Migration] = MIGRATIONS) -> None:
    """Raises StoreError where a database is newer than this program."""
    if version > len(steps):
        raise StoreError.of(
            "database of votes",
            expected=f"one of version {len(steps)} or earlier",
            got=f"version {version}",
            remedy="Update this program, or set MEDINJECT_DATABASE_URL to another database.",
        )
