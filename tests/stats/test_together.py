"""Several differences told at once: Holm's procedure, by hand and beside its slow obvious form."""

from __future__ import annotations

import itertools
from datetime import UTC, datetime

import numpy as np
import pandas as pd
from hypothesis import given
from hypothesis import strategies as st

from medinject_demo.domain import BASE, MIXTURES
from medinject_demo.stats.board import Standing, board
from medinject_demo.stats.together import sure

from .votes import SLUGS, votes

NOW = datetime(2026, 11, 27, 12, tzinfo=UTC)
NAT = MIXTURES[1]


def test_the_textbooks_four_are_told_as_it_tells_them() -> None:
    """0.005 < 0.05 / 4 and 0.01 < 0.05 / 3, but 0.03 > 0.05 / 2: two are sure, though all four are below 0.05."""
    assert sure({"a": 0.01, "b": 0.04, "c": 0.03, "d": 0.005}) == {"a", "d"}


def test_one_alone_is_told_as_its_own_interval_tells_it() -> None:
    assert sure({"a": 0.0499}) == {"a"}
    assert sure({"a": 0.0501}) == sure({}) == frozenset()


@given(st.lists(st.floats(0, 1), max_size=28))
def test_it_is_that_of_adjusted_doubts(doubts: list[float]) -> None:
    """Each doubt times those still asked, no less than that of any before it."""
    adjusted, most = {}, 0.0
    for place, which in enumerate(sorted(range(len(doubts)), key=lambda each: doubts[each])):
        most = max(most, (len(doubts) - place) * doubts[which])
        adjusted[which] = most
    clear = {which for which, each in adjusted.items() if each < 0.05 - 1e-12}
    found = sure(dict(enumerate(doubts)))
    assert clear <= found <= {which for which, each in adjusted.items() if each < 0.05 + 1e-12}


@given(st.lists(st.floats(0, 1), min_size=1, max_size=28))
def test_nothing_is_sure_together_that_is_not_alone(doubts: list[float]) -> None:
    assert all(doubts[which] <= 0.05 + 1e-12 for which in sure(dict(enumerate(doubts))))


def equal(seed: int) -> pd.DataFrame:
    """Votes on eight arms of which none is better, each voter's and prompt's own."""
    chance = np.random.default_rng(seed)
    pairs = list(itertools.permutations(SLUGS, 2))
    verdicts = chance.choice(["left", "right"], 1_000)
    drawn = chance.integers(0, len(pairs), 1_000)
    return votes([(*pairs[place], str(said)) for place, said in zip(drawn, verdicts, strict=True)])


def test_of_equal_arms_hardly_a_board_says_that_some_differ() -> None:
    """Each interval for itself, 13 boards in 100 would in the ranking and every second in the cells."""
    boards = [board(equal(seed), as_of=NOW) for seed in range(40)]
    told = {Standing.AHEAD, Standing.BEHIND}
    assert sum(any(row.raw.standing in told for row in each.rows) for each in boards) <= 4
    assert sum(any(cell.standing in told for cell in each.cells.values()) for each in boards) <= 4
    assert sum(any(row.raw.ranks != (1, 8) for row in each.rows) for each in boards) <= 4


def test_cells_and_ranks_are_told_by_all_pairs_together_and_rows_by_the_seven_from_the_base() -> None:
    """An arm that is ahead of the base by little: sure among seven differences, not among 28."""
    found = [board(close(seed), as_of=NOW) for seed in range(12)]
    assert any(each.row(NAT).raw.standing is not each.cells[NAT, BASE].standing for each in found)
    for each in found:
        for arm in MIXTURES[1:]:
            if each.cells[arm, BASE].standing in {Standing.AHEAD, Standing.BEHIND}:
                assert each.row(arm).controlled.standing is each.cells[arm, BASE].standing


def close(seed: int) -> pd.DataFrame:
    chance = np.random.default_rng(seed)
    pairs = list(itertools.permutations(SLUGS, 2))
    said = []
    for place in chance.integers(0, len(pairs), 1_000):
        left, right = pairs[place]
        better = 0.5 + 0.2 * ((left == "nat") - (right == "nat")) * ("base" in (left, right))
        said.append((left, right, "left" if chance.random() < better else "right"))
    return votes(said)
