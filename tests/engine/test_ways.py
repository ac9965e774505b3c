"""The ways to add adapters agree with the plain one, whoever shares the batch."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from medinject_demo.engine.ways import Masked, Packed, RowByRow, Way

SLOTS, RANK, INPUTS, OUTPUTS, MEMBERS = 5, 4, 12, 20, 3
CPU = torch.device("cpu")

slots_of_rows = st.lists(st.integers(0, SLOTS - 1), min_size=1, max_size=9)


def stacks() -> tuple[Tensor, Tensor]:
    """A and B of five slots; the base's are zero."""
    torch.manual_seed(0)
    down, up = torch.randn(SLOTS, INPUTS, MEMBERS * RANK), torch.randn(MEMBERS, SLOTS, RANK, OUTPUTS)
    down[0], up[:, 0] = 0, 0
    return down, up


def added(way: Way, inputs: Tensor, down: Tensor, up: Tensor) -> Tensor:
    """What a way makes of outputs that are ones, a row of results for each member."""
    results = torch.ones(MEMBERS, *inputs.shape[:2], OUTPUTS)
    for outputs, low, own in zip(results, way.low(inputs, down, MEMBERS), up, strict=True):
        way.add(outputs, low, own)
    return results


def ways(slots: list[int]) -> list[Way]:
    return [Packed.of(slots, CPU), Masked.of(torch.tensor(slots), slice(1, SLOTS))]


@given(slots_of_rows)
def test_every_way_agrees_with_row_by_row(slots: list[int]) -> None:
    down, up = stacks()
    inputs = torch.randn(len(slots), 1, INPUTS)
    plain = added(RowByRow(torch.tensor(slots)), inputs, down, up)
    for way in ways(slots):
        torch.testing.assert_close(added(way, inputs, down, up), plain)


@given(slots_of_rows, st.integers(1, 4))
def test_row_by_row_is_the_formula(slots: list[int], tokens: int) -> None:
    down, up = stacks()
    inputs = torch.randn(len(slots), tokens, INPUTS)
    got = added(RowByRow(torch.tensor(slots)), inputs, down, up)
    for row, slot in enumerate(slots):
        for member, own in enumerate(down[slot].chunk(MEMBERS, -1)):
            torch.testing.assert_close(got[member, row], 1 + inputs[row] @ own @ up[member, slot])


@given(slots_of_rows)
def test_a_row_of_the_base_is_left_as_it_is_to_the_bit(slots: list[int]) -> None:
    down, up = stacks()
    inputs = torch.randn(len(slots), 1, INPUTS)
    rows = [row for row, slot in enumerate(slots) if slot == 0]
    for way in (RowByRow(torch.tensor(slots)), *ways(slots)):
        assert (added(way, inputs, down, up)[:, rows] == 1).all()


@pytest.mark.parametrize("spoilt", [float("inf"), float("nan")])
@given(slots_of_rows.filter(lambda slots: 2 in slots))
def test_what_overflows_in_another_slot_spoils_no_row(spoilt: float, slots: list[int]) -> None:
    down, up = stacks()
    down[2], up[:, 2] = spoilt, 1
    inputs = torch.randn(len(slots), 1, INPUTS)
    others = [row for row, slot in enumerate(slots) if slot != 2]
    for way in (RowByRow(torch.tensor(slots)), *ways(slots)):
        assert torch.isfinite(added(way, inputs, down, up)[:, others]).all()
