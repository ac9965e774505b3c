from __future__ import annotations

import csv
import io
import json
from pathlib import Path
from typing import Any

import pytest

from medinject_demo.boards import Reading
from medinject_demo.domain import BASE, MIXTURES, Kind, Prompt, Verdict
from medinject_demo.stats.board import Rule
from medinject_demo.stats.report import report
from medinject_demo.stats.selection import Selection
from medinject_demo.ui.board_documents import record, table
from medinject_demo.votes.store import VoteStore
from tests.duels import store_at
from tests.votes.samples import PROMPT, ballot, battle, every_sort_of_vote

from .reports import AT
from .reports import report as made

TRANSLATED = MIXTURES[2]


OPEN = Prompt(Kind.OEQ, "Que faire ?", specialty="pneumologie")
PARTS = [
    Selection(),
    Selection(kind="oeq"),
    Selection(specialty="cardiologie"),
    Selection(profile="physician"),
    Selection("mcq", "cardiologie", "undeclared"),
    Selection("mcqu"),
]


def told(store: VoteStore, selection: Selection = Selection(), least: int = Rule().least_votes) -> dict[str, Any]:
    """What a program is told of these votes."""
    of = report(store.frame(), selection, as_of=AT, rule=Rule(least_votes=least))
    return json.loads(json.dumps(record(Reading(of, 1))))  # type: ignore[no-any-return]


def test_the_counts_say_what_the_store_counts(tmp_path: Path) -> None:
    store = store_at(tmp_path)
    store.cast(battle("one", TRANSLATED, BASE), "me", ballot(Verdict.LEFT))
    store.cast(battle("two", BASE, TRANSLATED), "you", ballot(Verdict.RIGHT), blind=False)
    said = told(store)
    assert (said["battles"], said["votes"], said["counted"], said["voters"]) == (1, 2, 1, 1)
    assert (said["after_reveal"], said["suspect"], said["coverage"]) == (1, 0, 1 / 28)
    (met,) = [each for each in said["pairs"] if each["battles"]]
    assert met == {
        "arms": ["base", "trad"],
        "battles": 1,
        "wins": [0, 1],
        "both_good": 0,
        "both_bad": 0,
        "unsure": 0,
        "alike": 0,
        "decisive": 1,
        "enough": False,
    }
    assert len(said["pairs"]) == 28


def test_enough_is_what_the_rule_of_the_board_says(tmp_path: Path) -> None:
    store = store_at(tmp_path)
    for number in range(3):
        store.cast(battle(f"{number}", BASE, TRANSLATED), "me", ballot(Verdict.RIGHT))
    for least in (3, 4):
        said = told(store, least=least)
        assert said["least_decisive"] == least
        assert any(each["enough"] for each in said["pairs"]) == (least == 3)
    assert told(store)["least_decisive"] == 20


@pytest.mark.parametrize("part", PARTS, ids=lambda part: "-".join(filter(None, vars(part).values())) or "all")
def test_all_that_is_told_of_a_part_is_what_would_be_told_were_there_no_other_votes(
    tmp_path: Path, part: Selection
) -> None:
    """Every count, table, effect and bias follows the filters, whoever draws it: it is one document."""
    store = store_at(tmp_path)
    every_sort_of_vote(store, (PROMPT, OPEN))
    frame, wanted = store.frame(), vars(part)
    of_part = frame[[all(value in (None, row[name]) for name, value in wanted.items()) for _, row in frame.iterrows()]]
    alone = record(Reading(report(of_part, as_of=AT), 1))
    whole = record(Reading(report(frame, part, as_of=AT), 1))
    assert whole["board"].pop("selection") == wanted
    alone["board"].pop("selection")
    assert whole == alone


def test_the_document_keeps_the_counts_and_gains_the_strengths() -> None:
    shown = made(selection=Selection("oeq", "cardiologie", None))
    document = json.loads(json.dumps(record(Reading(shown, 1))))
    assert {"battles", "votes", "voters", "after_reveal", "coverage", "least_decisive", "pairs"} <= set(document)
    board = document["board"]
    assert board["as_of"] == AT.isoformat()
    assert board["selection"] == {"kind": "oeq", "specialty": "cardiologie", "profile": None}
    assert [row["arm"] for row in board["rows"]] == [row.arm.slug for row in shown.board.rows]
    first, drawn = board["rows"][0], shown.board.rows[0]
    assert first["controlled"]["points"]["low"] == drawn.controlled.points.low
    assert {"preference", "raw_preference", "equivalence", "exactness"} == set(document["provenances"])
    assert document["bias"]["agreement"]["alpha"] == 0.31


def test_every_line_of_the_table_says_when_and_of_what_it_is() -> None:
    shown = made(selection=Selection("oeq", None, "physician"))
    lines = list(csv.DictReader(io.StringIO(table(shown))))
    assert [line["arm"] for line in lines] == [row.arm.slug for row in shown.board.rows]
    for line in lines:
        assert line["as_of"] == AT.isoformat()
        assert (line["only_kind"], line["only_specialty"], line["only_profile"]) == ("oeq", "any", "physician")
        assert (line["left_out_not_blind"], line["left_out_suspect"]) == ("12", "5")
    assert float(lines[0]["controlled_points"]) == shown.board.rows[0].controlled.points.value
