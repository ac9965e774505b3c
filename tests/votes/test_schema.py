"""Migrations are whole or not at all, done once, and never undone."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from sqlalchemy import create_engine, inspect, text

from medinject_demo.errors import StoreError
from medinject_demo.votes.database import Database
from medinject_demo.votes.migrations import MIGRATIONS, Migration
from medinject_demo.votes.schema import TABLES
from medinject_demo.votes.store import VoteStore

from .samples import BALLOT, battle

EACH = list(range(1, len(MIGRATIONS) + 1))
MORE = (*MIGRATIONS, Migration("a remark", ("ALTER TABLE votes ADD COLUMN remark TEXT",)))
BROKEN = (*MIGRATIONS, Migration("broken", ("CREATE TABLE half (a TEXT)", "ALTER TABLE nowhere ADD COLUMN a TEXT")))


NUMBERS = list(range(1, len(MIGRATIONS) + 1))


def tables(url: str) -> dict[str, set[str]]:
    """Tables and their columns as they are in the database."""
    engine = create_engine(url)
    found = inspect(engine)
    columns = {name: {column["name"] for column in found.get_columns(name)} for name in found.get_table_names()}
    engine.dispose()
    return columns


def applied(url: str) -> list[int]:
    engine = create_engine(url)
    with engine.connect() as connection:
        numbers = list(connection.execute(text("SELECT number FROM migrations ORDER BY number")).scalars())
    engine.dispose()
    return numbers


def test_the_migrations_leave_the_tables_described(url: str, database: Database) -> None:
    database.check()
    assert tables(url) == {name: set(table.columns.keys()) for name, table in TABLES.tables.items()}


def test_the_migrations_released_do_not_change() -> None:
    assert [step.name for step in MIGRATIONS] == [
        "battles, answers, votes",
        "rankings",
        "suspicions",
        "sharing",
        "debts",
    ]


def test_a_new_migration_keeps_the_votes(url: str, store: VoteStore) -> None:
    vote = store.cast(battle(), "v", BALLOT)
    newer = Database(url, steps=MORE)
    assert VoteStore(newer).latest("duel", "v") == vote
    newer.close()
    assert "remark" in tables(url)["votes"]
    assert applied(url) == [*NUMBERS, len(NUMBERS) + 1]


def test_a_migration_that_fails_leaves_nothing_behind(url: str, store: VoteStore) -> None:
    vote = store.cast(battle(), "v", BALLOT)
    broken = Database(url, steps=BROKEN)
    with pytest.raises(StoreError, match=r"^votes in .*: expected a database that works, got .*nowhere"):
        VoteStore(broken).counts()
    broken.close()
    assert "half" not in tables(url)
    assert applied(url) == NUMBERS
    assert store.latest("duel", "v") == vote


def test_a_first_migration_that_fails_leaves_an_empty_database(url: str) -> None:
    broken = Database(url, steps=BROKEN)
    with pytest.raises(StoreError):
        broken.check()
    broken.close()
    assert tables(url) == {}


def test_a_database_from_a_newer_program_is_refused_untouched(url: str) -> None:
    newer = Database(url, steps=MORE)
    newer.check()
    newer.close()
    older = Database(url)
    with pytest.raises(StoreError) as refused:
        VoteStore(older).cast(battle(), "v", BALLOT)
    older.close()
    assert str(refused.value) == (
        f"database of votes: expected one of version {len(NUMBERS)} or earlier, got version {len(NUMBERS) + 1}. "
        "Update this program, or set MEDINJECT_DATABASE_URL to another database."
    )
    assert applied(url) == [*NUMBERS, len(NUMBERS) + 1]


def test_programs_that_start_at_once_migrate_once(url: str) -> None:
    databases = [Database(url) for _ in range(8)]
    start = threading.Barrier(8)

    def begin(database: Database) -> None:
        start.wait()
        database.check()

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(begin, databases))
    for database in databases:
        database.close()
    assert applied(url) == NUMBERS


def test_a_check_leaves_no_trace(url: str, database: Database) -> None:
    database.check()
    database.check()
    assert applied(url) == NUMBERS
