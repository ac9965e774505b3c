"""A ranking is a duel of more places: drawn uniformly, answered in one call, blind before its vote, and one vote."""

from __future__ import annotations

import json
import math
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from random import Random

import pytest

from medinject_demo.arena import Arena
from medinject_demo.domain import MIXTURES, FinishReason, Verdict
from medinject_demo.duel import Refusal, Stage
from medinject_demo.engine.base import Event, Request, ScriptedEngine
from medinject_demo.errors import InvalidValue
from medinject_demo.pairing import draw_several
from medinject_demo.relay import Ended
from medinject_demo.votes.records import Ballot, unsaid

from .duels import ME, OPEN, OTHER, WITH_REFERENCE, arena_at, codes, events_of, parrot

RANKED = Ballot.ranked([2, 1, 2, 3])


def proposed(arena: Arena, count: int = 4, reference: bool = False) -> str:
    """A ranking whose answers are there."""
    duel = arena.propose_ranking(WITH_REFERENCE if reference else OPEN, ME, count).id
    list(arena.stream(duel, ME))
    return duel


@pytest.mark.parametrize("count", range(3, 9))
def test_every_set_of_arms_and_every_order_is_as_probable(count: int) -> None:
    chance, draws = Random(count), 4000
    drawn = [draw_several(MIXTURES, count, chance) for _ in range(draws)]
    sets = Counter(frozenset(each.arms) for each in drawn)
    assert {each.propensity for each in drawn} == {1 / math.comb(8, count)}
    assert len(sets) == math.comb(8, count)
    expected = draws / len(sets)
    assert sum((seen - expected) ** 2 / expected for seen in sets.values()) < len(sets) + 4 * math.sqrt(2 * len(sets))
    for place in range(count):
        share = Counter(each.arms[place] for each in drawn)
        assert all(abs(share[arm] / draws - 1 / 8) < 0.03 for arm in MIXTURES)


@pytest.mark.parametrize(("arms", "count"), [(8, 2), (8, 9), (3, 4), (2, 3), (0, 3)])
def test_more_arms_than_there_are_or_fewer_than_three_are_not_drawn(arms: int, count: int) -> None:
    with pytest.raises(InvalidValue, match=r"^ranking: expected"):
        draw_several(MIXTURES[:arms], count, Random(1))


def test_all_answers_are_one_call_of_the_engine(tmp_path: Path) -> None:
    class Watched(ScriptedEngine):
        asked: tuple[Sequence[Request], ...] = ()

        def stream(self, requests: Sequence[Request]) -> Iterator[Event]:
            self.asked = (*self.asked, requests)
            return super().stream(requests)

    engine = Watched(parrot)
    arena = arena_at(tmp_path, engine=engine)
    duel = proposed(arena, 8)
    ((*requests,),) = engine.asked
    assert {request.mixture for request in requests} == set(MIXTURES)
    assert arena.shown(duel, ME).stage is Stage.ANSWERED


def test_a_ranking_is_stored_in_display_order_with_its_propensity_and_reveals(tmp_path: Path) -> None:
    arena = arena_at(tmp_path, lambda request: f"I am {request.mixture}")
    duel = proposed(arena)
    (turn,) = arena.shown(duel, ME).turns
    receipt = arena.vote(duel, ME, RANKED)
    assert (receipt.verdict, receipt.ranking, receipt.equivalent) == (None, (2, 1, 2, 3), unsaid(4))
    battle = arena.reveal(duel, ME)
    assert [f"I am {arm}" for arm in battle.arms] == list(turn.texts)
    (live,) = arena._store.live_votes()
    assert (live.arms, live.ranking, live.propensity) == (battle.arms, (2, 1, 2, 3), 1 / 70)
    assert arena._store.battle(duel) == battle


def test_a_ranking_can_be_changed_taken_back_and_cast_again(tmp_path: Path) -> None:
    arena = arena_at(tmp_path)
    duel = proposed(arena)
    other = Ballot.ranked([1, 2, 3, 4])
    said = [
        arena.vote(duel, ME, RANKED).ranking,
        arena.vote(duel, ME, other).ranking,
        arena.undo(duel, ME).ranking,
        arena.vote(duel, ME, RANKED).ranking,
    ]
    assert said == [RANKED.ranking, other.ranking, (), RANKED.ranking]
    assert codes(lambda: arena.regenerate(duel, ME)) == (Refusal.VOTED,)


def test_a_ranking_changed_after_the_reveal_is_not_blind_and_the_same_one_stays_so(tmp_path: Path) -> None:
    arena = arena_at(tmp_path)
    duel = proposed(arena)
    arena.vote(duel, ME, RANKED)
    arena.reveal(duel, ME)
    arena.vote(duel, ME, replace(RANKED, comment="Plus clair."))
    arena.vote(duel, ME, Ballot.ranked([4, 3, 2, 1]))
    assert [vote.blind for vote in arena._store.history(duel, arena.voter(ME))] == [True, True, False]


def test_a_ballot_that_does_not_fit_its_battle_is_refused(tmp_path: Path) -> None:
    arena = arena_at(tmp_path)
    duel = proposed(arena)
    with pytest.raises(InvalidValue, match="expected a ranking of 4 answers, got a verdict"):
        arena.vote(duel, ME, Ballot(Verdict.LEFT))
    with pytest.raises(InvalidValue, match="expected a ranking of 4 answers, got a ranking of 3"):
        arena.vote(duel, ME, Ballot.ranked([1, 2, 3]))
    pair = arena.propose(OPEN, ME).id
    list(arena.stream(pair, ME))
    with pytest.raises(InvalidValue, match="expected a verdict on two answers, got a ranking of 4"):
        arena.vote(pair, ME, RANKED)
    assert arena._store.counts().votes == 0


def test_each_answer_may_be_judged_by_the_reference(tmp_path: Path) -> None:
    arena = arena_at(tmp_path)
    duel = proposed(arena, reference=True)
    arena.vote(duel, ME, RANKED)
    assert arena.judge(duel, ME, (True, False, None, True)).equivalent == (True, False, None, True)
    with pytest.raises(InvalidValue, match="equivalence"):
        arena.judge(duel, ME, (True, False))


def test_an_answer_that_fails_leaves_a_ranking_that_does_not_count(tmp_path: Path) -> None:
    def say(request: Request) -> str:
        if request.mixture == MIXTURES[3]:
            raise RuntimeError("échoue")
        return parrot(request)

    arena = arena_at(tmp_path, say)
    duel = proposed(arena, 8)
    assert arena.shown(duel, ME).stage is Stage.FAILED
    assert codes(lambda: arena.vote(duel, ME, Ballot.ranked([1] * 8))) == (Refusal.FAILED,)


def test_answers_are_stopped_by_their_places(tmp_path: Path) -> None:
    arena = arena_at(tmp_path)
    duel = arena.propose_ranking(OPEN, ME, 5).id
    stream = arena.stream(duel, ME)
    for _ in range(5):
        next(stream)
    arena.stop(duel, ME, 1, 4)
    ends = {event.place: event.reason for event in stream if isinstance(event, Ended)}
    assert [ends[place] for place in range(5)] == [
        FinishReason.CANCELLED if place in (1, 4) else FinishReason.STOP for place in range(5)
    ]


def test_what_leaves_before_the_vote_is_the_same_bytes_whichever_arms_were_drawn(tmp_path: Path) -> None:
    told, drawn = set(), set()
    for seed in range(8):
        arena = arena_at(tmp_path, seed=seed, clock=Random(seed).random)
        shown = arena.propose_ranking(WITH_REFERENCE, ME, 5)
        events = [asdict(event) for event in events_of(arena, shown.id)]
        told.add(json.dumps([asdict(shown), *events, asdict(arena.standing(shown.id, ME))]))
        drawn.add(arena._duels[shown.id].duel.arms)
        arena._store.close()
    assert len(drawn) > 6
    assert len(told) == 1
    assert "scripted-" not in told.pop()


def test_after_a_restart_a_ranking_is_as_it_was_left_and_a_guest_may_rank_it(tmp_path: Path) -> None:
    arena = arena_at(tmp_path)
    duel = proposed(arena)
    arena.vote(duel, ME, RANKED)
    arena.share(duel, ME)
    restarted = arena_at(tmp_path)
    at = restarted.standing(duel, ME)
    assert at.receipt is not None
    assert at.receipt.ranking == RANKED.ranking
    assert restarted.standing(duel, OTHER).battle is None
    restarted.vote(duel, OTHER, Ballot.ranked([1, 1, 1, 1]))
    assert (restarted._store.counts().battles, restarted._store.counts().votes) == (1, 2)


def test_prepared_answers_serve_a_ranking_too(tmp_path: Path) -> None:
    arena = arena_at(tmp_path, bundled=[OPEN])
    proposed(arena, 8)
    duel = proposed(arena, 5)
    arena.vote(duel, ME, Ballot.ranked([1, 2, 3, 4, 5]))
    assert all(answer.cached for answer in arena.reveal(duel, ME))
