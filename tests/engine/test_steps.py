"""Steps of fixed shapes against the plain step; the capture itself needs CUDA, here a run is simply run again."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

from medinject_demo.domain import ARMS, MIXTURES, Mixture, Sampling
from medinject_demo.engine.base import answers
from medinject_demo.engine.local import LocalEngine
from medinject_demo.engine.steps import STRIDE, CapturedSteps, Run, cuda_graph
from tests.tiny import tiny_adapter, tiny_base

from .laws import QUESTIONS, asked


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, dict[Mixture, Path]]:
    root = tmp_path_factory.mktemp("steps")
    base = tiny_base(root / "base")
    return base, {mixture: tiny_adapter(base, root / mixture.slug, mixture) for mixture in ARMS}


@pytest.fixture
def engine(files: tuple[str, dict[Mixture, Path]]) -> Iterator[LocalEngine]:
    engine = LocalEngine.load(*files, device="cpu", max_rows=6, max_context=600)
    yield engine
    engine.close()


class Captures:
    """What was captured."""

    def __init__(self) -> None:
        self.count = 0

    def __call__(self, run: Run) -> Run:
        self.count += 1
        return run


def capture(engine: LocalEngine, by: Captures) -> None:
    batcher = engine._batcher
    batcher._step = CapturedSteps(batcher._forward, 6, 600, by)


def test_answers_of_captured_steps_are_those_of_plain_steps(engine: LocalEngine) -> None:
    requests = [asked(question, mixture, Sampling(max_new_tokens=20)) for mixture in MIXTURES for question in QUESTIONS]
    plain = [answer.text for answer in answers(engine, requests)]
    captures = Captures()
    capture(engine, captures)
    assert [answer.text for answer in answers(engine, requests)] == plain
    assert 0 < captures.count <= 4  # rows of 1, 2, 4 and 6, one length


def test_a_longer_context_is_captured_anew_and_stays_exact(engine: LocalEngine) -> None:
    long = Sampling(max_new_tokens=2 * STRIDE)
    requests = [asked("Bonjour", ARMS[0], long), asked(QUESTIONS[1], ARMS[3], long)]
    plain = [(answer.text, answer.tokens) for answer in answers(engine, requests)]
    captures = Captures()
    capture(engine, captures)
    assert [(answer.text, answer.tokens) for answer in answers(engine, requests)] == plain


def test_a_swap_needs_no_new_capture(engine: LocalEngine, files: tuple[str, dict[Mixture, Path]]) -> None:
    captures = Captures()
    capture(engine, captures)
    one = asked(QUESTIONS[0], ARMS[0])
    answers(engine, [one])
    before = captures.count
    engine.swap(ARMS[0], files[1][ARMS[1]])
    swapped = answers(engine, [one])[0].text
    assert captures.count == before
    assert swapped == answers(engine, [asked(QUESTIONS[0], ARMS[1])])[0].text


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
def test_a_graph_repeats_its_run() -> None:
    source = torch.zeros(4, device="cuda")
    replay = cuda_graph(lambda: source * 2)
    source.fill_(3)
    assert replay().tolist() == [6, 6, 6, 6]
