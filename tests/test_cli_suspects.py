from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import click
import pytest
from click.testing import CliRunner, Result

from medinject_demo.cli.family import FamilyGroup
from medinject_demo.cli.suspects import attach
from medinject_demo.domain import Verdict
from medinject_demo.votes.database import Database
from medinject_demo.votes.store import VoteStore

from .votes.samples import ballot, battle


@pytest.fixture
def url(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path}/votes.db"


@pytest.fixture
def votes(url: str) -> Iterator[list[str]]:
    """An honest vote, then two that were too fast; nobody has examined them."""
    with closing(VoteStore(Database(url))) as store:
        given = (("a", 20.0), ("b", 0.01), ("c", 0.02))
        yield [store.cast(battle(name), "v", ballot(Verdict.LEFT), seconds=seconds).id for name, seconds in given]


def run(url: str, *arguments: str) -> Result:
    group = click.Group("votes")
    attach(group)
    family = FamilyGroup(commands=[group])
    return CliRunner().invoke(family, ["votes", "suspects", "--database", url, *arguments])


def test_what_the_board_leaves_out_is_counted_by_reason(url: str, votes: list[str]) -> None:
    assert run(url).stdout.startswith("0 votes left out of the board: 0 too_fast, 0 one_side,")
    result = run(url, "--examine")
    assert (result.exit_code, result.stderr) == (0, "2 new reasons.\n")
    assert result.stdout == (
        "2 votes left out of the board: 2 too_fast, 0 one_side, 0 burst, 0 same_question; 0 cleared.\n"
    )


def test_a_doubt_is_taken_back_and_the_vote_counts_again(url: str, votes: list[str]) -> None:
    run(url, "--examine")
    result = run(url, "--clear", votes[1], "--list")
    assert result.stdout.startswith("1 votes left out of the board: 1 too_fast")
    _, cleared, kept = result.stdout.splitlines()
    assert cleared.startswith(votes[1])
    assert cleared.endswith("too_fast cleared")
    assert kept.startswith(votes[2])
    assert kept.endswith("too_fast left out")
    with closing(VoteStore(Database(url))) as store:
        assert store.counts().suspect == 1


def test_a_machine_reads_every_vote_and_its_reasons(url: str, votes: list[str]) -> None:
    document = json.loads(run(url, "--examine", "--json").stdout)
    assert (document["left_out"], document["cleared"], document["reasons"]["too_fast"]) == (2, 0, 2)
    assert [(each["vote"], each["reasons"], each["live"]) for each in document["votes"]] == [
        (votes[1], ["too_fast"], True),
        (votes[2], ["too_fast"], True),
    ]


def test_a_vote_that_nobody_doubts_is_refused_in_one_line(url: str, votes: list[str]) -> None:
    result = run(url, "--clear", votes[0])
    assert result.exit_code == 1
    (line,) = result.stderr.splitlines()
    assert line.startswith("error: vote: expected one that a rule doubts, got ")


def test_a_database_of_no_known_kind_is_wrong_usage() -> None:
    assert run("votes.db").exit_code == 2
