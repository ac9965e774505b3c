"""A prompt is prepared for all arms or for none; what is kept is what was answered, by what answers now."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict, replace
from pathlib import Path

import pytest

from medinject_demo.arena import Arena
from medinject_demo.domain import MIXTURES, FinishReason, Mixture, Sampling, Verdict
from medinject_demo.duel import Side, Stage
from medinject_demo.engine.base import Delta, Event, Finished, Request, ScriptedEngine
from medinject_demo.relay import Ended, Said
from medinject_demo.votes.records import Ballot

from .duels import ME, OPEN, OTHER, WITH_REFERENCE, arena_at, break_store, events_of, played

LEFT = Ballot(Verdict.LEFT)
ARMS = MIXTURES[:4]


class Counting(ScriptedEngine):
    """Says which arm it is and the how manieth answer this is; its arms can be swapped."""

    def __init__(self, mixtures: Sequence[Mixture] = ARMS) -> None:
        super().__init__(self.say, mixtures, clock=lambda: 0.0)
        self.asked: list[Mixture] = []
        self.swapped: set[Mixture] = set()

    def say(self, request: Request) -> str:
        return f"{request.mixture} n° {len(self.asked)}"

    def fingerprint(self, mixture: Mixture) -> str:
        return super().fingerprint(mixture) + "-new" * (mixture in self.swapped)

    def stream(self, requests: Sequence[Request]) -> Iterator[Event]:
        self.asked += [request.mixture for request in requests]
        return super().stream(requests)


@pytest.fixture
def engine() -> Counting:
    return Counting()


@pytest.fixture
def arena(tmp_path: Path, engine: Counting) -> Arena:
    return arena_at(tmp_path, engine=engine, bundled=[OPEN, WITH_REFERENCE])


def warmed(arena: Arena, engine: Counting, sampling: Sampling = Sampling()) -> Arena:
    arena.warm([OPEN], sampling, lambda prompt: None)
    engine.asked.clear()
    return arena


def test_a_prepared_prompt_is_answered_without_the_engine_and_its_answers_are_those_that_were_given(
    arena: Arena, engine: Counting
) -> None:
    warmed(arena, engine)
    duel = played(arena)
    assert engine.asked == []
    arena.vote(duel, ME, LEFT)
    battle = arena.reveal(duel, ME)
    assert all(each.cached and each.text.startswith(f"{each.mixture} n° ") for each in battle)
    assert [each.fingerprint for each in battle] == [f"scripted-{arm}" for arm in battle.arms]
    assert arena._store.battle(duel) == battle


def test_the_seconds_and_tokens_of_a_prepared_answer_are_those_of_its_generation(
    arena: Arena, engine: Counting
) -> None:
    def slow(requests: Sequence[Request]) -> Iterator[Event]:
        for row in range(len(requests)):
            yield Delta(row, "Lentement.")
        for row in range(len(requests)):
            yield Finished(row, FinishReason.LENGTH, 7, 12.5)

    engine.stream = slow  # type: ignore[method-assign]
    warmed(arena, engine)
    duel = played(arena)
    arena.vote(duel, ME, LEFT)
    for each in arena.reveal(duel, ME):
        assert (each.seconds, each.tokens, each.finish_reason, each.cached) == (12.5, 7, FinishReason.LENGTH, True)


def test_a_prompt_whose_answers_are_kept_of_some_arms_only_is_answered_anew(arena: Arena, engine: Counting) -> None:
    """Served by halves, a duel that starts at once would tell which arms it has."""
    arms: set[Mixture] = set()
    while len(arms) < len(ARMS):
        before = len(engine.asked)
        duel = played(arena)
        assert len(engine.asked) == before + 2, "a duel was served while an arm had no kept answer"
        arms |= set(arena._duels[duel].duel.arms)
    before = len(engine.asked)
    played(arena)
    assert len(engine.asked) == before


def test_before_the_vote_a_prepared_duel_leaves_the_same_bytes_whichever_arms_were_drawn(tmp_path: Path) -> None:
    told, drawn = set(), set()
    for seed in range(8):
        arena = arena_at(tmp_path, lambda request: "Repos.", seed=seed, bundled=[OPEN])
        arena.warm([OPEN], Sampling(), lambda prompt: None)
        duel = arena.propose(OPEN, ME).id
        events = [asdict(event) for event in events_of(arena, duel)]
        told.add(json.dumps([*events, asdict(arena.shown(duel, ME))]))
        drawn.add(arena._duels[duel].duel.arms)
        arena._store.close()
    assert len(drawn) > 4
    assert len(told) == 1
    assert not {"cached", "seconds", "scripted"} & set(told.pop().replace('"', " ").split())


def test_a_prepared_duel_has_the_events_of_any_other(arena: Arena, engine: Counting) -> None:
    warmed(arena, engine)
    events = events_of(arena, arena.propose(OPEN, ME).id)
    assert [type(event) for event in events] == [Said, Said, Ended, Ended]
    assert [event.place for event in events] == [*Side, *Side]


def test_an_adapter_that_was_swapped_is_never_given_the_old_answers(arena: Arena, engine: Counting) -> None:
    warmed(arena, engine)
    engine.swapped.add(ARMS[2])
    played(arena)
    assert len(engine.asked) == 2
    warmed(arena, engine)
    duel = played(arena)
    assert engine.asked == []
    duels = [duel] + [played(arena) for _ in range(8)]
    for each in duels:
        arena.vote(each, ME, LEFT)
        for answer in arena.reveal(each, ME):
            assert answer.fingerprint == engine.fingerprint(answer.mixture)


@pytest.mark.parametrize(
    "sampling",
    [Sampling(temperature=0.7, seed=3), Sampling(max_new_tokens=2), Sampling(repetition_penalty=1.1)],
    ids=["warm", "shorter", "penalised"],
)
def test_answers_are_kept_for_one_sampling(arena: Arena, engine: Counting, sampling: Sampling) -> None:
    warmed(arena, engine)
    duel = arena.propose(OPEN, ME, sampling).id
    events_of(arena, duel)
    assert len(engine.asked) == 2


def test_answers_drawn_by_chance_are_not_kept(arena: Arena, engine: Counting) -> None:
    warm = Sampling(temperature=0.7, seed=3)
    for _ in range(2):
        warmed(arena, engine, warm)
        events_of(arena, arena.propose(OPEN, ME, warm).id)
        assert len(engine.asked) == 2


def test_a_text_of_ones_own_is_not_kept(arena: Arena, engine: Counting) -> None:
    own = replace(OPEN, question="La mienne ?")
    arena.warm([own], Sampling(), lambda prompt: None)
    engine.asked.clear()
    for _ in range(9):
        played(arena, own)
    assert len(engine.asked) == 18


def test_what_was_stopped_or_failed_is_not_kept(tmp_path: Path) -> None:
    def say(request: Request) -> str:
        if request.mixture == ARMS[0]:
            raise RuntimeError("échoue")
        return "une réponse de plusieurs mots"

    engine = ScriptedEngine(say, ARMS[:2], clock=lambda: 0.0)
    arena = arena_at(tmp_path, engine=engine, bundled=[OPEN])
    kept = arena._store.kept_answers()
    prints = {arm: engine.fingerprint(arm) for arm in ARMS[:2]}
    duel = arena.propose(OPEN, ME).id
    stream = arena.stream(duel, ME)
    next(stream)
    arena.stop(duel, ME, *Side)
    list(stream)
    assert kept.find(OPEN.id, Sampling(), prints) == {}
    played(arena)
    assert list(kept.find(OPEN.id, Sampling(), prints)) == [ARMS[1]]


def test_a_prepared_answer_given_anew_or_continued_is_the_engines(arena: Arena, engine: Counting) -> None:
    warmed(arena, engine)
    duel = played(arena)
    arena.follow_up(duel, ME, "Et après ?")
    events_of(arena, duel)
    assert len(engine.asked) == 2
    arena.vote(duel, ME, LEFT)
    turns = arena.reveal(duel, ME).turns
    assert [[each.cached for each in turn.answers] for turn in turns] == [[True] * 2, [False] * 2]
    other = played(arena, session=OTHER)
    arena.regenerate(other, OTHER)
    events_of(arena, other, OTHER)
    assert len(engine.asked) == 4


def test_a_store_that_is_down_leaves_bundled_prompts_answered(
    arena: Arena, engine: Counting, monkeypatch: pytest.MonkeyPatch
) -> None:
    warmed(arena, engine)
    break_store(arena, monkeypatch)
    duel = played(arena)
    assert arena.shown(duel, ME).stage is Stage.ANSWERED
    assert len(engine.asked) == 2


def test_another_program_on_the_same_store_has_the_answers(arena: Arena, engine: Counting, tmp_path: Path) -> None:
    warmed(arena, engine)
    played(arena_at(tmp_path, engine=engine, bundled=[OPEN]))
    assert engine.asked == []
