from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from medinject_demo import __version__
from medinject_demo.cli import cli
from medinject_demo.domain import ARMS
from medinject_demo.training.data import Pools, write_pools
from medinject_demo.training.mini import MiniatureRecipe


@pytest.fixture(scope="session")
def data(pools: Pools, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("data")
    write_pools(pools, folder)
    return folder


def run(*arguments: object) -> Result:
    return CliRunner().invoke(cli, [str(each) for each in arguments])


def one_line(result: Result) -> str:
    """The only line on stderr of a command that failed."""
    assert result.exit_code == 1
    (line,) = result.stderr.splitlines()
    assert line.startswith("error: ")
    return line


@pytest.mark.parametrize("command", [[], ["train"], ["train", "mini"], ["train", "exam"], ["bench"]], ids=" ".join)
def test_every_command_explains_itself(command: list[str]) -> None:
    result = run(*command, "--help")
    assert result.exit_code == 0
    assert "Usage:" in result.stdout


def test_the_version_is_said() -> None:
    assert __version__ in run("--version").stdout


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (["nothing"], "nothing"),
        (["train"], "--mixture"),
        (["train", "--mixture", "base"], "base"),
        (["train", "--mixture", "trad-nat"], "trad-nat"),
        (["train", "--mixture", "nat", "--size", "0"], "--size"),
        (["train", "--mixture", "nat", "--epochs", "0"], "--epochs"),
        (["train", "--mixture", "nat", "--seed", "x"], "--seed"),
        (["train", "--mixture", "nat", "--kinds", "qcm"], "expected kinds among mcq, mcqu, oeq, got 'qcm'"),
        (["train", "--mixture", "nat", "--kinds", ""], "--kinds"),
        (["train", "--mixture", "nat", "--colour", "green"], "--colour"),
        (["train", "mini", "--seed", "x"], "--seed"),
        (["train", "exam", "--count", "0"], "--count"),
    ],
)
def test_wrong_usage_exits_2_and_names_what_is_wrong(arguments: list[str], named: str) -> None:
    result = run(*arguments)
    assert result.exit_code == 2
    assert named in result.stderr
    assert result.stdout == ""


@pytest.mark.parametrize("mixture", ARMS, ids=str)
def test_a_dry_run_says_the_counts_and_settings_and_writes_nothing(mixture: object, data: Path, tmp_path: Path) -> None:
    result = run("train", "--mixture", mixture, "--data", data, "--size", 60, "--output", tmp_path / "x", "--dry-run")
    assert result.exit_code == 0
    assert result.stdout.startswith(f"{mixture}: ")
    assert "= 60 items  (data " in result.stdout
    assert "  learning_rate = 0.0001\n" in result.stdout
    assert result.stdout.endswith("dry run: nothing was trained.\n")
    assert not list(tmp_path.iterdir())


def test_the_options_reach_the_recipe(data: Path) -> None:
    common = ["train", "--mixture", "nat", "--data", data, "--size", 9, "--dry-run"]
    result = run(*common, "--rank", 4, "--epochs", 2, "--learning-rate", "1e-3", "--full-sequence-loss")
    for setting in ("rank = 4", "alpha = 4", "epochs = 2", "learning_rate = 0.001", "completion_only = False"):
        assert f"  {setting}\n" in result.stdout


def test_one_seed_gives_one_set_of_rows(data: Path) -> None:
    common = ["train", "--mixture", "all", "--data", data, "--size", 60, "--dry-run"]
    said = [run(*common, "--seed", seed).stdout.partition("\n")[0] for seed in (1, 1, 2)]
    assert said[0] == said[1] != said[2]


def test_a_dry_run_of_the_miniature_lists_the_arms_and_writes_nothing(tmp_path: Path) -> None:
    result = run("train", "mini", "--output", tmp_path / "mini", "--work", tmp_path / "work", "--dry-run")
    assert result.exit_code == 0
    assert [line.partition(":")[0] for line in result.stdout.splitlines()] == [str(mixture) for mixture in ARMS]
    assert result.stdout.count(f"= {MiniatureRecipe().size:,} items") == 7
    assert not list(tmp_path.iterdir())


def test_a_mixture_without_enough_rows_says_how_many_are_missing(data: Path) -> None:
    line = one_line(run("train", "--mixture", "nat", "--data", data, "--size", 1_000_000, "--dry-run"))
    assert "source 'nat': expected 1,000,000 rows for nat of 1,000,000, got " in line
    assert line.endswith(" are missing. Add rows or lower the size.")


def test_a_kind_asked_for_twice_is_read_once(data: Path) -> None:
    common = ["train", "--mixture", "nat", "--data", data, "--size", 60, "--dry-run"]
    assert run(*common, "--kinds", "mcqu,mcqu").stdout == run(*common, "--kinds", "mcqu").stdout


def test_an_absent_source_fails_with_a_remedy(tmp_path: Path) -> None:
    line = one_line(run("train", "--mixture", "nat", "--data", tmp_path, "--dry-run"))
    assert "source 'nat': expected " in line
    assert line.endswith("got none. Check --data and --kinds.")


def test_a_malformed_row_fails_with_its_place(tmp_path: Path) -> None:
    path = tmp_path / "Native/Train/mcqu/a.json"
    path.parent.mkdir(parents=True)
    path.write_text('[{"instruction": "Lequel ?", "answer": "A"}]', encoding="utf-8")
    line = one_line(run("train", "--mixture", "nat", "--data", tmp_path, "--dry-run"))
    assert line == "error: a.json, row 1: options: expected 2 to 10 options, got 0."


def test_an_output_that_cannot_be_written_fails_before_anything_is_loaded(data: Path, below_a_file: Path) -> None:
    line = one_line(
        run("train", "--mixture", "nat", "--data", data, "--size", 9, "--base", "absent", "--output", below_a_file)
    )
    assert f"{below_a_file}: expected a place to write, got " in line
    assert line.endswith("Choose another place.")


def test_a_work_folder_that_cannot_be_written_fails(tmp_path: Path, below_a_file: Path) -> None:
    line = one_line(run("train", "mini", "--output", tmp_path / "mini", "--work", below_a_file))
    assert f"{below_a_file}" in line


@pytest.mark.parametrize("option", [("--dry-run",), ("--seed", 3), ("--output", "elsewhere")])
def test_an_option_before_the_subcommand_is_refused_not_dropped(option: tuple[object, ...]) -> None:
    result = run("train", *option, "mini")
    assert result.exit_code == 2
    assert f"Option '{option[0]}' belongs after 'mini'" in result.stderr


def test_a_learning_rate_that_is_no_number_is_refused(data: Path) -> None:
    result = run("train", "--mixture", "nat", "--data", data, "--size", 60, "--learning-rate", "nan", "--dry-run")
    assert result.exit_code == 1
    assert "learning rate: expected a number above 0, got nan." in one_line(result)
