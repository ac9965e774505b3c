"""Threads of a step: as many as there are cores, and fewer where they only wait for each other."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from medinject_demo.engine.native.pace import CALM, IDLE, Pace


def test_threads_that_wait_for_each_other_are_halved_down_to_one() -> None:
    pace, seen = Pace(8), []
    for _ in range(5):
        pace.after(1.0)
        seen.append(pace.threads)
    assert seen == [4, 2, 1, 1, 1]


def test_after_a_calm_time_more_are_tried_again_and_a_bad_step_ends_that() -> None:
    pace = Pace(3)
    pace.after(1.0)
    for _ in range(CALM):
        assert pace.threads == 1
        pace.after(0.0)
    assert pace.threads == 2
    for _ in range(CALM):
        pace.after(IDLE)
    assert pace.threads == 3
    pace.after(1.0)
    assert pace.threads == 1


@given(st.integers(1, 64), st.lists(st.floats(0, 2)))
def test_there_are_never_more_than_cores_nor_none(most: int, told: list[float]) -> None:
    pace = Pace(most)
    for idle in told:
        pace.after(idle)
        assert 1 <= pace.threads <= most
