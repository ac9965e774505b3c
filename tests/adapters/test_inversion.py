from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from medinject_demo.adapters.bench.made import Known, drawn, known
from medinject_demo.adapters.inversion import invert, invert_plainly


def made(outputs: int, inputs: int, rank: int, seed: int = 0) -> Known:
    generator = torch.Generator().manual_seed(seed)
    return known(drawn((outputs, inputs), generator), rank, generator)


def apart(one: torch.Tensor, other: torch.Tensor) -> float:
    return float(torch.linalg.vector_norm(one.double() - other.double()))


@pytest.mark.parametrize("rank", [8, 16, 32, 64])
@pytest.mark.parametrize(("outputs", "inputs"), [(1024, 2560), (2560, 1024)])
def test_the_rank_of_a_merge_is_found_exactly_and_the_layer_with_it(outputs: int, inputs: int, rank: int) -> None:
    truth = made(outputs, inputs, rank)
    layer = invert(truth.merged, truth.weight)
    assert layer.rank == rank == layer.down.shape[0]
    assert layer.relative < 1e-4
    assert layer.gap > 100
    assert apart(layer.up @ layer.down, truth.up @ truth.down) < 1e-4 * apart(truth.up @ truth.down, torch.zeros(1))
    assert float((layer.scale - truth.scale).abs().max()) < 1e-5


@pytest.mark.parametrize("rank", [8, 16, 32, 64])
def test_after_a_rounding_to_bf16_it_is_closer_to_the_truth_than_the_checkpoint(rank: int) -> None:
    truth = made(1024, 2560, rank)
    rounded = truth.merged.bfloat16()
    layer = invert(rounded, truth.weight)
    recovered = layer.scale[:, None] * (truth.weight + layer.up @ layer.down)
    assert layer.rank == rank
    assert apart(recovered, truth.merged) < 0.4 * apart(rounded, truth.merged)


@settings(max_examples=12)
@given(st.integers(0, 50), st.sampled_from([(96, 160), (160, 96), (128, 128)]))
def test_the_thin_products_agree_with_whole_decompositions(seed: int, shape: tuple[int, int]) -> None:
    truth = made(*shape, 4, seed)
    layer = invert(truth.merged, truth.weight, 4)
    down, up, scale = invert_plainly(truth.merged, truth.weight, 4, rounds=60)
    plain = scale[:, None] * (truth.weight + up @ down)
    ours = layer.scale[:, None] * (truth.weight + layer.up @ layer.down)
    change = apart(truth.merged, truth.weight)
    assert apart(ours, truth.merged) < 1e-4 * change
    assert apart(ours, truth.merged) < apart(plain, truth.merged) + 1e-5 * change


def test_a_rank_that_was_given_too_low_gives_way_to_the_one_that_stands_out() -> None:
    truth = made(512, 512, 16)
    assert invert(truth.merged, truth.weight, 8).rank == 16


def test_a_rank_that_was_given_too_high_explains_as_well_and_says_what_stands_out() -> None:
    truth = made(512, 512, 8)
    layer = invert(truth.merged, truth.weight, 16)
    assert (layer.rank, layer.down.shape[0]) == (8, 16)
    assert layer.relative < 1e-4


def test_the_same_matrices_give_the_same_bits() -> None:
    truth = made(256, 384, 8)
    one, other = (invert(truth.merged, truth.weight) for _ in range(2))
    assert torch.equal(one.up, other.up)
    assert torch.equal(one.scale, other.scale)


def test_a_matrix_that_did_not_change_has_an_empty_layer() -> None:
    weight = made(64, 96, 4).weight
    layer = invert(weight, weight)
    assert (layer.rank, layer.change, layer.relative, layer.spread) == (0, 0.0, 0.0, 0.0)


def test_scales_alone_are_a_layer_of_no_rank() -> None:
    truth = made(256, 384, 4)
    layer = invert(truth.scale[:, None] * truth.weight, truth.weight)
    assert layer.rank == 0
    assert layer.relative < 1e-4


def test_noise_everywhere_has_no_rank_and_no_gap() -> None:
    truth = made(256, 384, 4)
    noise = torch.randn(256, 384, generator=torch.Generator().manual_seed(1))
    layer = invert(truth.weight + 0.001 * noise, truth.weight)
    assert layer.gap < 1.5
    assert layer.relative > 0.5


def test_a_plain_lora_has_scales_that_are_all_one() -> None:
    truth = made(512, 640, 8)
    layer = invert(truth.weight + truth.up @ truth.down, truth.weight)
    assert layer.rank == 8
    assert layer.spread < 1e-6
