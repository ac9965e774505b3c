"""Threads of a step: as many as there are cores, and fewer where they only wait for each other."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from medinject_demo.engine.native.pace import IDLE, LAST, LATE, SOON, Pace


def told(pace: Pace, idle: float, times: int) -> int:
    for _ in range(times):
        pace.after(idle)
    return pace.threads


def test_threads_that_wait_for_each_other_are_halved_down_to_one() -> None:
    pace = Pace(8)
    assert [told(pace, 1.0, LATE) for _ in range(5)] == [4, 2, 1, 1, 1]


def test_one_late_step_among_others_changes_nothing() -> None:
    pace = Pace(8)
    for _ in range(50):
        assert told(pace, 1.0, 1) == told(pace, IDLE, 1) == 8


def test_after_a_calm_time_more_are_tried_again_and_later_each_time_that_was_too_soon() -> None:
    pace, waits = Pace(2), []
    for _ in range(12):
        assert told(pace, 1.0, LATE) == 1
        waits.append(next(steps for steps in range(1, 1000) if told(pace, 0.0, 1) > 1))
    assert waits[:4] == [2 * SOON, 4 * SOON, 8 * SOON, 16 * SOON]
    assert waits[-1] == LAST
    told(pace, 0.0, LAST + 1)  # this time it lasted
    told(pace, 1.0, LATE)
    assert told(pace, 0.0, SOON) == 2


@given(st.integers(1, 64), st.lists(st.floats(0, 2)))
def test_there_are_never_more_than_cores_nor_none(most: int, each: list[float]) -> None:
    pace = Pace(most)
    for idle in each:
        pace.after(idle)
        assert 1 <= pace.threads <= most
