from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from typing import Any

import pytest

from medinject_demo.errors import StoreError
from medinject_demo.keeper import Keeper, Look

PATIENCE = 10.0


class Slow:
    """A computation that waits until it is let go, and counts."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.begun, self.let_go = threading.Event(), threading.Event()
        self.error: Exception | None = None

    def __call__(self, question: str, last: str | None) -> str:
        self.asked.append(question)
        self.begun.set()
        assert self.let_go.wait(PATIENCE)
        if self.error:
            raise self.error
        return f"{question} {len(self.asked)}"


class Hands:
    """A clock that a test moves."""

    def __init__(self) -> None:
        self.time = 0.0

    def __call__(self) -> float:
        return self.time


@pytest.fixture
def slow() -> Iterator[Slow]:
    slow = Slow()
    yield slow
    slow.let_go.set()


def settled(keeper: Keeper[Any, Any], question: object = "all") -> Look[Any]:
    """What there is once the thread has nothing left to do of a question."""
    deadline = time.monotonic() + PATIENCE
    while (look := keeper.look(question)).computing:
        assert time.monotonic() < deadline
        time.sleep(0.001)
    return look


def keeping(compute: Callable[[str, str | None], str], **settings: Any) -> closing[Keeper[str, str]]:
    return closing(Keeper(compute, **settings))


def test_nobody_waits_for_a_computation(slow: Slow) -> None:
    with keeping(slow) as keeper:
        assert keeper.look("all") == Look(computing=True)
        assert slow.begun.wait(PATIENCE)
        assert keeper.look("all") == Look(computing=True)  # it is under way, and cannot end before it is let go
        slow.let_go.set()
        assert settled(keeper) == Look("all 1")


def test_all_who_ask_the_same_share_one_computation(slow: Slow) -> None:
    with keeping(slow) as keeper:
        for _ in range(20):
            keeper.look("all")
        slow.let_go.set()
        assert settled(keeper) == Look("all 1")
        assert slow.asked == ["all"]


def test_the_last_result_stands_while_a_newer_one_is_computed(slow: Slow) -> None:
    clock = Hands()
    slow.let_go.set()
    with keeping(slow, pause=3.0, clock=clock) as keeper:
        settled(keeper)
        slow.let_go.clear()
        clock.time = 3.0
        assert keeper.look("all") == Look("all 1", computing=True)
        slow.let_go.set()
        assert settled(keeper) == Look("all 2")


def test_a_question_is_computed_again_after_a_pause_only(slow: Slow) -> None:
    clock = Hands()
    slow.let_go.set()
    with keeping(slow, pause=3.0, clock=clock) as keeper:
        settled(keeper)
        clock.time = 2.9
        assert keeper.look("all") == Look("all 1")
        clock.time = 3.0
        assert settled(keeper).value == "all 2"


def test_after_a_long_computation_the_pause_is_as_long() -> None:
    clock = Hands()

    def long(_question: str, _last: str | None) -> str:
        clock.time += 10.0
        return str(clock.time)

    with keeping(long, pause=3.0, clock=clock) as keeper:
        assert settled(keeper).value == "10.0"
        clock.time = 19.9
        assert keeper.look("all") == Look("10.0")
        clock.time = 20.0
        assert keeper.look("all").computing


@pytest.mark.parametrize("error", [StoreError("votes: expected a database, got none."), ZeroDivisionError("nothing")])
def test_a_failure_leaves_the_last_result_and_is_in_the_log(
    slow: Slow, error: Exception, caplog: pytest.LogCaptureFixture
) -> None:
    clock = Hands()
    slow.let_go.set()
    with keeping(slow, pause=3.0, clock=clock) as keeper:
        settled(keeper)
        slow.error, clock.time = error, 3.0
        with caplog.at_level(logging.WARNING):
            assert settled(keeper) == Look("all 1", failed=True)
        assert str(error) in caplog.text
        assert (error.__traceback__ is not None and "Traceback" in caplog.text) is isinstance(error, ZeroDivisionError)
        assert keeper.look("all") == Look("all 1", failed=True)  # not tried again at once
        slow.error, clock.time = None, 6.0
        assert settled(keeper) == Look("all 3")


def test_a_computation_is_given_the_last_result() -> None:
    def longer(question: str, last: str | None) -> str:
        return (last or question) + "!"

    clock = Hands()
    with keeping(longer, pause=1.0, clock=clock) as keeper:
        assert settled(keeper) == Look("all!")
        clock.time = 1.0
        assert settled(keeper) == Look("all!!")
        assert settled(keeper, "other") == Look("other!")


def test_a_failure_without_a_result_before_it_leaves_none(slow: Slow) -> None:
    slow.error = StoreError("votes: expected a database, got none.")
    slow.let_go.set()
    with keeping(slow) as keeper:
        assert settled(keeper) == Look(failed=True)


def test_where_too_many_questions_wait_another_is_not_taken_and_says_so(slow: Slow) -> None:
    with keeping(slow, most_waiting=2) as keeper:
        assert [keeper.look(each).full for each in ("one", "two", "three")] == [False, False, True]
        assert keeper.look("one") == Look(computing=True)
        slow.let_go.set()
        settled(keeper, "two")
        assert settled(keeper, "three").value == "three 3"


def test_a_look_may_begin_nothing(slow: Slow) -> None:
    slow.let_go.set()
    with keeping(slow) as keeper:
        assert keeper.look("all", begin=False) == Look()
        settled(keeper)
        assert keeper.look("all", begin=False) == Look("all 1")


def test_the_result_not_looked_at_for_longest_is_forgotten(slow: Slow) -> None:
    slow.let_go.set()
    with keeping(slow, most_kept=2, clock=Hands()) as keeper:
        for each in ("one", "two", "one", "three"):
            settled(keeper, each)
        assert keeper.look("one").value == "one 1"
        assert keeper.look("two").value is None


def test_nothing_that_waits_is_begun_after_the_end(slow: Slow) -> None:
    keeper = Keeper(slow)
    keeper.look("one")
    keeper.look("two")
    assert slow.begun.wait(PATIENCE)
    threading.Timer(0.05, slow.let_go.set).start()
    keeper.close()
    assert slow.asked == ["one"]
