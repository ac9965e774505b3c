"""The tables of the votes, and the numbered migrations that made them.

A migration that was released is never edited: a change is a new one at the end. They are written for both SQLite and
PostgreSQL. ``TABLES`` describes what the last one leaves; a test compares the two.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from sqlalchemy import BigInteger, Column, Connection, Double, Integer, MetaData, String, Table, func, inspect, select

from ..errors import StoreError

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

migrations: Final = Table(
    "migrations",
    TABLES,
    Column("number", Integer, primary_key=True),
    Column("name", String),
    Column("applied_at", String),
)


@dataclass(frozen=True)
class Migration:
    """One step of the schema: its statements, all applied or none."""

    name: str
    statements: tuple[str, ...]


MIGRATIONS: Final = (
    Migration(
        "battles, answers, votes",
        (
            """
            CREATE TABLE battles (
                id TEXT PRIMARY KEY,
                at TEXT NOT NULL,                -- when first voted on, ISO 8601 in UTC
                voter TEXT NOT NULL,             -- salted hash of whom it was made for
                prompt TEXT NOT NULL,            -- content hash
                kind TEXT NOT NULL,
                question TEXT NOT NULL,
                context TEXT NOT NULL,
                options TEXT NOT NULL,           -- JSON
                reference TEXT NOT NULL,
                specialty TEXT NOT NULL,
                origin TEXT NOT NULL,
                arms TEXT NOT NULL,              -- slugs in display order, joined by +
                propensity DOUBLE PRECISION NOT NULL CHECK (propensity > 0 AND propensity <= 1)
            )
            """,
            "CREATE INDEX battles_by_arms ON battles (arms)",
            """
            CREATE TABLE answers (
                battle TEXT NOT NULL REFERENCES battles (id),
                turn INTEGER NOT NULL,           -- from 0
                place INTEGER NOT NULL,          -- in display order, from 0
                message TEXT NOT NULL,           -- what the voter wrote; empty for the first turn, which is the prompt
                mixture TEXT NOT NULL,
                fingerprint TEXT NOT NULL,
                seed BIGINT NOT NULL,
                sampling TEXT NOT NULL,          -- JSON
                text TEXT NOT NULL,
                finish_reason TEXT NOT NULL,
                tokens INTEGER NOT NULL,
                seconds DOUBLE PRECISION NOT NULL,
                words INTEGER NOT NULL,
                headers INTEGER NOT NULL,
                bold INTEGER NOT NULL,
                lists INTEGER NOT NULL,
                emoji INTEGER NOT NULL,
                PRIMARY KEY (battle, turn, place)
            )
            """,
            """
            CREATE TABLE votes (
                id TEXT PRIMARY KEY,
                battle TEXT NOT NULL REFERENCES battles (id),
                voter TEXT NOT NULL,
                version INTEGER NOT NULL,        -- the highest of a battle and voter is the live one
                at TEXT NOT NULL,
                verdict TEXT CHECK (verdict IN ('left', 'right', 'both_good', 'both_bad', 'unsure')), -- NULL: withdrawn
                criteria TEXT NOT NULL,          -- JSON, by place
                comment TEXT NOT NULL,
                profile TEXT NOT NULL,
                equivalent TEXT NOT NULL,        -- JSON, by place
                seconds DOUBLE PRECISION,
                blind INTEGER NOT NULL,          -- 0 where the verdict came after the reveal
                UNIQUE (battle, voter, version)
            )
            """,
        ),
    ),
    Migration(
        "rankings",
        (
            "ALTER TABLE votes ADD COLUMN ranking TEXT",  # JSON, ranks by place; NULL: a verdict, or withdrawn
            "ALTER TABLE answers ADD COLUMN cached INTEGER NOT NULL DEFAULT 0",
            """
            CREATE TABLE cached_answers (        -- first answers to the bundled prompts
                prompt TEXT NOT NULL,            -- content hash
                fingerprint TEXT NOT NULL,       -- of what answered
                sampling TEXT NOT NULL,          -- JSON
                at TEXT NOT NULL,
                text TEXT NOT NULL,
                finish_reason TEXT NOT NULL,
                tokens INTEGER NOT NULL,
                seconds DOUBLE PRECISION NOT NULL,
                PRIMARY KEY (prompt, fingerprint, sampling)
            )
            """,
            """
            CREATE TABLE shared_battles (        -- those whose maker asked for a link
                battle TEXT PRIMARY KEY REFERENCES battles (id),
                at TEXT NOT NULL
            )
            """,
        ),
    ),
    Migration(
        "suspicions",
        (
            """
            CREATE TABLE suspicions (
                vote TEXT NOT NULL,
                reason TEXT NOT NULL,            -- a reason to doubt it, or 'cleared', which takes them all back
                at TEXT NOT NULL,
                PRIMARY KEY (vote, reason)
            )
            """,
            "CREATE INDEX votes_by_voter ON votes (voter)",
        ),
    ),
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
