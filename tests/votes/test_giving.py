"""Votes leave a database as a file and come into another, whole or not at all; on SQLite and PostgreSQL alike."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from medinject_demo.domain import Kind, Prompt, Verdict
from medinject_demo.errors import InvalidData, InvalidValue, OutputError, StoreError
from medinject_demo.prompts import load_prompts
from medinject_demo.votes.card import MADE_HERE, fields_of
from medinject_demo.votes.database import Database
from medinject_demo.votes.exchange import Merged
from medinject_demo.votes.failures import cast_some, ids_in
from medinject_demo.votes.forgetting import forget, prune
from medinject_demo.votes.giving import FORMS, export, import_from, write_card
from medinject_demo.votes.links import Links
from medinject_demo.votes.records import Ballot
from medinject_demo.votes.shelf import Shelf
from medinject_demo.votes.store import VoteStore
from medinject_demo.votes.suspects import Suspicions

from .samples import BALLOT, LEFT, PROMPT, RIGHT, answer, ballot, battle
from .test_sheet import records_of

BUNDLED = frozenset(prompt.id for prompt in load_prompts())
TYPED = Prompt(Kind.OEQ, "Une question saisie ?")


@pytest.fixture
def other(tmp_path: Path) -> Iterator[Database]:
    database = Database(f"sqlite:///{tmp_path}/elsewhere/votes.db")
    yield database
    database.close()


@pytest.fixture
def filled(store: VoteStore) -> VoteStore:
    cast_some(store, random.Random(1), 25, "a" * 32, "b" * 32, "c" * 32)
    return store


@pytest.mark.parametrize("form", ["csv", "parquet", "jsonl"])
def test_what_is_exported_is_imported_and_counts_the_same(
    filled: VoteStore, database: Database, other: Database, tmp_path: Path, form: str
) -> None:
    place = tmp_path / f"votes.{form}"
    rows = export(database, form, place)
    assert import_from(other, str(place)) == Merged(new=rows)
    assert import_from(other, str(place)) == Merged(known=rows)
    assert records_of(other) == records_of(database)
    assert VoteStore(other).live_votes() == filled.live_votes()
    assert VoteStore(other).counts() == filled.counts()
    assert any(record.vote["verdict"] is None for record in records_of(other))


def test_another_database_is_merged_by_its_address(filled: VoteStore, url: str, other: Database) -> None:
    assert import_from(other, url).new > 25
    assert VoteStore(other).counts() == filled.counts()


def test_a_file_is_imported_into_any_database(
    store: VoteStore, database: Database, other: Database, tmp_path: Path
) -> None:
    cast_some(VoteStore(other), random.Random(2), 10, "d" * 32)
    export(other, "csv", tmp_path / "votes.csv")
    import_from(database, str(tmp_path / "votes.csv"))
    assert store.live_votes() == VoteStore(other).live_votes()


def test_one_line_that_does_not_hold_together_leaves_all_out(
    filled: VoteStore, database: Database, other: Database, tmp_path: Path
) -> None:
    place = tmp_path / "votes.jsonl"
    export(database, "jsonl", place)
    lines = place.read_text(encoding="utf-8").splitlines()
    lines[-1] = lines[-1].replace('"version": ', '"version": -')
    place.write_text("\n".join(lines) + "\n", encoding="utf-8")
    with pytest.raises(InvalidData, match=rf"votes.jsonl, line {len(lines)}: field 'version'"):
        import_from(other, str(place))
    assert VoteStore(other).counts().kept == 0


@pytest.mark.parametrize("line", ['{"version": ' + "9" * 5_000 + "}", "[" * 200_000, '{"arms": ' + "[" * 200_000])
def test_a_line_that_no_parser_takes_is_a_sentence(other: Database, tmp_path: Path, line: str) -> None:
    place = tmp_path / "votes.jsonl"
    place.write_text(line + "\n", encoding="utf-8")
    with pytest.raises(InvalidData, match=r"votes.jsonl, line 1: expected a JSON object"):
        import_from(other, str(place))


def test_a_parquet_file_without_a_sampling_is_a_sentence(
    filled: VoteStore, database: Database, other: Database, tmp_path: Path
) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    pq.write_table(pa.Table.from_pylist([{"turns": [{"message": ""}]}]), tmp_path / "votes.parquet")
    with pytest.raises(InvalidData, match="expected a Parquet file of votes"):
        import_from(other, str(tmp_path / "votes.parquet"))


@pytest.mark.parametrize("source", ["absent.csv", "mysql://host/votes"])
def test_a_source_that_is_none_is_refused(other: Database, source: str) -> None:
    with pytest.raises(InvalidValue):
        import_from(other, source)


def test_a_server_that_does_not_answer_is_one_sentence(other: Database) -> None:
    with pytest.raises(StoreError):
        import_from(other, "sqlite:////proc/nowhere/votes.db")


def test_only_votes_that_count_are_exported_where_that_is_asked_for(
    filled: VoteStore, database: Database, tmp_path: Path
) -> None:
    place = tmp_path / "votes.jsonl"
    live = {each.vote.id for each in filled.live_votes()}
    assert export(database, "jsonl", place, live=True) == len(live)
    assert {json.loads(line)["vote"] for line in place.read_text().splitlines()} == live


def test_a_full_export_says_which_votes_count(filled: VoteStore, database: Database, tmp_path: Path) -> None:
    place = tmp_path / "votes.jsonl"
    export(database, "jsonl", place)
    rows = [json.loads(line) for line in place.read_text().splitlines()]
    assert {row["vote"] for row in rows if row["live"]} == {each.vote.id for each in filled.live_votes()}
    assert any(not row["live"] for row in rows)


def test_training_takes_blind_votes_that_count(store: VoteStore, database: Database, tmp_path: Path) -> None:
    place = tmp_path / "dpo.jsonl"
    store.cast(battle("blind"), "v", BALLOT)
    store.cast(battle("revealed"), "v", BALLOT, blind=False)
    store.cast(battle("withdrawn"), "v", BALLOT)
    store.cast(battle("withdrawn"), "v", None)
    store.cast(battle("changed"), "v", BALLOT)
    store.cast(battle("changed"), "v", Ballot(Verdict.BOTH_BAD))
    assert export(database, "dpo", place) == 1
    assert json.loads(place.read_text())["battle"] == "blind"
    assert export(database, "dpo", place, revealed=True) == 2
    assert export(database, "kto", place) == 4


def test_nothing_that_was_typed_is_in_an_export_without_free_text(
    store: VoteStore, database: Database, other: Database, tmp_path: Path
) -> None:
    store.cast(battle("typed", prompt=TYPED), "v", Ballot(Verdict.LEFT, comment="un mot"))
    store.cast(battle("bundled", prompt=load_prompts()[0]), "v", Ballot(Verdict.LEFT))
    for form in FORMS:
        place = tmp_path / f"votes.{form}"
        export(database, form, place, hide=BUNDLED)
        content = place.read_bytes()
        assert TYPED.question.encode() not in content
        assert TYPED.id.encode() not in content
        assert b"un mot" not in content
    import_from(other, str(tmp_path / "votes.jsonl"))
    assert VoteStore(other).counts() == store.counts()
    assert [each.styles for each in VoteStore(other).live_votes()] == [each.styles for each in store.live_votes()]


def test_a_typed_duel_stopped_before_a_word_is_exported_without_free_text_and_imported(
    store: VoteStore, database: Database, other: Database, tmp_path: Path
) -> None:
    silent = replace(battle("silent", prompt=TYPED), answers=(answer(LEFT, ""), answer(RIGHT, "")))
    store.cast(silent, "v", ballot(Verdict.BOTH_BAD))
    place = tmp_path / "votes.jsonl"
    export(database, "jsonl", place, hide=BUNDLED)
    assert json.loads(place.read_text(encoding="utf-8"))["battle_erased"]
    assert import_from(other, str(place)) == Merged(new=1)


def test_what_was_erased_keeps_its_name_in_an_export_without_free_text(
    store: VoteStore, database: Database, tmp_path: Path
) -> None:
    store.cast(battle("typed", prompt=TYPED), "v", BALLOT)
    database.write(lambda connection: prune(connection, datetime(2999, 1, 1, tzinfo=UTC), BUNDLED, lambda: "1"))
    export(database, "jsonl", tmp_path / "votes.jsonl", hide=BUNDLED)
    assert json.loads((tmp_path / "votes.jsonl").read_text(encoding="utf-8"))["prompt"] == "erased-1"


def test_an_import_of_ones_own_hidden_export_erases_nothing(
    store: VoteStore, database: Database, tmp_path: Path
) -> None:
    store.cast(battle("typed", prompt=TYPED), "v", BALLOT)
    before = records_of(database)
    export(database, "csv", tmp_path / "votes.csv", hide=BUNDLED)
    assert import_from(database, str(tmp_path / "votes.csv")) == Merged(known=1, erased=1)
    assert records_of(database) == before
    import_from(database, str(tmp_path / "votes.csv"), erase=True)
    assert records_of(database)[0].battle["question"] == ""


def test_an_export_that_fails_leaves_the_file_as_it_was(
    database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "votes.csv").write_text("bon")
    monkeypatch.setattr(database, "read", _raising)
    with pytest.raises(StoreError):
        export(database, "csv", tmp_path / "votes.csv")
    assert [(each.name, each.read_text()) for each in tmp_path.glob("*.csv*")] == [("votes.csv", "bon")]


def _raising(work: object) -> None:
    raise StoreError("rien ne répond.")


def test_no_votes_are_a_file_without_rows(database: Database, other: Database, tmp_path: Path) -> None:
    for form in FORMS:
        assert export(database, form, tmp_path / f"votes.{form}") == 0
    for form in ("csv", "parquet", "jsonl"):
        assert import_from(other, str(tmp_path / f"votes.{form}")) == Merged()


@pytest.mark.parametrize("form", FORMS)
def test_a_card_lists_the_fields_of_its_file(store: VoteStore, database: Database, tmp_path: Path, form: str) -> None:
    store.cast(battle(), "v", BALLOT)
    place = tmp_path / f"votes.{form}"
    rows = export(database, form, place)
    text = write_card(place, form, rows).read_text(encoding="utf-8")
    assert f"Rows when this was written: {rows}." in text
    assert f"data_files: {place.name}" in text
    assert all(f"| `{name}` |" in text for name in fields_of(form))
    assert write_card(place, form, rows).name == "README.md"


@pytest.mark.parametrize("form", ["dpo", "kto"])
def test_the_card_of_a_training_file_leaves_no_field_out(
    store: VoteStore, database: Database, tmp_path: Path, form: str
) -> None:
    store.cast(battle(prompt=PROMPT), "v", BALLOT)
    export(database, form, tmp_path / "rows.jsonl")
    row = json.loads((tmp_path / "rows.jsonl").read_text().splitlines()[0])
    listed = {name for names in fields_of(form) for name in names.split(", ")}
    told = {name for name in row if not name.startswith(("chosen_", "rejected_"))}
    assert told == {name for name in listed if not name.endswith("…")}


def test_a_readme_of_another_is_not_replaced(tmp_path: Path) -> None:
    (tmp_path / "README.md").write_text("la mienne")
    with pytest.raises(OutputError, match="expected a free place or an earlier card, got another README"):
        write_card(tmp_path / "votes.csv", "csv", 1)
    assert MADE_HERE not in (tmp_path / "README.md").read_text()


def test_votes_that_a_rule_doubts_train_nobody(store: VoteStore, database: Database, tmp_path: Path) -> None:
    honest = store.cast(battle("honest"), "v" * 32, ballot(Verdict.LEFT), seconds=60.0)
    store.cast(battle("hasty"), "v" * 32, ballot(Verdict.LEFT), seconds=0.01)
    place = tmp_path / "dpo.jsonl"
    assert export(database, "dpo", place) == 2
    Suspicions(database).sweep()
    assert export(database, "dpo", place) == 1
    assert json.loads(place.read_text(encoding="utf-8"))["vote"] == honest.id


def test_who_is_imported_is_examined(store: VoteStore, database: Database, other: Database, tmp_path: Path) -> None:
    store.cast(battle("hasty"), "v" * 32, ballot(Verdict.LEFT), seconds=0.01)
    place = tmp_path / "votes.jsonl"
    export(database, "jsonl", place)
    import_from(other, str(place))
    assert [each.left_out for each in Suspicions(other).suspects()] == [True]


def test_who_could_not_be_examined_after_an_import_is_by_the_next(
    store: VoteStore, database: Database, other: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store.cast(battle("fast"), "v", BALLOT, seconds=0.01)
    export(database, "jsonl", tmp_path / "votes.jsonl")

    def fails(self: Suspicions, voter: str) -> int:
        raise StoreError("la base ne répond pas.")

    with monkeypatch.context() as patch:
        patch.setattr(Suspicions, "examine", fails)
        with pytest.raises(StoreError):
            import_from(other, str(tmp_path / "votes.jsonl"))
    assert Suspicions(other).suspects() == ()
    assert import_from(other, str(tmp_path / "votes.jsonl")) == Merged(known=1)
    assert [each.left_out for each in Suspicions(other).suspects()] == [True]


def test_an_erasure_that_is_imported_leaves_no_copy_no_link_and_no_shard(
    database: Database, other: Database, url: str, tmp_path: Path
) -> None:
    old = datetime(2020, 1, 1, tzinfo=UTC)
    VoteStore(database, now=lambda: old).cast(battle("old", prompt=TYPED), "v", ballot(Verdict.LEFT))
    export(database, "jsonl", tmp_path / "whole.jsonl")
    import_from(other, str(tmp_path / "whole.jsonl"))
    Links(other).share("old")
    Shelf(other, "group/votes").put("data/one.jsonl", ids_in(other), lambda now: True)
    database.write(lambda connection: prune(connection, datetime(2021, 1, 1, tzinfo=UTC), BUNDLED, lambda: "1"))
    export(database, "jsonl", tmp_path / "erased.jsonl")
    import_from(other, str(tmp_path / "erased.jsonl"))
    assert Links(other).shared("old")
    assert Shelf(other, "group/votes").stale() == set()
    import_from(other, str(tmp_path / "erased.jsonl"), erase=True)
    assert not Links(other).shared("old")
    assert Shelf(other, "group/votes").stale() == {"data/one.jsonl"}
    files = b"".join(each.read_bytes() for each in (tmp_path / "elsewhere").glob("votes.db*"))
    assert TYPED.question.encode() not in files


def test_a_comment_erased_elsewhere_has_its_shard_written_anew(
    store: VoteStore, database: Database, other: Database, tmp_path: Path
) -> None:
    vote = store.cast(battle(), "v", Ballot(Verdict.LEFT, comment="un mot secret"))
    export(database, "jsonl", tmp_path / "whole.jsonl")
    import_from(other, str(tmp_path / "whole.jsonl"))
    Shelf(other, "group/votes").put("data/one.jsonl", [vote.id], lambda now: True)
    database.write(lambda connection: forget(connection, "v", BUNDLED, lambda: "1"))
    export(database, "jsonl", tmp_path / "erased.jsonl")
    import_from(other, str(tmp_path / "erased.jsonl"), erase=True)
    assert Shelf(other, "group/votes").stale() == {"data/one.jsonl"}
    files = b"".join(each.read_bytes() for each in (tmp_path / "elsewhere").glob("votes.db*"))
    assert b"un mot secret" not in files


@pytest.mark.parametrize("form", ["csv", "parquet", "jsonl"])
def test_a_doubt_that_was_taken_back_stays_so_in_every_file(
    store: VoteStore, database: Database, other: Database, tmp_path: Path, form: str
) -> None:
    votes = [store.cast(battle(name), "v", BALLOT, seconds=0.01) for name in ("cleared", "doubted")]
    place = tmp_path / f"votes.{form}"
    export(database, form, place)
    import_from(other, str(place))
    store.suspicions.sweep()
    store.suspicions.clear(votes[0].id)
    export(database, form, place)
    for _ in range(2):
        import_from(other, str(place))
    assert records_of(other) == records_of(database)
    assert [each.left_out for each in Suspicions(other).suspects()] == [False, True]


def test_a_doubt_that_was_taken_back_here_is_not_undone_by_an_older_file(
    store: VoteStore, database: Database, tmp_path: Path
) -> None:
    vote = store.cast(battle("cleared"), "v", BALLOT, seconds=0.01)
    store.suspicions.sweep()
    export(database, "jsonl", tmp_path / "votes.jsonl")
    store.suspicions.clear(vote.id)
    assert import_from(database, str(tmp_path / "votes.jsonl")) == Merged(known=1, behind=1)
    assert [each.left_out for each in store.suspicions.suspects()] == [False]


def test_a_file_from_before_doubts_were_given_is_taken(
    store: VoteStore, database: Database, other: Database, tmp_path: Path
) -> None:
    store.cast(battle(), "v", BALLOT, seconds=20.0)
    export(database, "jsonl", tmp_path / "votes.jsonl")
    (line,) = (tmp_path / "votes.jsonl").read_text(encoding="utf-8").splitlines()
    row = json.loads(line)
    del row["doubts"]
    (tmp_path / "old.jsonl").write_text(json.dumps(row) + "\n", encoding="utf-8")
    assert import_from(other, str(tmp_path / "old.jsonl")) == Merged(new=1)
