"""A voter has one name in a database, however many instances forgot them, and whichever heard of it first."""

from __future__ import annotations

import itertools
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import update

from medinject_demo.domain import Kind, Prompt, Verdict
from medinject_demo.errors import InvalidData
from medinject_demo.votes.database import Database
from medinject_demo.votes.exchange import merge
from medinject_demo.votes.forgetting import forget
from medinject_demo.votes.owed import Owed
from medinject_demo.votes.records import Ballot
from medinject_demo.votes.schema import votes
from medinject_demo.votes.store import VoteStore
from medinject_demo.votes.voters import count_anew, one_name_each

from .samples import battle
from .test_sheet import records_of

LEAVING, STAYING = "une personne qui part", "une qui reste"
DUELS = {"first": LEAVING, "second": STAYING}
"""Names of duels, and whose they are."""
BEGUN = datetime(2026, 11, 27, 20, tzinfo=UTC)
TYPED = Prompt(Kind.OEQ, f"Que faire, demande {LEAVING} ?")


class Instances:
    """Databases that begin with the same; time goes on with every vote, and every forgetting gives names of its own."""

    def __init__(self, databases: list[Database]) -> None:
        self.databases, self._numbers = databases, itertools.count()
        for name, voter in itertools.product(DUELS, (LEAVING, STAYING)):
            self.cast(0, name, voter, Verdict.LEFT)
        for here in range(1, len(databases)):
            self.pull(here, 0)

    def cast(self, here: int, name: str, voter: str, verdict: Verdict) -> None:
        mine = DUELS[name] == LEAVING
        duel = replace(battle(name, prompt=TYPED if mine else battle().prompt), voter=DUELS[name])
        at = BEGUN + timedelta(seconds=next(self._numbers))
        VoteStore(self.databases[here], now=lambda: at).cast(duel, voter, Ballot(verdict, comment=f"{voter}, {at}"))

    def knows(self, here: int) -> bool:
        return LEAVING in repr([record.vote["voter"] for record in records_of(self.databases[here])])

    def forget(self, here: int) -> None:
        numbers, new_id = next(self._numbers), itertools.count()
        self.databases[here].write(
            lambda connection: forget(connection, LEAVING, frozenset(), lambda: f"{9 - numbers % 9}-{next(new_id)}")
        )

    def pull(self, here: int, there: int) -> None:
        found = records_of(self.databases[there])
        self.databases[here].write(lambda connection: merge(connection, found))

    def settled(self) -> None:
        """Everybody hears of everybody, until nothing is new."""
        for _ in range(3):
            for here, there in itertools.permutations(range(len(self.databases)), 2):
                self.pull(here, there)


@contextmanager
def instances(count: int = 3) -> Iterator[Instances]:
    with ExitStack() as opened:
        folder = Path(opened.enter_context(tempfile.TemporaryDirectory()))
        urls = [f"sqlite:///{folder}/{number}.db" for number in range(count)]
        yield Instances([opened.enter_context(closing(Database(url))) for url in urls])


PLACES = st.integers(0, 2)
STEPS = st.one_of(
    st.tuples(st.just("cast"), PLACES, st.sampled_from([*DUELS]), st.sampled_from(list(Verdict))),
    st.tuples(st.just("forget"), PLACES),
    st.tuples(st.just("pull"), PLACES, PLACES),
)


@settings(max_examples=25, deadline=None)
@given(st.lists(STEPS, max_size=12))
def test_in_whatever_order_instances_hear_of_a_forgetting_they_come_to_the_same(
    steps: list[tuple[object, ...]],
) -> None:
    with instances() as all_of_them:
        forgotten, said = False, dict.fromkeys(DUELS, Verdict.LEFT)
        for step, *given_to in steps:
            here = given_to[0]
            if step == "cast" and all_of_them.knows(here):
                all_of_them.cast(here, given_to[1], LEAVING, given_to[2])
                said[given_to[1]] = given_to[2]
            elif step == "forget" and all_of_them.knows(here):
                all_of_them.forget(here)
                forgotten = True
            elif step == "pull" and here != given_to[1]:
                all_of_them.pull(*given_to)
        all_of_them.settled()
        first, *others = [records_of(database) for database in all_of_them.databases]
        assert all(other == first for other in others)
        assert (LEAVING in repr(first)) is not forgotten
        live = VoteStore(all_of_them.databases[0]).live_votes()
        assert len({each.vote.voter for each in live}) == 2
        last = {each.vote.battle: each.ballot.verdict for each in live if each.vote.voter != STAYING}
        assert last == said
        assert len(live) == 4


def test_a_vote_changed_before_its_voter_was_known_to_be_forgotten_counts_once() -> None:
    with instances(2) as both:
        both.cast(0, "second", LEAVING, Verdict.RIGHT)
        both.forget(1)
        both.pull(1, 0)
        both.pull(0, 1)
        for database in both.databases:
            mine = [each for each in VoteStore(database).live_votes() if each.vote.voter != STAYING]
            assert [each.ballot.verdict for each in mine if each.vote.battle == "second"] == [Verdict.RIGHT]
            assert LEAVING not in repr(records_of(database))
            assert all(each.startswith(("forgotten-", STAYING)) for each in examined(database))


def test_what_a_forgotten_voter_typed_elsewhere_is_erased_there_too() -> None:
    with instances(2) as both:
        both.forget(1)
        duel = replace(battle("another", prompt=TYPED), voter=LEAVING)
        VoteStore(both.databases[0]).cast(duel, LEAVING, Ballot(Verdict.LEFT, comment="un mot"))
        both.pull(0, 1)
        assert LEAVING not in repr(records_of(both.databases[0]))
        assert "un mot" not in repr(records_of(both.databases[0]))
        assert Owed(both.databases[0]).scrubs


def test_where_nothing_is_to_be_erased_a_voter_gets_no_second_name() -> None:
    with instances(2) as both:
        both.cast(1, "second", LEAVING, Verdict.RIGHT)
        both.forget(1)
        before, found = records_of(both.databases[0]), records_of(both.databases[1])
        with pytest.raises(InvalidData, match=r"got one who was forgotten on one of the sides\. Give --erase\."):
            both.databases[0].write(lambda connection: merge(connection, found, erase=False))
        assert records_of(both.databases[0]) == before


def examined(database: Database) -> list[str]:
    seen: list[str] = []
    Owed(database).examine(lambda voter: seen.append(voter) or 0)
    return seen


def test_the_latest_of_two_votes_is_so_by_their_times_whatever_the_form_of_these(tmp_path: Path) -> None:
    with closing(Database(f"sqlite:///{tmp_path}/votes.db")) as database:
        first, second = (
            VoteStore(database, now=lambda at=at: at).cast(battle(), "v", Ballot(verdict)).id
            for at, verdict in ((BEGUN, Verdict.LEFT), (BEGUN + timedelta(seconds=1), Verdict.RIGHT))
        )
        compact = update(votes).where(votes.c.id == first).values(at=f"{BEGUN:%Y%m%dT%H%M%S}Z")
        database.write(lambda connection: connection.execute(compact))
        database.write(lambda connection: count_anew(connection, "duel", "v"))
        (live,) = VoteStore(database).live_votes()
        assert live.vote.id == second


def test_of_names_that_point_to_nobody_the_least_stays() -> None:
    same = [("hash", "forgotten-b"), ("forgotten-c", "forgotten-b"), ("forgotten-a", "forgotten-c"), ("x", "y")]
    assert one_name_each(same) == dict.fromkeys(("hash", "forgotten-b", "forgotten-c"), "forgotten-a")


def test_names_of_other_voters_stay_apart() -> None:
    assert one_name_each([("a", "forgotten-1"), ("b", "forgotten-2")]) == {"a": "forgotten-1", "b": "forgotten-2"}
