"""A duel that its maker shared can be read and voted on by whoever has its identifier; nothing else, and blind."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable
from contextlib import closing
from dataclasses import asdict
from functools import partial
from pathlib import Path

import pytest

from medinject_demo.arena import Arena
from medinject_demo.domain import Verdict
from medinject_demo.duel import Refusal, Side, Stage
from medinject_demo.errors import StoreError
from medinject_demo.votes import forgetting
from medinject_demo.votes.database import Database
from medinject_demo.votes.records import Ballot

from .duels import ME, OPEN, OTHER, WITH_REFERENCE, Clock, arena_at, break_store, codes, events_of, parrot, played

LEFT, RIGHT = Ballot(Verdict.LEFT), Ballot(Verdict.RIGHT)
THIRD = "a third session"


def shared(arena: Arena, reference: bool = False) -> str:
    duel = played(arena, WITH_REFERENCE if reference else OPEN)
    arena.vote(duel, ME, LEFT)
    arena.share(duel, ME)
    return duel


def test_only_a_duel_that_its_maker_voted_on_and_shared_can_be_opened(tmp_path: Path) -> None:
    arena = arena_at(tmp_path)
    duel = played(arena)
    assert codes(lambda: arena.share(duel, ME)) == (Refusal.NO_VOTE,)
    assert codes(lambda: arena.standing(duel, OTHER)) == (Refusal.UNKNOWN,)
    arena.vote(duel, ME, LEFT)
    assert codes(lambda: arena.share(duel, OTHER)) == (Refusal.UNKNOWN,)
    assert codes(lambda: arena.standing(duel, OTHER)) == (Refusal.UNKNOWN,)
    arena.share(duel, ME)
    arena.share(duel, ME)
    assert arena.standing(duel, OTHER).guest
    assert codes(lambda: arena.standing("unknown", OTHER)) == (Refusal.UNKNOWN,)


def test_a_guest_reads_what_the_maker_read_in_the_same_order(tmp_path: Path) -> None:
    arena = arena_at(tmp_path, lambda request: f"réponse {id(request)}")
    duel = shared(arena)
    assert arena.shown(duel, OTHER) == arena.shown(duel, ME)
    assert arena.shown(duel, OTHER).stage is Stage.ANSWERED


def test_before_their_own_vote_a_guest_is_told_no_arm_reference_time_or_maker(tmp_path: Path) -> None:
    told, drawn = set(), set()
    for seed in range(8):
        arena = arena_at(tmp_path / str(seed), seed=seed)
        duel = shared(arena, reference=True)
        at = arena.standing(duel, OTHER)
        assert (at.receipt, at.battle) == (None, None)
        assert codes(partial(arena.reveal, duel, OTHER)) == (Refusal.NO_VOTE,)
        assert codes(partial(arena.judge, duel, OTHER, (True, None))) == (Refusal.NO_VOTE,)
        told.add(json.dumps(asdict(at)))
        drawn.add(arena._duels[duel].duel.arms)
        arena._store.close()
    assert len(drawn) > 4
    (one,) = told
    for hidden in ("scripted-", "seconds", "tokens", '"trad"', "fingerprint", arena.voter(ME)):
        assert hidden not in one
    assert '"reference": ""' in one


def test_a_guests_vote_is_their_own_row_and_then_the_arms_are_revealed(tmp_path: Path) -> None:
    arena = arena_at(tmp_path)
    duel = shared(arena)
    arena.standing(duel, OTHER)
    arena.vote(duel, OTHER, RIGHT)
    assert arena.reveal(duel, OTHER) == arena.reveal(duel, ME)
    votes = {live.vote.voter: live for live in arena._store.live_votes()}
    assert {voter: live.ballot for voter, live in votes.items()} == {
        arena.voter(ME): LEFT,
        arena.voter(OTHER): RIGHT,
    }
    assert all(live.vote.blind for live in votes.values())
    assert arena._store.counts().kept == 1
    assert votes[arena.voter(OTHER)].vote.seconds is not None


def test_a_guest_changes_judges_and_withdraws_their_own_vote_alone(tmp_path: Path) -> None:
    arena = arena_at(tmp_path)
    duel = shared(arena, reference=True)
    assert arena.vote(duel, OTHER, RIGHT).reference == "B"
    arena.judge(duel, OTHER, (False, True))
    arena.reveal(duel, OTHER)
    arena.vote(duel, OTHER, LEFT)
    arena.undo(duel, OTHER)
    (mine,) = arena._store.live_votes()
    assert (mine.vote.voter, mine.ballot) == (arena.voter(ME), LEFT)
    assert [vote.blind for vote in arena._store.history(duel, arena.voter(OTHER))] == [True, True, False, False]


def test_what_changes_a_duel_is_refused_to_a_guest(tmp_path: Path) -> None:
    arena = arena_at(tmp_path)
    duel = shared(arena)
    orders: list[Callable[[], object]] = [
        lambda: arena.regenerate(duel, OTHER),
        lambda: arena.follow_up(duel, OTHER, "Et après ?"),
        lambda: arena.share(duel, OTHER),
    ]
    for _ in range(2):
        assert [codes(order) for order in orders] == [(Refusal.FOREIGN,)] * 3
        arena.vote(duel, OTHER, LEFT)
    assert codes(lambda: events_of(arena, duel, OTHER)) == (Refusal.UNDER_WAY,)
    before = arena.shown(duel, ME)
    arena.stop(duel, OTHER, *Side)
    assert arena.shown(duel, ME) == before


def test_one_guest_knows_nothing_of_another(tmp_path: Path) -> None:
    arena = arena_at(tmp_path)
    duel = shared(arena)
    arena.vote(duel, OTHER, RIGHT)
    arena.reveal(duel, OTHER)
    at = arena.standing(duel, THIRD)
    assert (at.receipt, at.battle, at.guest) == (None, None, True)
    assert codes(lambda: arena.undo(duel, THIRD)) == (Refusal.NO_VOTE,)


def test_after_a_restart_guests_are_where_they_were(tmp_path: Path) -> None:
    arena = arena_at(tmp_path)
    duel = shared(arena)
    arena.vote(duel, OTHER, RIGHT)
    restarted = arena_at(tmp_path)
    voted, fresh = restarted.standing(duel, OTHER), restarted.standing(duel, THIRD)
    assert voted.receipt is not None
    assert (voted.receipt.verdict, voted.battle is not None) == (Verdict.RIGHT, True)
    assert (fresh.receipt, fresh.battle) == (None, None)
    assert restarted.standing(duel, ME).guest is False


def seconds_of(arena: Arena, duel: str, session: str) -> float | None:
    vote = arena._store.latest(duel, arena.voter(session))
    assert vote is not None
    return vote.seconds


def test_a_guest_reads_from_when_they_first_arrive(tmp_path: Path) -> None:
    clock = Clock()
    arena = arena_at(tmp_path, clock=clock)
    duel = shared(arena)
    arena.standing(duel, OTHER)
    clock.time += 30
    arena.standing(duel, OTHER)
    arena.vote(duel, OTHER, RIGHT)
    assert seconds_of(arena, duel, OTHER) == pytest.approx(30, abs=1)


def test_how_long_a_guest_read_is_not_known_where_the_program_began_anew_in_between(tmp_path: Path) -> None:
    arena = arena_at(tmp_path)
    duel = shared(arena)
    arena.standing(duel, OTHER)
    restarted = arena_at(tmp_path)
    restarted.vote(duel, OTHER, RIGHT)
    assert seconds_of(restarted, duel, OTHER) is None


def test_how_long_a_guest_read_is_not_known_where_their_state_was_forgotten_in_between(tmp_path: Path) -> None:
    arena = arena_at(tmp_path, most_duels=2)
    duel = shared(arena)
    for session in (OTHER, *(f"guest {number}" for number in range(3))):
        arena.standing(duel, session)
    arena.vote(duel, OTHER, RIGHT)
    assert seconds_of(arena, duel, OTHER) is None


def test_a_guest_does_not_push_a_makers_duel_aside_nor_answer_for_it(tmp_path: Path) -> None:
    arena = arena_at(tmp_path, parrot)
    duel = shared(arena)
    arena.vote(duel, OTHER, RIGHT)
    assert arena.reveal(duel, OTHER).voter == arena.voter(ME)
    assert arena._duels[duel].duel.voter == arena.voter(ME)
    stored = arena._store.battle(duel)
    assert stored is not None
    assert stored.voter == arena.voter(ME)


def test_a_duel_whose_question_was_erased_is_opened_by_no_link(tmp_path: Path) -> None:
    arena = arena_at(tmp_path)
    duel = shared(arena)
    with closing(sqlite3.connect(tmp_path / "votes.db")) as file, file:
        file.execute("UPDATE battles SET question = ''")
    assert codes(lambda: arena_at(tmp_path).standing(duel, OTHER)) == (Refusal.UNKNOWN,)


def test_a_link_that_is_not_stored_is_said_and_opens_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    arena = arena_at(tmp_path)
    duel = played(arena)
    arena.vote(duel, ME, LEFT)
    with monkeypatch.context() as broken:
        break_store(arena, broken)
        with pytest.raises(StoreError):
            arena.share(duel, ME)
    assert codes(lambda: arena.shown(duel, OTHER)) == (Refusal.UNKNOWN,)


def test_guests_push_no_makers_duel_aside(tmp_path: Path) -> None:
    arena = arena_at(tmp_path, most_duels=2)
    duel, under_way = shared(arena), played(arena)
    for number in range(5):
        arena.standing(duel, f"guest {number}")
    assert arena.shown(under_way, ME).stage is Stage.ANSWERED
    assert len(arena._duels) == 4


def forget(folder: Path, voter: str) -> None:
    """As the command does, in another process."""
    database = Database(f"sqlite:///{folder}/votes.db")
    database.write(lambda connection: forgetting.forget(connection, voter, (), lambda: "0"))
    database.close()


def test_a_forgotten_maker_votes_no_second_time_and_nobody_is_shown_what_was_erased(tmp_path: Path) -> None:
    arena = arena_at(tmp_path)
    duel = shared(arena)
    arena.standing(duel, OTHER)
    forget(tmp_path, arena.voter(ME))
    for session in (ME, OTHER):
        for _ in range(2):
            assert codes(partial(arena.vote, duel, session, RIGHT)) == (Refusal.UNKNOWN,)
            assert codes(partial(arena.shown, duel, session)) == (Refusal.UNKNOWN,)
    assert arena._store.counts().votes == 1


def test_a_forgotten_guests_open_page_votes_no_second_time(tmp_path: Path) -> None:
    arena = arena_at(tmp_path)
    duel = shared(arena)
    arena.vote(duel, OTHER, RIGHT)
    forget(tmp_path, arena.voter(OTHER))
    assert codes(lambda: arena.vote(duel, OTHER, LEFT)) == (Refusal.UNKNOWN,)
    assert arena.shown(duel, ME).stage is Stage.ANSWERED
    assert arena._store.counts().votes == 2


def test_a_store_that_cannot_be_read_keeps_nobody_from_a_duel_in_memory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    arena = arena_at(tmp_path)
    duel = shared(arena)
    break_store(arena, monkeypatch)
    assert arena.shown(duel, ME).stage is Stage.ANSWERED
