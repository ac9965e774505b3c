"""Logits after prompts: rows among those that are answered, which they neither hold up nor change."""

from __future__ import annotations

import re
import threading
from collections.abc import Sequence

import pytest
import torch
from torch import Tensor

from medinject_demo.domain import ARMS, BASE, MIXTURES, Mixture, Sampling
from medinject_demo.engine.base import ChoiceRequest, answers
from medinject_demo.engine.local import LocalEngine
from medinject_demo.engine.pieces import Pieces
from medinject_demo.errors import InvalidValue, ModelError

from .laws import QUESTIONS, asked
from .watched import Turnstile, Watched, eventually, watch

NAT = ARMS[0]
LONG = "Le patient a mal au ventre depuis hier soir. " * 4


def padded_forward(engine: LocalEngine, prompts: Sequence[Sequence[int]], arms: Sequence[Mixture]) -> Tensor:
    """The plain way: all prompts in one forward of transformers' own, padded on the left."""
    longest = max(map(len, prompts))
    ids = torch.tensor([[0] * (longest - len(prompt)) + list(prompt) for prompt in prompts])
    seen = torch.tensor([[0] * (longest - len(prompt)) + [1] * len(prompt) for prompt in prompts])

    def forward() -> Tensor:
        engine._bank.use([engine._tenancy.slot(arm) for arm in arms])
        positions = (seen.cumsum(-1) - 1).clamp(min=0)
        given = {"input_ids": ids, "attention_mask": seen, "position_ids": positions}
        logits: Tensor = engine._model(**given, use_cache=False, logits_to_keep=1).logits[:, -1]
        return logits

    return engine._batcher.between_steps(forward)


def test_logits_are_those_of_one_padded_forward_of_all_prompts(engine: LocalEngine) -> None:
    requests = [asked(question, arm) for question, arm in zip([*QUESTIONS, *QUESTIONS], MIXTURES[:6], strict=True)]
    prompts = [engine._tokens(request.messages) for request in requests]
    expected = padded_forward(engine, prompts, MIXTURES[:6])
    torch.testing.assert_close(engine.logits(requests), expected, rtol=1e-4, atol=1e-4)


def test_an_answer_goes_on_while_long_prompts_are_weighed(engine: LocalEngine) -> None:
    """At most a piece of them is fed between two of its steps."""
    engine._batcher._stops, engine._batcher.pieces = frozenset(), Pieces(64, 64)
    streamed = asked(QUESTIONS[0], BASE, Sampling(max_new_tokens=120))
    (alone,) = answers(engine, [streamed])
    turnstile, done, told = Turnstile(engine), [], []

    def fed(lines: Sequence[int], chunks: Sequence[Sequence[int]], *_: object) -> None:
        done.append(sum(map(len, chunks)))

    watch(engine, lambda *given: done.append(0), fed)
    watching = threading.Thread(target=lambda: told.extend(answers(engine, [streamed])))
    watching.start()
    assert eventually(lambda: bool(engine.rows_in_use))
    turnstile.let(1)
    first = len(done)
    weighed = [ChoiceRequest(asked(LONG).messages, arm, "AB") for arm in ARMS[:5]]
    weighing = threading.Thread(target=lambda: told.append(engine.option_probabilities(weighed)))
    weighing.start()
    assert eventually(lambda: bool(engine._batcher._calls))  # the step that waits holds them off
    turnstile.open()
    weighing.join(20)
    watching.join(20)
    fed_since = [tokens for tokens in done[first:] if tokens]
    assert len(fed_since) > 1
    assert max(fed_since) <= 64
    assert all(one == 0 or other == 0 for one, other in zip(done[first:], done[first + 1 :], strict=False))
    answer, letters = sorted(told, key=lambda each: isinstance(each, list))
    assert answer.text == alone.text
    assert [sum(each.values()) for each in letters] == pytest.approx([1] * 5)


def test_logits_that_are_no_numbers_are_an_error(engine: LocalEngine) -> None:
    layer = next(iter(engine._bank.layers.values()))
    engine._batcher.between_steps(lambda: layer.scale[engine._tenancy.slot(NAT)].fill_(float("nan")))
    with pytest.raises(ModelError, match=r"arm nat: expected logits that are finite numbers, got others\. Check"):
        engine.option_probabilities([ChoiceRequest(asked(QUESTIONS[0]).messages, NAT, "AB")])
    assert eventually(lambda: not engine.rows_in_use)


def test_one_that_fails_ends_its_call_and_no_answer(engine: LocalEngine) -> None:
    long = asked(QUESTIONS[0], BASE, Sampling(max_new_tokens=60))
    (expected,) = answers(engine, [long])
    turnstile, told = Turnstile(engine), []
    watching = threading.Thread(target=lambda: told.extend(answers(engine, [long])))
    watching.start()
    turnstile.let(1)
    layer, slot = next(iter(engine._bank.layers.values())), engine._tenancy.slot(NAT)
    engine._batcher.between_steps(lambda: layer.scale[slot].fill_(float("nan")))
    turnstile.open()
    with pytest.raises(ModelError, match="arm nat"):
        engine.logits([asked(QUESTIONS[0], arm) for arm in (NAT, *ARMS[1:5])])
    watching.join(20)
    assert [each.text for each in told] == [expected.text]
    assert eventually(lambda: not engine.rows_in_use)


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (
            RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory: you tried to allocate 8 bytes"),
            "engine: expected memory for it, got none left. Try again when fewer answers are under way",
        ),
        (MemoryError("no memory for a step of 3 tokens"), "engine: expected memory for it, got none left"),
        (
            RuntimeError("CUDA error: an illegal memory access was encountered"),
            "engine: expected logits, got RuntimeError: CUDA error: an illegal memory access was encountered.",
        ),
        (
            IndexError("no such token\nand more"),
            "engine: expected logits, got IndexError: no such token.",
        ),
    ],
)
def test_a_forward_that_fails_is_an_error_and_the_next_is_exact(
    engine: LocalEngine, monkeypatch: pytest.MonkeyPatch, error: Exception, said: str
) -> None:
    request = ChoiceRequest(asked(QUESTIONS[0]).messages, NAT, "AB")
    expected = engine.option_probabilities([request])

    def failing(*given: object) -> None:
        raise error

    with monkeypatch.context() as broken:
        broken.setattr(engine._batcher, "steps", Watched(engine._batcher.steps, failing))
        with pytest.raises(ModelError, match=re.escape(said)):
            engine.option_probabilities([request])
    assert engine.option_probabilities([request]) == expected


@pytest.mark.parametrize("question", [LONG, QUESTIONS[0]], ids=["while they are fed", "before the last are asked"])
def test_an_engine_that_is_closed_meanwhile_says_so(engine: LocalEngine, question: str) -> None:
    entered, leave, said = threading.Event(), threading.Event(), []

    def held(*_: object) -> None:
        entered.set()
        assert leave.wait(20)

    watch(engine, held, held)

    def weigh() -> None:
        with pytest.raises(ModelError) as refused:
            engine.logits([asked(question, NAT)] * 7)  # more than there are rows
        said.append(str(refused.value))

    weighing = threading.Thread(target=weigh)
    weighing.start()
    assert entered.wait(20)
    closing = threading.Thread(target=engine.close)
    closing.start()
    assert eventually(lambda: not engine.is_open)
    leave.set()
    weighing.join(10)
    closing.join(10)
    assert said == ["engine: expected one that is open, got a closed one. Load it again."]


def test_all_requests_are_looked_at_before_any_is_computed(engine: LocalEngine) -> None:
    fed: list[object] = []
    watch(engine, lambda *given: fed.append(given), lambda *given: fed.append(given))
    with pytest.raises(InvalidValue, match="expected fewer than 200 tokens"):
        engine.logits([*[asked(QUESTIONS[0], NAT)] * 8, asked("mal " * 400, NAT)])
    assert not fed
