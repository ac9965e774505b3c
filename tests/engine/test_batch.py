"""Continuous batching: whoever joins, leaves, swaps or goes, each row answers as alone; places are shared fairly."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from medinject_demo.domain import ARMS, BASE, MIXTURES, FinishReason, Mixture, Sampling
from medinject_demo.engine.base import Delta, Request, answers
from medinject_demo.engine.decode import Draw
from medinject_demo.engine.local import LocalEngine
from medinject_demo.engine.native import FEWEST
from medinject_demo.engine.pieces import MOST, Pieces
from medinject_demo.engine.rows import Call, Row
from medinject_demo.engine.sequential import SequentialArms
from medinject_demo.errors import ModelError

from .laws import QUESTIONS, asked
from .test_local import ASKED, shown
from .watched import Turnstile, eventually, watch

NAT, TRAD = ARMS[0], ARMS[1]
WARM = Sampling(temperature=1.2, top_p=0.95, repetition_penalty=1.1)
LONG = 60
"""Tokens of a long answer."""


@dataclass(frozen=True)
class Ask:
    """A row that joins while those before it are on their way."""

    mixture: Mixture
    question: int
    tokens: int
    seed: int | None = None
    """None is greedy."""

    @property
    def request(self) -> Request:
        sampling = Sampling() if self.seed is None else replace(WARM, seed=self.seed)
        return asked(QUESTIONS[self.question], self.mixture, replace(sampling, max_new_tokens=self.tokens))


@dataclass(frozen=True)
class Leave:
    """A client that goes: that of a row begun before, if it is still there."""

    which: int


@dataclass(frozen=True)
class Swap:
    """Another adapter in the place of nat's."""

    folder: Mixture


@dataclass(frozen=True)
class Plan:
    """Two long rows, nat's and another arm's; then what else happens, each with the steps that are made after it."""

    pair: tuple[Ask, Ask]
    moments: list[tuple[Ask | Leave | Swap, int]]


def pairs() -> st.SearchStrategy[tuple[Ask, Ask]]:
    others = st.sampled_from([mixture for mixture in MIXTURES if mixture != NAT])
    numbers, lengths = st.integers(0, 2), st.integers(LONG // 2, LONG)
    return st.tuples(st.builds(Ask, st.just(NAT), numbers, lengths), st.builds(Ask, others, numbers, lengths))


asks = st.builds(
    Ask, st.sampled_from(MIXTURES), st.integers(0, 2), st.integers(1, LONG // 2), st.none() | st.integers(0, 2**31)
)
leaves, swaps = st.builds(Leave, st.integers(0, 8)), st.builds(Swap, st.sampled_from([NAT, TRAD]))
moments = st.lists(st.tuples(st.one_of(asks, asks, asks, leaves, swaps), st.integers(0, 4)), min_size=4, max_size=12)
plans = st.builds(Plan, pairs(), moments).filter(
    lambda plan: (
        sum(isinstance(each, Ask) for each, _ in plan.moments) >= 2  # beside the pair
        and sum(isinstance(each, Swap) for each, _ in plan.moments) <= 2
    )  # as many slots are spare
)


class Scene:
    """A plan played on an engine: the rows that were begun, and which arm's adapter each began with."""

    def __init__(self, engine: LocalEngine, folders: dict[Mixture, Path]) -> None:
        self.engine, self._folders = engine, folders
        self._rows: list[tuple[Any, Ask]] = []
        self._nat = NAT

    def play(self, moment: Ask | Leave | Swap) -> None:
        if isinstance(moment, Swap):
            self.engine.swap(NAT, self._folders[moment.folder])
            self._nat = moment.folder
        elif isinstance(moment, Leave):
            if 2 + moment.which < len(self._rows):  # the pair stays
                self._rows.pop(2 + moment.which)[0].close()
        else:
            answering = replace(moment, mixture=self._nat) if moment.mixture == NAT else moment
            self._rows.append((self.engine.stream([moment.request]), answering))

    def said(self) -> list[tuple[str, Ask]]:
        """What each row said to its end, and what it was asked; nat is itself again after that."""
        assert eventually(lambda: not self.engine.rows_in_use)
        self.play(Swap(NAT))
        return [
            ("".join(event.text for event in events if isinstance(event, Delta)), answering)
            for events, answering in self._rows
        ]


@pytest.fixture(scope="module")
def alone(base: str, folders: dict[Mixture, Path], oracle: SequentialArms) -> Iterator[Callable[[Ask], str]]:
    """The answer of a row alone: peft's where it is greedy, else that of an engine that has no other row."""
    engine = LocalEngine.load(base, folders, device="cpu", max_rows=1, max_context=200)

    @functools.cache
    def answer(ask: Ask) -> str:
        if ask.seed is None:
            return shown(oracle.answers(ask.mixture, [ASKED[ask.question]], ask.tokens)[0].text)
        return answers(engine, [ask.request])[0].text

    yield answer
    engine.close()


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(plans)
def test_rows_answer_as_alone_whoever_joins_leaves_or_is_swapped_at_any_moment(
    engine: LocalEngine, folders: dict[Mixture, Path], alone: Callable[[Ask], str], plan: Plan
) -> None:
    batcher = engine._batcher
    batcher.pieces, plain = Pieces(24, 24), batcher.steps  # prompts take several steps
    steps, scene = Turnstile(engine), Scene(engine, folders)
    try:
        for moment, after in [(plan.pair[0], 0), (plan.pair[1], 0), *plan.moments]:
            scene.play(moment)
            steps.let(after)
        steps.open()
        for said, ask in scene.said():
            assert said == alone(ask)
    finally:
        steps.open()
        batcher.steps = plain
    # a step for each token of the shorter of the pair, but those of the first while the second's prompt is fed
    assert sum(len(set(slots)) > 1 for slots in steps.seen) >= LONG // 2 - 10


def test_a_client_that_goes_in_mid_answer_has_no_row_in_flight_after_one_step_more(
    engine: LocalEngine, oracle: SequentialArms
) -> None:
    engine._batcher._stops = frozenset()
    *leaving, staying = MIXTURES  # of seven, one waits for a place
    steps = Turnstile(engine)
    others = engine.stream([asked(QUESTIONS[0], staying, Sampling(max_new_tokens=60))])
    events = engine.stream([asked(QUESTIONS[1], mixture, Sampling(max_new_tokens=150)) for mixture in leaving])
    steps.let(5)
    assert len(steps.seen[-1]) == engine.room.rows
    before = len(steps.seen) - 1  # a step is under way
    assert isinstance(next(events), Delta)
    events.close()
    steps.open()
    assert eventually(lambda: engine.rows_in_use <= 1)
    text = "".join(event.text for event in others if isinstance(event, Delta))
    slots = {engine._tenancy.slot(mixture) for mixture in leaving}
    assert len(steps.seen) - before > 50
    assert sum(not slots.isdisjoint(each) for each in steps.seen[before:]) <= 1
    assert text == shown(oracle.answers(staying, [ASKED[0]], 60)[0].text)
    assert eventually(lambda: not engine.rows_in_use)


def test_a_long_prompt_is_fed_a_bounded_chunk_between_two_steps_of_who_is_streaming(
    engine: LocalEngine, oracle: SequentialArms
) -> None:
    engine._batcher._stops, engine._batcher.pieces = frozenset(), Pieces(16, 16)
    fed: list[int] = []
    """Tokens of each feed; 0 for a step that has the row of who is streaming."""
    steps, streaming = Turnstile(engine), engine._tenancy.slot(NAT)
    watch(
        engine,
        lambda tokens, at, slots: fed.append(0 if streaming in slots else -1),
        lambda lines, chunks, at, slots: fed.append(sum(map(len, chunks))),
    )
    events = engine.stream([asked(QUESTIONS[1], NAT, Sampling(max_new_tokens=150))])
    steps.let(3)
    began = len(fed)
    late = engine.stream([asked(QUESTIONS[2], BASE, Sampling(max_new_tokens=3)) for _ in range(2)])
    steps.open()
    assert eventually(lambda: not engine.rows_in_use)
    since = fed[began:]
    feeds = [place for place, count in enumerate(since) if count > 0]
    prompt = len(engine._tokens([{"role": "user", "content": QUESTIONS[2]}])) - 1
    assert sum(since[place] for place in feeds) == 2 * prompt
    assert max(fed) <= 16
    assert len(feeds) >= 2 * prompt // 16 > 4
    assert all(0 in since[one:other] for one, other in pairwise(feeds))
    for stream, mixture, question, tokens in ((events, NAT, 1, 150), (late, BASE, 2, 3)):
        text = "".join(event.text for event in stream if isinstance(event, Delta) and event.row == 0)
        assert text == shown(oracle.answers(mixture, [ASKED[question]], tokens)[0].text)


@pytest.mark.parametrize(("pace", "longest"), [(10, 8), (10_000, 48)], ids=["a slow base", "a quick one"])
def test_a_piece_of_a_prompt_is_as_long_as_who_is_streaming_can_wait_for(
    engine: LocalEngine, oracle: SequentialArms, pace: int, longest: int
) -> None:
    now, fed = [0.0], list[int]()

    def feed(lines: object, chunks: list[list[int]], *given: object) -> None:
        fed.append(sum(map(len, chunks)))
        now[0] += fed[-1] / pace

    engine._batcher._clock, engine._batcher.pieces = (lambda: now[0]), Pieces(8, 48)
    watch(engine, lambda *given: None, feed)
    question = {"role": "user", "content": " ".join([QUESTIONS[2]] * 2)}
    (answer,) = answers(engine, [Request((question,), NAT, Sampling(max_new_tokens=3))])
    assert sum(fed) == len(engine._tokens([question])) - 1 > 96
    assert (fed[0], max(fed)) == (8, longest)
    assert answer.text == shown(oracle.answers(NAT, [[question]], 3)[0].text)


def test_who_came_first_is_fed_first_whatever_its_arm(engine: LocalEngine) -> None:
    """Rows lie in the order of their slots: where a piece does not reach all, the first lines must not take it all."""
    engine._batcher.pieces = Pieces(1, 1)
    fed: list[int] = []
    watch(engine, lambda *given: None, lambda lines, chunks, at, slots: fed.extend(slots))
    requests = [asked(QUESTIONS[1], arm, Sampling(max_new_tokens=2)) for arm in (ARMS[-1], ARMS[2], BASE)]
    answers(engine, requests)
    prompt = len(engine._tokens(requests[0].messages)) - 1
    slots = [engine._tenancy.slot(request.mixture) for request in requests]
    assert fed == [slot for slot in slots for _ in range(prompt)]


@pytest.mark.parametrize("way", ["native"], indirect=True)
def test_rows_still_in_their_prompts_are_not_computed_by_the_librarys_step(engine: LocalEngine) -> None:
    engine._batcher.pieces = Pieces(2, 2)
    steps: Any = engine._batcher.steps
    wanted: list[int] = []
    run = steps._run
    steps._run = lambda given, wanted_: (wanted.append(wanted_), run(given, wanted_))[1]
    streamed = asked(QUESTIONS[0], NAT, Sampling(max_new_tokens=40))
    (alone,) = answers(engine, [streamed])
    wanted.clear()
    late = asked(QUESTIONS[1], BASE, Sampling(max_new_tokens=1))
    together = answers(engine, [streamed, *[late] * 3])
    assert together[0].text == alone.text
    assert sum(wanted) == sum(answer.tokens for answer in together)


def test_only_a_forward_that_feeds_few_tokens_as_fast_cuts_prompts_so_short(way: str, engine: LocalEngine) -> None:
    sizes = [engine._batcher.pieces.size]
    for seconds in (1e-3, 1e3):
        engine._batcher.pieces.after(sizes[-1], seconds)
        sizes.append(engine._batcher.pieces.size)
    assert sizes[1:] == ([MOST, FEWEST] if way == "native" else [MOST, MOST])


def test_a_stream_closed_before_its_first_event_frees_its_rows(engine: LocalEngine) -> None:
    events = engine.stream([asked(QUESTIONS[2], mixture, Sampling(max_new_tokens=150)) for mixture in MIXTURES])
    events.close()
    assert list(events) == []
    assert eventually(lambda: not engine._tenancy.in_use)


def test_a_full_queue_refuses_the_call_and_keeps_no_slot(engine: LocalEngine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("medinject_demo.engine.batch.MOST_WAITING", 3)
    with pytest.raises(ModelError, match=r"expected at most 3 answers waiting, got 8\. Ask for fewer at once"):
        engine.stream([asked("Bonjour", mixture) for mixture in MIXTURES])
    assert not engine._tenancy.in_use
    assert answers(engine, [asked("Bonjour", NAT)])[0].finish_reason is not FinishReason.ERROR


def test_a_comparison_that_fills_every_place_gives_the_next_ones_to_a_battle(engine: LocalEngine) -> None:
    engine._batcher._stops = frozenset()  # every row has the length it is asked for
    crowd = engine.stream(
        [asked(QUESTIONS[2], mixture, Sampling(max_new_tokens=100 + n)) for n, mixture in enumerate(MIXTURES * 3)]
    )
    next(crowd)
    answers(engine, [asked("Bonjour", mixture, Sampling(max_new_tokens=2)) for mixture in (NAT, TRAD)])
    # first come, first served would have begun every row of the crowd by now
    assert crowd._call.waiting  # type: ignore[attr-defined]
    crowd.close()


def test_a_free_place_goes_to_the_call_that_holds_the_fewest(engine: LocalEngine) -> None:
    batcher = engine._batcher
    engine.close()  # its thread would take the rows as they come
    batcher._most_rows = 4
    crowd, battle, late = (Call(engine_rows(count), lambda: 0.0) for count in (6, 2, 1))
    batcher._calls.extend([crowd, battle])
    batcher._admit()
    assert [call for call, _ in batcher._rows] == [crowd, battle, crowd, battle]
    batcher._calls.append(late)
    batcher._rows.leave(batcher._rows.row(0))  # the last takes its line
    batcher._admit()
    assert [call for call, _ in batcher._rows] == [battle, battle, crowd, late]
    batcher._rows.leave(batcher._rows.row(0))
    batcher._admit()
    assert [call for call, _ in batcher._rows] == [late, battle, crowd, crowd]


def test_rows_in_flight_lie_in_the_order_of_their_slots_whoever_asked_first(engine: LocalEngine) -> None:
    seen: list[list[int]] = []
    watch(engine, lambda tokens, fed, slots: seen.append(list(slots)))
    answers(engine, [asked("Bonjour", mixture, Sampling(max_new_tokens=4)) for mixture in reversed(MIXTURES[:6])])
    assert any(len(slots) == 6 for slots in seen)
    assert all(slots == sorted(slots) for slots in seen)


def engine_rows(count: int) -> list[Row]:
    return [Row(n, [0], 0, Draw(Sampling()), None, 1, lambda: None) for n in range(count)]  # type: ignore[arg-type]
