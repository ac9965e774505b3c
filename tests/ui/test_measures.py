from __future__ import annotations

import re

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from medinject_demo.stats.estimate import Estimate
from medinject_demo.ui.measures import Axis, bar, figure, percent, scale, signed, track, with_interval

from .reports import estimate

FINITE = st.floats(-5_000, 5_000)


@given(st.lists(st.tuples(FINITE, st.floats(0, 3_000)), max_size=9), st.floats(-1_000, 1_000))
@example([(0.0, 1025.0)], 224.25709680025)  # that plus the widest, minus that, is a little more than the widest
def test_an_axis_holds_its_line_and_every_interval_up_to_the_widest(
    given: list[tuple[float, float]], zero: float
) -> None:
    estimates = [estimate(value, half) for value, half in given]
    axis = Axis.around(estimates, zero=zero, step=100.0, widest=800.0)
    assert axis.low < zero < axis.high
    assert max(zero - axis.low, axis.high - zero) <= 800.0 + 1e-6
    for each in estimates:
        assert axis.low <= max(each.low, zero - 800.0) + 1e-6
        assert axis.high >= min(each.high, zero + 800.0) - 1e-6


@given(FINITE, st.floats(0, 3_000))
def test_a_bar_stays_on_its_axis_and_in_order(value: float, half: float) -> None:
    axis = Axis(200.0, 1_800.0, 1_000.0)
    places = [float(each) for each in re.findall(r":(-?[\d.]+)%", bar(axis, estimate(value, half), "raw"))]
    assert places == sorted(places)
    assert all(0 <= each <= 100 for each in places)


def test_an_interval_that_leaves_the_axis_has_an_open_end() -> None:
    axis = Axis(0.0, 10.0, 5.0)
    ends = {"cut-low": Estimate(3, 1, -1, 6), "cut-high": Estimate(8, 1, 4, 11)}
    for name, shown in ends.items():
        assert name in bar(axis, shown, "raw")
    assert "cut" not in bar(axis, Estimate(5, 1, 0, 10), "raw")


def test_bars_are_not_told_to_a_screen_reader() -> None:
    axis = Axis(0.0, 10.0, 5.0)
    assert 'aria-hidden="true"' in track(axis, [bar(axis, estimate(5, 1), "raw")])
    assert 'aria-hidden="true"' in scale("fr", axis)


def test_an_end_of_the_axis_too_near_its_line_has_no_figure() -> None:
    assert re.findall(r">(\d+)<", scale("fr", Axis(0.0, 10.0, 5.0))) == ["0", "5", "10"]
    assert re.findall(r">(\d+)<", scale("fr", Axis(4.0, 10.0, 5.0))) == ["5", "10"]
    assert re.findall(r">(\d+)<", scale("fr", Axis(0.0, 6.0, 5.0))) == ["0", "5"]


@pytest.mark.parametrize(
    ("value", "digits", "said"),
    [(12.4, 0, "+12"), (-12.4, 0, "\u221212"), (0.3, 0, "0"), (-0.3, 0, "0"), (1234.5, 1, "+1\u202f234,5")],
)
def test_a_difference_has_its_sign_and_zero_has_none(value: float, digits: int, said: str) -> None:
    assert signed("fr", value, digits) == said


def test_a_figure_below_zero_has_a_true_minus() -> None:
    assert figure("en", -1234.0) == "\u22121,234"


def test_an_interval_is_said_as_the_language_does() -> None:
    assert (
        with_interval("fr", Estimate(1, 1, -2, 3)) == '<b>1</b> <span class="interval">de \u22122\u00a0à\u00a03</span>'
    )
    assert with_interval("en", Estimate(1, 1, -2, 3)) == '<b>1</b> <span class="interval">\u22122 to 3</span>'


def test_what_has_no_width_has_no_interval() -> None:
    assert with_interval("fr", Estimate(1000, 0, 1000, 1000)) == "<b>1\u202f000</b>"


def test_a_share_is_in_per_cent_and_none_is_a_dash() -> None:
    assert percent("fr", Estimate(0.5, 0.1, 0.25, 0.75)).startswith("<b>50\u00a0%</b>")
    assert "de 25\u00a0%\u00a0à\u00a075\u00a0%" in percent("fr", Estimate(0.5, 0.1, 0.25, 0.75))
    assert percent("fr", None) == "–"


def test_a_share_that_is_known_well_is_written_with_a_decimal() -> None:
    assert "de 49,0\u00a0%\u00a0à\u00a051,0\u00a0%" in percent("fr", Estimate(0.5, 0.005, 0.49, 0.51))
    assert "de 48\u00a0%\u00a0à\u00a052\u00a0%" in percent("fr", Estimate(0.5, 0.01, 0.48, 0.52))
