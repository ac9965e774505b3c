"""The library's forward against transformers', on every kind of vector that this processor has; and to the bit."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from medinject_demo.domain import ARMS, Mixture, Sampling
from medinject_demo.engine.base import answers
from medinject_demo.engine.cache import RowCache
from medinject_demo.engine.local import LocalEngine
from medinject_demo.engine.native import native_steps
from medinject_demo.engine.native.build import library
from medinject_demo.engine.native.pace import Pace
from medinject_demo.engine.native.step import NativeSteps
from medinject_demo.engine.outcome import told
from medinject_demo.engine.steps import Forward
from tests.tiny import stored_in, tiny_adapter, tiny_base

from .conftest import require_library
from .laws import QUESTIONS, asked
from .watched import Turnstile

CONTEXT, LINES = 300, 70


@pytest.fixture(scope="module", autouse=True)
def _made() -> None:
    require_library()


def processors() -> list[str]:
    """Those whose library runs here: of four, eight and sixteen numbers in a vector, where it is an x86."""
    here = torch.backends.cpu.get_cpu_capability()
    if here not in ("DEFAULT", "AVX2", "AVX512"):
        return ["native"]
    return ["native", "x86-64", *(["x86-64-v3"] if here != "DEFAULT" else [])]


@pytest.fixture(scope="module", params=[torch.float32, torch.bfloat16], ids=str)
def engine(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalEngine]:
    """Of a base that is stored in fp32, or in bf16 and left there."""
    root = tmp_path_factory.mktemp("native")
    base = stored_in(request.param, tiny_base(root / "base"), root / "stored")
    arms: dict[Mixture, Path] = {each: tiny_adapter(base, root / each.slug, each) for each in ARMS}
    engine = LocalEngine.load(base, arms, device="cpu", max_rows=LINES, max_context=CONTEXT)
    yield engine
    engine.close()


@pytest.fixture(params=processors())
def forward(request: pytest.FixtureRequest, engine: LocalEngine, monkeypatch: pytest.MonkeyPatch) -> Forward:
    """The engine's model over a cache of its own; the library is that of a processor."""
    made = library(request.param)
    monkeypatch.setattr("medinject_demo.engine.native.step.library", lambda: made)
    return fresh(engine)


def fresh(engine: LocalEngine) -> Forward:
    forward = Forward(engine._model, engine._bank, RowCache(LINES, engine.room.context))
    with torch.inference_mode():
        forward.reserve(engine.room.context)
    return forward


def tokens(count: int, seed: int = 0) -> list[int]:
    return random.Random(seed).choices(range(400), k=count)


def close(ours: torch.Tensor, theirs: torch.Tensor) -> None:
    torch.testing.assert_close(ours, theirs, atol=3e-5, rtol=3e-5)


@pytest.mark.parametrize("rows", [1, 3, 4, 5, 8, 9, 17, 33, 64, 70])
def test_a_native_step_is_transformers_step(forward: Forward, rows: int) -> None:
    """Prompts of unequal length, slots in any order, and as many rows as fill panels of every width."""
    draw = random.Random(rows)
    lengths = [draw.choice((1, 2, 17, 64, 299)) for _ in range(rows)]
    slots = [draw.randrange(8) for _ in range(rows)]
    steps = NativeSteps(forward, CONTEXT)
    prompts = [tokens(length - 1, line) for line, length in enumerate(lengths)]
    lines = [line for line, prompt in enumerate(prompts) if prompt]
    with torch.inference_mode():
        for line in lines:
            forward.chunk([line], [prompts[line]], [0], [slots[line]])
        fed = [length - 1 for length in lengths]
        plain = forward.step(tokens(rows), fed, slots).logits
        kept = [each.clone() for each in forward.cache.lines(0)]
        forward.cache.forget()
        steps.feed(lines, [prompts[line] for line in lines], [0] * len(lines), [slots[line] for line in lines])
        outcome = steps.step(tokens(rows), fed, slots)
    close(outcome.logits, plain)
    assert [list(outcome.best), [int(each) for each in outcome.finite]] == told(outcome.logits).tolist()
    for ours, theirs in zip(forward.cache.lines(0), kept, strict=True):
        for line, length in enumerate(lengths):
            close(ours[line, :, :length], theirs[line, :, :length])


@pytest.mark.parametrize("rows", [2, 4, 7, 16, 31, 70])
def test_a_rows_bits_are_the_same_whoever_shares_the_batch(forward: Forward, rows: int) -> None:
    steps = NativeSteps(forward, CONTEXT)
    slots, prompts = [row % 8 for row in range(rows)], [tokens(5 + row, row) for row in range(rows)]
    steps.feed(range(rows), prompts, [0] * rows, slots)
    together = steps.step(tokens(rows), [len(prompt) for prompt in prompts], slots).logits
    for row, prompt in enumerate(prompts):
        steps.feed([0], [prompt], [0], [slots[row]])
        alone = steps.step([tokens(rows)[row]], [len(prompt)], [slots[row]]).logits
        assert torch.equal(alone[0], together[row])


@given(data=st.data())
@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_a_prompt_fed_in_any_pieces_leaves_the_same_bits(forward: Forward, data: st.DataObject) -> None:
    steps = NativeSteps(forward, CONTEXT)
    length = data.draw(st.integers(2, 150))
    cuts = sorted(data.draw(st.sets(st.integers(1, length - 1), max_size=6)) | {0, length})
    slot, line, prompt = data.draw(st.integers(0, 7)), data.draw(st.integers(0, LINES - 1)), tokens(length)
    steps.feed([3], [prompt], [0], [slot])
    whole = [each[3, :, :length].clone() for each in forward.cache.lines(0)]
    for start, end in pairwise(cuts):
        steps.feed([line], [prompt[start:end]], [start], [slot])
    for ours, theirs in zip(forward.cache.lines(0), whole, strict=True):
        assert torch.equal(ours[line, :, :length], theirs)


def test_the_number_of_threads_changes_no_bit(forward: Forward) -> None:
    steps, said = NativeSteps(forward, CONTEXT), []
    slots = [slot % 8 for slot in range(9)]
    for threads in (1, 2, 3, 7):
        steps._pace = Pace(threads)
        steps.feed(range(9), [tokens(20, line) for line in range(9)], [0] * 9, slots)
        steps._pace = Pace(threads)  # on few cores the first may have been slow
        said.append(steps.step(tokens(9), [20] * 9, slots).logits)
    assert all(torch.equal(each, said[0]) for each in said)


@pytest.mark.parametrize("token", [400, 2**40, -1])
def test_a_token_that_the_model_does_not_have_is_an_error(forward: Forward, token: int) -> None:
    """As a tokenizer may have, to which some were added; with transformers it is an error too."""
    steps = NativeSteps(forward, CONTEXT)
    with pytest.raises(IndexError, match="none of the 400 of the model"):
        steps.step([5, token], [0, 0], [0, 1])
    with pytest.raises(IndexError, match="none of the 400 of the model"):
        steps.feed([0], [[5, token, 6]], [0], [1])


def test_numbers_that_overflow_spoil_their_own_row_alone(forward: Forward, engine: LocalEngine) -> None:
    steps, layer = NativeSteps(forward, CONTEXT), next(iter(engine._bank.layers.values()))
    slots = [0, 3, 5]
    plain = steps.step([5, 6, 7], [0, 0, 0], slots)
    kept = layer.scale[3].clone()
    try:
        layer.scale[3].fill_(float("inf"))
        spoilt = steps.step([5, 6, 7], [0, 0, 0], slots)
    finally:
        layer.scale[3].copy_(kept)
    assert list(spoilt.finite) == [True, False, True]
    for row in (0, 2):
        assert torch.equal(spoilt.logits[row], plain.logits[row])
    assert torch.equal(steps.step([5, 6, 7], [0, 0, 0], slots).logits, plain.logits)  # the line is as new


@pytest.mark.parametrize("places", [(399,), (0, 1), (3, 19), (3, 18), (20, 17), (15, 16), (160, 47, 399), (398, 399)])
def test_the_first_of_equal_logits_is_the_best(forward: Forward, places: tuple[int, ...]) -> None:
    """Wherever they lie: in one vector, in one place of two, at the end."""
    head = forward.model.lm_head.weight
    kept = head.detach().clone()
    try:
        with torch.no_grad():
            head[list(places)] = 2 * head[int(NativeSteps(forward, CONTEXT).step([5], [0], [1]).best[0])]
            outcome = NativeSteps(forward, CONTEXT).step([5], [0], [1])
            assert (outcome.logits[0] == outcome.logits.max()).nonzero().flatten().tolist() == sorted(places)
            assert list(outcome.best) == [min(places)]
    finally:
        with torch.no_grad():
            head.copy_(kept)


def test_longer_lines_are_made_as_rows_get_there(engine: LocalEngine) -> None:
    forward = Forward(engine._model, engine._bank, RowCache(3, CONTEXT))
    with torch.inference_mode():
        forward.reserve(1)
        steps, whole = NativeSteps(forward, CONTEXT), fresh(engine)
        steps.feed([0, 2], [tokens(60), tokens(200)], [0, 0], [1, 2])
        steps.feed([2], [tokens(99, 1)], [200], [2])
        whole.chunk([2], [tokens(200) + tokens(99, 1)], [0], [2])
    for ours, theirs in zip(forward.cache.lines(0), whole.cache.lines(0), strict=True):
        assert ours.shape[2] % 16 == 0
        close(ours[2, :, :299], theirs[2, :, :299])


def test_no_memory_is_an_error_and_the_next_step_is_exact(engine: LocalEngine) -> None:
    steps = NativeSteps(fresh(engine), CONTEXT)
    plain = steps.step([5], [0], [1]).logits
    table = steps._table()
    kept, table.feed_forward = table.feed_forward, 2**55
    with pytest.raises(MemoryError, match="no memory for a step of 1 token"):
        steps.step([5], [0], [1])
    table.feed_forward = kept
    assert torch.equal(steps.step([5], [0], [1]).logits, plain)


@pytest.mark.parametrize("wrong", [0.5, float("nan")])
def test_a_library_that_computes_otherwise_is_not_taken(
    engine: LocalEngine, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, wrong: float
) -> None:
    run = NativeSteps._run

    def off(self: NativeSteps, given: torch.Tensor, wanted: int) -> tuple[torch.Tensor, torch.Tensor]:
        logits, said = run(self, given, wanted)
        return logits + wrong, said

    forward = Forward(engine._model, engine._bank, RowCache(4, 64))
    with torch.inference_mode():
        assert native_steps(forward, 64) is not None
        monkeypatch.setattr(NativeSteps, "_run", off)
        assert native_steps(forward, 64) is None
    assert "a quicker step is not taken" in caplog.text


@pytest.mark.parametrize("lines", [1, 4])
@pytest.mark.parametrize("wrong", ["arms", "prompts"])
def test_a_library_that_takes_arms_or_prompts_for_others_is_not_taken(
    engine: LocalEngine, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, wrong: str, lines: int
) -> None:
    run, forward = NativeSteps._run, Forward(engine._model, engine._bank, RowCache(lines, 64))

    def off(self: NativeSteps, given: torch.Tensor, wanted: int) -> tuple[torch.Tensor, torch.Tensor]:
        given = given.clone()
        if wrong == "arms":
            given[3] = 0
        elif not wanted:
            given[0] = given[0].flip(0)
        return run(self, given, wanted)

    monkeypatch.setattr(NativeSteps, "_run", off)
    with torch.inference_mode():
        assert native_steps(forward, 64) is None
    assert "a quicker step is not taken" in caplog.text


def test_swaps_while_rows_are_in_flight_are_exact(
    engine: LocalEngine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A new slot moves the stacks; rows in flight go on with the numbers that they had."""
    base = engine._base.name
    monkeypatch.setattr(engine._batcher, "_stops", frozenset())
    long = [asked(question, ARMS[0], Sampling(max_new_tokens=60)) for question in QUESTIONS]
    expected = [answer.text for answer in answers(engine, long)]
    other = replace(asked(QUESTIONS[0], ARMS[1]), sampling=Sampling(max_new_tokens=8))
    after = answers(engine, [other])[0].text
    plain, steps, new = engine._batcher.steps, Turnstile(engine), tiny_adapter(base, tmp_path / "other", ARMS[1])
    events = engine.stream(long)
    steps.let(5)
    before = len(steps.seen)
    engine.swap(ARMS[0], new)  # a step passes for it
    steps.open()
    kept = list(events)
    engine._batcher.steps = plain
    said = ["".join(getattr(event, "text", "") for event in kept if event.row == row) for row in range(len(long))]
    assert all(len(slots) == len(long) for slots in steps.seen[:before])
    assert len(steps.seen) - before > 50  # with the new adapter in its slot
    assert said == expected
    assert answers(engine, [replace(other, mixture=ARMS[0])])[0].text == after
    engine.swap(ARMS[0], tiny_adapter(base, tmp_path / "same", ARMS[0]))
