"""The rules run after the vote, and a vote neither waits for them nor falls with them."""

from __future__ import annotations

import logging
import threading
from pathlib import Path

import pytest

from medinject_demo.domain import Verdict
from medinject_demo.errors import StoreError
from medinject_demo.votes.database import Database
from medinject_demo.votes.store import VoteStore
from medinject_demo.votes.suspects import Suspicions
from medinject_demo.votes.watch import Watch

from .samples import ballot, battle


def test_a_vote_is_examined_once_it_is_stored(database: Database) -> None:
    watch = Watch(Suspicions(database).examine)
    store = VoteStore(database, voted=watch.voted)
    store.cast(battle(), "v", ballot(Verdict.LEFT), seconds=0.01)
    watch.close()
    assert store.counts().suspect == 1


def test_a_vote_does_not_wait_for_its_examination(tmp_path: Path) -> None:
    begun, go_on = threading.Event(), threading.Event()

    def slow(voter: str) -> int:
        begun.set()
        assert go_on.wait(10)
        return 0

    watch = Watch(slow)
    store = VoteStore(Database(f"sqlite:///{tmp_path}/votes.db"), voted=watch.voted)
    store.cast(battle("a"), "v", ballot(Verdict.LEFT))
    assert begun.wait(10)
    store.cast(battle("b"), "v", ballot(Verdict.LEFT))
    assert store.counts().votes == 2
    go_on.set()
    watch.close()
    store.close()


def test_votes_that_come_while_one_is_examined_are_examined_once_more(database: Database) -> None:
    begun, go_on, seen = threading.Event(), threading.Event(), []

    def slow(voter: str) -> int:
        seen.append(voter)
        begun.set()
        assert go_on.wait(10)
        return 0

    watch = Watch(slow)
    watch.voted("v")
    assert begun.wait(10)
    for _ in range(100):
        watch.voted("v")
    go_on.set()
    watch.close()
    assert seen == ["v", "v"]


@pytest.mark.parametrize("fault", [StoreError("votes: expected a database, got none."), ZeroDivisionError()])
def test_an_examination_that_fails_loses_no_vote_and_the_next_makes_up_for_it(
    database: Database, caplog: pytest.LogCaptureFixture, fault: Exception
) -> None:
    suspicions, failing = Suspicions(database), [True]

    def fails_once(voter: str) -> int:
        if failing.pop():
            raise fault
        return suspicions.examine(voter)

    watch = Watch(fails_once)
    store = VoteStore(database, voted=watch.voted)
    with caplog.at_level(logging.WARNING):
        store.cast(battle("a"), "v", ballot(Verdict.LEFT), seconds=0.01)
        watch._thread.submit(int).result(10)
    assert "not examined" in caplog.text
    failing.append(False)
    store.cast(battle("b"), "v", ballot(Verdict.LEFT), seconds=0.01)
    watch.close()
    assert store.counts().suspect == 2


def test_a_vote_after_the_watch_was_closed_is_stored_all_the_same(
    database: Database, caplog: pytest.LogCaptureFixture
) -> None:
    watch = Watch(Suspicions(database).examine)
    watch.close()
    store = VoteStore(database, voted=watch.voted)
    store.cast(battle(), "v", ballot(Verdict.LEFT))
    assert store.counts().votes == 1
    assert "not examined" in caplog.text
