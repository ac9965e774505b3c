"""Many visitors, many duels, and programs that begin again."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from medinject_demo.domain import Kind, Prompt, Verdict
from medinject_demo.duel import Refusal, Stage
from medinject_demo.votes.records import Ballot

from .duels import (
    ME,
    OPEN,
    arena_at,
    codes,
    events_of,
    played,
)

LEFT, RIGHT, UNSURE = Ballot(Verdict.LEFT), Ballot(Verdict.RIGHT), Ballot(Verdict.UNSURE)


def test_after_a_restart_a_vote_can_be_changed_and_is_held_for_revealed(tmp_path: Path) -> None:
    arena = arena_at(tmp_path)
    duel = played(arena)
    arena.vote(duel, ME, LEFT)
    restarted = arena_at(tmp_path)
    assert restarted.vote(duel, ME, LEFT).verdict is Verdict.LEFT
    assert restarted.reveal(duel, ME) == arena.reveal(duel, ME)
    restarted.vote(duel, ME, RIGHT)
    first, second = restarted._store.history(duel, arena.voter(ME))
    assert (first.blind, second.blind, second.seconds) == (True, False, None)


def test_a_duel_without_a_vote_does_not_outlive_the_program(tmp_path: Path) -> None:
    duel = played(arena_at(tmp_path))
    restarted = arena_at(tmp_path)
    assert codes(lambda: restarted.vote(duel, ME, LEFT)) == (Refusal.UNKNOWN,)


def test_duels_left_alone_are_forgotten_and_those_voted_on_come_back(tmp_path: Path) -> None:
    arena = arena_at(tmp_path, most_duels=3)
    voted, left, kept = played(arena), played(arena), played(arena)
    arena.vote(voted, ME, LEFT)
    arena.shown(kept, ME)
    for _ in range(2):
        arena.propose(OPEN, ME)
    assert len(arena._duels) == 3
    assert codes(lambda: arena.shown(left, ME)) == (Refusal.UNKNOWN,)
    assert arena.shown(kept, ME).stage is Stage.ANSWERED
    assert arena.undo(voted, ME).verdict is None


def test_25_visitors_at_once_get_their_own_answers_and_every_acknowledged_vote_is_there(tmp_path: Path) -> None:
    arena = arena_at(tmp_path)
    start = threading.Barrier(25)

    def visit(number: int) -> list[str]:
        start.wait()
        session, voted = f"session {number}", []
        for turn in range(3):
            prompt = Prompt(Kind.OEQ, f"Question {number}-{turn} ?")
            duel = arena.propose(prompt, session).id
            events_of(arena, duel, session)
            assert arena.shown(duel, session).turns[0].texts == (f"(1) œdème 💪 Question {number}-{turn} ?",) * 2
            arena.vote(duel, session, LEFT)
            assert arena.reveal(duel, session).prompt == prompt
            voted.append(duel)
        return voted

    with ThreadPoolExecutor(25) as pool:
        acknowledged = {duel for duels in pool.map(visit, range(25)) for duel in duels}
    assert {live.vote.battle for live in arena._store.live_votes()} == acknowledged
    assert len(acknowledged) == 75
