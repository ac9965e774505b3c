"""A duel from its proposal to its vote: every order in its turn, and no vote acknowledged that is not stored."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from random import Random

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from medinject_demo.arena import WARMTH, Arena
from medinject_demo.domain import MIXTURES, FinishReason, Kind, Prompt, Sampling, Verdict
from medinject_demo.duel import Refusal, Side, Stage
from medinject_demo.engine.base import Request, ScriptedEngine
from medinject_demo.errors import InvalidValue, StoreError
from medinject_demo.pairing import pair_of, probabilities
from medinject_demo.prepared import Prepared
from medinject_demo.privacy import Reason
from medinject_demo.votes.database import WAITS, Database
from medinject_demo.votes.records import UNSAID, Ballot, Criterion
from medinject_demo.votes.store import VoteStore

from .duels import (
    ME,
    OPEN,
    OTHER,
    WITH_REFERENCE,
    Clock,
    arena_at,
    break_store,
    codes,
    events_of,
    parrot,
    played,
    store_at,
)

LEFT, RIGHT, UNSURE = Ballot(Verdict.LEFT), Ballot(Verdict.RIGHT), Ballot(Verdict.UNSURE)


def test_the_propensity_kept_is_that_of_the_draw(tmp_path: Path) -> None:
    arena = arena_at(tmp_path)
    for session in "abcde":
        battles = arena._store.battles_by_pair()
        duel = played(arena, session=session)
        arena.vote(duel, session, LEFT)
        battle = arena.reveal(duel, session)
        assert battle.propensity == probabilities(MIXTURES, battles)[pair_of(*battle.arms)]
        (live,) = [each for each in arena._store.live_votes() if each.vote.battle == duel]
        assert live.propensity == battle.propensity


def test_duels_without_a_vote_are_not_kept(tmp_path: Path) -> None:
    arena = arena_at(tmp_path)
    for _ in range(3):
        played(arena)
    assert arena._store.counts().kept == 0


def test_a_store_that_cannot_be_read_leaves_duels_possible_and_their_propensity_true(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    arena = arena_at(tmp_path)
    break_store(arena, monkeypatch)
    duel = played(arena)
    assert arena._duels[duel].duel.propensity == pytest.approx(1 / 28)
    assert arena.shown(duel, ME).stage is Stage.ANSWERED


def test_a_duel_waits_for_no_database_that_is_lost() -> None:
    waited: list[float] = []
    store = VoteStore(Database("postgresql://someone@127.0.0.1:1/votes", sleep=waited.append))
    engine = ScriptedEngine(parrot)
    prepared = Prepared(engine, store.kept_answers(), {OPEN.id})
    arena = Arena(engine, store, secret="sel", generator=Random(1), prepared=prepared)
    duel = played(arena)
    assert arena.shown(duel, ME).stage is Stage.ANSWERED
    assert waited == []
    with pytest.raises(StoreError):
        arena.vote(duel, ME, LEFT)
    assert waited == list(WAITS)


@pytest.mark.parametrize(
    ("question", "reasons"),
    [
        ("", (Reason.EMPTY,)),
        (" \n ", (Reason.EMPTY,)),
        ("a" * 100_000, (Reason.TOO_LONG,)),
        ("fièvre\0", (Reason.CONTROL,)),
        ("Mon numéro : 2 55 08 14 168 025 38", (Reason.NIR,)),
    ],
    ids=["empty", "blank", "long", "control", "personal"],
)
def test_a_prompt_that_may_not_be_sent_is_held_back_everywhere(
    tmp_path: Path, question: str, reasons: tuple[str, ...]
) -> None:
    arena = arena_at(tmp_path)
    assert codes(lambda: arena.propose(Prompt(Kind.OEQ, question), ME)) == reasons
    duel = played(arena)
    assert codes(lambda: arena.follow_up(duel, ME, question)) == reasons


def test_fewer_than_two_arms_make_no_duel(tmp_path: Path) -> None:
    with pytest.raises(InvalidValue, match=r"expected two arms that can answer, got base. Install another arm."):
        arena_at(tmp_path, mixtures=MIXTURES[:1]).propose(OPEN, ME)


def test_an_arena_without_a_secret_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InvalidValue, match=r"^MEDINJECT_SECRET"):
        Arena(ScriptedEngine(parrot), store_at(tmp_path), secret="", generator=Random(1))


def test_greedy_answers_are_given_anew_warm_and_with_another_seed(tmp_path: Path) -> None:
    arena = arena_at(tmp_path)
    duel = played(arena)
    arena.regenerate(duel, ME)
    again = arena._duels[duel].duel.last.sampling
    assert (again.temperature, again.greedy) == (WARMTH, False)
    assert again.seed != Sampling().seed


def test_warm_answers_are_given_anew_at_their_own_temperature(tmp_path: Path) -> None:
    arena = arena_at(tmp_path)
    warm = Sampling(temperature=1.3, seed=5)
    duel = arena.propose(OPEN, ME, warm).id
    events_of(arena, duel)
    arena.regenerate(duel, ME)
    again = arena._duels[duel].duel.last.sampling
    assert replace(again, seed=5) == warm
    assert again.seed != 5


def test_what_is_stored_is_the_last_answers_of_each_turn(tmp_path: Path) -> None:
    said = iter(range(100))
    arena = arena_at(tmp_path, lambda request: f"réponse {next(said)}")
    duel = played(arena)
    arena.regenerate(duel, ME)
    events_of(arena, duel)
    arena.follow_up(duel, ME, " Et après ? ")
    events_of(arena, duel)
    arena.vote(duel, ME, LEFT)
    battle = arena._store.battle(duel)
    assert battle == arena.reveal(duel, ME)
    assert [turn.message for turn in battle.turns] == ["", "Et après ?"]
    texts = [answer.text for turn in battle.turns for answer in turn.answers]
    assert texts == ["réponse 2", "réponse 3", "réponse 4", "réponse 5"]
    assert [turn.sampling.greedy for turn in battle.turns] == [False, True]


def test_a_vote_on_answers_that_were_stopped_keeps_that_they_were(tmp_path: Path) -> None:
    arena = arena_at(tmp_path)
    duel = arena.propose(OPEN, ME).id
    stream = arena.stream(duel, ME)
    next(stream)
    arena.stop(duel, ME, *Side)
    list(stream)
    arena.vote(duel, ME, UNSURE)
    assert [each.finish_reason for each in arena.reveal(duel, ME)] == [FinishReason.CANCELLED] * 2


def test_a_duel_that_failed_does_not_count_until_it_is_answered_anew(tmp_path: Path) -> None:
    broken = [True]

    def say(request: Request) -> str:
        if broken[0] and request.mixture == MIXTURES[0]:
            raise KeyError("broken")
        return parrot(request)

    arena = arena_at(tmp_path, say, mixtures=MIXTURES[:2])
    duel = played(arena)
    assert codes(lambda: arena.vote(duel, ME, LEFT)) == (Refusal.FAILED,)
    assert codes(lambda: arena.follow_up(duel, ME, "Et ?")) == (Refusal.FAILED,)
    assert codes(lambda: arena.reveal(duel, ME)) == (Refusal.NO_VOTE,)
    assert arena._store.counts().kept == 0
    broken[0] = False
    arena.regenerate(duel, ME)
    events_of(arena, duel)
    assert arena.vote(duel, ME, LEFT).verdict is Verdict.LEFT


def test_a_vote_is_acknowledged_once_it_is_on_the_disk(tmp_path: Path) -> None:
    arena = arena_at(tmp_path)
    duel = played(arena, WITH_REFERENCE)
    ballot = Ballot(Verdict.RIGHT, (frozenset({Criterion.CLARITY}), frozenset()), "Clair.")
    receipt = arena.vote(duel, ME, ballot)
    assert (receipt.verdict, receipt.equivalent, receipt.reference) == (Verdict.RIGHT, UNSAID, "B")
    vote = store_at(tmp_path).latest(duel, arena.voter(ME))
    assert vote is not None
    assert (vote.ballot, vote.blind) == (ballot, True)


def test_the_seconds_to_vote_are_from_the_end_of_the_answers(tmp_path: Path) -> None:
    clock = Clock()
    arena = arena_at(tmp_path, clock=clock)
    duel = played(arena)
    clock.time += 30
    arena.vote(duel, ME, LEFT)
    (vote,) = arena._store.history(duel, arena.voter(ME))
    assert vote.seconds == pytest.approx(30, abs=1)


def test_what_is_said_beside_a_verdict_that_stands_leaves_its_seconds(tmp_path: Path) -> None:
    clock = Clock()
    arena = arena_at(tmp_path, clock=clock)
    duel = played(arena, WITH_REFERENCE)
    arena.vote(duel, ME, LEFT)
    clock.time += 60
    arena.judge(duel, ME, (True, False))
    arena.vote(duel, ME, Ballot(Verdict.LEFT, comment="Plus clair."))
    arena.vote(duel, ME, RIGHT)
    first, *beside, changed = [vote.seconds for vote in arena._store.history(duel, arena.voter(ME))]
    assert first == pytest.approx(0, abs=1)
    assert beside == [first, first]
    assert changed == pytest.approx(60, abs=1)


def test_a_vote_that_is_not_stored_is_not_acknowledged_and_can_be_cast_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    arena = arena_at(tmp_path)
    duel = played(arena)
    with monkeypatch.context() as broken:
        break_store(arena, broken)
        with pytest.raises(StoreError, match="Nothing was stored"):
            arena.vote(duel, ME, LEFT)
    assert codes(lambda: arena.reveal(duel, ME)) == (Refusal.NO_VOTE,)
    assert arena._store.counts().votes == 0
    assert arena.vote(duel, ME, LEFT).verdict is Verdict.LEFT
    assert arena._store.counts().votes == 1


@pytest.mark.parametrize("order", ["vote", "undo", "judge"])
def test_a_change_that_is_not_stored_leaves_the_vote_as_it_was(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, order: str
) -> None:
    arena = arena_at(tmp_path)
    duel = played(arena, WITH_REFERENCE)
    arena.vote(duel, ME, LEFT)
    orders: dict[str, Callable[[], object]] = {
        "vote": lambda: arena.vote(duel, ME, RIGHT),
        "undo": lambda: arena.undo(duel, ME),
        "judge": lambda: arena.judge(duel, ME, (True, False)),
    }
    with monkeypatch.context() as broken:
        break_store(arena, broken)
        with pytest.raises(StoreError):
            orders[order]()
    (live,) = arena._store.live_votes()
    assert (live.ballot, live.vote.equivalent) == (LEFT, UNSAID)
    assert arena._duels[duel].duel.vote == live.vote


def test_the_same_vote_twice_is_one_vote(tmp_path: Path) -> None:
    arena = arena_at(tmp_path)
    duel = played(arena)
    assert arena.vote(duel, ME, LEFT) == arena.vote(duel, ME, LEFT)
    assert len(arena._store.history(duel, arena.voter(ME))) == 1


def test_the_same_vote_25_times_at_once_is_one_vote(tmp_path: Path) -> None:
    arena = arena_at(tmp_path)
    duel = played(arena)
    with ThreadPoolExecutor(25) as pool:
        receipts = list(pool.map(lambda _: arena.vote(duel, ME, LEFT), range(25)))
    assert len(set(receipts)) == 1
    assert len(arena._store.history(duel, arena.voter(ME))) == 1


def test_a_vote_can_be_changed_taken_back_and_cast_again(tmp_path: Path) -> None:
    arena = arena_at(tmp_path)
    duel = played(arena)
    verdicts = [
        arena.vote(duel, ME, LEFT).verdict,
        arena.vote(duel, ME, RIGHT).verdict,
        arena.undo(duel, ME).verdict,
        arena.undo(duel, ME).verdict,
        arena.vote(duel, ME, RIGHT).verdict,
    ]
    assert verdicts == [Verdict.LEFT, Verdict.RIGHT, None, None, Verdict.RIGHT]
    assert [vote.ballot for vote in arena._store.history(duel, arena.voter(ME))] == [LEFT, RIGHT, None, RIGHT]


def test_a_vote_that_should_be_the_first_leaves_one_that_stands(tmp_path: Path) -> None:
    arena = arena_at(tmp_path)
    duel = played(arena)
    arena.vote(duel, ME, LEFT, first=True)
    assert codes(lambda: arena.vote(duel, ME, RIGHT, first=True)) == (Refusal.STANDS,)
    assert [vote.ballot for vote in arena._store.history(duel, arena.voter(ME))] == [LEFT]
    arena.undo(duel, ME)
    assert arena.vote(duel, ME, RIGHT, first=True).verdict is Verdict.RIGHT


def test_a_battle_once_voted_on_does_not_change(tmp_path: Path) -> None:
    arena = arena_at(tmp_path)
    duel = played(arena)
    arena.vote(duel, ME, LEFT)
    for _ in range(2):
        assert codes(lambda: arena.regenerate(duel, ME)) == (Refusal.VOTED,)
        assert codes(lambda: arena.follow_up(duel, ME, "Et ?")) == (Refusal.VOTED,)
        arena.undo(duel, ME)


def test_forged_early_and_foreign_orders_are_refused(tmp_path: Path) -> None:
    arena = arena_at(tmp_path)
    duel = arena.propose(WITH_REFERENCE, ME).id
    assert codes(lambda: arena.vote(duel, ME, LEFT)) == (Refusal.NOT_ANSWERED,)
    events_of(arena, duel)

    def orders(battle: str, session: str) -> list[Callable[[], object]]:
        return [
            lambda: arena.shown(battle, session),
            lambda: next(arena.stream(battle, session)),
            lambda: arena.stop(battle, session, Side.LEFT),
            lambda: arena.regenerate(battle, session),
            lambda: arena.follow_up(battle, session, "Et ?"),
            lambda: arena.vote(battle, session, LEFT),
            lambda: arena.judge(battle, session, (True, None)),
            lambda: arena.undo(battle, session),
            lambda: arena.reveal(battle, session),
        ]

    for order in orders(duel, OTHER):
        assert codes(order) == (Refusal.UNKNOWN,)
    for name in ("unknown", "", "\0", "a" * 10_000, "\ud800", "duel 0'; DROP TABLE votes; --"):
        for order in orders(name, ME):
            assert codes(order) == (Refusal.UNKNOWN,)
    assert codes(lambda: arena.undo(duel, ME)) == (Refusal.NO_VOTE,)
    assert codes(lambda: arena.reveal(duel, ME)) == (Refusal.NO_VOTE,)
    assert arena._store.counts().votes == 0


def test_another_voters_battle_is_refused_as_one_that_there_is_not_after_a_restart_too(tmp_path: Path) -> None:
    arena = arena_at(tmp_path)
    duel = played(arena)
    arena.vote(duel, ME, LEFT)
    restarted = arena_at(tmp_path)
    assert codes(lambda: restarted.vote(duel, OTHER, RIGHT)) == (Refusal.UNKNOWN,)
    assert codes(lambda: restarted.reveal(duel, OTHER)) == (Refusal.UNKNOWN,)


@pytest.mark.parametrize("session", ["", "  "])
def test_a_session_without_a_token_is_refused(tmp_path: Path, session: str) -> None:
    with pytest.raises(InvalidValue, match=r"^session"):
        arena_at(tmp_path).propose(OPEN, session)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.text(min_size=1).filter(str.strip))
def test_a_voter_is_a_salted_hash_of_the_session(tmp_path: Path, session: str) -> None:
    engine, store = ScriptedEngine(parrot), store_at(tmp_path)
    one, other = (Arena(engine, store, secret=secret, generator=Random(1)) for secret in ("sel", "poivre"))
    assert one.voter(session) == one.voter(session) != other.voter(session)
    assert len(one.voter(session)) == 32
    assert set(one.voter(session)) <= set("0123456789abcdef")


def test_the_session_token_is_in_no_byte_of_the_store(tmp_path: Path) -> None:
    arena = arena_at(tmp_path)
    session = "jeton-tres-reconnaissable"
    duel = played(arena, session=session)
    arena.vote(duel, session, LEFT)
    arena._store.close()
    kept = b"".join(path.read_bytes() for path in tmp_path.iterdir())
    assert arena.voter(session).encode() in kept
    assert session.encode() not in kept
