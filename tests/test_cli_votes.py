from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import asdict, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from medinject_demo.cli.votes import FORMS
from medinject_demo.domain import Kind, Mixture, Prompt, Verdict
from medinject_demo.errors import StoreError
from medinject_demo.stats.report import report
from medinject_demo.ui.board_documents import counted
from medinject_demo.votes import giving
from medinject_demo.votes.database import Database
from medinject_demo.votes.keeping import HubDataset
from medinject_demo.votes.records import Ballot
from medinject_demo.votes.scripted_hub import Failure, ScriptedHub, scripted_hub
from medinject_demo.votes.store import VoteStore

from .test_cli import one_line, run
from .votes.samples import BALLOT, battle, every_sort_of_vote

ME = "a" * 32
TYPED = Prompt(Kind.OEQ, "Une question saisie ?")


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[VoteStore]:
    url = f"sqlite:///{tmp_path}/votes.db"
    monkeypatch.setenv("MEDINJECT_DATABASE_URL", url)
    for name in ("MEDINJECT_VOTES_DATASET", "MEDINJECT_RETENTION_DAYS", "HF_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    store = VoteStore(Database(url))
    store.cast(replace(battle("typed", prompt=TYPED), voter=ME), ME, Ballot(Verdict.LEFT, comment="un mot"))
    store.cast(battle("other"), "b" * 32, BALLOT)
    yield store
    store.close()


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch) -> Iterator[ScriptedHub]:
    monkeypatch.setenv("MEDINJECT_VOTES_DATASET", "group/votes")
    with scripted_hub() as hub:
        monkeypatch.setattr(
            "medinject_demo.votes.keeping.HubDataset",
            lambda name, token: HubDataset(name, token=token, endpoint=hub.endpoint),
        )
        yield hub


def document(*words: object) -> Any:
    result = run("votes", *words, "--json")
    assert result.exit_code == 0, result.stderr
    return json.loads(result.stdout)


def test_the_forms_that_can_be_asked_for_are_those_there_are() -> None:
    assert set(FORMS) == set(giving.FORMS)


def test_votes_are_exported_by_the_suffix_and_imported(store: VoteStore, tmp_path: Path) -> None:
    for name in ("votes.csv", "votes.parquet", "votes.jsonl"):
        assert run("votes", "export", tmp_path / name).stdout == f"2 rows in {tmp_path / name}.\n"
        other = f"sqlite:///{tmp_path}/{name}.db"
        result = run("votes", "import", tmp_path / name, "--database", other)
        assert (result.exit_code, result.stdout) == (0, "2 votes new, 0 known.\n")
        assert document("import", tmp_path / name, "--database", other)["known"] == 2


def test_an_export_for_training_has_its_card_beside_it(store: VoteStore, tmp_path: Path) -> None:
    said = document("export", tmp_path / "out/dpo.jsonl", "--format", "dpo", "--card")
    assert said == {"rows": 2, "file": f"{tmp_path}/out/dpo.jsonl", "card": f"{tmp_path}/out/README.md"}
    assert "| `chosen` |" in (tmp_path / "out/README.md").read_text(encoding="utf-8")


def test_an_export_without_free_text_has_none(store: VoteStore, tmp_path: Path) -> None:
    run("votes", "export", tmp_path / "votes.csv", "--no-free-text")
    assert TYPED.question not in (tmp_path / "votes.csv").read_text()


def test_a_suffix_that_says_no_form_is_wrong_usage(store: VoteStore, tmp_path: Path) -> None:
    result = run("votes", "export", tmp_path / "votes.xlsx")
    assert result.exit_code == 2
    assert "expected a .csv, .parquet or .jsonl file, or --format" in result.stderr


def test_a_place_that_cannot_be_written_is_one_line(store: VoteStore, below_a_file: Path) -> None:
    assert "expected a place to write" in one_line(run("votes", "export", f"{below_a_file}.csv"))


def test_what_cannot_be_imported_is_one_line(store: VoteStore, tmp_path: Path) -> None:
    (tmp_path / "votes.jsonl").write_text("{}\n")
    assert "votes.jsonl, line 1: the field 'vote' is missing" in one_line(
        run("votes", "import", tmp_path / "votes.jsonl")
    )


def test_forgetting_is_a_trial_unless_it_is_meant(store: VoteStore) -> None:
    said = run("votes", "forget", ME[:8]).stdout
    assert said.startswith("Would be erased with --yes: the voter of 1 rows; comments: 1; typed questions")
    assert store.latest("typed", ME) is not None
    assert document("forget", ME[:8])["done"] is False
    assert document("forget", ME[:8], "--yes")["questions"] == 1
    assert store.latest("typed", ME) is None
    assert store.counts().votes == 2
    assert "got one that is not here" in one_line(run("votes", "forget", ME, "--yes"))


def test_the_remedy_of_copies_that_are_left_is_to_do_it_again(
    store: VoteStore, hub: ScriptedHub, monkeypatch: pytest.MonkeyPatch
) -> None:
    run("votes", "sync")

    def busy(self: Database) -> None:
        raise StoreError("Close the page, and do this again.")

    with monkeypatch.context() as patch:
        patch.setattr(Database, "scrub", busy)
        said = one_line(run("votes", "forget", ME, "--yes"))
    assert said.startswith("error: Erased: the voter of 1 rows")
    assert said.endswith("Close the page, and do this again.")
    assert not hub.mentions(ME)
    again = run("votes", "forget", ME, "--yes")
    assert again.exit_code == 0
    assert "No copy is left in the files of the database." in again.stdout


def test_what_a_server_keeps_of_what_was_erased_is_said(store: VoteStore, monkeypatch: pytest.MonkeyPatch) -> None:
    kept = "The server's write-ahead log keeps a copy."
    monkeypatch.setattr(Database, "left_behind", property(lambda self: kept))
    said = run("votes", "forget", ME, "--yes").stdout
    assert kept in said
    assert "No copy is left" not in said


def test_who_is_forgotten_is_out_of_the_data_set_too(store: VoteStore, hub: ScriptedHub) -> None:
    assert run("votes", "sync").stdout == "0 votes pulled, 2 pushed.\n"
    assert hub.mentions(TYPED.question)
    assert document("forget", ME, "--yes")["hub"]["rewritten"] == 1
    assert not hub.mentions(TYPED.question)
    assert not hub.mentions(ME)


def test_a_person_is_forgotten_from_a_machine_that_has_not_their_votes(
    store: VoteStore, hub: ScriptedHub, tmp_path: Path
) -> None:
    run("votes", "sync")
    result = run("votes", "forget", ME, "--yes", "--database", f"sqlite:///{tmp_path}/elsewhere.db")
    assert result.exit_code == 0
    assert not hub.mentions(ME)
    run("votes", "sync")
    assert store.latest("typed", ME) is None


def test_an_erasure_that_is_pulled_by_hand_leaves_no_copy_in_the_file(
    store: VoteStore, hub: ScriptedHub, tmp_path: Path
) -> None:
    run("votes", "sync")
    run("votes", "forget", ME, "--yes", "--database", f"sqlite:///{tmp_path}/elsewhere.db")
    assert run("votes", "sync").exit_code == 0
    left = b"".join(each.read_bytes() for each in tmp_path.glob("votes.db*"))
    assert TYPED.question.encode() not in left
    assert ME.encode() not in left


def test_where_the_hub_is_dead_the_votes_here_are_forgotten_and_the_rest_is_said(
    store: VoteStore, hub: ScriptedHub
) -> None:
    run("votes", "sync")
    hub.fault = lambda call: Failure.REFUSED
    said = one_line(run("votes", "forget", ME, "--yes"))
    assert said.startswith("error: Erased: the voter of 1 rows")
    assert "In the Hub data set it is not yet: run `votes sync` until it is." in said
    assert store.latest("typed", ME) is None
    hub.fault = lambda call: None
    assert run("votes", "sync").exit_code == 0
    assert not hub.mentions(ME)


def test_old_text_is_pruned_where_it_is_meant(store: VoteStore) -> None:
    old = VoteStore(store._database, now=lambda: datetime(2020, 1, 1, tzinfo=UTC))
    old.cast(battle("old", prompt=Prompt(Kind.OEQ, "Un texte ancien ?")), ME, Ballot(Verdict.LEFT))
    assert document("prune", "--days", 30)["questions"] == 1
    assert document("prune", "--days", 30, "--yes")["done"] is True
    assert document("prune", "--days", 30)["questions"] == 0
    kept = store.battle("typed")
    assert kept is not None
    assert kept.prompt == TYPED


def test_without_days_nothing_is_pruned(store: VoteStore) -> None:
    result = run("votes", "prune", "--yes")
    assert result.exit_code == 2
    assert "Give --days, or set MEDINJECT_RETENTION_DAYS." in result.stderr


def test_without_a_data_set_there_is_nothing_to_sync(store: VoteStore) -> None:
    assert "MEDINJECT_VOTES_DATASET: expected a data set, got none" in one_line(run("votes", "sync"))


def test_the_state_of_the_collection_is_counted(store: VoteStore, hub: ScriptedHub) -> None:
    said = document("stats")
    assert (said["battles"], said["votes"], said["voters"], said["waiting"]) == (2, 2, 2, 2)
    run("votes", "sync")
    assert run("votes", "stats").stdout.endswith("0 rows wait for group/votes.\n")


def test_votes_that_do_not_count_are_not_told_among_those_that_do(store: VoteStore) -> None:
    store.cast(battle("fast"), "c" * 32, BALLOT, seconds=0.01)
    store.cast(battle("late"), "d" * 32, BALLOT, blind=False)
    store.suspicions.examine("c" * 32)
    said = document("stats")
    assert (said["votes"], said["suspect"], said["after_reveal"]) == (4, 1, 1)
    told = run("votes", "stats").stdout
    assert "2 votes by 2 voters on 2 battles count, 1 not given blind and 1 suspect do not;" in told
    assert "4 battles were voted on in all." in told


def test_the_state_is_told_as_the_board_tells_it(store: VoteStore) -> None:
    """Whatever became of votes: changed, withdrawn, after the reveal, doubted, cleared, several on one, ranked."""
    every_sort_of_vote(store)
    said, shown = document("stats"), report(store.frame(), as_of=datetime.now(UTC)).board
    told = counted(shown)
    assert {name: said[name] for name in told.keys() & said.keys()} == {
        name: told[name] for name in told.keys() & said.keys()
    }
    assert {"battles", "votes", "counted", "voters", "after_reveal", "suspect", "coverage"} <= told.keys() & said.keys()
    assert 0 < said["counted"] < said["votes"]
    assert said["battles"] < said["kept"]
    pairs = {tuple(map(Mixture.parse, each.pop("arms"))): each for each in told["pairs"]}
    kept = {pair: asdict(count) | {"wins": list(count.wins)} for pair, count in store.counts().pairs.items()}
    assert {pair: {name: each[name] for name in kept[pair]} for pair, each in pairs.items()} == kept
    line = run("board").stdout
    assert f"of {said['counted']} votes by {said['voters']} voters" in line
    assert f"{said['after_reveal']} not given blind and {said['suspect']} suspect do not" in line
    assert f"{shown.met} of 28 pairs met" in run("votes", "stats").stdout


@pytest.mark.parametrize(
    "command",
    [
        ["stats"],
        ["export", "votes.csv"],
        ["import", "{url}"],
        ["prune", "--days", "1"],
        ["prune", "--days", "1", "--yes"],
        ["forget", "a" * 8],
    ],
    ids="-".join,
)
def test_who_reads_or_erases_makes_no_database_by_a_name_typed_wrong(tmp_path: Path, command: list[str]) -> None:
    url = f"sqlite:///{tmp_path}/none/votes.db"
    place = ["--database", url] if command[0] != "import" else ["--database", f"sqlite:///{tmp_path}/ours.db"]
    result = run("votes", *(each.format(url=url) for each in command), *place)
    assert result.exit_code == 1
    assert f"votes: expected a database, got no file {tmp_path}/none/votes.db." in result.stderr
    assert not (tmp_path / "none").exists()
