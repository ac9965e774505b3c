from __future__ import annotations

import csv
import io
import json
from pathlib import Path

from medinject_demo.boards import Reading
from medinject_demo.domain import BASE, MIXTURES, Verdict
from medinject_demo.stats.board import Rule
from medinject_demo.stats.selection import Selection
from medinject_demo.ui.board_documents import counted, record, table
from tests.duels import store_at
from tests.votes.samples import ballot, battle

from .reports import AT, report

TRANSLATED = MIXTURES[2]


def test_the_counts_say_what_the_store_counts(tmp_path: Path) -> None:
    store = store_at(tmp_path)
    store.cast(battle("one", TRANSLATED, BASE), "me", ballot(Verdict.LEFT))
    store.cast(battle("two", BASE, TRANSLATED), "you", ballot(Verdict.RIGHT), blind=False)
    said = counted(store.counts(), Rule())
    assert (said["battles"], said["votes"], said["voters"], said["after_reveal"], said["suspect"]) == (2, 2, 2, 1, 0)
    (met,) = [each for each in said["pairs"] if each["battles"]]
    assert met == {
        "arms": ["base", "trad"],
        "battles": 2,
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
        said = counted(store.counts(), Rule(least_votes=least))
        assert said["least_decisive"] == least
        assert any(each["enough"] for each in said["pairs"]) == (least == 3)
    assert counted(store.counts(), Rule())["least_decisive"] == 20


def test_the_document_keeps_the_counts_and_gains_the_strengths(tmp_path: Path) -> None:
    shown = report(selection=Selection("oeq", "cardiologie", None))
    document = json.loads(json.dumps(record(Reading(shown, store_at(tmp_path).counts(), 1))))
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
    shown = report(selection=Selection("oeq", None, "physician"))
    lines = list(csv.DictReader(io.StringIO(table(shown))))
    assert [line["arm"] for line in lines] == [row.arm.slug for row in shown.board.rows]
    for line in lines:
        assert line["as_of"] == AT.isoformat()
        assert (line["only_kind"], line["only_specialty"], line["only_profile"]) == ("oeq", "any", "physician")
        assert (line["left_out_not_blind"], line["left_out_suspect"]) == ("12", "5")
    assert float(lines[0]["controlled_points"]) == shown.board.rows[0].controlled.points.value
