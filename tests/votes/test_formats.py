"""What is written to a file is read from it, and a spreadsheet finds nothing in it to run."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given

from medinject_demo.errors import InvalidData, InvalidValue
from medinject_demo.votes.database import Database
from medinject_demo.votes.formats import FORMULA, WRITERS, neutral, read, restored
from medinject_demo.votes.records import Ballot
from medinject_demo.votes.sheet import FIELDS, Row, row_of
from medinject_demo.votes.store import VoteStore

from .samples import BALLOT, answer, battle
from .test_sheet import records_of
from .test_store import ONE_STORE, TEXTS, ballots

COMMENT = "=SOMME(A1:A9);\n« œdème », 'un' 💪\r\n"


@pytest.fixture
def rows(store: VoteStore, database: Database) -> list[Row]:
    store.cast(battle("-a"), "v", Ballot(BALLOT.verdict, BALLOT.criteria, COMMENT), seconds=0.1 + 0.2)
    store.cast(battle("-a"), "v", None)
    store.cast(battle("b"), "+v", BALLOT, equivalent=(True, None))
    return [row_of(record) | {"live": True} for record in records_of(database)]


def kept(rows: list[Row]) -> list[Row]:
    return [{name: row[name] for name in FIELDS if name != "ranking"} for row in rows]


@pytest.mark.parametrize("form", WRITERS)
def test_what_is_written_is_read(rows: list[Row], tmp_path: Path, form: str) -> None:
    from medinject_demo.votes.sheet import record_of

    WRITERS[form](tmp_path / f"votes.{form}", rows)
    again = [row_of(record_of(row, where)) for where, row in read(tmp_path / f"votes.{form}")]
    assert kept(again) == kept(rows)


@ONE_STORE
@given(ballots(), TEXTS)
def test_any_text_survives_a_csv(
    store: VoteStore, database: Database, tmp_path_factory: pytest.TempPathFactory, said: Ballot, text: str
) -> None:
    place = tmp_path_factory.mktemp("csv") / "votes.csv"
    store.cast(battle(f"b{text!r}"), "v", said)
    rows = [row_of(record) for record in records_of(database)]
    WRITERS["csv"](place, rows)
    assert [row["comment"] for _, row in read(place)] == [row["comment"] for row in rows]


@pytest.mark.parametrize("first", FORMULA)
def test_a_cell_that_a_spreadsheet_would_run_gets_an_apostrophe(first: str) -> None:
    assert neutral(f"{first}cmd|' /C calc'!A0") == f"'{first}cmd|' /C calc'!A0"


@given(TEXTS)
def test_a_cell_is_restored_as_it_was(text: str) -> None:
    assert restored(neutral(text)) == text
    assert not neutral(text).startswith(FORMULA) or neutral(text)[0] == "'"


def test_no_cell_of_a_csv_begins_as_a_formula(rows: list[Row], tmp_path: Path) -> None:
    rows[0]["turns"][0]["answers"][0]["text"] = "=1+1"
    WRITERS["csv"](tmp_path / "votes.csv", rows)
    with (tmp_path / "votes.csv").open(encoding="utf-8-sig", newline="") as file:
        lines = list(csv.reader(file))
    assert [cell for line in lines for cell in line if cell.startswith(tuple("=+-@\t\r"))] == []
    assert "'=1+1" in lines[1]


def test_a_csv_shows_the_arm_and_the_answer_of_each_side(rows: list[Row], tmp_path: Path) -> None:
    WRITERS["csv"](tmp_path / "votes.csv", rows)
    with (tmp_path / "votes.csv").open(encoding="utf-8-sig", newline="") as file:
        first = next(csv.DictReader(file))
    assert (first["arm_1"], first["arm_2"], first["arm_3"]) == ("nat", "trad-syn", "")
    assert first["answer_1"] == answer(battle().arms[0]).text


def test_a_folder_is_every_file_in_it(rows: list[Row], tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    WRITERS["jsonl"](tmp_path / "data/one.jsonl", rows[:1])
    WRITERS["csv"](tmp_path / "data/two.csv", rows[1:])
    (tmp_path / "README.md").write_text("une carte")
    assert [row["vote"] for _, row in read(tmp_path)] == [row["vote"] for row in rows]


def cut_line(place: Path) -> None:
    place.write_text(place.read_text()[:-20])


def two_cells(place: Path) -> None:
    place.write_text(place.read_text(encoding="utf-8-sig").splitlines()[0] + "\na,b\n")


def no_json(place: Path) -> None:
    place.write_text('criteria,vote\n"[",a\n')


def bytes_that_are_no_text(place: Path) -> None:
    place.write_bytes(b'vote\n"\xff"\n')


@pytest.mark.parametrize(
    ("name", "spoil", "sentence"),
    [
        ("votes.jsonl", cut_line, r"votes.jsonl, line 3: expected a JSON object, got"),
        ("votes.jsonl", lambda place: place.write_text("[1]\n"), "line 1: expected a JSON object, got list"),
        ("votes.csv", two_cells, "votes.csv, line 2: expected as many cells as the heading, got another number"),
        ("votes.csv", no_json, "line 2, column criteria: expected JSON"),
        ("votes.csv", bytes_that_are_no_text, "votes.csv: expected a file that can be read"),
        ("votes.parquet", lambda place: place.write_bytes(b"PAR1"), "expected a Parquet file of votes"),
    ],
)
def test_a_file_that_is_spoilt_is_refused_with_its_line(
    rows: list[Row], tmp_path: Path, name: str, spoil: Callable[[Path], object], sentence: str
) -> None:
    place = tmp_path / name
    WRITERS[place.suffix[1:]](place, rows)
    spoil(place)
    with pytest.raises(InvalidData, match=sentence):
        list(read(place))


@pytest.mark.parametrize("name", ["votes.xlsx", "absent.csv", "empty"])
def test_a_place_without_votes_is_refused(tmp_path: Path, name: str) -> None:
    (tmp_path / "votes.xlsx").write_text("x")
    (tmp_path / "empty").mkdir()
    with pytest.raises(InvalidValue, match="CSV, Parquet or JSON Lines"):
        list(read(tmp_path / name))


def test_json_lines_hold_accents_as_they_are(rows: list[Row], tmp_path: Path) -> None:
    WRITERS["jsonl"](tmp_path / "votes.jsonl", rows)
    text = (tmp_path / "votes.jsonl").read_text(encoding="utf-8")
    assert "« œdème »" in text
    assert [json.loads(line)["vote"] for line in text.splitlines()] == [row["vote"] for row in rows]
