"""Timing side by side, and what a line says of it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from medinject_demo.engine.bench.measure import Goal, Line, side_by_side


@given(st.lists(st.floats(0.001, 1e6), min_size=1, max_size=9))
def test_the_median_of_a_variant_lies_in_the_middle_of_its_samples(seconds: list[float]) -> None:
    ends = iter([tick for each in seconds for tick in (0.0, each)])
    times = side_by_side({"one": lambda: None}, len(seconds), lambda: next(ends))
    below = sum(each <= times.median("one") for each in seconds)
    above = sum(each >= times.median("one") for each in seconds)
    assert min(below, above) * 2 >= len(seconds)


def test_variants_take_turns_after_one_run_of_each_that_is_not_timed() -> None:
    ran: list[str] = []
    clock = iter(range(100))
    variants = {name: lambda name=name: ran.append(name) for name in "ab"}  # type: ignore[misc]
    times = side_by_side(variants, 3, lambda: float(next(clock)))
    assert ran == list("abababab")
    assert {name: len(each) for name, each in times.seconds.items()} == {"a": 3, "b": 3}


def test_a_ratio_is_of_medians() -> None:
    ends = iter([0, 1, 0, 10, 0, 2, 0, 20, 0, 9, 0, 30])
    times = side_by_side({"a": lambda: 1, "b": lambda: 2}, 3, lambda: float(next(ends)))
    assert times.ratio("b", "a") == 10
    assert times.last == {"a": 1, "b": 2}


@pytest.mark.parametrize(("goal", "met"), [(Goal(2), True), (Goal(1), False), (Goal(2, at_most=False), True)])
def test_a_figure_on_its_limit_meets_the_goal(goal: Goal, met: bool) -> None:
    assert Line("a", "a", 2, goal=goal).met is met


def test_a_line_without_goal_or_figure_is_neither_met_nor_missed() -> None:
    assert Line("a", "a", 2).met is None
    assert Line("a", "a", None, goal=Goal(2)).met is None
