"""An order that is written is read as it was meant, or refused."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from medinject_demo.ui.order import UNREADABLE, UNTOUCHED, ranks_of, tied, written
from medinject_demo.votes.rankings import ranking_of
from tests.duels import codes


@given(st.lists(st.integers(1, 8), min_size=3, max_size=8))
def test_what_is_written_of_a_ranking_is_read_back(ranks: list[int]) -> None:
    ranking = ranking_of(ranks)
    assert ranking_of(ranks_of(written(ranking), len(ranking))) == ranking


@pytest.mark.parametrize("text", ["", " \n"])
def test_an_order_that_nobody_gave_is_refused_and_all_tied_by_hand_is_one(text: str) -> None:
    assert codes(lambda: ranks_of(text, 4)) == (UNTOUCHED,)
    assert tied(4) == "A = B = C = D"
    assert ranks_of(tied(4), 4) == [1, 1, 1, 1]


def test_orders_by_hand() -> None:
    assert written((2, 1, 2)) == "B > A = C"
    assert ranks_of(" b>a=  C ", 3) == [2, 1, 2]


@pytest.mark.parametrize("text", ["A > B", "A > B > C > D", "A > A > B > C", "A > B > ", "A B C", "1>2>3"])
def test_a_text_that_is_no_order_is_refused(text: str) -> None:
    assert codes(lambda: ranks_of(text, 3)) == (UNREADABLE,)
