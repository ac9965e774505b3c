"""Every acknowledgement is a row and every row was acknowledged, whatever the server does meanwhile."""

from __future__ import annotations

import json
import threading
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from medinject_demo.errors import InvalidValue, StoreError
from medinject_demo.votes.bench import crowd as module
from medinject_demo.votes.bench import run as running
from medinject_demo.votes.bench.crowd import Keeping, Vote, crowd, quantile
from medinject_demo.votes.bench.report import Report
from medinject_demo.votes.bench.run import Plan, bench
from medinject_demo.votes.bench.server import Server
from medinject_demo.votes.bench.sessions import HABITS, examine
from medinject_demo.votes.database import Database
from medinject_demo.votes.engines import CONNECTIONS
from medinject_demo.votes.store import VoteStore
from tests.test_cli import one_line, run

from .samples import BALLOT, battle

KEEPING = Keeping(
    "PostgreSQL 17.2", 3, 2.0, [Vote(0.0, 0.1, "a"), Vote(0.5, 1.5, "b"), Vote(1.7, 1.9, "c")], 3, 0, 2, (0.6, 1.4)
)


@pytest.fixture(autouse=True)
def _at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "AGAIN", 0.05)


@pytest.mark.postgres
def test_ten_voters_lose_nothing_and_double_nothing_while_the_server_restarts(server: Server) -> None:
    def restart() -> None:
        server.stop()
        threading.Event().wait(0.5)
        server.start()

    kept = crowd(server.fresh(), voters=10, seconds=5, restart=restart)
    assert kept.exact
    assert kept.rows == len(kept.votes) > 10
    assert kept.away is not None
    gone, back = kept.away
    waited = [vote.ended - vote.begun for vote in kept.votes if vote.begun < back and vote.ended > gone]
    assert max(waited) >= 0.5, "nobody voted while the server was away"


@pytest.mark.postgres
def test_a_server_that_goes_three_times_in_a_row_loses_no_vote_either(server: Server) -> None:
    def restarts() -> None:
        for _ in range(3):
            server.stop()
            server.start()
            threading.Event().wait(0.3)

    assert crowd(server.fresh(), voters=10, seconds=4, restart=restarts).exact


def test_ten_voters_who_write_to_one_place_wait_for_each_other(url: str) -> None:
    kept = crowd(url, voters=10, seconds=2)
    assert kept.exact
    assert kept.refused == 0
    assert kept.away is None
    assert kept.calm == kept.waits


def test_a_vote_that_was_acknowledged_and_is_not_there_is_seen(url: str) -> None:
    with closing(VoteStore(Database(url))) as store:
        there = store.cast(battle("a"), "v", BALLOT).id
        assert module._compared(store, [Vote(0, 1, there)]) == (1, 0)
        assert module._compared(store, [Vote(0, 1, there), Vote(0, 1, "lost")]) == (1, 1)
        assert module._compared(store, []) == (1, 1)
        assert module._compared(store, [Vote(0, 1, there)] * 2) == (1, 1)


def test_votes_of_a_database_in_use_are_not_measured_among(url: str) -> None:
    with closing(VoteStore(Database(url))) as store:
        store.cast(battle("a"), "v", BALLOT)
    with pytest.raises(InvalidValue, match="expected an empty one to measure, got one with votes"):
        crowd(url, voters=1, seconds=1)


def test_three_pages_have_room_in_a_server_as_installed() -> None:
    for_its_owner = 3
    assert 3 * CONNECTIONS + for_its_owner <= 100


@pytest.mark.postgres
def test_more_voters_than_connections_wait_for_one(server: Server) -> None:
    url = server.fresh()
    kept = crowd(url, voters=CONNECTIONS + 8, seconds=2)
    assert kept.exact
    assert kept.refused == 0


def test_quantiles_are_waits_that_there_were() -> None:
    waits = [float(number) for number in range(100)]
    assert [quantile(waits, share) for share in (0.0, 0.5, 0.99, 1.0)] == [0, 50, 99, 99]
    assert KEEPING.waits == pytest.approx([0.1, 0.2, 1.0])
    assert KEEPING.calm == pytest.approx([0.1, 0.2])


def test_honest_visitors_are_practically_never_doubted_and_abusers_are() -> None:
    for found in examine(150):
        if found.habit.honest:
            assert found.share < 0.005, found.habit.name
            assert found.share == 0 or found.habit.left > 0.6, found.habit.name
        elif "person" not in found.habit.name:
            assert found.share > 0.25, found.habit.name
        assert found.votes > 150 * 30


def test_the_same_seed_gives_the_same_visitors() -> None:
    assert examine(5, seed=3) == examine(5, seed=3) != examine(5, seed=4)


@pytest.fixture(scope="module")
def report() -> Report:
    return Report(
        [KEEPING, replace(KEEPING, system="SQLite 3.40", away=None, rows=2, unknown=1)], examine(3), "a machine"
    )


def test_the_document_tells_counts_waits_and_whom_the_rules_found(report: Report) -> None:
    text = report.as_markdown("bench votes --output docs/statistics.md")
    assert "Written by `bench votes --output docs/statistics.md`. 3 voters" in text
    assert "|  | PostgreSQL 17.2 | SQLite 3.40 |" in text
    assert "| votes acknowledged | 3 | 3 |" in text
    assert "| votes in the database | 3 | 2 |" in text
    assert "| one by one the same | yes | no: 1 are not |" in text
    assert "| p99 | 1,000 ms | 1,000 ms |" in text
    assert "| p99 but for votes while the server was away | 200 ms | 1,000 ms |" in text
    assert "| the server was away | 0.8 s | - |" in text
    assert all(habit.name in text for habit in HABITS)


def test_the_document_for_a_machine_has_the_same_figures(report: Report) -> None:
    document = json.loads(report.as_json())
    first, second = document["keeping"]
    assert (first["acknowledged"], first["rows"], first["exact"], first["refused"]) == (3, 3, True, 2)
    assert (second["exact"], second["unknown"]) == (False, 1)
    assert first["waits"]["p99_calm"] == pytest.approx(0.2)
    assert len(document["suspicion"]) == len(HABITS)


def test_a_database_that_is_named_is_the_only_one_measured(url: str) -> None:
    told: list[str] = []
    report = bench(Plan(voters=2, seconds=1, sessions=1, url=url), told.append)
    assert [each.exact for each in report.keepings] == [True]
    assert told[0] == "2 voters for 1 s in the database that was named"


def test_where_no_server_is_installed_it_is_said_how_to_get_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(running, "programs", lambda: None)
    with pytest.raises(StoreError, match=r"apt-get install postgresql. Or name a database with --url"):
        bench(Plan(), lambda text: None)


@pytest.fixture
def document(tmp_path: Path) -> Path:
    path = tmp_path / "statistics.md"
    path.write_text("before\n<!-- votes: generated -->\nearlier\n<!-- votes: end -->\nafter\n", encoding="utf-8")
    return path


def test_the_part_is_written_between_its_markers(
    document: Path, report: Report, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = replace(report, keepings=[KEEPING])
    monkeypatch.setattr(running, "bench", lambda plan, say: whole)
    result = run("bench", "votes", "--url", "postgresql://me:s3cret@host/votes", "--output", document)
    assert result.exit_code == 0
    assert result.stdout == whole.as_text() + "\n"
    text = document.read_text(encoding="utf-8")
    assert text.startswith("before\n")
    assert text.endswith("after\n")
    assert "earlier" not in text
    assert "s3cret" not in text


def test_a_vote_that_is_missing_fails_the_command(report: Report, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(running, "bench", lambda plan, say: report)
    assert "expected every acknowledged vote as a row" in one_line(run("bench", "votes"))


def test_a_document_without_its_markers_fails_before_anything_is_measured(tmp_path: Path) -> None:
    (tmp_path / "other.md").write_text("nothing", encoding="utf-8")
    assert "votes: generated" in one_line(run("bench", "votes", "--output", tmp_path / "other.md"))
