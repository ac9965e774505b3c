"""The ways to add adapters agree with the plain one, whoever shares the batch."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from medinject_demo.engine.ways import Masked, RowByRow, Run, Sorted, Way

SLOTS, RANK, INPUTS, OUTPUTS, MEMBERS = 5, 4, 12, 20, 3

slots_of_rows = st.lists(st.integers(0, SLOTS), min_size=1, max_size=9)


def stacks() -> tuple[Tensor, Tensor]:
    """A and B of five slots."""
    torch.manual_seed(0)
    return torch.randn(SLOTS, INPUTS, MEMBERS * RANK), torch.randn(MEMBERS, SLOTS, RANK, OUTPUTS)


def added(way: Way, inputs: Tensor, down: Tensor, up: Tensor) -> Tensor:
    """What a way makes of outputs that are ones, a row of results for each member."""
    results = torch.ones(MEMBERS, *inputs.shape[:2], OUTPUTS)
    for outputs, low, own in zip(results, way.low(inputs, down, MEMBERS), up, strict=True):
        way.add(outputs, low, own)
    return results


def plain(slots: list[int]) -> RowByRow:
    return RowByRow.of(torch.tensor(slots))


def masked(slots: list[int]) -> Masked:
    return Masked.of(torch.tensor(slots), SLOTS)


def ways(slots: list[int]) -> list[Way]:
    """The ways that rows in this order may take."""
    return [plain(slots), masked(slots), *([Sorted.of(slots)] if slots == sorted(slots) else [])]


@given(slots_of_rows)
def test_the_masked_way_agrees_with_row_by_row(slots: list[int]) -> None:
    down, up = stacks()
    inputs = torch.randn(len(slots), 1, INPUTS)
    torch.testing.assert_close(added(masked(slots), inputs, down, up), added(plain(slots), inputs, down, up))


@given(slots_of_rows.map(sorted), st.integers(1, 4))
def test_the_sorted_way_agrees_with_row_by_row(slots: list[int], tokens: int) -> None:
    down, up = stacks()
    inputs = torch.randn(len(slots), tokens, INPUTS)
    torch.testing.assert_close(added(Sorted.of(slots), inputs, down, up), added(plain(slots), inputs, down, up))


def test_slots_that_follow_each_other_with_as_many_rows_are_one_run() -> None:
    assert Sorted.of([1, 1, 2, 2, 3]).runs == (
        Run(slice(0, 4), slice(0, 2), 2),
        Run(slice(4, 5), slice(2, 3), 1),
    )
    assert Sorted.of([0, 0, 1, 2, 4, 5]).runs == (  # the base's rows are in none
        Run(slice(2, 4), slice(0, 2), 1),
        Run(slice(4, 6), slice(3, 5), 1),
    )


@given(slots_of_rows, st.integers(1, 4))
def test_row_by_row_is_the_formula(slots: list[int], tokens: int) -> None:
    down, up = stacks()
    inputs = torch.randn(len(slots), tokens, INPUTS)
    got = added(plain(slots), inputs, down, up)
    for row, slot in enumerate(slots):
        for member in range(MEMBERS if slot else 0):
            own = down[slot - 1].chunk(MEMBERS, -1)[member]
            torch.testing.assert_close(got[member, row], 1 + inputs[row] @ own @ up[member, slot - 1])


@given(slots_of_rows)
def test_a_row_of_the_base_is_left_as_it_is_to_the_bit(slots: list[int]) -> None:
    down, up = stacks()
    inputs = torch.randn(len(slots), 1, INPUTS)
    rows = [row for row, slot in enumerate(slots) if slot == 0]
    for way in ways(slots):
        assert (added(way, inputs, down, up)[:, rows] == 1).all()


@pytest.mark.parametrize("spoilt", [float("inf"), float("nan")])
@given(slots_of_rows.filter(lambda slots: 2 in slots))
def test_what_overflows_in_another_slot_spoils_no_row(spoilt: float, slots: list[int]) -> None:
    down, up = stacks()
    down[1], up[:, 1] = spoilt, 1
    inputs = torch.randn(len(slots), 1, INPUTS)
    others = [row for row, slot in enumerate(slots) if slot != 2]
    for way in ways(slots):
        assert torch.isfinite(added(way, inputs, down, up)[:, others]).all()
