"""A vote as a flat row is the same vote, and a row that does not hold together is refused in a sentence."""

from __future__ import annotations

import json
import re
from copy import deepcopy
from typing import Any

import pytest
from hypothesis import given

from medinject_demo.domain import Battle
from medinject_demo.errors import InvalidData
from medinject_demo.votes.database import Database
from medinject_demo.votes.exchange import records
from medinject_demo.votes.records import Ballot
from medinject_demo.votes.sheet import FIELDS, Record, Row, record_of, row_of
from medinject_demo.votes.store import VoteStore

from .samples import BALLOT, battle
from .test_moments import FORMS
from .test_store import ONE_STORE, ballots, battles


def records_of(database: Database) -> list[Record]:
    return database.read(lambda connection: list(records(connection)))


@ONE_STORE
@given(battles(), ballots())
def test_a_row_reads_back_as_the_rows_it_was_made_of(
    store: VoteStore, database: Database, one: Battle, said: Ballot
) -> None:
    store.cast(one, "v", said, equivalent=(True, None), seconds=0.1)
    (record,) = [each for each in records_of(database) if each.battle["id"] == one.id]
    again = record_of(json.loads(json.dumps(row_of(record))), "")
    assert (again.vote, again.battle, again.answers) == (record.vote, record.battle, record.answers)


@pytest.fixture
def row(store: VoteStore, database: Database) -> Row:
    store.cast(battle(), "v", BALLOT, seconds=1.5)
    return row_of(records_of(database)[0])


def test_a_row_has_the_columns_that_are_documented(row: Row) -> None:
    assert tuple(row) == FIELDS


def test_a_withdrawal_is_a_row_too(store: VoteStore, database: Database) -> None:
    store.cast(battle(), "v", BALLOT)
    store.cast(battle(), "v", None)
    last = row_of(records_of(database)[-1])
    assert (last["verdict"], last["version"]) == (None, 2)
    assert record_of(last, "").vote["verdict"] is None


def without(name: str) -> Any:
    return lambda row: row.pop(name)


def turned(row: Row) -> None:
    row["arms"] = row["arms"][::-1]


def restyled(row: Row) -> None:
    row["turns"][0]["answers"][0]["words"] += 1


def reseeded(row: Row) -> None:
    row["turns"][0]["sampling"]["seed"] = -1


def set_to(name: str, value: object) -> Any:
    return lambda row: row.update({name: value})


def counted(name: str, value: int) -> Any:
    return lambda row: row["turns"][0]["answers"][0].update({name: value})


def nested(depth: int) -> list[Any]:
    inner: list[Any] = []
    for _ in range(depth):
        inner = [inner]
    return inner


COUNTED = ("tokens", "words", "headers", "bold", "lists", "emoji")


@pytest.mark.parametrize(
    ("spoil", "sentence"),
    [
        (without("turns"), "field 'turns' is missing"),
        (turned, "turn 0: expected answers of trad-syn+nat, got nat+trad-syn"),
        (restyled, "turn 0, nat: expected"),
        (reseeded, "seed: expected a number from 0"),
        (set_to("question", "Une autre ?"), "prompt: expected the hash"),
        (set_to("verdict", "gauche"), "field 'verdict'"),
        (set_to("propensity", 1.5), "field 'propensity'"),
        (set_to("propensity", float("nan")), "field 'propensity'"),
        (set_to("version", 0), "field 'version'"),
        (
            set_to("at", "2026-11-27"),
            "at: expected a date and a time of day in ISO 8601, with its offset",
        ),
        (set_to("begun", "hier"), "begun: expected a date and a time of day in ISO 8601"),
        (set_to("criteria", [["clarity"]]), "criteria: expected 2, one an answer, got 1"),
        (set_to("criteria", [["élégance"], []]), "field 'criteria"),
        (set_to("equivalent", [True, None, None]), "equivalent: expected 2"),
        (set_to("arms", ["nat", "nat"]), "arms: expected each once"),
        (set_to("arms", ["nat"]), "field 'arms'"),
        (set_to("ranking", [1, 1, 1]), "ranking: expected a rank from 1 for each answer"),
        (set_to("comment", "x" * 10_001), "field 'comment'"),
        (set_to("vote", ""), "field 'vote'"),
        (set_to("comment", "\ud800"), "field 'comment'"),
        (set_to("version", 2**31), "field 'version'"),
        (set_to("version", "9" * 5_000), "field 'version'"),
        (set_to("ranking", [1, 9]), "field 'ranking.1'"),
        (set_to("seconds", 10**400), "field 'seconds'"),
        *((counted(name, 2**31), f"field 'turns.0.answers.0.{name}'") for name in COUNTED),
        (counted("cached", 2), "field 'turns.0.answers.0.cached'"),
    ],
)
def test_a_row_that_does_not_hold_together_is_refused(row: Row, spoil: Any, sentence: str) -> None:
    spoilt = deepcopy(row)
    spoil(spoilt)
    with pytest.raises(InvalidData) as refused:
        record_of(spoilt, "votes.csv, line 7")
    assert str(refused.value).startswith("votes.csv, line 7: ")
    assert sentence in str(refused.value)
    assert not re.search(r"(?<!\.)\.\.$", str(refused.value))


@pytest.mark.parametrize("form", FORMS)
def test_a_time_of_any_form_is_kept_in_the_one_whose_texts_are_in_the_order_of_time(row: Row, form: str) -> None:
    record = record_of(row | {"at": form, "begun": form}, "votes.csv, line 7")
    assert record.vote["at"] == record.battle["at"] == "2026-03-06T09:05:00.000000+00:00"


@pytest.mark.parametrize("depth", [900, 100_000])
def test_a_row_that_is_nested_too_deep_is_refused(row: Row, depth: int) -> None:
    with pytest.raises(InvalidData, match=r"^votes.csv, line 7: "):
        record_of(row | {"comment": nested(depth)}, "votes.csv, line 7")


@pytest.mark.parametrize("name", ["top_k", "seed", "max_new_tokens", "temperature"])
def test_a_sampling_of_a_number_too_great_is_refused(row: Row, name: str) -> None:
    row["turns"][0]["sampling"][name] = 10**400
    with pytest.raises(InvalidData, match=r"^votes.csv, line 7: "):
        record_of(row, "votes.csv, line 7")


def test_a_text_with_a_nul_is_taken_without_it(row: Row) -> None:
    assert record_of(row | {"comment": "a\0b"}, "").vote["comment"] == "a\ufffdb"


def test_of_what_was_not_said_one_is_filled_in_for_each_answer(row: Row) -> None:
    unsaid = record_of(row | {"criteria": [[], [], []], "equivalent": []}, "")
    assert (unsaid.vote["criteria"], unsaid.vote["equivalent"]) == ("[[], []]", "[null, null]")


def test_a_battle_of_three_answers_is_a_row_too(row: Row) -> None:
    third = row["turns"][0]["answers"][0] | {"mixture": "syn"}
    turn = row["turns"][0] | {"answers": [*row["turns"][0]["answers"], third]}
    three = row | {"arms": [*row["arms"], "syn"], "turns": [turn], "verdict": None, "criteria": [], "equivalent": []}
    record = record_of(three, "")
    assert record.battle["arms"] == "nat+trad-syn+syn"
    assert [each["place"] for each in record.answers] == [0, 1, 2]
    assert row_of(record)["turns"] == three["turns"]


def of_three(row: Row, **said: object) -> Row:
    third = row["turns"][0]["answers"][0] | {"mixture": "syn"}
    turn = row["turns"][0] | {"answers": [*row["turns"][0]["answers"], third]}
    return row | {"arms": [*row["arms"], "syn"], "turns": [turn], "criteria": [], "equivalent": []} | said


def test_a_ranking_is_read_with_a_place_for_each_answer(row: Row) -> None:
    record = record_of(of_three(row, verdict=None, ranking=[1, 2, 2]), "")
    assert (record.vote["criteria"], record.vote["equivalent"]) == ("[[], [], []]", "[null, null, null]")


@pytest.mark.parametrize(
    ("said", "sentence"),
    [
        ({"verdict": "left", "ranking": [1, 2, 2]}, "verdict: expected none beside a ranking, got left"),
        ({"verdict": "left"}, "verdict: expected a ranking of 3 answers, got a verdict"),
        ({"verdict": None, "ranking": [1, 2]}, "ranking: expected a rank from 1 for each answer"),
    ],
)
def test_of_three_answers_there_is_a_ranking_and_no_verdict(row: Row, said: Row, sentence: str) -> None:
    with pytest.raises(InvalidData) as refused:
        record_of(of_three(row, **said), "")
    assert sentence in str(refused.value)


def test_two_answers_are_not_ranked(row: Row) -> None:
    with pytest.raises(InvalidData, match="ranking: expected a verdict on 2 answers, got a ranking"):
        record_of(row | {"verdict": None, "ranking": [1, 2]}, "")
