"""A vote waits until a fresh shard of this data set holds it."""

from __future__ import annotations

import time

import pytest

from medinject_demo.votes.database import Database
from medinject_demo.votes.schema import battles, shards, shared, votes
from medinject_demo.votes.shelf import Shelf
from medinject_demo.votes.store import VoteStore

from .samples import BALLOT, battle

MANY = 20_000


@pytest.fixture
def shelf(database: Database) -> Shelf:
    return Shelf(database, "group/votes")


def test_what_no_shard_holds_waits_the_oldest_first(store: VoteStore, shelf: Shelf) -> None:
    ids = [store.cast(battle(name), "v", BALLOT).id for name in "abc"]
    assert shelf.waiting() == ids
    shelf.put("data/one", ids[:2], lambda now: True)
    assert (shelf.waiting(), shelf.how_many_wait(), shelf.how_many()) == (ids[2:], 1, 3)


def test_a_vote_waits_for_each_data_set_on_its_own(store: VoteStore, database: Database, shelf: Shelf) -> None:
    vote = store.cast(battle(), "v", BALLOT).id
    shelf.put("data/one", [vote], lambda now: True)
    assert Shelf(database, "group/other").waiting() == [vote]


def test_a_shard_whose_votes_changed_meanwhile_is_stale(store: VoteStore, shelf: Shelf) -> None:
    vote = store.cast(battle(), "v", BALLOT).id
    shelf.put("data/one", [vote], lambda now: [record.vote["id"] for record in now] != [vote])
    assert (shelf.stale(), shelf.waiting()) == ({"data/one"}, [vote])


def test_a_fresh_shard_that_is_gone_is_forgotten_and_a_stale_one_is_not(store: VoteStore, shelf: Shelf) -> None:
    ids = [store.cast(battle(name), "v", BALLOT).id for name in "ab"]
    for name, vote in zip(("data/fresh", "data/stale"), ids, strict=True):
        shelf.put(name, [vote], lambda now: True)
    shelf.renew(["data/stale"])
    shelf.keep([])
    assert (shelf.known(), shelf.waiting()) == ({"data/stale"}, ids)
    shelf.drop(["data/stale"])
    assert shelf.known() == set()


def test_many_votes_in_many_shards_are_looked_up_at_once(database: Database, shelf: Shelf) -> None:
    """Without the right index a round took minutes for 26,000 votes."""
    head = {"at": "t", "voter": "v", "prompt": "p", "kind": "oeq", "question": "", "context": "", "options": "[]"}
    head |= {"reference": "", "specialty": "", "origin": "", "arms": "nat+syn", "propensity": 1.0, "erased": 0}
    vote = {"voter": "v", "version": 1, "at": "t", "criteria": "[]", "comment": "", "profile": "public"}
    vote |= {"equivalent": "[]", "blind": 1, "erased": 0}
    name = "group/votes"

    def fill(connection) -> None:  # type: ignore[no-untyped-def]
        connection.execute(battles.insert(), {**head, "id": "b"})
        numbers = range(MANY)
        connection.execute(votes.insert(), [{**vote, "id": f"{n}", "battle": "b", "version": n} for n in numbers])
        connection.execute(shards.insert(), [{"dataset": name, "name": f"{n}", "stale": 0} for n in range(100)])
        rows = [{"dataset": name, "vote": f"{n}", "shard": f"{n % 100}"} for n in numbers[1:]]
        connection.execute(shared.insert(), rows)

    database.write(fill)
    begun = time.monotonic()
    assert shelf.waiting() == ["0"]
    assert time.monotonic() - begun < 5
