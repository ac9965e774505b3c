"""Votes of two databases become one collection: none lost, none doubled, whichever comes first."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from medinject_demo.domain import Verdict
from medinject_demo.errors import InvalidData
from medinject_demo.votes.database import Database, Unfit
from medinject_demo.votes.exchange import Merged, live_records, merge, records
from medinject_demo.votes.forgetting import forget
from medinject_demo.votes.sheet import Record
from medinject_demo.votes.store import VoteStore

from .samples import BALLOT, PROMPT, ballot, battle
from .test_sheet import records_of


@pytest.fixture
def other(tmp_path: Path) -> Iterator[Database]:
    database = Database(f"sqlite:///{tmp_path}/other.db")
    yield database
    database.close()


def taken(database: Database, given: Sequence[Record], *, erase: bool = True) -> Merged:
    return database.write(lambda connection: merge(connection, given, erase=erase))


def at(database: Database, minutes: int) -> VoteStore:
    """A store whose clock stands still."""
    return VoteStore(database, now=lambda: datetime(2026, 11, 27, 20, tzinfo=UTC) + timedelta(minutes=minutes))


def test_votes_of_another_database_are_added_once(store: VoteStore, database: Database, other: Database) -> None:
    theirs = VoteStore(other)
    for number in range(3):
        theirs.cast(battle(f"b{number}"), "v", BALLOT, seconds=0.1)
    theirs.cast(battle("b0"), "v", ballot(Verdict.RIGHT))
    theirs.cast(battle("b1"), "v", None)
    assert taken(database, records_of(other)) == Merged(new=5)
    assert taken(database, records_of(other)) == Merged(known=5)
    assert store.live_votes() == theirs.live_votes()
    assert store.counts() == theirs.counts()
    assert records_of(database) == records_of(other)


def test_a_vote_given_twice_in_one_merge_is_stored_once(store: VoteStore, database: Database, other: Database) -> None:
    VoteStore(other).cast(battle(), "v", BALLOT)
    assert taken(database, records_of(other) * 2) == Merged(new=1, known=1)
    assert store.counts().votes == 1


def test_two_votes_with_one_version_are_counted_anew_by_their_time(database: Database, other: Database) -> None:
    later, earlier = (
        at(database, 5).cast(battle(), "v", ballot(Verdict.RIGHT)),
        at(other, 1).cast(battle(), "v", BALLOT),
    )
    ours, theirs = records_of(database), records_of(other)
    taken(database, theirs)
    taken(other, ours)
    for merged in (VoteStore(database), VoteStore(other)):
        history = merged.history("duel", "v")
        assert [(each.id, each.version) for each in history] == [(earlier.id, 1), (later.id, 2)]
        assert [each.vote.id for each in merged.live_votes()] == [later.id]


def test_a_vote_that_says_something_else_than_the_one_here_is_refused(database: Database, other: Database) -> None:
    VoteStore(other).cast(battle(), "v", BALLOT)
    (record,) = records_of(other)
    taken(database, [record])
    changed = replace(record, vote={**record.vote, "verdict": "right"}, where="votes.csv, line 2")
    with pytest.raises(InvalidData, match=r"^votes.csv, line 2, verdict: expected left, as in the vote .*, got right"):
        taken(database, [changed])


def test_a_merge_that_is_refused_adds_nothing(store: VoteStore, database: Database, other: Database) -> None:
    store.cast(battle("b"), "w", BALLOT)
    theirs = VoteStore(other)
    theirs.cast(battle("a"), "v", BALLOT)
    theirs.cast(battle("b", *battle("b").arms[::-1]), "v", BALLOT)
    with pytest.raises(InvalidData, match="arms: expected nat"):
        taken(database, records_of(other))
    assert store.battle("a") is None
    assert store.counts().votes == 1


@pytest.mark.parametrize("values", [{"version": 2**63}, {"verdict": "none of them"}])
def test_what_the_database_does_not_take_is_a_fault_of_the_row_and_no_outage(
    store: VoteStore, database: Database, other: Database, values: dict[str, object]
) -> None:
    VoteStore(other).cast(battle(), "v", BALLOT)
    (record,) = records_of(other)
    with pytest.raises(Unfit, match=r"expected values that the database takes, got .*Nothing was stored\."):
        taken(database, [replace(record, vote={**record.vote, **values})])
    assert store.battle("duel") is None
    store.check(patient=False)


@pytest.mark.parametrize("typed", [True, False])
def test_what_was_erased_there_is_erased_here_where_that_is_asked_for(
    store: VoteStore, database: Database, other: Database, typed: bool
) -> None:
    VoteStore(other).cast(battle(), "owner", BALLOT)
    taken(database, records_of(other))
    bundled = frozenset() if typed else frozenset({PROMPT.id})
    other.write(lambda connection: forget(connection, "owner", bundled, lambda: "1"))
    erased = records_of(other)
    assert taken(database, erased, erase=False).erased == 1
    assert store.live_votes()[0].ballot.comment == BALLOT.comment
    taken(database, erased)
    assert records_of(database) == erased


def test_what_was_erased_here_stays_erased(store: VoteStore, database: Database, other: Database) -> None:
    store.cast(battle(), "owner", BALLOT)
    whole = records_of(database)
    database.write(lambda connection: forget(connection, "owner", frozenset(), lambda: "1"))
    erased = records_of(database)
    assert taken(database, whole).behind == 2
    assert records_of(database) == erased


def test_who_was_forgotten_apart_and_voted_again_in_between_has_one_name(
    store: VoteStore, database: Database, other: Database
) -> None:
    store.cast(battle(), "owner", BALLOT)
    taken(other, records_of(database))
    store.cast(battle(), "owner", ballot(Verdict.RIGHT))
    VoteStore(other).cast(battle(), "owner", None)
    for one, name in ((database, "b"), (other, "a")):
        one.write(lambda connection, name=name: forget(connection, "owner", frozenset(), lambda: name))
    taken(database, records_of(other))
    taken(other, records_of(database))
    assert records_of(other) == records_of(database)
    assert [each.version for each in store.history("duel", "forgotten-a")] == [1, 2, 3]
    assert store.live_votes() == ()


def test_only_the_latest_word_is_live(store: VoteStore, database: Database) -> None:
    for said in (BALLOT, ballot(Verdict.RIGHT)):
        store.cast(battle("a"), "v", said)
    for said in (BALLOT, None):
        store.cast(battle("b"), "v", said)
    live = database.read(lambda connection: list(live_records(connection)))
    assert [(each.vote["battle"], each.vote["version"]) for each in live] == [("a", 2)]
    assert {each.vote["id"] for each in live} == {each.vote.id for each in store.live_votes()}


def test_votes_can_be_read_by_their_ids(store: VoteStore, database: Database) -> None:
    ids = [store.cast(battle(f"b{number}"), "v", BALLOT).id for number in range(4)]
    some = database.read(lambda connection: list(records(connection, ids[1:3])))
    assert [each.vote["id"] for each in some] == ids[1:3]
