"""Who has seen by name what an arm answers to a prompt is shown others, and where there is none votes not blind."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest

from medinject_demo.acquaintances import Acquaintances
from medinject_demo.arena import Arena
from medinject_demo.domain import BASE, MIXTURES, Mixture, Prompt, Verdict
from medinject_demo.errors import StoreError
from medinject_demo.pairing import pair_of, probabilities
from medinject_demo.votes.records import Ballot, unsaid
from medinject_demo.votes.store import VoteStore

from .duels import ME, OPEN, OTHER, WITH_REFERENCE, arena_at, break_store, played, store_at
from .votes.samples import PROMPT, ballot, battle, ranked

LEFT, RIGHT = Ballot(Verdict.LEFT), Ballot(Verdict.RIGHT)
NAT, TRAD, SYN, *_, ALL = MIXTURES[1:]
ELSEWHERE = Prompt(PROMPT.kind, "Une autre question ?")


@pytest.fixture
def store(tmp_path: Path) -> VoteStore:
    return store_at(tmp_path)


@pytest.fixture
def arena(tmp_path: Path) -> Arena:
    return arena_at(tmp_path)


def arms_of(arena: Arena, duel: str) -> set[Mixture]:
    return set(arena._duels[duel].duel.arms)


def voted(arena: Arena, prompt: Prompt = OPEN, session: str = ME) -> str:
    duel = played(arena, prompt, session)
    arena.vote(duel, session, LEFT)
    arena.reveal(duel, session)
    return duel


def is_blind(arena: Arena, duel: str, session: str = ME) -> bool:
    vote = arena._store.latest(duel, arena.voter(session))
    assert vote is not None
    return vote.blind


def test_what_was_compared_is_known_of_that_voter_and_that_prompt(store: VoteStore) -> None:
    known = Acquaintances(store)
    known.compare("me", "one", [BASE, NAT])
    known.compare("me", "one", [NAT, SYN])
    assert known.known("me", "one") == known.to_avoid("me", "one") == {BASE, NAT, SYN}
    assert known.known("me", "two") == known.known("you", "one") == set()


def test_what_was_voted_on_is_known_whatever_became_of_the_vote_but_for_one_battle(store: VoteStore) -> None:
    store.cast(battle("one", BASE, NAT), "me", ballot(Verdict.LEFT))
    store.cast(battle("two", TRAD, NAT), "me", ballot(Verdict.LEFT))
    store.cast(battle("two", TRAD, NAT), "me", None)
    store.cast(ranked("three", *MIXTURES[5:]), "me", Ballot.ranked([1, 2, 3]), equivalent=unsaid(3))
    store.cast(battle("four", SYN, BASE, prompt=ELSEWHERE), "me", ballot(Verdict.LEFT))
    store.cast(battle("five", SYN, BASE), "you", ballot(Verdict.LEFT))
    known = Acquaintances(store)
    assert known.known("me", PROMPT.id) == {BASE, NAT, TRAD, *MIXTURES[5:]}
    assert known.known("me", PROMPT.id, but="one") == {TRAD, NAT, *MIXTURES[5:]}
    assert known.known("me", ELSEWHERE.id) == known.known("you", PROMPT.id) == {SYN, BASE}


def test_beyond_the_most_what_was_left_alone_for_longest_is_forgotten(store: VoteStore) -> None:
    known = Acquaintances(store, most=2)
    for prompt in ("one", "two"):
        known.compare("me", prompt, [NAT])
    known.known("me", "one")
    known.compare("me", "three", [NAT])
    assert [bool(known.known("me", prompt)) for prompt in ("one", "two", "three")] == [True, False, True]


def test_a_store_that_cannot_be_read_holds_up_no_duel(
    arena: Arena, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    arena.compared(OPEN, ME, MIXTURES[:6])
    break_store(arena, monkeypatch)
    with caplog.at_level(logging.WARNING):
        assert arms_of(arena, arena.propose(OPEN, ME).id) == set(MIXTURES[6:])
    assert "drawn without what their voter has seen" in caplog.text


def test_duels_on_one_question_show_each_arm_once_then_count_as_not_blind(arena: Arena) -> None:
    duels = [voted(arena) for _ in range(4)]
    assert set().union(*(arms_of(arena, duel) for duel in duels)) == set(MIXTURES)
    assert all(is_blind(arena, duel) for duel in duels)
    fifth = played(arena)
    receipt = arena.vote(fifth, ME, LEFT)
    assert not receipt.blind
    assert not is_blind(arena, fifth)


def test_neither_another_voter_nor_another_question_is_held_for_it(arena: Arena) -> None:
    for _ in range(4):
        voted(arena)
    for prompt, session in ((WITH_REFERENCE, ME), (OPEN, OTHER)):
        assert is_blind(arena, voted(arena, prompt, session), session)


def test_the_propensity_is_that_among_the_arms_that_were_left(arena: Arena) -> None:
    arena.compared(OPEN, ME, [BASE, NAT, SYN])
    counts = arena._store.battles_by_pair()
    told = arena.reveal(voted(arena), ME)
    rest = [mixture for mixture in MIXTURES if mixture not in {BASE, NAT, SYN}]
    assert set(told.arms) <= set(rest)
    assert told.propensity == probabilities(rest, counts)[pair_of(*told.arms)]


def test_who_compares_while_a_duel_is_open_votes_on_it_not_blind(arena: Arena) -> None:
    duel = played(arena)
    seen, *_ = arms_of(arena, duel)
    arena.compared(OPEN, ME, [seen])
    assert not arena.vote(duel, ME, LEFT).blind
    assert arena._store.counts().after_reveal == 1


def test_who_compares_other_arms_or_another_question_votes_blind(arena: Arena) -> None:
    duel = played(arena)
    arena.compared(OPEN, ME, set(MIXTURES) - arms_of(arena, duel))
    arena.compared(ELSEWHERE, ME, MIXTURES)
    arena.compared(OPEN, OTHER, MIXTURES)
    arena.compared(OPEN, " ", MIXTURES)
    assert arena.vote(duel, ME, LEFT).blind


def test_a_verdict_given_before_stays_blind_and_a_change_of_it_is_not(arena: Arena) -> None:
    duel = played(arena, WITH_REFERENCE)
    arena.vote(duel, ME, LEFT)
    arena.compared(WITH_REFERENCE, ME, MIXTURES)
    assert arena.vote(duel, ME, Ballot(Verdict.LEFT, comment="un mot")).blind
    assert not arena.vote(duel, ME, RIGHT).blind


def test_ones_own_vote_on_a_duel_makes_it_no_less_blind(arena: Arena) -> None:
    duel = played(arena, WITH_REFERENCE)
    arena.vote(duel, ME, LEFT)
    arena.undo(duel, ME)
    assert arena.vote(duel, ME, RIGHT).blind


def test_of_two_duels_that_are_open_the_second_vote_is_blind_where_no_arm_is_in_both(arena: Arena) -> None:
    duels = [played(arena, OPEN) for _ in range(12)]
    first = duels[0]
    arena.vote(first, ME, LEFT)
    for duel in duels[1:]:
        met = set().union(*(arms_of(arena, each) for each in duels[: duels.index(duel)]))
        assert arena.vote(duel, ME, LEFT).blind == arms_of(arena, duel).isdisjoint(met)


def test_a_guest_who_has_seen_an_arm_elsewhere_votes_not_blind(arena: Arena) -> None:
    duel = voted(arena)
    arena.share(duel, ME)
    arena.compared(OPEN, OTHER, [min(arms_of(arena, duel))])
    assert not arena.vote(duel, OTHER, LEFT).blind
    assert arena.vote(duel, "a third session", LEFT).blind


@pytest.mark.parametrize(("count", "left"), [(3, 3), (6, 6), (7, 6)])
def test_a_ranking_avoids_them_too_where_so_many_others_are_left(arena: Arena, count: int, left: int) -> None:
    arena.compared(OPEN, ME, [BASE, ALL])
    name = arena.propose_ranking(OPEN, ME, count).id
    list(arena.stream(name, ME))
    assert arms_of(arena, name).isdisjoint({BASE, ALL}) == (count == left)
    said = Ballot.ranked([*range(1, count + 1)])
    assert arena.vote(name, ME, said).blind == (count == left)


def test_a_restart_forgets_what_was_compared_and_not_what_was_voted_on(tmp_path: Path) -> None:
    before = arena_at(tmp_path)
    duel = voted(before)
    arms = arms_of(before, duel)
    before.compared(OPEN, ME, MIXTURES)
    before._store.close()
    after = arena_at(tmp_path, seed=2)
    after._new_id = lambda: "after"
    assert after._acquaintances.known(after.voter(ME), OPEN.id) == arms
    assert is_blind(after, voted(after))


def test_a_vote_is_not_stored_where_it_cannot_be_known_whether_it_is_blind(
    arena: Arena, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*given: object, **named: object) -> frozenset[Mixture]:
        raise StoreError("votes: expected a database that answers, got none.")

    duel = played(arena)
    monkeypatch.setattr(arena._store, "arms_met", fail)
    with pytest.raises(StoreError):
        arena.vote(duel, ME, LEFT)
    assert arena._store.counts().kept == 0
