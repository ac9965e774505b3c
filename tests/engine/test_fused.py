"""The kernels of a decode step against transformers, through Triton's interpreter where there is no GPU."""

from __future__ import annotations

import importlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
import torch

from medinject_demo.domain import ARMS, Mixture
from medinject_demo.engine.local import LocalEngine
from tests.tiny import tiny_adapter, tiny_base

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
        step = fused.FusedWay(forward, CONTEXT)
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
