"""Doubts are rows beside the votes: they leave votes out of what is counted, and change or delete none."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest

from medinject_demo.domain import Verdict
from medinject_demo.errors import InvalidValue
from medinject_demo.votes.database import Database
from medinject_demo.votes.store import VoteStore
from medinject_demo.votes.suspects import Suspicions, left_out
from medinject_demo.votes.suspicion import Doubt

from .samples import LEFT, RIGHT, ballot, battle


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
    assert (counts.battles, counts.votes, counts.suspect, counts.after_reveal) == (2, 2, 1, 0)
    assert counts.pairs[(LEFT, RIGHT)].wins == (1, 0)
    assert {live.vote.battle: live.reasons for live in store.live_votes()} == {
        "honest": frozenset(),
        "fast": {Doubt.TOO_FAST},
    }
    assert [live.suspect for live in store.live_votes() if live.vote.id == fast] == [True]
    assert len(store.history("fast", "v")) == 1


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
    voted(store, "a", seconds=0.41)
    assert store.suspicions.examine("v") == 0


def test_every_rule_reads_what_it_needs_from_the_rows(database: Database) -> None:
    store = VoteStore(database, now=ticking(0.5))
    voted(store, *[f"duel {number}" for number in range(40)], seconds=0.01)
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
