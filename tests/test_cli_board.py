"""``board`` as a person meets it: a table, a document, a file, and one clear sentence where it cannot."""

from __future__ import annotations

import json
from contextlib import closing
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from medinject_demo.cli import cli
from medinject_demo.domain import MIXTURES, Verdict
from medinject_demo.votes.database import Database
from medinject_demo.votes.store import VoteStore

from .votes.samples import ballot, battle


@pytest.fixture
def url(tmp_path: Path) -> str:
    url = f"sqlite:///{tmp_path}/votes.db"
    store = VoteStore(Database(url))
    for number in range(30):
        verdict = Verdict.LEFT if number % 3 else Verdict.BOTH_BAD
        store.cast(battle(f"duel {number}", MIXTURES[1], MIXTURES[0]), f"voter {number % 6}", ballot(verdict))
    store.cast(battle("late"), "voter 1", ballot(Verdict.LEFT), blind=False)
    store.close()
    return url


def run(url: str, *arguments: object) -> Result:
    return CliRunner().invoke(cli, ["board", *map(str, arguments)], env={"MEDINJECT_DATABASE_URL": url})


def sentence(result: Result) -> str:
    assert result.exit_code == 1
    (line,) = result.stderr.splitlines()
    return line


def test_the_table_has_the_eight_arms_both_models_and_what_counts(url: str) -> None:
    result = run(url)
    assert result.exit_code == 0
    first = {line.split()[0] for line in result.stdout.splitlines() if line}
    assert {mixture.slug for mixture in MIXTURES} <= first
    assert "controlled" in result.stdout
    assert "raw" in result.stdout
    assert (
        "30 comparisons of 30 votes by 6 voters on 1 prompts count, 1 not given blind and 0 suspect do not"
        in result.stdout
    )


def test_the_document_is_json_of_everything(url: str) -> None:
    document = json.loads(run(url, "--json").stdout)
    assert set(document) == {"board", "provenances", "bias"}
    nat = next(row for row in document["board"]["rows"] if row["arm"] == "nat")
    assert (nat["tally"]["wins"], nat["tally"]["both_bad"], nat["voters"]) == (20, 10, 6)
    assert document["board"]["set_aside"] == {"not_blind": 1, "suspect": 0}


def test_a_part_of_the_votes_can_be_asked_for(url: str) -> None:
    assert json.loads(run(url, "--json", "--kind", "oeq").stdout)["board"]["comparisons"] == 0
    assert json.loads(run(url, "--json", "--specialty", "cardiologie").stdout)["board"]["comparisons"] == 30
    assert json.loads(run(url, "--json", "--profile", "physician").stdout)["board"]["comparisons"] == 0


@pytest.mark.parametrize("name", ["board.md", "board.csv"])
def test_a_file_is_written_whole(url: str, tmp_path: Path, name: str) -> None:
    place = tmp_path / "new" / name
    assert run(url, "--output", place).exit_code == 0
    text = place.read_text(encoding="utf-8")
    assert text.startswith("# Board" if name.endswith(".md") else "arm,")
    assert text.endswith("\n")


def test_an_ending_that_is_not_known_is_wrong_usage(url: str, tmp_path: Path) -> None:
    result = run(url, "--output", tmp_path / "board.txt")
    assert result.exit_code == 2
    assert "expected a name that ends in .md or .csv, got board.txt" in result.stderr


def test_a_specialty_without_votes_names_those_with(url: str) -> None:
    assert sentence(run(url, "--specialty", "alchimie")) == (
        "error: specialty: expected one of cardiologie, got 'alchimie'."
    )


def test_no_votes_are_a_board_that_says_nothing(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/none.db"
    with closing(VoteStore(Database(url))) as empty:
        empty.counts()
    result = run(url)
    assert result.exit_code == 0
    assert "0 comparisons of 0 votes by 0 voters on 0 prompts count" in result.stdout
    assert result.stdout.endswith("Nothing is to be said of the arms yet.\n")
    assert len(result.stdout.splitlines()) == 1


def test_a_database_that_is_not_there_is_told_and_not_made(tmp_path: Path) -> None:
    said = sentence(run(f"sqlite:///{tmp_path}/there/none.db"))
    assert said.endswith("none.db. Check the URL; serving the page makes one.")
    assert list(tmp_path.iterdir()) == []


def test_a_file_that_is_no_database_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "votes.db").write_bytes(b"not a database at all, but long enough to be taken for one" * 20)
    assert "expected an SQLite file, got a corrupt one" in sentence(run(f"sqlite:///{tmp_path}/votes.db"))


def test_weights_by_propensity_change_nothing_where_all_pairs_were_as_probable(url: str) -> None:
    plain, weighed = (json.loads(run(url, "--json", "--weighting", way).stdout) for way in ("equal", "propensity"))
    assert plain["board"]["raw"]["strengths"] == pytest.approx(weighed["board"]["raw"]["strengths"])
