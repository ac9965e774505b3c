"""What fails says so in one sentence, and was not stored."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from sqlalchemy import event

from medinject_demo.errors import InvalidValue, StoreError
from medinject_demo.votes.database import WAITS, Database
from medinject_demo.votes.store import VoteStore

from .samples import BALLOT, battle


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "votes.db"


@pytest.fixture
def filled(file: Path) -> Path:
    """A file with one vote in it, closed."""
    store = VoteStore(Database(f"sqlite:///{file}"))
    store.cast(battle("before"), "v", BALLOT)
    store.close()
    return file


@pytest.fixture
def opened(file: Path) -> Iterator[Callable[..., VoteStore]]:
    """Stores on the file, closed after the test."""
    stores: list[VoteStore] = []

    def open_store(**options: object) -> VoteStore:
        stores.append(VoteStore(Database(f"sqlite:///{file}", **options)))  # type: ignore[arg-type]
        return stores[-1]

    yield open_store
    for store in stores:
        store.close()


@pytest.mark.parametrize(
    ("url", "got"),
    [
        ("sqlite://", "a database in memory"),
        ("sqlite:///:memory:", "a database in memory"),
        ("mysql://host/votes", "mysql"),
        ("votes.db", "something else"),
        ("postgresql+unknown://host/votes", r"postgresql\+unknown"),
    ],
)
def test_a_url_that_keeps_no_votes_is_refused_with_the_forms(url: str, got: str) -> None:
    with pytest.raises(InvalidValue, match=rf"^MEDINJECT_DATABASE_URL: expected sqlite:///<file> or .*, got {got}\."):
        Database(url)


def test_a_driver_that_is_not_installed_is_named() -> None:
    with pytest.raises(InvalidValue, match=r"expected a driver that is installed, got .*asyncpg.* Run: pip install"):
        Database("postgresql+asyncpg://host/votes")


def test_the_short_name_of_postgresql_is_taken_and_its_password_is_never_shown() -> None:
    database = Database("postgres://someone:s3cret@127.0.0.1:1/votes", sleep=lambda seconds: None)
    with pytest.raises(StoreError, match=r"someone:\*\*\*@127\.0\.0\.1") as failed:
        database.check()
    assert "s3cret" not in str(failed.value)


def test_a_server_that_does_not_answer_is_tried_again_and_then_said_so() -> None:
    waited: list[float] = []
    database = Database("postgresql://someone@127.0.0.1:1/votes", sleep=waited.append)
    with pytest.raises(
        StoreError, match=r"expected a database that answers, got .* Nothing is known to be stored. Check that it"
    ):
        VoteStore(database).cast(battle(), "v", BALLOT)
    assert waited == list(WAITS)


def test_a_file_that_cannot_be_written_is_read_and_not_written(filled: Path) -> None:
    store = VoteStore(Database(f"sqlite:///file:{filled}?mode=ro&uri=true"))
    assert store.counts().votes == 1
    sentence = "expected a database that can be written, got a read-only one. Nothing was stored. Give write access."
    for attempt in (store.check, lambda: store.cast(battle(), "v", BALLOT)):
        with pytest.raises(StoreError, match=sentence):
            attempt()
    assert store.counts().votes == 1
    store.close()


def test_a_full_disk_is_said_and_the_vote_can_be_cast_again_once_there_is_room(
    opened: Callable[..., VoteStore], filled: Path
) -> None:
    store = opened()
    room = 2**30

    def limit(connection: sqlite3.Connection, *_given: object) -> None:
        connection.execute(f"PRAGMA max_page_count={room}")

    event.listen(store._database._engine, "checkout", limit)
    room = 1  # no page more than there are
    long = battle("long", prompt=type(battle().prompt)(battle().prompt.kind, "é" * 50_000))
    with pytest.raises(StoreError, match=r"expected room on the disk, got a full disk. Nothing was stored. Make room."):
        store.cast(long, "v", BALLOT)
    assert (store.battle("long"), store.latest("long", "v")) == (None, None)
    room = 2**30
    vote = store.cast(long, "v", BALLOT)
    assert store.latest("long", "v") == vote
    assert store.counts().votes == 2


def test_a_disk_almost_full_is_said_before_anyone_votes(
    opened: Callable[..., VoteStore], monkeypatch: pytest.MonkeyPatch
) -> None:
    store = opened()
    monkeypatch.setattr("medinject_demo.votes.database.LEAST_ROOM", 2**80)
    with pytest.raises(StoreError, match="expected room on the disk"):
        store.check()


@pytest.mark.parametrize("damage", ["another format", "zeros inside", "cut short"])
def test_a_corrupt_file_is_said_and_left_as_it_is(opened: Callable[..., VoteStore], filled: Path, damage: str) -> None:
    whole = filled.read_bytes()
    spoiled = {
        "another format": b"PK\3\4" + whole[4:],
        "zeros inside": whole[:100] + bytes(len(whole) - 100),
        "cut short": whole[: len(whole) // 2 - 100],
    }[damage]
    filled.write_bytes(spoiled)
    store = opened()
    for attempt in (store.counts, lambda: store.cast(battle(), "v", BALLOT)):
        with pytest.raises(StoreError, match="expected an SQLite file, got a corrupt one"):
            attempt()
    assert filled.read_bytes()[100:] == spoiled[100:]


def test_a_place_that_cannot_be_is_said(below_a_file: Path) -> None:
    store = VoteStore(Database(f"sqlite:///{below_a_file}/votes.db"))
    with pytest.raises(StoreError, match="expected a folder that can be made, got Not a directory"):
        store.check()


def test_a_folder_in_the_place_of_the_file_is_said(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="expected a file that can be opened, got none"):
        VoteStore(Database(f"sqlite:///{tmp_path}")).counts()


def test_a_file_that_another_program_keeps_locked_is_waited_for_and_then_said(
    opened: Callable[..., VoteStore], filled: Path
) -> None:
    waited: list[float] = []
    store = opened(busy=0, sleep=waited.append)
    other = sqlite3.connect(filled, isolation_level=None)
    other.execute("BEGIN EXCLUSIVE")
    with pytest.raises(StoreError, match="expected a file free to write, got one that another program keeps locked"):
        store.cast(battle(), "v", BALLOT)
    assert waited == list(WAITS)
    other.execute("ROLLBACK")
    other.close()
    assert store.cast(battle(), "v", BALLOT).version == 1


def test_a_lock_that_ends_in_time_costs_nothing_but_the_wait(opened: Callable[..., VoteStore], filled: Path) -> None:
    other = sqlite3.connect(filled, isolation_level=None)
    other.execute("BEGIN EXCLUSIVE")
    store = opened(busy=0, sleep=lambda seconds: other.in_transaction and other.execute("ROLLBACK"))
    assert store.cast(battle(), "v", BALLOT).version == 1
    other.close()


def test_a_reader_does_not_hold_a_writer_up(opened: Callable[..., VoteStore], filled: Path) -> None:
    store = opened(busy=0)
    reader = sqlite3.connect(filled, isolation_level=None)
    reader.execute("BEGIN")
    reader.execute("SELECT count(*) FROM votes").fetchall()
    assert store.cast(battle(), "v", BALLOT).version == 1
    reader.close()


def test_a_file_that_was_taken_away_is_made_anew_and_not_written_to_nowhere(
    opened: Callable[..., VoteStore], filled: Path
) -> None:
    store = opened()
    assert store.counts().votes == 1
    for path in filled.parent.glob("votes.db*"):
        path.unlink()
    store.cast(battle(), "v", BALLOT)
    assert filled.is_file()
    assert [live.vote.battle for live in opened().live_votes()] == ["duel"]


def test_each_commit_of_a_file_reaches_the_disk(opened: Callable[..., VoteStore]) -> None:
    settings = opened()._database.read(
        lambda connection: {
            name: connection.exec_driver_sql(f"PRAGMA {name}").scalar()
            for name in ("synchronous", "journal_mode", "foreign_keys")
        }
    )
    assert settings == {"synchronous": 3, "journal_mode": "wal", "foreign_keys": 1}


def test_a_commit_that_fails_acknowledges_nothing(
    opened: Callable[..., VoteStore], monkeypatch: pytest.MonkeyPatch
) -> None:
    store = opened()
    store.check()

    def fail(_connection: object) -> None:
        raise sqlite3.OperationalError("disk I/O error")

    monkeypatch.setattr(store._database._engine.dialect, "do_commit", fail)
    with pytest.raises(StoreError, match=r"expected a database that works, got disk I/O error. Nothing was stored."):
        store.cast(battle(), "v", BALLOT)
    store.close()
    assert opened().latest("duel", "v") is None
