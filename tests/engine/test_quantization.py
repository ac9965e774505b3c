"""Quantised bases: the scales stay those of the unquantised weights, and the logits stay near."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
import torch
from torch import Tensor

from medinject_demo.domain import ARMS, MIXTURES
from medinject_demo.engine.base import answers
from medinject_demo.engine.local import LocalEngine
from medinject_demo.engine.prepare import prepare
from medinject_demo.errors import InvalidValue, ModelError
from tests.tiny import tiny_adapter, tiny_base

from .laws import QUESTIONS, asked

NAT, TRAD = ARMS[0], ARMS[1]


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("quantised")
    base = tiny_base(root / "base")
    for mixture in (NAT, TRAD):
        tiny_adapter(base, root / mixture.slug, mixture)
    return root


def load(root: Path, quantization: str) -> LocalEngine:
    adapters = {mixture: root / mixture.slug for mixture in (NAT, TRAD)}
    return LocalEngine.load(str(root / "base"), adapters, device="cpu", quantization=quantization)


def forget_scales(root: Path) -> None:
    for kept in root.glob("*/scales-*.safetensors"):
        kept.unlink()


def logits(engine: LocalEngine) -> Tensor:
    return engine.logits([asked(QUESTIONS[0], mixture) for mixture in engine.mixtures])


def scales(engine: LocalEngine) -> list[Tensor]:
    return [each for mixture in (NAT, TRAD) for each in engine.scales(mixture).values()]


def test_four_bits_are_further_from_the_whole_weights_than_eight_and_both_are_near(root: Path) -> None:
    engines = [load(root, name) for name in ("none", "int8", "int4")]
    whole, eight, four = (logits(engine) for engine in engines)
    far = [float((each - whole).abs().mean() / whole.std()) for each in (eight, four)]
    assert 0 < far[0] < 0.02 < far[1] < 0.6
    for engine in engines:
        engine.close()


@pytest.mark.parametrize("name", ["int8", "int4"])
def test_scales_are_those_of_the_unquantised_weights_at_the_start_and_after_a_swap(root: Path, name: str) -> None:
    whole = load(root, "none")
    whole.swap(NAT, root / TRAD.slug)
    expected = scales(whole)
    whole.close()
    forget_scales(root)
    engine = load(root, name)
    forget_scales(root)
    engine.swap(NAT, root / TRAD.slug)
    for got, wanted in zip(scales(engine), expected, strict=True):
        torch.testing.assert_close(got, wanted, rtol=0, atol=0)
    engine.close()


@pytest.mark.parametrize("name", ["int8", "int4"])
def test_a_quantised_base_answers_for_every_arm(root: Path, name: str) -> None:
    engine = load(root, name)
    given = answers(engine, [asked(QUESTIONS[0], mixture) for mixture in MIXTURES if mixture in engine.mixtures])
    assert all(answer.tokens for answer in given)
    engine.close()


@pytest.mark.parametrize(
    ("dtype", "quantization", "moves"),
    [
        (torch.float32, "none", [("cuda", torch.float32), ("cuda", torch.float32)]),
        (torch.bfloat16, "none", [("cpu", torch.float32), ("cuda", torch.bfloat16)]),
        (torch.float32, "int8", [("cpu", torch.float32), ("cuda", torch.float32)]),
    ],
)
def test_a_base_that_shrinks_does_so_before_the_device_holds_it(
    root: Path,
    monkeypatch: pytest.MonkeyPatch,
    dtype: torch.dtype,
    quantization: str,
    moves: list[tuple[str, torch.dtype]],
) -> None:
    made: list[tuple[str, torch.dtype]] = []
    monkeypatch.setattr(
        "medinject_demo.engine.prepare.move", lambda model, device: made.append((device.type, model.dtype))
    )
    prepare(str(root / "base"), {}, torch.device("cuda"), dtype, quantization)
    assert made == moves


def test_an_unknown_quantisation_is_refused(root: Path) -> None:
    with pytest.raises(InvalidValue, match="expected none or int8 or int4, got 'int2'"):
        load(root, "int2")


def test_a_missing_library_is_named_with_the_way_to_get_it(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "optimum.quanto", None)
    with pytest.raises(ModelError, match=r"expected optimum-quanto, got none\. Run: pip install optimum-quanto"):
        load(root, "int8")
