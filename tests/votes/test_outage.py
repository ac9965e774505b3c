"""A database that is lost holds up nobody who can do without it, and is missed by nobody once it answers."""

from __future__ import annotations

from pathlib import Path

import pytest
from sqlalchemy import event

from medinject_demo.errors import StoreError
from medinject_demo.votes.database import WAITS, Database
from medinject_demo.votes.outage import REST, Outage
from medinject_demo.votes.store import VoteStore

from .samples import BALLOT, battle


class Hands:
    """A clock that stands still until it is moved."""

    def __init__(self) -> None:
        self.time = 0.0

    def __call__(self) -> float:
        return self.time


class Lost:
    """A store on a port where nobody listens; its attempts are counted, and so is what it waits between them."""

    def __init__(self, clock: Hands) -> None:
        self.attempts, self.waited = 0, list[float]()
        self.database = Database("postgresql://someone@127.0.0.1:1/votes", sleep=self.waited.append, clock=clock)
        event.listen(self.database._engine, "do_connect", self._count)
        self.store = VoteStore(self.database)

    def _count(self, *_given: object) -> None:
        self.attempts += 1


def test_who_can_do_without_a_lost_database_tries_once_and_then_rests() -> None:
    clock = Hands()
    lost = Lost(clock)
    asks = (
        lost.store.battles_by_pair,
        lambda: lost.store.check(patient=False),
        lambda: lost.store.links.erased("duel", "voter"),
        lambda: lost.store.kept_answers().find("prompt", battle().sampling, {}),
    )
    for ask in asks:
        with pytest.raises(StoreError, match="expected a database that answers"):
            ask()
    assert (lost.attempts, lost.waited) == (1, [])
    clock.time = REST
    with pytest.raises(StoreError):
        lost.store.battles_by_pair()
    assert (lost.attempts, lost.waited) == (2, [])


def test_who_must_ask_a_lost_database_waits_for_it_all_the_same() -> None:
    lost = Lost(Hands())
    with pytest.raises(StoreError):
        lost.store.battles_by_pair()
    with pytest.raises(StoreError):
        lost.store.cast(battle(), "voter", BALLOT)
    assert (lost.attempts, lost.waited) == (2 + len(WAITS), list(WAITS))


def test_a_vote_that_is_stored_ends_an_outage(tmp_path: Path) -> None:
    database = Database(f"sqlite:///{tmp_path}/votes.db", clock=Hands())
    store = VoteStore(database)
    database._outage.begin(StoreError("votes: expected a database that answers, got none."))
    with pytest.raises(StoreError):
        store.battles_by_pair()
    store.cast(battle(), "voter", BALLOT)
    assert sum(store.battles_by_pair().values()) == 1
    store.close()


def test_an_outage_says_what_was_said_when_it_began() -> None:
    outage = Outage(Hands())
    outage.require_over()
    outage.begin(StoreError("votes: expected one thing, got another."))
    with pytest.raises(StoreError, match="expected one thing, got another"):
        outage.require_over()
