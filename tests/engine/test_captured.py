"""Steps of fixed shapes against the plain step; the capture itself needs CUDA, here a run is simply run again."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

from medinject_demo.domain import ARMS, MIXTURES, Mixture, Sampling
from medinject_demo.engine.base import Delta, answers
from medinject_demo.engine.captured import STRIDE, CapturedSteps, CudaGraphs, Flight, Run
from medinject_demo.engine.local import LocalEngine
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
        self.count = self.pools = 0

    def again(self) -> Captures:
        """A new pool for what is captured."""
        self.pools += 1
        return self

    def __call__(self, run: Run) -> Run:
        self.count += 1
        return run


class Overwriting(Captures):
    """Each run writes where its first one did, as a graph does."""

    def __call__(self, run: Run) -> Run:
        kept = [each.clone() for each in super().__call__(run)()]

        def replay() -> tuple[torch.Tensor, torch.Tensor]:
            for place, new in zip(kept, run(), strict=True):
                place.copy_(new)
            return kept[0], kept[1]

        return replay


def capture(engine: LocalEngine, by: Captures) -> None:
    batcher = engine._batcher
    batcher.steps = CapturedSteps(batcher._forward, 6, 600, by.again)


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


def test_swaps_are_captured_anew_for_a_higher_slot_only(
    engine: LocalEngine, files: tuple[str, dict[Mixture, Path]]
) -> None:
    captures = Captures()
    capture(engine, captures)
    one = asked(QUESTIONS[0], ARMS[0])
    answers(engine, [one])
    counts, pools = [captures.count], captures.pools
    for _ in range(4):
        engine.swap(ARMS[0], files[1][ARMS[1]])
        swapped = answers(engine, [one])[0].text
        counts.append(captures.count)
    assert counts == [1, 2, 2, 2, 2]  # the first swap takes a slot beyond those of the start, the next one given back
    assert captures.pools == pools + 1  # what was captured is void with the first swap, and its pool with it
    assert swapped == answers(engine, [asked(QUESTIONS[0], ARMS[1])])[0].text


def test_a_captured_step_reads_no_spare_slot(engine: LocalEngine) -> None:
    engine._bank.use_any(torch.tensor([1, 2]))
    assert len(engine._bank._present.way.others) == len(ARMS)


def test_what_is_warm_is_not_captured_at_the_first_token(engine: LocalEngine) -> None:
    requests = [asked(question, mixture, Sampling(max_new_tokens=20)) for mixture in MIXTURES for question in QUESTIONS]
    plain = [answer.text for answer in answers(engine, requests)]
    captures = Captures()
    capture(engine, captures)
    engine._batcher.between_steps(engine._batcher.steps.warm)
    warmed, generation = captures.count, engine._batcher._forward.cache.generation
    assert warmed == 4 * 2  # rows of 1, 2, 4 and 6, contexts of 256 and 512
    assert [answer.text for answer in answers(engine, requests)] == plain
    answers(engine, [asked(QUESTIONS[0], ARMS[0], Sampling(max_new_tokens=400))])
    assert (captures.count, engine._batcher._forward.cache.generation) == (warmed, generation)


def test_a_step_that_everyone_expects_is_begun_before_it_is_asked(engine: LocalEngine) -> None:
    requests = [asked(question, mixture, Sampling(max_new_tokens=12)) for mixture in ARMS[:3] for question in QUESTIONS]
    plain = [answer.text for answer in answers(engine, requests)]
    capture(engine, Captures())
    steps, begun = engine._batcher.steps, []
    original = steps._begun
    steps._begun = lambda asked: begun.append(asked) or original(asked)
    assert [answer.text for answer in answers(engine, requests[:2])] == plain[:2]
    assert len(begun) < 6  # of about 24 steps: the others were under way when they were asked for
    begun.clear()
    drawn = Sampling(max_new_tokens=8, temperature=1.0, seed=3)
    answers(engine, [asked(QUESTIONS[0], ARMS[0], drawn)])
    assert len(begun) >= 8  # nobody knows what is drawn


def test_logits_that_are_asked_for_are_of_a_step_that_nobody_runs_ahead_of(engine: LocalEngine) -> None:
    """It would write its logits where theirs lie."""
    requests = [asked(question, arm) for arm, question in zip(ARMS, QUESTIONS, strict=False)]
    plain = engine.logits(requests)
    capture(engine, Overwriting())
    streamed = engine.stream([asked(QUESTIONS[0], ARMS[3], Sampling(max_new_tokens=60))])
    next(streamed)
    torch.testing.assert_close(engine.logits(requests), plain, rtol=1e-4, atol=1e-4)
    list(streamed)


def test_a_step_begun_too_early_is_not_taken_for_another_rows(engine: LocalEngine) -> None:
    forward = engine._batcher._forward
    steps = CapturedSteps(forward, 6, 600, Captures().again)
    with torch.inference_mode():
        forward.chunk([0], [[5, 6, 7, 8, 9]], [0], [1])
        best = steps.step([10], [5], [1], steady=True).best[0]
        # another row on the same line, as long, whose next token happens to be the one that was expected
        forward.chunk([0], [[50, 60, 70, 80, 90, 100]], [0], [1])
        ours = steps.step([best], [6], [1]).logits.clone()
        torch.testing.assert_close(ours, forward.step([best], [6], [1]).logits)


def test_a_step_begun_early_that_overflows_spoils_no_other_row(engine: LocalEngine) -> None:
    forward = engine._batcher._forward
    steps = CapturedSteps(forward, 6, 600, Captures().again)
    with torch.inference_mode():
        forward.chunk([0], [[5, 6, 7, 8, 9]], [0], [1])
        expected = forward.chunk([0], [[10] * 8], [0], [1]).clone()
        forward.chunk([0], [[5, 6, 7, 8, 9]], [0], [1])
        steps.step([10], [5], [1], steady=True)
        keys, values = forward.cache.lines(0)
        keys[0, :, 6], values[0, :, 6] = torch.nan, torch.nan  # as the step begun early left it
        asked, flight = steps._ahead  # type: ignore[misc]
        steps._ahead = asked, Flight(flight.logits, lambda: [[0], [0]], flight.touches)
        steps._settle()
        assert torch.isfinite(forward.cache.lines(0)[0]).all()
        assert torch.isfinite(forward.cache.lines(0)[1]).all()
        torch.testing.assert_close(forward.chunk([0], [[10] * 8], [0], [1]), expected)


def test_a_swap_while_steps_are_begun_early_changes_no_row_in_flight(
    engine: LocalEngine, files: tuple[str, dict[Mixture, Path]]
) -> None:
    long = Sampling(max_new_tokens=60)
    request = asked(QUESTIONS[1], ARMS[0], long)
    before = answers(engine, [request])[0].text
    capture(engine, Captures())
    stream = engine.stream([request])
    text = [next(stream)]
    engine.swap(ARMS[0], files[1][ARMS[1]])
    text += list(stream)
    assert "".join(event.text for event in text if isinstance(event, Delta)) == before
    assert answers(engine, [request])[0].text == answers(engine, [asked(QUESTIONS[1], ARMS[1], long)])[0].text


def test_an_engine_without_arms_has_captured_steps_too(files: tuple[str, dict[Mixture, Path]]) -> None:
    engine = LocalEngine.load(files[0], {}, device="cpu", max_rows=6, max_context=600)
    plain = answers(engine, [asked(QUESTIONS[0])])[0].text
    capture(engine, Captures())
    assert answers(engine, [asked(QUESTIONS[0])])[0].text == plain
    engine.close()


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
def test_a_graph_repeats_its_run() -> None:
    source = torch.zeros(4, device="cuda")
    graphs = CudaGraphs()
    twice, thrice = graphs(lambda: (source * 2, source)), graphs(lambda: (source * 3, source))
    source.fill_(3)
    assert (twice()[0].tolist(), thrice()[0].tolist()) == ([6] * 4, [9] * 4)


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
def test_graphs_are_captured_again_once_all_were_let_go(files: tuple[str, dict[Mixture, Path]]) -> None:
    engine = LocalEngine.load(*files, device="cuda", dtype="fp32", max_rows=6, max_context=600)
    one = asked(QUESTIONS[0], ARMS[0])
    before = answers(engine, [one])[0].text
    captured = engine._captured
    assert captured is not None
    engine._batcher.between_steps(captured._forget_runs)
    assert answers(engine, [one])[0].text == before
    assert all("replay" in run.__name__ for run in captured._runs.values())
    engine.close()
