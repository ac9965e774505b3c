"""The product turned round is the product."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from medinject_demo.engine.fewrows import LARGE, ROWS, FewRows, expect_few_rows


@pytest.mark.parametrize("bias", [False, True])
@pytest.mark.parametrize("shape", [(1, 1), (7, 1), (8, 1), (3, 5), (32, 1), (33, 1), (4, 8), (2, 40)])
def test_it_is_the_plain_layer_for_any_number_of_rows(shape: tuple[int, int], bias: bool) -> None:
    torch.manual_seed(0)
    plain = nn.Linear(64, 96, bias=bias).requires_grad_(False)
    inputs = torch.randn(*shape, 64)
    expected = plain(inputs)
    plain.__class__ = FewRows
    got = plain(inputs)
    torch.testing.assert_close(got, expected)
    assert got.is_contiguous()


def test_large_layers_alone_are_changed_and_keep_their_weights() -> None:
    model = nn.Sequential(nn.Linear(1024, LARGE // 1024), nn.Linear(LARGE // 1024, 8), nn.Embedding(2, LARGE))
    weight = model[0].weight
    expect_few_rows(model)
    assert [type(each) for each in model] == [FewRows, nn.Linear, nn.Embedding]
    assert model[0].weight is weight


def test_a_number_of_rows_within_the_range_takes_the_other_way(monkeypatch: pytest.MonkeyPatch) -> None:
    turned: list[int] = []
    product = torch.mm
    monkeypatch.setattr(torch, "mm", lambda one, other: turned.append(other.shape[1]) or product(one, other))
    layer = FewRows(16, 4)
    for rows in (1, ROWS.start - 1, ROWS.start, ROWS.stop - 1, ROWS.stop):
        layer(torch.randn(rows, 1, 16))
    assert turned == [ROWS.start, ROWS.stop - 1]
