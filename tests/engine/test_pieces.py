"""Pieces of prompts: as long as whoever is streaming can wait for, between two bounds."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from medinject_demo.engine.pieces import WAIT, Pieces


@pytest.mark.parametrize(
    ("pace", "size"),
    [(10, 32), (32 / WAIT, 32), (400, 100), (256 / WAIT, 256), (50_000, 256)],
    ids=["a large base", "just so", "between", "just all", "a small base"],
)
def test_a_piece_is_what_is_fed_in_the_time_that_others_wait(pace: float, size: int) -> None:
    pieces = Pieces(32, 256)
    assert pieces.size == 32  # before anything is known
    for _ in range(3):
        pieces.after(pieces.size, pieces.size / pace)
    assert pieces.size == size


def test_a_pace_that_falls_shortens_the_next_piece() -> None:
    pieces = Pieces(32, 256)
    pieces.after(32, 0.001)
    assert pieces.size == 256
    pieces.after(256, 10 * WAIT)
    assert pieces.size == 32


def test_a_small_piece_tells_nothing() -> None:
    """It takes the time in which the weights are read, whatever is multiplied with them."""
    pieces = Pieces(32, 256)
    pieces.after(32, 0.001)
    pieces.after(3, 10 * WAIT)
    assert pieces.size == 256


def test_one_that_is_not_quite_full_tells_what_it_told() -> None:
    """Five rows share a piece of 32 as six tokens each: it shall grow all the same."""
    pieces = Pieces(32, 256)
    pieces.after(30, 0.001)
    assert pieces.size == 256


@given(st.lists(st.tuples(st.integers(0, 5000), st.floats(0, 100))))
def test_whatever_is_told_a_piece_stays_between_its_bounds(told: list[tuple[int, float]]) -> None:
    pieces, fixed = Pieces(7, 100), Pieces(9, 9)
    for tokens, seconds in told:
        pieces.after(tokens, seconds)
        fixed.after(tokens, seconds)
        assert 7 <= pieces.size <= 100
        assert fixed.size == 9
