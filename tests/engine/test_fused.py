"""The kernels of a decode step against transformers, through Triton's interpreter where there is no GPU."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from medinject_demo.domain import ARMS, Mixture, Sampling
from medinject_demo.engine.base import answers
from medinject_demo.engine.cache import RowCache
from medinject_demo.engine.captured import CapturedSteps
from medinject_demo.engine.fused import fused_route
from medinject_demo.engine.local import LocalEngine
from medinject_demo.engine.outcome import told
from medinject_demo.engine.routes import PlainRoute, Rows, agrees
from medinject_demo.engine.steps import Forward
from medinject_demo.training.untrained import untrained
from tests.tiny import EXAMPLES, TINY, tiny_adapter, tiny_base

from .laws import QUESTIONS, asked

pytest.importorskip("triton")
CONTEXT, LINES = 300, 6
DEVICE = "cuda" if torch.cuda.is_available() else "cpu"


@pytest.fixture(scope="module")
def fused() -> Any:
    """The module whose kernels are tried; Triton is not there everywhere."""
    return importlib.import_module("medinject_demo.engine.fused.step")


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalEngine]:
    root = tmp_path_factory.mktemp("fused")
    base = tiny_base(root / "base")
    arms: dict[Mixture, Path] = {each: tiny_adapter(base, root / each.slug, each) for each in ARMS}
    engine = LocalEngine.load(base, arms, device=DEVICE, dtype="fp32", max_rows=LINES, max_context=CONTEXT)
    yield engine
    engine.close()


def rows_of(fused: Any, tokens: Sequence[int], fed: Sequence[int], slots: Sequence[int]) -> Any:
    return fused.Rows(*(torch.tensor(each, device=DEVICE) for each in (tokens, fed, slots)))


def test_a_fused_step_is_the_plain_step(fused: Any, engine: LocalEngine) -> None:
    forward = engine._batcher._forward
    with torch.inference_mode():
        forward.reserve(CONTEXT)
        step = fused.FusedRoute(forward, CONTEXT)
        slots = [0, 3, 3, 1, 7]
        lengths = [2, 150, 40, 299, 1]
        for line, (length, slot) in enumerate(zip(lengths, slots, strict=True)):
            if length > 1:
                forward.chunk([line], [torch.randint(400, (length - 1,)).tolist()], [0], [slot])
        tokens, fed = [5, 6, 7, 8, 9], [length - 1 for length in lengths]
        plain = forward.step(tokens, fed, slots).logits
        kept = [lines.clone() for lines in forward.cache.lines(0)]
        logits, told = step(rows_of(fused, tokens, fed, slots))
    torch.testing.assert_close(logits, plain, atol=2e-5, rtol=2e-5)
    for ours, theirs in zip(forward.cache.lines(0), kept, strict=True):
        torch.testing.assert_close(ours, theirs, atol=2e-5, rtol=2e-5)
    assert told.tolist() == [plain.argmax(-1).tolist(), [1] * 5]


@pytest.mark.parametrize("blocks", [1, 12, 1000], ids=["whole", "uneven", "a piece a step"])
def test_inputs_are_cut_in_any_number_of_pieces(
    fused: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, blocks: int
) -> None:
    base = str(tmp_path / "base")
    untrained(EXAMPLES, tmp_path / "base", replace(TINY, hidden=48, layers=2, heads=3, feed_forward=80))
    arms = {each: tiny_adapter(base, tmp_path / each.slug, each) for each in ARMS[:2]}
    engine = LocalEngine.load(base, arms, device=DEVICE, dtype="fp32", max_rows=2, max_context=64)
    forward = engine._batcher._forward
    monkeypatch.setattr(fused.launch, "FEW", fused.launch.Cut(16, 16, 4, 2, blocks))
    with torch.inference_mode():
        forward.reserve(64)
        plain = forward.step([5, 6], [0, 0], [1, 2]).logits
        logits, _ = fused.FusedRoute(forward, 64)(rows_of(fused, [5, 6], [0, 0], [1, 2]))
    torch.testing.assert_close(logits, plain, atol=2e-5, rtol=2e-5)
    engine.close()


def test_an_engine_takes_the_fused_route_and_answers_as_before(engine: LocalEngine) -> None:
    requests = [
        asked(question, arm, Sampling(max_new_tokens=3)) for arm, question in zip(ARMS, QUESTIONS, strict=False)
    ]
    plain = [answer.text for answer in answers(engine, requests)]
    batcher = engine._batcher
    steps = CapturedSteps(batcher._forward, 4, CONTEXT, lambda: lambda run: run, fused_route)
    before, batcher.steps = batcher.steps, steps
    try:
        batcher.between_steps(steps.warm)
        assert type(steps._route).__name__ == "FusedRoute"
        assert [answer.text for answer in answers(engine, requests)] == plain
        batcher.between_steps(steps.use_transformers)
        assert isinstance(steps._route, PlainRoute)
        assert [answer.text for answer in answers(engine, requests)] == plain
    finally:
        batcher.steps = before


@pytest.mark.parametrize("rows", [20, 40])
@pytest.mark.parametrize("room", [300, 1100], ids=["short", "long"])
def test_many_rows_and_long_lines_go_the_same_way(fused: Any, engine: LocalEngine, rows: int, room: int) -> None:
    forward = Forward(engine._model, engine._bank, RowCache(rows, room))
    with torch.inference_mode():
        forward.reserve(room)
        assert agrees(fused.FusedRoute(forward, room), forward, rows, room)


def test_a_route_that_drops_the_magnitudes_is_not_taken(
    fused: Any, engine: LocalEngine, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Even where logits may lie as far apart as they do in half precision."""
    monkeypatch.setattr("medinject_demo.engine.routes.CLOSE", {torch.float32: 10.0})
    forward = Forward(engine._model, engine._bank, RowCache(8, 64))
    with torch.inference_mode():
        forward.reserve(64)
        route = fused.FusedRoute(forward, 64)
        assert agrees(route, forward, 8, 64)

        def dropped(rows: Rows, longest: int) -> Any:
            kept = {layer: layer.scale.clone() for layer in engine._bank.layers.values()}
            for layer in kept:
                layer.scale.fill_(1)
            said = route(rows, longest)
            for layer, scale in kept.items():
                layer.scale.copy_(scale)
            return said

        assert not agrees(dropped, forward, 8, 64)
    assert "no magnitudes" in caplog.text


def test_the_best_token_is_the_plain_ones(fused: Any) -> None:
    logits = torch.randn(7, 5000, device=DEVICE)
    logits[0, [10, 4999]] = 9.0  # equals: the first
    logits[1, 4999] = 9.0
    logits[2, 3] = float("nan")
    logits[3, 4000] = float("inf")
    logits[4, 4000] = float("-inf")
    ours, theirs = fused.launch.best(logits).tolist(), told(logits).tolist()
    assert ours[1] == theirs[1] == [1, 1, 0, 0, 0, 1, 1]
    assert [best for best, finite in zip(*ours, strict=True) if finite] == [
        best for best, finite in zip(*theirs, strict=True) if finite
    ]


@pytest.mark.gpu
@pytest.mark.skipif(DEVICE == "cpu", reason="no CUDA device")
def test_bf16_lies_near_transformers_own(tmp_path: Path) -> None:
    base = tiny_base(tmp_path / "base")
    arms = {each: tiny_adapter(base, tmp_path / each.slug, each) for each in ARMS}
    engine = LocalEngine.load(base, arms, device="cuda", dtype="bf16", max_rows=20, max_context=64)
    assert type(engine._captured._route).__name__ == "FusedRoute"  # type: ignore[union-attr]
    engine.close()


@pytest.mark.parametrize("wrong", [0.5, float("nan")])
def test_a_route_whose_logits_differ_is_not_taken(
    engine: LocalEngine, caplog: pytest.LogCaptureFixture, wrong: float
) -> None:
    def other(forward: Forward, context: int) -> Any:
        def way(rows: Rows, longest: int) -> tuple[torch.Tensor, torch.Tensor]:
            logits, told = PlainRoute(forward)(rows, longest)
            return logits + wrong, told

        return way

    steps = CapturedSteps(engine._batcher._forward, 2, CONTEXT, lambda: lambda run: run, other)
    engine._batcher.between_steps(steps.warm)
    assert isinstance(steps._route, PlainRoute)
    assert "a quicker step is not taken" in caplog.text


def bias(model: Any) -> None:
    layer = model.model.layers[0].self_attn.o_proj.base
    layer.bias = torch.nn.Parameter(torch.zeros(layer.out_features))


def activation(model: Any) -> None:
    model.config.hidden_act = "gelu"


def unbanked(model: Any) -> None:
    mlp = model.model.layers[0].mlp
    mlp.up_proj = mlp.up_proj.base


def halves(model: Any) -> None:
    model.half()


def another_norm(model: Any) -> None:
    model.model.layers[0].self_attn.query_layernorm = torch.nn.LayerNorm(4)


def no_positions(model: Any) -> None:
    model.config.no_rope_layers = [1]


@pytest.mark.parametrize(
    "change", [bias, activation, unbanked, halves, another_norm, no_positions], ids=lambda change: change.__name__
)
def test_a_model_of_another_kind_keeps_transformers_route(tmp_path: Path, change: Callable[[Any], None]) -> None:
    base = tiny_base(tmp_path / "base")
    adapter = tiny_adapter(base, tmp_path / "nat", ARMS[0])
    engine = LocalEngine.load(base, {ARMS[0]: adapter}, device="cpu", max_rows=2, max_context=64)
    forward = engine._batcher._forward
    assert fused_route(forward, 64) is not None
    change(forward.model)
    assert fused_route(forward, 64) is None
    engine.close()
