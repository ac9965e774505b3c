"""What a row, a step or a thread that ends badly leaves behind: nothing that another would meet, and nobody waiting."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from medinject_demo.domain import ARMS, FinishReason, Mixture, Sampling
from medinject_demo.engine.base import Events, Finished, Request, answers
from medinject_demo.engine.layout import known_tokens, prompt_tokens
from medinject_demo.engine.local import LocalEngine
from medinject_demo.engine.pieces import Pieces

from .conftest import by
from .laws import QUESTIONS, asked
from .watched import Watched, eventually, watch

NAT, TRAD = ARMS[0], ARMS[1]
CONTEXT = 200
LONG = Sampling(max_new_tokens=40)
BOTH = (asked("Bonjour", NAT, LONG), asked(QUESTIONS[2], TRAD, LONG))


@pytest.fixture
def engine(way: str, base: str, folders: dict[Mixture, Path]) -> Iterator[LocalEngine]:
    arms = {mixture: folders[mixture] for mixture in (NAT, TRAD)}
    engine = by(way, LocalEngine.load(base, arms, device="cpu", max_rows=3, max_context=CONTEXT))
    yield engine
    engine.close()


@contextmanager
def spoilt(engine: LocalEngine, mixture: Mixture) -> Iterator[None]:
    """An arm whose values, which are kept, are no numbers."""
    layer = next(layer for name, layer in engine._bank.layers.items() if "v_proj" in name)
    slot = engine._tenancy.slot(mixture)
    kept = layer.scale[slot].clone()
    engine._batcher.between_steps(lambda: layer.scale[slot].fill_(float("nan")))
    try:
        yield
    finally:
        engine._batcher.between_steps(lambda: layer.scale[slot].copy_(kept))


def texts(engine: LocalEngine, requests: tuple[Request, ...] = BOTH) -> list[str]:
    return [answer.text for answer in answers(engine, requests)]


def ends(events: Events) -> list[Finished]:
    return [event for event in events if isinstance(event, Finished)]


def within(seconds: float, job: Callable[[], list[Finished]]) -> list[Finished]:
    """What a job gives, on a thread that is not waited for longer."""
    got: list[Finished] = []
    thread = threading.Thread(target=lambda: got.extend(job()), daemon=True)
    thread.start()
    thread.join(seconds)
    assert not thread.is_alive(), "somebody waits for ever"
    return got


def test_a_row_that_is_not_finite_leaves_its_place_clean(engine: LocalEngine) -> None:
    expected = texts(engine)
    with spoilt(engine, NAT):
        (bad,) = answers(engine, [asked(QUESTIONS[2], NAT, LONG)])
    assert (bad.finish_reason, bad.text) == (FinishReason.ERROR, "")
    assert texts(engine) == expected


def test_a_row_that_is_left_while_its_prompt_is_fed_leaves_its_place_clean(engine: LocalEngine) -> None:
    expected = texts(engine)
    fed, steps = threading.Event(), engine._batcher.steps
    gone: list[Events] = []

    def leave(*given: object) -> None:
        assert fed.wait(10)
        gone[0].close()

    with spoilt(engine, NAT):
        question = asked(QUESTIONS[2] * 2, NAT, LONG)
        engine._batcher.pieces = Pieces(*[len(encoded(engine, question)) - 4] * 2)
        watch(engine, lambda *given: None, leave)
        gone.append(engine.stream([question]))
        fed.set()
        assert eventually(lambda: not engine.rows_in_use)
    engine._batcher.steps = steps
    assert texts(engine) == expected


def test_a_step_that_fails_leaves_every_place_clean(engine: LocalEngine) -> None:
    expected, steps = texts(engine), engine._batcher.steps

    def fail(*given: object) -> None:
        for each in engine._forward.cache.lines(0):
            each.fill_(float("nan"))
        raise RuntimeError("a kernel failed")

    watch(engine, fail)
    assert [end.reason for end in ends(engine.stream(BOTH))] == [FinishReason.ERROR] * 2
    engine._batcher.steps = steps
    assert texts(engine) == expected


def test_where_what_a_step_leaves_cannot_be_cleaned_either_nobody_waits(
    engine: LocalEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As after an illegal access on a GPU: everything fails from then on."""

    def fail(*given: object) -> None:
        raise RuntimeError("device-side assert triggered")

    monkeypatch.setattr(threading, "excepthook", lambda args: None)
    monkeypatch.setattr(engine._forward.cache, "forget", fail)
    monkeypatch.setattr(engine._batcher, "steps", Watched(engine._batcher.steps, fail, fail))
    ended = within(10, lambda: ends(engine.stream(BOTH)))
    assert [(end.reason, "device-side assert" in end.error) for end in ended] == [(FinishReason.ERROR, True)] * 2
    assert eventually(lambda: not engine.is_open)
    assert engine.rows_in_use == 0


@pytest.mark.parametrize("way", ["transformers"])
@pytest.mark.parametrize("moves", [0, 1, 2])
def test_where_lines_cannot_be_moved_every_row_ends_once(
    engine: LocalEngine, monkeypatch: pytest.MonkeyPatch, moves: int
) -> None:
    """Whether a row joins, or leaves, before the others: none is lost, and none ends twice."""
    move, done = engine._forward.cache.move, [0]

    def fail(source: int, target: int) -> None:
        done[0] += 1
        if done[0] > moves:
            raise RuntimeError("device-side assert triggered")
        move(source, target)

    monkeypatch.setattr(threading, "excepthook", lambda args: None)
    monkeypatch.setattr(engine._forward.cache, "move", fail)
    lasting = Sampling(max_new_tokens=150)
    first = engine.stream([asked("Bonjour", TRAD, lasting)])
    next(first)
    second = engine.stream([asked("Bonjour", NAT, Sampling(max_new_tokens=3)), asked("Bonsoir", NAT, lasting)])
    ended = within(10, lambda: [*ends(second), *ends(first)])
    assert done[0] > moves
    assert len(ended) == 3
    assert FinishReason.ERROR in {end.reason for end in ended}
    assert engine.rows_in_use == 0


def test_a_prompt_near_its_end_is_not_padded_beyond_its_line(engine: LocalEngine) -> None:
    """A long one that began before, beside a new one: pieces are of one length, and its line has no more room."""
    few = Sampling(max_new_tokens=2)
    before, after = (filled(engine, letter, arm, few) for letter, arm in (("e", NAT), ("i", TRAD)))
    expected = texts(engine, (before,)) + texts(engine, (after,))
    engine._batcher.between_steps(lambda: engine._forward.reserve(CONTEXT))
    longest = engine._forward.cache.lines(0)[0].shape[2]
    engine._batcher.pieces = Pieces(CONTEXT - 14, CONTEXT - 14)
    joined: list[Events] = []

    def join(*given: object) -> None:
        if not joined:
            joined.append(engine.stream([after]))

    watch(engine, lambda *given: None, join)
    (one,) = answers(engine, [before])
    said = "".join(getattr(event, "text", "") for event in joined[0])
    assert [one.text, said] == expected
    assert engine._forward.cache.lines(0)[0].shape[2] == longest


def filled(engine: LocalEngine, letter: str, arm: Mixture, sampling: Sampling) -> Request:
    """A question that leaves room for a few tokens."""
    return next(
        request
        for count in range(CONTEXT, 0, -1)
        if len(encoded(engine, request := asked(letter * count, arm, sampling))) <= CONTEXT - 4
    )


def encoded(engine: LocalEngine, request: Request) -> list[int]:
    return prompt_tokens(engine._tokenizer, request.messages, known_tokens(engine._model))
