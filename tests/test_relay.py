"""What the engine says reaches the voter by sides, blind; what fails on one side leaves the other."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from medinject_demo.domain import MIXTURES, FinishReason, Mixture
from medinject_demo.duel import Refusal, Side, Stage
from medinject_demo.engine.base import Delta, Finished, Request, ScriptedEngine
from medinject_demo.engine.base import Event as EngineEvent
from medinject_demo.errors import InvalidValue, ModelError, Refused
from medinject_demo.relay import Ended, Event, Said

from .duels import ME, OPEN, arena_at, events_of, parrot, played


class Watched(ScriptedEngine):
    """Knows whether its streams were closed, and fails when told."""

    def __init__(self, *, fail: Exception | None = None, after: int = 10**6, at_once: Exception | None = None) -> None:
        super().__init__(parrot)
        self.fail, self.after, self.at_once = fail, after, at_once
        self.open = 0
        self.asked: list[Sequence[Request]] = []

    def stream(self, requests: Sequence[Request]) -> Iterator[EngineEvent]:
        if self.at_once:
            raise self.at_once
        self.asked.append(requests)
        return self._watch(super().stream(requests))

    def _watch(self, events: Iterator[EngineEvent]) -> Iterator[EngineEvent]:
        self.open += 1
        try:
            for number, event in enumerate(events):
                if number == self.after and self.fail:
                    raise self.fail
                yield event
        finally:
            self.open -= 1


def text_of(events: Sequence[Event], side: Side) -> str:
    return "".join(event.text for event in events if isinstance(event, Said) and event.place == side)


def ends_of(events: Sequence[Event]) -> dict[Side, FinishReason]:
    return {event.place: event.reason for event in events if isinstance(event, Ended)}


def test_both_sides_stream_together_and_end_once(tmp_path: Path) -> None:
    arena = arena_at(tmp_path)
    duel = arena.propose(OPEN, ME).id
    events = events_of(arena, duel)
    assert [event.place for event in events[:4]] == [Side.LEFT, Side.RIGHT, Side.LEFT, Side.RIGHT]
    assert ends_of(events) == {Side.LEFT: FinishReason.STOP, Side.RIGHT: FinishReason.STOP}
    assert sum(isinstance(event, Ended) for event in events) == 2
    (turn,) = arena.shown(duel, ME).turns
    assert turn.texts == (text_of(events, Side.LEFT), text_of(events, Side.RIGHT))


def test_both_sides_are_one_call_of_the_engine(tmp_path: Path) -> None:
    engine = Watched()
    played(arena_at(tmp_path, engine=engine))
    ((left, right),) = engine.asked
    assert left.messages == right.messages
    assert left.mixture != right.mixture


@pytest.mark.parametrize("side", Side)
def test_a_side_that_is_stopped_says_no_more_and_the_other_goes_on(tmp_path: Path, side: Side) -> None:
    arena = arena_at(tmp_path)
    duel = arena.propose(OPEN, ME).id
    stream = arena.stream(duel, ME)
    heard = [next(stream) for _ in range(4)]
    arena.stop(duel, ME, side)
    rest = list(stream)
    assert text_of(rest, side) == ""
    assert ends_of(rest) == {each: FinishReason.CANCELLED if each == side else FinishReason.STOP for each in Side}
    assert arena.shown(duel, ME).turns[0].texts[side] == text_of(heard, side)
    assert arena.shown(duel, ME).stage is Stage.ANSWERED


def test_stopping_both_sides_ends_the_stream_and_frees_its_rows(tmp_path: Path) -> None:
    engine = Watched()
    arena = arena_at(tmp_path, engine=engine)
    duel = arena.propose(OPEN, ME).id
    stream = arena.stream(duel, ME)
    next(stream)
    assert engine.open == 1
    assert arena.stop(duel, ME, *Side).stage is Stage.ANSWERED
    assert set(ends_of(list(stream)).values()) == {FinishReason.CANCELLED}
    assert engine.open == 0


def test_a_client_that_leaves_frees_the_rows_and_what_was_said_stays(tmp_path: Path) -> None:
    engine = Watched()
    arena = arena_at(tmp_path, engine=engine)
    duel = arena.propose(OPEN, ME).id
    stream = arena.stream(duel, ME)
    heard = [next(stream) for _ in range(3)]
    stream.close()  # type: ignore[attr-defined]
    assert engine.open == 0
    shown = arena.shown(duel, ME)
    assert shown.turns[0].texts == (text_of(heard, Side.LEFT), text_of(heard, Side.RIGHT))
    assert shown.stage is Stage.ANSWERED


def test_a_stream_that_nobody_reads_begins_nothing(tmp_path: Path) -> None:
    engine = Watched()
    arena = arena_at(tmp_path, engine=engine)
    duel = arena.propose(OPEN, ME).id
    arena.stream(duel, ME)
    assert arena.shown(duel, ME).stage is Stage.ASKED
    assert engine.asked == []


def test_a_turn_is_answered_once(tmp_path: Path) -> None:
    arena = arena_at(tmp_path)
    duel = arena.propose(OPEN, ME).id
    stream = arena.stream(duel, ME)
    next(stream)
    for _ in range(2):  # while it is answered, and after
        with pytest.raises(Refused) as held:
            next(arena.stream(duel, ME))
        assert held.value.codes == (Refusal.UNDER_WAY,)
        list(stream)


def test_an_old_stream_has_nothing_to_say_in_a_new_one(tmp_path: Path) -> None:
    arena = arena_at(tmp_path)
    duel = arena.propose(OPEN, ME).id
    old = arena.stream(duel, ME)
    next(old)
    arena.stop(duel, ME, *Side)
    arena.regenerate(duel, ME)
    new = arena.stream(duel, ME)
    heard = [next(new)]
    assert list(old) == []
    heard += list(new)
    assert arena.shown(duel, ME).turns[0].texts == (text_of(heard, Side.LEFT), text_of(heard, Side.RIGHT))
    assert set(ends_of(heard).values()) == {FinishReason.STOP}


@pytest.mark.parametrize("seed", range(6))
def test_a_side_that_fails_leaves_the_other_to_read(
    tmp_path: Path, seed: int, caplog: pytest.LogCaptureFixture
) -> None:
    def broken(request: Request) -> str:
        if request.mixture in MIXTURES[::2]:
            raise KeyError(f"secret of {request.mixture}")
        return parrot(request)

    arena = arena_at(tmp_path, broken, mixtures=MIXTURES[:2], seed=seed)
    duel = arena.propose(OPEN, ME).id
    events = events_of(arena, duel)
    failed = next(side for side, reason in ends_of(events).items() if reason is FinishReason.ERROR)
    whole = next(side for side in Side if side != failed)
    assert text_of(events, whole).startswith("(1) œdème")
    assert text_of(events, failed) == ""
    assert arena.shown(duel, ME).stage is Stage.FAILED
    assert "secret of base" in caplog.text
    assert "secret" not in repr((events, arena.shown(duel, ME)))


def test_an_engine_that_fails_in_mid_answer_ends_both_sides_and_keeps_what_was_said(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    engine = Watched(fail=ModelError("arm nat: out of memory"), after=4)
    arena = arena_at(tmp_path, engine=engine)
    duel = arena.propose(OPEN, ME).id
    events = events_of(arena, duel)
    assert ends_of(events) == dict.fromkeys(Side, FinishReason.ERROR)
    assert text_of(events, Side.LEFT) != ""
    assert "arm nat" in caplog.text
    assert engine.open == 0


def test_a_fault_of_ours_is_not_hidden_and_leaves_the_duel_failed(tmp_path: Path) -> None:
    arena = arena_at(tmp_path, engine=Watched(fail=ZeroDivisionError("a fault"), after=4))
    duel = arena.propose(OPEN, ME).id
    with pytest.raises(ZeroDivisionError):
        events_of(arena, duel)
    assert arena.shown(duel, ME).stage is Stage.FAILED


def test_an_engine_that_forgets_to_end_a_side_has_failed_it(tmp_path: Path) -> None:
    class Forgetful(ScriptedEngine):
        def stream(self, requests: Sequence[Request]) -> Iterator[EngineEvent]:
            return iter([Delta(0, "un"), Finished(0, FinishReason.STOP, 1, 0.1), Delta(1, "deux")])

    arena = arena_at(tmp_path, engine=Forgetful(parrot))
    duel = arena.propose(OPEN, ME).id
    assert ends_of(events_of(arena, duel)) == {Side.LEFT: FinishReason.STOP, Side.RIGHT: FinishReason.ERROR}


def test_an_engine_that_takes_no_more_says_wait_and_the_duel_can_be_put_again(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    engine = Watched(at_once=ModelError("engine: 1024 answers wait for arm syn"))
    arena = arena_at(tmp_path, engine=engine)
    duel = arena.propose(OPEN, ME).id
    with pytest.raises(Refused, match="Try again in a moment") as held:
        events_of(arena, duel)
    assert held.value.codes == (Refusal.ENGINE,)
    assert "syn" not in str(held.value)
    assert held.value.__cause__ is None
    assert "arm syn" in caplog.text
    engine.at_once = None
    assert len(ends_of(events_of(arena, duel))) == 2


def test_a_conversation_that_is_too_long_is_said_and_the_turns_before_it_stay(tmp_path: Path) -> None:
    engine = Watched()
    arena = arena_at(tmp_path, engine=engine)
    duel = played(arena)
    before = arena.shown(duel, ME)
    arena.follow_up(duel, ME, "Et encore ?")
    engine.at_once = InvalidValue("prompt: expected fewer than 10 tokens, got 11.")
    with pytest.raises(InvalidValue, match="fewer than 10 tokens"):
        events_of(arena, duel)
    assert arena.shown(duel, ME) == before


def test_each_side_goes_on_from_its_own_answers(tmp_path: Path) -> None:
    engine = Watched()
    arena = arena_at(tmp_path, engine=engine, seed=3)
    duel = played(arena)
    arena.follow_up(duel, ME, "Et chez l'enfant ?")
    events = events_of(arena, duel)
    for side, request in zip(Side, engine.asked[1], strict=True):
        roles = [message["role"] for message in request.messages]
        assert roles == ["user", "assistant", "user"]
        assert request.messages[1]["content"] == arena.shown(duel, ME).turns[0].texts[side]
        assert text_of(events, side) == "(3) œdème 💪 Et chez l'enfant ?"


@pytest.fixture(autouse=True)
def warnings_are_logged(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.WARNING)


def test_an_arm_swapped_while_the_question_is_put_answers_under_its_new_fingerprint(tmp_path: Path) -> None:
    class Swapped(Watched):
        version = 0

        def fingerprint(self, mixture: Mixture) -> str:
            return f"{super().fingerprint(mixture)} v{self.version}"

        def stream(self, requests: Sequence[Request]) -> Iterator[EngineEvent]:
            if not self.asked:  # between the fingerprints that were read and the rows that are taken
                self.version += 1
            return super().stream(requests)

    engine = Swapped()
    arena = arena_at(tmp_path, engine=engine)
    duel = played(arena)
    assert all(each.endswith(" v1") for each in arena._duels[duel].duel.last.fingerprints)
    assert (len(engine.asked), engine.open) == (2, 0)
