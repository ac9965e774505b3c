"""Who gives a vote again gives the same vote, but for what was erased of it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import update

from medinject_demo.domain import MIXTURES
from medinject_demo.errors import InvalidData
from medinject_demo.votes.database import Database
from medinject_demo.votes.exchange import Merged, merge
from medinject_demo.votes.forgetting import forget
from medinject_demo.votes.moments import moment_of
from medinject_demo.votes.records import Ballot, unsaid
from medinject_demo.votes.schema import votes
from medinject_demo.votes.sheet import Record
from medinject_demo.votes.store import VoteStore

from .samples import BALLOT, answer, battle
from .test_sheet import records_of


@pytest.fixture
def filled(tmp_path: Path) -> Iterator[Database]:
    database = Database(f"sqlite:///{tmp_path}/votes.db")
    store = VoteStore(database)
    store.cast(battle(), "v", BALLOT, seconds=9.0)
    three = replace(battle("three"), answers=tuple(map(answer, MIXTURES[1:4])))
    store.cast(three, "v", Ballot.ranked((1, 2, 3)), equivalent=unsaid(3), seconds=9.0)
    yield database
    database.close()


def duel(database: Database) -> Record:
    (found,) = [each for each in records_of(database) if each.battle["id"] == "duel"]
    return replace(found, where="votes.csv, line 2")


def with_vote(record: Record, **values: object) -> Record:
    return replace(record, vote={**record.vote, **values})


def with_battle(record: Record, **values: object) -> Record:
    return replace(record, battle={**record.battle, **values})


def with_answer(record: Record, **values: object) -> Record:
    first, *others = record.answers
    return replace(record, answers=({**first, **values}, *others))


def taken(database: Database, *given: Record, erase: bool = True) -> Merged:
    return database.write(lambda connection: merge(connection, given, erase=erase))


def test_a_time_of_another_form_names_the_same_vote_and_another_time_another(filled: Database) -> None:
    """As an earlier import has stored it."""
    here = duel(filled)
    odd = f"{moment_of(here.vote['at']):%Y%m%dT%H%M%S.%fZ}"
    filled.write(
        lambda connection: connection.execute(update(votes).where(votes.c.id == here.vote["id"]).values(at=odd))
    )
    assert taken(filled, here) == Merged(known=1)
    with pytest.raises(InvalidData, match=r"^votes.csv, line 2, at: expected"):
        taken(filled, with_vote(here, at="2020-01-01T00:00:00.000000+00:00"))


def test_a_vote_given_again_is_known(filled: Database) -> None:
    assert taken(filled, *records_of(filled)) == Merged(known=2)


@pytest.mark.parametrize(
    ("change", "name"),
    [
        *(
            (with_vote, {name: value})
            for name, value in {
                "verdict": "right",
                "criteria": "[[], []]",
                "equivalent": "[true, false]",
                "profile": "physician",
                "seconds": 1.0,
                "comment": "un autre mot",
                "voter": "w",
                "blind": 0,
            }.items()
        ),
        *((with_battle, {name: value}) for name, value in {"specialty": "z", "prompt": "0", "voter": "w"}.items()),
        *(
            (with_answer, {name: value})
            for name, value in {"fingerprint": "autre", "text": "un autre", "tokens": 8, "seconds": 9.0}.items()
        ),
    ],
)
def test_a_vote_that_says_anything_else_is_refused_with_the_field(
    filled: Database, change: Any, name: dict[str, object]
) -> None:
    before = records_of(filled)
    (field,) = name
    with pytest.raises(InvalidData, match=rf"^votes.csv, line 2, {field}: expected .*, as in the (vote|battle) "):
        taken(filled, change(duel(filled), **name))
    assert records_of(filled) == before


def test_another_ranking_under_the_same_id_is_refused(filled: Database) -> None:
    (three,) = [each for each in records_of(filled) if each.battle["id"] == "three"]
    with pytest.raises(InvalidData, match=r"ranking: expected \[1, 2, 3\], as in the vote .*, got \[3, 2, 1\]"):
        taken(filled, with_vote(three, ranking="[3, 2, 1]"))


def test_a_battle_with_an_answer_less_is_refused(filled: Database) -> None:
    record = duel(filled)
    with pytest.raises(InvalidData, match="answers: expected"):
        taken(filled, replace(record, answers=record.answers[:1]))


def test_two_votes_of_one_id_in_one_file_say_the_same(filled: Database, tmp_path: Path) -> None:
    record, fresh = duel(filled), Database(f"sqlite:///{tmp_path}/fresh.db")
    with pytest.raises(InvalidData, match="verdict: expected left"):
        taken(fresh, record, with_vote(record, verdict="right"))
    with pytest.raises(InvalidData, match="fingerprint: expected"):
        taken(fresh, record, with_vote(with_answer(record, fingerprint="autre"), id="another"))
    fresh.close()


def test_what_was_said_of_no_answer_is_the_same_in_any_number_of_places(filled: Database) -> None:
    assert taken(filled, with_vote(duel(filled), equivalent="[]")) == Merged(known=1)


def test_a_sampling_of_an_earlier_program_is_the_same(filled: Database) -> None:
    record = duel(filled)
    earlier = tuple({**each, "sampling": f'{{"temperature": 0, "seed": {2**63 - 1}}}'} for each in record.answers)
    assert taken(filled, replace(record, answers=earlier)) == Merged(known=1)


@pytest.mark.parametrize("which", ["here", "there"])
def test_what_was_erased_on_one_side_is_not_compared(filled: Database, tmp_path: Path, which: str) -> None:
    whole = records_of(filled)
    other = Database(f"sqlite:///{tmp_path}/other.db")
    taken(other, *whole)
    erased, given = (filled, other) if which == "here" else (other, filled)
    for voter in ("v", "owner"):
        erased.write(lambda connection, voter=voter: forget(connection, voter, frozenset(), lambda: voter))
    taken(filled, *records_of(other))
    taken(given, *records_of(erased))
    assert records_of(filled) == records_of(other)
    other.close()
