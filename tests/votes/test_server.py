"""A server that goes away, comes back, or only reads."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest
from sqlalchemy import Connection, create_engine, event, text

from medinject_demo.domain import Kind, Prompt, Verdict
from medinject_demo.errors import StoreError
from medinject_demo.votes.bench.server import Server
from medinject_demo.votes.database import Database
from medinject_demo.votes.engines import SILENCE
from medinject_demo.votes.forgetting import forget
from medinject_demo.votes.owed import Owed, owe_examination, owe_scrub
from medinject_demo.votes.records import Ballot
from medinject_demo.votes.store import VoteStore

from .samples import BALLOT, battle

pytestmark = pytest.mark.postgres


def test_a_server_that_restarts_between_two_votes_is_not_noticed(server: Server) -> None:
    database = Database(server.fresh())
    store = VoteStore(database)
    store.cast(battle("a"), "v", BALLOT)
    server.stop()
    server.start()
    store.cast(battle("b"), "v", BALLOT)
    assert store.counts().votes == 2
    database.close()


def test_a_server_that_comes_back_while_a_vote_waits_gets_it_once(server: Server) -> None:
    waited: list[float] = []

    def back(seconds: float) -> None:
        waited.append(seconds)
        if len(waited) == 2:
            server.start()

    database = Database(server.fresh(), sleep=back)
    store = VoteStore(database)
    store.check()
    server.stop()
    store.cast(battle(), "v", BALLOT)
    assert len(waited) == 2
    assert len(store.history("duel", "v")) == 1
    database.close()


def test_a_server_that_stays_away_is_said_and_nothing_is_stored(server: Server) -> None:
    database = Database(server.fresh(), sleep=lambda seconds: None)
    store = VoteStore(database)
    store.cast(battle("a"), "v", BALLOT)
    server.stop()
    for attempt in (store.check, store.counts, lambda: store.cast(battle("b"), "v", BALLOT)):
        with pytest.raises(StoreError, match="expected a database that answers"):
            attempt()
    server.start()
    assert store.latest("b", "v") is None
    assert store.cast(battle("b"), "v", BALLOT).version == 1
    database.close()


def test_a_connection_that_is_cut_inside_a_vote_is_taken_up_again(server: Server) -> None:
    database = Database(server.fresh(), sleep=lambda seconds: None)
    store = VoteStore(database)
    store.check()
    cut: list[bool] = []

    def kill(connection, _cursor, statement, *_given: object) -> None:  # type: ignore[no-untyped-def]
        if "INTO votes" in statement and not cut:
            cut.append(True)
            mine = connection.connection.driver_connection.info.backend_pid
            other = create_engine(server_url)
            with other.connect() as killer:
                killer.execute(text("SELECT pg_terminate_backend(:pid)"), {"pid": mine})
            other.dispose()

    server_url = database._url
    event.listen(database._engine, "before_cursor_execute", kill)
    vote = store.cast(battle(), "v", BALLOT)
    assert cut
    assert store.history("duel", "v") == (vote,)
    database.close()


def test_a_server_that_only_reads_is_said(server: Server) -> None:
    url = server.fresh()
    database = Database(url)
    database.check()
    database.close()
    store = VoteStore(Database(url + "&options=-c%20default_transaction_read_only%3Don"))
    assert store.counts().votes == 0
    with pytest.raises(StoreError, match="expected a database that can be written, got a read-only one"):
        store.cast(battle(), "v", BALLOT)
    store.close()


def test_a_connection_notices_a_server_that_is_gone_without_a_word(server: Server) -> None:
    database = Database(server.fresh())
    given = database.read(lambda connection: connection.connection.driver_connection.info.get_parameters())
    assert {name: given[name] for name in SILENCE} == {name: str(value) for name, value in SILENCE.items()}
    database.close()


def files_with(server: Server, secret: str) -> list[str]:
    """The files of the tables that hold a text."""
    files = (each for each in (server._folder / "data" / "base").rglob("*") if each.is_file())
    return [each.name for each in files if secret.encode() in each.read_bytes()]


def at_once(database: Database, statement: str) -> None:
    with database._engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.exec_driver_sql(statement)


def test_nothing_that_was_erased_is_left_in_the_tables_files(server: Server) -> None:
    database = Database(server.fresh())
    for number in range(30):
        voter = f"hash-{number:03}-hash"
        duel = replace(battle(f"{number}", prompt=Prompt(Kind.OEQ, f"demande {number:03}-secrete")), voter=voter)
        VoteStore(database).cast(duel, voter, Ballot(Verdict.LEFT, comment=f"parole {number:03}-secrete"))
    database.write(lambda connection: owe_examination(connection, ["hash-007-hash"]))
    at_once(database, "ANALYZE")
    at_once(database, "CHECKPOINT")
    secrets = ("demande 007-secrete", "parole 007-secrete", "hash-007-hash")
    assert all(files_with(server, each) for each in secrets)
    database.write(lambda connection: forget(connection, "hash-007-hash", frozenset(), lambda: "1"))
    database.scrub()
    at_once(database, "CHECKPOINT")
    assert [each for each in secrets if files_with(server, each)] == []
    assert files_with(server, "demande 008-secrete")
    assert VoteStore(database).counts().votes == 30
    assert "write-ahead log" in database.left_behind
    database.close()


def test_a_scrub_waits_for_no_reader_and_is_owed_still(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("medinject_demo.votes.database.BUSY", 1)
    database = Database(server.fresh())
    VoteStore(database).cast(battle(), "v", BALLOT)
    database.write(owe_scrub)

    def reading(connection: Connection) -> None:
        connection.execute(text("SELECT * FROM votes"))
        with pytest.raises(StoreError, match="expected tables that nobody reads, got some in use"):
            Owed(database).scrub()

    database.read(reading)
    assert Owed(database).scrub()
    waits = database.read(lambda connection: connection.execute(text("SHOW lock_timeout")).scalar())
    assert waits == "0"
    database.close()


def test_the_server_says_its_version(server: Server) -> None:
    database = Database(server.fresh())
    assert re.fullmatch(r"PostgreSQL \d+\.\d+", database.system())
    database.close()
