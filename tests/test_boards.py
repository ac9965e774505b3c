from __future__ import annotations

import itertools
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from medinject_demo.boards import READ_ANEW, Boards, Reading
from medinject_demo.domain import BASE, MIXTURES, Kind, Verdict
from medinject_demo.errors import StoreError
from medinject_demo.keeper import Look
from medinject_demo.stats.report import Report, report
from medinject_demo.stats.selection import Selection
from medinject_demo.votes.database import Database
from medinject_demo.votes.records import Ballot
from medinject_demo.votes.store import VoteStore
from medinject_demo.votes.suspicion import Doubt
from tests.duels import ME, arena_at, played, store_at
from tests.votes.generated import fill, plausible
from tests.votes.samples import ballot, battle

PATIENCE = 20.0
BEGUN = datetime(2026, 3, 6, 9, 0, tzinfo=UTC)


class Clock:
    """A time that a test moves."""

    def __init__(self) -> None:
        self.time = BEGUN

    def __call__(self) -> datetime:
        return self.time


class Held:
    """The report, once it is let go; counts how often it was asked for."""

    def __init__(self) -> None:
        self.asked: list[Selection] = []
        self.begun, self.let_go = threading.Event(), threading.Event()

    def __call__(self, frame: Any, selection: Selection, *, as_of: datetime) -> Report:
        self.asked.append(selection)
        self.begun.set()
        assert self.let_go.wait(PATIENCE)
        return report(frame, selection, as_of=as_of)


@pytest.fixture
def held() -> Iterator[Held]:
    held = Held()
    yield held
    held.let_go.set()


def awaited(
    boards: Boards, there: Callable[[Look[Reading]], bool], selection: Selection = Selection()
) -> Look[Reading]:
    """The first look of which this is true."""
    deadline = time.monotonic() + PATIENCE
    while not there(look := boards.look(selection)):
        assert time.monotonic() < deadline
        time.sleep(0.005)
    return look


def newer(boards: Boards, selection: Selection = Selection()) -> Reading:
    """The next reading, for boards without a pause."""
    awaited(boards, lambda look: not look.computing, selection)
    before = boards.look(selection).value
    reading = awaited(boards, lambda look: look.value is not before, selection).value
    assert reading is not None
    return reading


def first(boards: Boards, selection: Selection = Selection()) -> Reading:
    """The first reading."""
    reading = awaited(boards, lambda look: look.value is not None, selection).value
    assert reading is not None
    return reading


def comparisons(reading: Reading) -> int:
    return reading.report.board.comparisons


def vote(store: VoteStore, name: str) -> None:
    store.cast(battle(name, MIXTURES[1], BASE), f"voter of {name}", ballot(Verdict.LEFT))


def counting(store: VoteStore, monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How often the votes were read from now on, by its length."""
    read, whole = [], store.frame

    def frame() -> Any:
        read.append(1)
        return whole()

    monkeypatch.setattr(store, "frame", frame)
    return read


def test_a_vote_is_stored_while_a_board_is_computed(tmp_path: Path, held: Held) -> None:
    arena = arena_at(tmp_path)
    duel = played(arena)
    with closing(Boards(arena._store, compute=held)) as boards:
        boards.look()
        assert held.begun.wait(PATIENCE)
        arena.vote(duel, ME, Ballot(Verdict.LEFT))  # in this very thread: nothing of the computation can be awaited
        assert not held.let_go.is_set()
        assert arena._store.counts().votes == 1
        assert boards.look() == Look(computing=True)
        held.let_go.set()


def test_visitors_share_one_computation(tmp_path: Path, held: Held) -> None:
    store = store_at(tmp_path)
    vote(store, "one")
    with closing(Boards(store, pause=600.0, compute=held)) as boards:
        looks = [boards.look() for _ in range(10)]
        held.let_go.set()
        reading = first(boards)
        assert looks == [Look(computing=True)] * 10
        assert held.asked == [Selection()]
        assert boards.look().value is reading


def test_a_vote_changes_the_board_and_no_vote_leaves_it_with_a_later_time(tmp_path: Path) -> None:
    store, clock = store_at(tmp_path), Clock()
    vote(store, "one")
    with closing(Boards(store, pause=0.0, now=clock)) as boards:
        one = first(boards)
        clock.time += timedelta(seconds=5)
        same = newer(boards)
        assert same.report.board.as_of == clock.time
        assert same.report.bias is one.report.bias  # nothing was computed
        vote(store, "two")
        assert [comparisons(each) for each in (one, same, newer(boards))] == [1, 1, 2]


def test_votes_are_read_once_for_all_selections(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = store_at(tmp_path)
    vote(store, "one")
    read = counting(store, monkeypatch)
    with closing(Boards(store, now=Clock())) as boards:
        whole, part = first(boards), first(boards, Selection(kind=Kind.OEQ))
        assert (comparisons(whole), comparisons(part)) == (1, 0)
        assert len(read) == 1


def test_votes_are_read_again_after_a_while_though_none_was_added(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store, clock = store_at(tmp_path), Clock()
    vote(store, "one")
    read = counting(store, monkeypatch)
    with closing(Boards(store, pause=0.0, now=clock)) as boards:
        first(boards)
        clock.time += READ_ANEW - timedelta(seconds=1)
        newer(boards)
        assert len(read) == 1
        clock.time += timedelta(seconds=1)
        newer(boards)
        assert len(read) == 2


def test_a_doubt_takes_a_vote_off_the_board_at_once(tmp_path: Path) -> None:
    database = Database(f"sqlite:///{tmp_path}/votes.db")
    store = VoteStore(database)
    fill(database, plausible(60))
    with closing(Boards(store, pause=0.0, now=Clock())) as boards:
        before = first(boards).report.board
        database.write(lambda connection: doubt(connection, "vote 3"))
        after = newer(boards).report.board
        assert after.set_aside.suspect == before.set_aside.suspect + 1
        assert after.comparisons == before.comparisons - 1


def doubt(connection: Any, name: str) -> None:
    from medinject_demo.votes.schema import suspicions

    connection.execute(suspicions.insert(), {"vote": name, "reason": next(iter(Doubt)), "at": BEGUN.isoformat()})


def test_where_votes_cannot_be_read_the_last_board_stands(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = store_at(tmp_path)
    vote(store, "one")
    with closing(Boards(store, pause=0.0, now=Clock())) as boards:
        one = first(boards)
        monkeypatch.setattr(store, "mark", failing())
        look = awaited(boards, lambda look: look.failed)
        assert look.value is not None
        assert look.value.report == one.report


def failing() -> Callable[[], Any]:
    def fail() -> None:
        raise StoreError("votes: expected a database that answers, got none.")

    return fail


def test_the_mark_of_a_store_changes_with_every_vote(tmp_path: Path) -> None:
    store = store_at(tmp_path)
    marks = [store.mark()]
    for number, verdict in enumerate(itertools.islice(itertools.cycle(Verdict), 6)):
        store.cast(battle("duel" if number % 2 else "other"), "me", ballot(verdict))
        marks.append(store.mark())
    store.cast(battle("duel"), "me", None)  # a withdrawal is a row too
    marks.append(store.mark())
    assert len(set(marks)) == len(marks)
