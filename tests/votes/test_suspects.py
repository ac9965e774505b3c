"""Doubts are rows beside the votes: they leave votes out of what is counted, and change or delete none."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from medinject_demo.domain import MIXTURES, Battle, Sampling, Verdict
from medinject_demo.errors import InvalidValue
from medinject_demo.stats.selection import select
from medinject_demo.votes.database import Database
from medinject_demo.votes.records import Ballot, unsaid
from medinject_demo.votes.store import VoteStore
from medinject_demo.votes.suspects import Suspicions, left_out
from medinject_demo.votes.suspicion import Doubt

from .samples import LEFT, PROMPT, RIGHT, answer, ballot, battle


def ticking(seconds: float) -> Callable[[], datetime]:
    """A clock that goes on by so much at each reading."""
    numbers = itertools.count()
    return lambda: datetime(2026, 11, 27, tzinfo=UTC) + timedelta(seconds=seconds * next(numbers))


@pytest.fixture
def store(database: Database) -> VoteStore:
    return VoteStore(database, now=ticking(60))


def voted(store: VoteStore, *names: str, voter: str = "v", seconds: float | None = 20.0) -> list[str]:
    """The identifiers of votes for the left."""
    return [store.cast(battle(name), voter, ballot(Verdict.LEFT), seconds=seconds).id for name in names]


def test_a_vote_in_doubt_is_stored_as_any_other_and_left_out_of_the_wins(store: VoteStore) -> None:
    voted(store, "honest")
    (fast,) = voted(store, "fast", seconds=0.01)
    assert store.suspicions.examine("v") == 1
    counts = store.counts()
    assert (counts.kept, counts.battles, counts.votes, counts.suspect, counts.after_reveal) == (2, 1, 2, 1, 0)
    assert counts.pairs[(LEFT, RIGHT)].wins == (1, 0)
    assert {live.vote.battle: live.reasons for live in store.live_votes()} == {
        "honest": frozenset(),
        "fast": {Doubt.TOO_FAST},
    }
    assert [live.suspect for live in store.live_votes() if live.vote.id == fast] == [True]
    assert len(store.history("fast", "v")) == 1


def test_a_vote_is_left_out_for_one_reason_and_the_board_counts_as_the_store_does(store: VoteStore) -> None:
    """A vote in doubt that was also given after the reveal is suspect; a ranking is one vote, not its comparisons."""
    store.cast(battle("late"), "w", ballot(Verdict.LEFT), blind=False, seconds=20.0)
    store.cast(battle("both"), "v", ballot(Verdict.LEFT), blind=False, seconds=0.01)
    four = Battle("ranking", PROMPT, Sampling(), tuple(answer(arm, "A") for arm in MIXTURES[:4]), 1 / 70, "owner")
    store.cast(four, "v", Ballot.ranked([1, 2, 3, 4]), equivalent=(None,) * 4, seconds=0.01)
    assert store.suspicions.examine("v") == 2
    counts, (_, aside) = store.counts(), select(store.frame())
    assert (counts.suspect, counts.after_reveal) == (aside.suspect, aside.not_blind) == (2, 1)


def test_examining_again_finds_nothing_new(store: VoteStore) -> None:
    voted(store, "a", "b", seconds=0.01)
    assert [store.suspicions.examine("v") for _ in range(2)] == [2, 0]
    assert store.suspicions.examine("nobody") == 0


def test_a_clearance_is_one_more_row_that_holds_against_every_reason(store: VoteStore) -> None:
    kept, fast = voted(store, "a", "b", seconds=0.01)
    store.suspicions.examine("v")
    for _ in range(2):
        store.suspicions.clear(fast)
    store.suspicions.examine("v")
    assert [(each.vote, each.cleared, each.left_out) for each in store.suspicions.suspects()] == [
        (kept, False, True),
        (fast, True, False),
    ]
    assert store.counts().suspect == 1
    assert [live.vote.id for live in store.live_votes() if live.suspect] == [kept]


def test_a_vote_that_nobody_doubts_cannot_be_cleared(store: VoteStore) -> None:
    (honest,) = voted(store, "a")
    for name in (honest, "nothing"):
        with pytest.raises(InvalidValue, match=rf"^vote: expected one that a rule doubts, got '{name}'"):
            store.suspicions.clear(name)


def test_a_vote_that_was_changed_or_withdrawn_is_not_counted_as_left_out(store: VoteStore) -> None:
    voted(store, "changed", "withdrawn", "there", seconds=0.01)
    store.suspicions.examine("v")
    assert left_out(store.suspicions.suspects())[Doubt.TOO_FAST] == 3
    store.cast(battle("changed"), "v", ballot(Verdict.RIGHT), seconds=60)
    store.cast(battle("withdrawn"), "v", None)
    assert left_out(store.suspicions.suspects()) == {doubt: int(doubt is Doubt.TOO_FAST) for doubt in Doubt}
    assert store.counts().suspect == 1


def test_the_words_are_those_of_the_last_answers_and_can_be_read_as_they_came(store: VoteStore) -> None:
    """Seven words in a quarter of a second: twelve could be read, so that a reaction is time enough."""
    store.cast(replace(battle("a"), voter="v"), "v", ballot(Verdict.LEFT), seconds=0.41)
    assert store.suspicions.examine("v") == 0


def test_a_guest_of_a_link_has_the_whole_text_at_once_and_less_time_is_too_fast(store: VoteStore) -> None:
    store.cast(replace(battle("a"), voter="host"), "host", ballot(Verdict.LEFT), seconds=0.41)
    voted(store, "a", voter="guest", seconds=0.41)
    assert store.suspicions.sweep() == 1
    assert [each.voter for each in store.suspicions.suspects()] == ["guest"]


def test_answers_that_were_kept_could_not_be_read_as_they_came(store: VoteStore) -> None:
    kept = replace(battle("kept"), voter="v", answers=tuple(replace(each, cached=True) for each in battle().answers))
    store.cast(kept, "v", ballot(Verdict.LEFT), seconds=0.41)
    assert store.suspicions.examine("v") == 1
    assert store.cast(replace(kept, id="later"), "v", ballot(Verdict.LEFT), seconds=0.6)
    assert store.suspicions.examine("v") == 0


def test_rankings_always_in_display_order_are_of_one_side_and_mixed_ones_are_not(store: VoteStore) -> None:
    three = replace(battle(), answers=tuple(map(answer, MIXTURES[:3])))
    for number in range(30):
        for voter, ranks in (("robot", (1, 2, 3)), ("person", (1, 2, 3) if number % 2 else (3, 1, 2))):
            name = f"{voter} {number}"
            store.cast(replace(three, id=name), voter, Ballot.ranked(ranks), equivalent=unsaid(3), seconds=20.0)
    assert store.suspicions.sweep() == 30
    assert {(each.voter, *each.reasons) for each in store.suspicions.suspects()} == {("robot", Doubt.ONE_SIDE)}
    assert left_out(store.suspicions.suspects())[Doubt.ONE_SIDE] == store.counts().suspect == 30


def test_every_rule_reads_what_it_needs_from_the_rows(database: Database) -> None:
    store = VoteStore(database, now=ticking(0.5))
    voted(store, *[f"duel {number}" for number in range(60)], seconds=0.01)
    store.suspicions.examine("v")
    assert set().union(*(each.reasons for each in store.suspicions.suspects())) == set(Doubt)


def test_a_sweep_examines_every_voter(store: VoteStore) -> None:
    for number in range(3):
        voted(store, f"duel {number}", voter=f"voter {number}", seconds=0.01 if number else 20.0)
    told: list[tuple[int, int]] = []
    assert store.suspicions.sweep(lambda done, of: told.append((done, of))) == 2
    assert told == [(1, 3), (2, 3), (3, 3)]


def test_a_reason_of_a_newer_program_says_nothing_here(database: Database, store: VoteStore) -> None:
    (vote,) = voted(store, "a")
    Suspicions(database)._keep([(vote, "unheard")])  # type: ignore[list-item]
    assert store.counts().suspect == 0
    assert not store.live_votes()[0].suspect
    assert not store.suspicions.suspects()[0].left_out
