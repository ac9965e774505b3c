"""A base that is stored in bf16 stays so on a processor, and answers to the bit as the same numbers in fp32."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from torch import nn

from medinject_demo.domain import ARMS, MIXTURES, Mixture, Sampling
from medinject_demo.engine import halves, origin
from medinject_demo.engine.adapter import LayerWeights
from medinject_demo.engine.base import answers
from medinject_demo.engine.halves import HalfLinear, keep_halves, precision_of
from medinject_demo.engine.loading import load_base
from medinject_demo.engine.local import LocalEngine
from medinject_demo.engine.native.build import NotBuilt, library
from medinject_demo.engine.native.step import NativeSteps
from medinject_demo.engine.native.tables import require_fits
from medinject_demo.engine.parts import NotOfThisKind, layers_of
from medinject_demo.engine.sequential import SequentialArms
from medinject_demo.engine.steps import Forward
from tests.tiny import stored_in, tiny_adapter, tiny_base

from .conftest import by, require_library
from .laws import QUESTIONS, asked
from .test_local import ASKED, shown
from .test_native import fresh, processors, tokens

NAT, TRAD = ARMS[0], ARMS[1]
CONTEXT = 200


@pytest.fixture(scope="module")
def bases(tmp_path_factory: pytest.TempPathFactory) -> dict[torch.dtype, str]:
    """The same numbers, in bf16 and in fp32."""
    root = tmp_path_factory.mktemp("halves")
    made = tiny_base(root / "made")
    return {each: stored_in(each, made, root / str(each)) for each in (torch.bfloat16, torch.float32)}


@pytest.fixture(scope="module")
def folders(bases: dict[torch.dtype, str], tmp_path_factory: pytest.TempPathFactory) -> dict[Mixture, Path]:
    root = tmp_path_factory.mktemp("adapters")
    return {each: tiny_adapter(bases[torch.float32], root / each.slug, each) for each in ARMS}


def loaded(base: str, folders: dict[Mixture, Path]) -> LocalEngine:
    return LocalEngine.load(base, folders, device="cpu", max_rows=24, max_context=CONTEXT)


@pytest.fixture
def engine(way: str, bases: dict[torch.dtype, str], folders: dict[Mixture, Path]) -> Iterator[LocalEngine]:
    require_library()  # without it the base is cast
    engine = by(way, loaded(bases[torch.bfloat16], folders))
    yield engine
    engine.close()


def kinds(engine: LocalEngine) -> set[torch.dtype]:
    """Those of the matrices."""
    return {each.dtype for each in engine._model.parameters() if each.dim() == 2}


def test_its_matrices_stay_as_they_are_stored_and_all_else_is_in_fp32(engine: LocalEngine) -> None:
    assert kinds(engine) == {torch.bfloat16}
    assert {each.dtype for each in engine._model.parameters() if each.dim() == 1} == {torch.float32}
    assert precision_of(engine._model) == torch.float32
    assert engine.precision == "cpu float32"
    assert {layer.up.dtype for layer in engine._bank.layers.values()} == {torch.float32}


def test_every_arm_answers_as_peft_does_in_fp32(
    engine: LocalEngine, bases: dict[torch.dtype, str], folders: dict[Mixture, Path]
) -> None:
    oracle = SequentialArms(bases[torch.float32], folders)
    sampling = Sampling(max_new_tokens=24)
    said = answers(engine, [asked(question, arm, sampling) for arm in MIXTURES for question in QUESTIONS])
    expected = [answer for arm in MIXTURES for answer in oracle.answers(arm, ASKED, 24)]
    assert [each.text for each in said] == [shown(each.text) for each in expected]


def test_logits_are_those_of_fp32_to_the_bit(bases: dict[torch.dtype, str], folders: dict[Mixture, Path]) -> None:
    require_library()
    told = []
    for base in bases.values():
        engine = loaded(base, folders)
        assert isinstance(engine._batcher.steps, NativeSteps)
        told.append(engine.logits([asked(question, arm) for arm in MIXTURES for question in QUESTIONS]))
        engine.close()
    assert torch.equal(*told)


@pytest.fixture(scope="module")
def alike(bases: dict[torch.dtype, str], folders: dict[Mixture, Path]) -> Iterator[tuple[LocalEngine, LocalEngine]]:
    """Engines of the same numbers, in bf16 and in fp32."""
    require_library()
    half, whole = (loaded(base, folders) for base in bases.values())
    yield half, whole
    half.close()
    whole.close()


@pytest.mark.parametrize("rows", [1, 3, 5, 9, 17, 24])
@pytest.mark.parametrize("processor", processors())
def test_of_every_processor_and_width_a_step_is_that_of_fp32_to_the_bit(
    alike: tuple[LocalEngine, LocalEngine], monkeypatch: pytest.MonkeyPatch, processor: str, rows: int
) -> None:
    made, told = library(processor), []
    monkeypatch.setattr("medinject_demo.engine.native.step.library", lambda: made)
    for engine in alike:
        steps = NativeSteps(fresh(engine), CONTEXT)
        slots, prompts = [row % 8 for row in range(rows)], [tokens(3 + row, row) for row in range(rows)]
        steps.feed(range(rows), prompts, [0] * rows, slots)
        told.append(steps.step(tokens(rows), [len(prompt) for prompt in prompts], slots).logits)
    assert torch.equal(*told)


@pytest.mark.parametrize("bias", [True, False])
def test_a_matrix_of_several_pieces_is_that_of_one(monkeypatch: pytest.MonkeyPatch, bias: bool) -> None:
    monkeypatch.setattr(halves, "PIECE", 100)  # six rows of sixteen numbers, then six, then four
    torch.manual_seed(0)
    layer = nn.Linear(16, 16, bias=bias, dtype=torch.bfloat16)
    assert [len(rows) for rows in halves.pieces(layer.weight)] == [6, 6, 4]
    given = torch.randn(3, 16)
    plain = nn.functional.linear(given, layer.weight.float(), layer.bias.float() if bias else None)
    keep_halves(layer)
    torch.testing.assert_close(layer(given), plain)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_norms_of_several_pieces_are_those_of_one(monkeypatch: pytest.MonkeyPatch, dtype: torch.dtype) -> None:
    torch.manual_seed(0)
    weight = torch.randn(16, 16).to(dtype)
    layer = LayerWeights(torch.randn(4, 16), torch.randn(16, 4), 0.5, torch.rand(16))
    plain = torch.linalg.vector_norm(weight.float() + 0.5 * (layer.up @ layer.down), dim=1)
    for piece in (100, 8, 1 << 20):
        monkeypatch.setattr(halves, "PIECE", piece)
        torch.testing.assert_close(layer.norms(weight), plain)
    assert not layer.norms(nn.Parameter(weight)).requires_grad  # as of a base that is read again for its weights


def test_a_swap_takes_its_scales_from_the_weights_that_are_there(
    engine: LocalEngine, folders: dict[Mixture, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    for kept in folders[TRAD].glob("scales-*"):
        kept.unlink()

    def again(*_: object) -> None:
        raise AssertionError("the base is read again")

    monkeypatch.setattr(origin, "load_base", again)
    engine.swap(NAT, folders[TRAD])
    one, other = engine.logits([asked(QUESTIONS[0], NAT), asked(QUESTIONS[0], TRAD)])
    torch.testing.assert_close(one, other)


def test_without_what_reads_halves_it_is_cast(
    bases: dict[torch.dtype, str], folders: dict[Mixture, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    def none(*_: object) -> None:
        raise NotBuilt("no C compiler on this machine")

    monkeypatch.setattr("medinject_demo.engine.native.build.library", none)
    monkeypatch.setattr("medinject_demo.engine.native.step.library", none)
    engine = loaded(bases[torch.bfloat16], folders)
    assert isinstance(engine._batcher.steps, Forward)
    assert kinds(engine) == {torch.float32}
    engine.close()


def test_another_precision_or_quantised_it_is_cast(bases: dict[torch.dtype, str], folders: dict[Mixture, Path]) -> None:
    for asked_for, expected in (({"dtype": "bf16"}, torch.bfloat16), ({"quantization": "int8"}, torch.float32)):
        engine = LocalEngine.load(bases[torch.bfloat16], folders, device="cpu", max_rows=8, max_context=64, **asked_for)
        assert not any(isinstance(each, HalfLinear) for each in engine._model.modules())
        assert engine._forward.precision == expected
        engine.close()


@pytest.mark.parametrize("which", ["model.embed_tokens", "model.layers.0.mlp.down_proj", "model.norm"])
def test_numbers_of_several_kinds_are_left_to_transformers(bases: dict[torch.dtype, str], which: str) -> None:
    """What is read is told by the head's kind: a matrix or a norm of another would be read as what it is not."""
    model, _ = load_base(bases[torch.bfloat16])
    keep_halves(model)
    require_fits(model, layers_of(model, 64))
    weight = model.get_submodule(which).weight
    other = torch.bfloat16 if weight.dtype == torch.float32 else torch.float32
    model.get_submodule(which).weight = nn.Parameter(weight.detach().to(other), requires_grad=False)
    with pytest.raises(NotOfThisKind, match=str(other)):
        require_fits(model, layers_of(model, 64))
