"""Rows lie on the lines of the cache in their order, each with its own keys and values, whoever joins or leaves."""

from __future__ import annotations

import torch
from hypothesis import given
from hypothesis import strategies as st

from medinject_demo.domain import Sampling
from medinject_demo.engine.cache import RowCache, Span
from medinject_demo.engine.decode import Draw
from medinject_demo.engine.lines import Lines
from medinject_demo.engine.rows import Call, Row

MOST = 12
CALL = Call((), lambda: 0.0)

moments = st.lists(st.one_of(st.integers(0, 4), st.integers(-MOST, -1)), max_size=40)
"""A slot that joins, or less than zero: one of those there that leaves."""


def row(number: int, slot: int) -> Row:
    return Row(number, [0, 0], slot, Draw(Sampling()), None, 1, lambda: None)  # type: ignore[arg-type]


def feed(cache: RowCache, line: int, given: Row) -> None:
    """Give a row keys that nobody else has."""
    span = Span(slice(line, line + 1), torch.zeros(1, 1, dtype=torch.long), 1)
    keys = torch.full((1, 1, 1, 1), float(given.number))
    cache.at(span).update(keys, -keys, 0)
    given.fed = 1


def kept(cache: RowCache, lines: Lines) -> list[tuple[float, float]]:
    """The keys and values on the lines in use."""
    stores = cache._keys[0], cache._values[0]
    return [(float(stores[0][line, 0, 0, 0]), float(stores[1][line, 0, 0, 0])) for line in range(len(lines))]


def play(lines: Lines, cache: RowCache, plan: list[int]) -> None:
    for number, moment in enumerate(plan, start=1):
        if moment >= 0 and len(lines) < MOST:
            new = row(number, moment)
            lines.join(CALL, new)
            feed(cache, lines.line(new), new)
        elif moment < 0 and len(lines):
            lines.leave(lines.row(moment % len(lines)))


@given(moments)
def test_rows_lie_in_the_order_of_their_slots_each_on_its_own_keys_and_values(plan: list[int]) -> None:
    cache = RowCache(MOST, 8)
    lines = Lines(cache)
    play(lines, cache, plan)
    there = [each for _, each in lines]
    assert [each.slot for each in there] == sorted(each.slot for each in there)
    assert not there or kept(cache, lines) == [(each.number, -each.number) for each in there]


@given(moments)
def test_without_an_order_a_row_joins_behind_and_the_last_takes_the_place_of_one_that_leaves(plan: list[int]) -> None:
    cache = RowCache(MOST, 8)
    lines = Lines(cache, lambda each: 0)
    before: list[int] = []
    for number, moment in enumerate(plan, start=1):
        if moment >= 0 and len(before) < MOST:
            before.append(number)
            new = row(number, moment)
            lines.join(CALL, new)
            feed(cache, lines.line(new), new)
        elif moment < 0 and before:
            gone = moment % len(before)
            before[gone] = before[-1]
            before.pop()
            lines.leave(lines.row(gone))
    assert [each.number for _, each in lines] == before
    assert not before or kept(cache, lines) == [(number, -number) for number in before]
