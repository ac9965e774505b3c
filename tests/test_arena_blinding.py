"""Blind before the vote, right after it: what leaves the arena, the reference, and the reveal."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path
from random import Random

import pytest

from medinject_demo.arena import Arena
from medinject_demo.domain import MIXTURES, Verdict
from medinject_demo.duel import Refusal, Side
from medinject_demo.engine.base import Request, ScriptedEngine
from medinject_demo.errors import InvalidValue, Refused
from medinject_demo.votes.records import Ballot

from .duels import (
    ME,
    OPEN,
    WITH_REFERENCE,
    arena_at,
    codes,
    events_of,
    parrot,
    played,
    store_at,
)

LEFT, RIGHT, UNSURE = Ballot(Verdict.LEFT), Ballot(Verdict.RIGHT), Ballot(Verdict.UNSURE)


def told_before_the_vote(folder: Path, seed: int, *, fail: bool = False) -> tuple[str, frozenset[str]]:
    """Every byte that leaves before the vote, and the arms drawn; a clock and texts that do not depend on the arms."""

    def say(request: Request) -> str:
        if fail and "échoue" in request.messages[-1]["content"]:
            raise RuntimeError(f"{request.mixture} failed")
        return parrot(request)

    arena = arena_at(folder, say, seed=seed, clock=Random(seed).random)
    shown = [arena.propose(WITH_REFERENCE, ME)]
    duel = shown[0].id
    told: list[object] = [asdict(event) for event in events_of(arena, duel)]
    arena.follow_up(duel, ME, "Et ensuite ?")
    stream = arena.stream(duel, ME)
    told += [asdict(next(stream)) for _ in range(4)]
    shown.append(arena.stop(duel, ME, Side.RIGHT))
    told += [asdict(event) for event in stream]
    shown.append(arena.regenerate(duel, ME))
    told += [asdict(event) for event in arena.stream(duel, ME)]
    told += [codes(lambda: arena.reveal(duel, ME)), codes(lambda: arena.judge(duel, ME, (True, True)))]
    if fail:
        arena.follow_up(duel, ME, "échoue")
        told += [asdict(event) for event in arena.stream(duel, ME)]
        told.append(codes(lambda: arena.vote(duel, ME, LEFT)))
    told += [asdict(each) for each in [*shown, arena.shown(duel, ME)]]
    arms = frozenset(map(str, arena._duels[duel].duel.arms))
    arena._store.close()
    return json.dumps(told), arms


@pytest.mark.parametrize("fail", [False, True], ids=["answers", "failure"])
def test_what_leaves_before_the_vote_is_the_same_bytes_whichever_arms_were_drawn(tmp_path: Path, fail: bool) -> None:
    runs = [told_before_the_vote(tmp_path, seed, fail=fail) for seed in range(8)]
    assert len({arms for _, arms in runs}) > 3
    assert len({told for told, _ in runs}) == 1


def test_what_leaves_before_the_vote_has_no_reference_origin_time_or_fingerprint(tmp_path: Path) -> None:
    told, _ = told_before_the_vote(tmp_path, 1)
    assert "scripted-" not in told
    assert "seconds" not in told
    assert "tokens" not in told
    assert '"trad"' not in told
    assert '"reference": ""' in told


def test_the_identifiers_are_from_chance_and_long(tmp_path: Path) -> None:
    arena = Arena(ScriptedEngine(parrot), store_at(tmp_path), secret="sel", generator=Random(1))
    names = {arena.propose(OPEN, ME).id for _ in range(50)}
    assert len(names) == 50
    assert all(len(name) >= 22 for name in names)  # 16 bytes that nobody can guess


def test_an_error_before_the_vote_names_no_arm(tmp_path: Path) -> None:
    arena = arena_at(tmp_path, mixtures=MIXTURES[:2])
    duel = arena.propose(OPEN, ME).id
    arena._engine.mixtures = MIXTURES[2:]  # type: ignore[misc]  # the arms were taken out of the engine meanwhile
    with pytest.raises(Refused) as held:
        events_of(arena, duel)
    assert held.value.codes == (Refusal.ENGINE,)
    assert not any(str(mixture) in str(held.value).split() for mixture in MIXTURES)


def test_equivalence_comes_after_the_vote_and_before_the_reveal(tmp_path: Path) -> None:
    arena = arena_at(tmp_path)
    duel = played(arena, WITH_REFERENCE)
    assert codes(lambda: arena.judge(duel, ME, (True, False))) == (Refusal.NO_VOTE,)
    arena.vote(duel, ME, LEFT)
    assert arena.judge(duel, ME, (True, False)).equivalent == (True, False)
    assert arena.vote(duel, ME, RIGHT).equivalent == (True, False)
    arena.reveal(duel, ME)
    assert codes(lambda: arena.judge(duel, ME, (True, True))) == (Refusal.REVEALED,)
    assert arena.judge(duel, ME, (True, False)).equivalent == (True, False)  # twice the same
    (live,) = arena._store.live_votes()
    assert (live.ballot, live.vote.equivalent, live.vote.blind) == (RIGHT, (True, False), True)


def test_equivalence_needs_a_reference(tmp_path: Path) -> None:
    arena = arena_at(tmp_path)
    duel = played(arena)
    assert arena.vote(duel, ME, LEFT).reference == ""
    assert codes(lambda: arena.judge(duel, ME, (True, False))) == (Refusal.NO_REFERENCE,)


@pytest.mark.parametrize("said", [(), (True,), (True, False, True), ("yes", "no"), (1, 0)], ids=repr)
def test_an_equivalence_that_is_none_is_refused(tmp_path: Path, said: Sequence[bool]) -> None:
    arena = arena_at(tmp_path)
    duel = played(arena, WITH_REFERENCE)
    arena.vote(duel, ME, LEFT)
    with pytest.raises(InvalidValue, match=r"^equivalence: expected true, false or null for each side"):
        arena.judge(duel, ME, said)


@pytest.mark.parametrize("seed", range(5))
def test_the_reveal_is_right(tmp_path: Path, seed: int) -> None:
    arena = arena_at(tmp_path, lambda request: f"I am {request.mixture}", seed=seed)
    duel = arena.propose(OPEN, ME).id
    events_of(arena, duel)
    (turn,) = arena.shown(duel, ME).turns
    arena.vote(duel, ME, LEFT)
    for text, answer in zip(turn.texts, arena.reveal(duel, ME), strict=True):
        assert text == answer.text == f"I am {answer.mixture}"
        assert answer.fingerprint == f"scripted-{answer.mixture}"
        assert answer.words == 3


def test_a_verdict_changed_after_the_reveal_is_not_blind_and_the_same_one_stays_so(tmp_path: Path) -> None:
    arena = arena_at(tmp_path)
    duel = played(arena)
    arena.vote(duel, ME, LEFT)
    arena.reveal(duel, ME)
    arena.vote(duel, ME, replace(LEFT, comment="Plus clair."))
    arena.vote(duel, ME, RIGHT)
    arena.vote(duel, ME, LEFT)
    assert [vote.blind for vote in arena._store.history(duel, arena.voter(ME))] == [True, True, False, False]
    counts = arena._store.counts()
    assert (counts.votes, counts.after_reveal) == (1, 1)
    assert sum(count.votes for count in counts.pairs.values()) == 0


def test_a_vote_cast_anew_after_the_reveal_is_not_blind(tmp_path: Path) -> None:
    arena = arena_at(tmp_path)
    duel = played(arena)
    arena.vote(duel, ME, LEFT)
    arena.reveal(duel, ME)
    arena.undo(duel, ME)
    arena.vote(duel, ME, LEFT)
    assert [live.vote.blind for live in arena._store.live_votes()] == [False]
