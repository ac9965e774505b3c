from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import fields
from pathlib import Path

import click
import pytest
from click.testing import CliRunner, Result
from safetensors.torch import load_file, save_file

from medinject_demo import __version__
from medinject_demo.cli import cli
from medinject_demo.domain import ARMS, Sampling
from medinject_demo.serving import free_port
from medinject_demo.settings import QUANTIZATIONS, Settings
from medinject_demo.training.data import Pools, write_pools
from medinject_demo.training.finetune import Run
from medinject_demo.training.mini_recipe import MiniatureRecipe
from tests.tiny import tiny_base

from .engine.remote.served import Exchange, Scripted, scripted, well

ROOT = Path(__file__).parent.parent
SETTINGS = [each.metadata["variable"] for each in fields(Settings)]


@pytest.fixture(scope="session")
def data(pools: Pools, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("data")
    write_pools(pools, folder)
    return folder


def run(*arguments: object) -> Result:
    return CliRunner().invoke(cli, [str(each) for each in arguments])


def ask(registry: Path, *arguments: object, question: str = "Bonjour", stdin: str | bytes | None = None) -> Result:
    """Put a question to the tiny profile, twelve tokens an answer."""
    tiny = ["--registry", str(registry), "--model", "tiny", "--max-new-tokens", "12"]
    return CliRunner().invoke(cli, ["compare", question, *tiny, *map(str, arguments)], input=stdin)


def one_line(result: Result) -> str:
    """The only line on stderr of a command that failed."""
    assert result.exit_code == 1
    (line,) = result.stderr.splitlines()
    assert line.startswith("error: ")
    return line


@pytest.mark.parametrize(
    "command",
    [
        *([], ["train"], ["train", "mini"], ["train", "exam"], ["bench"], ["bench", "page"], ["compare"], ["doctor"]),
        ["serve"],
    ],
    ids=" ".join,
)
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
        (["compare"], "QUESTION"),
        (["compare", "Où", "est-ce ?"], "est-ce ?"),
        (["compare", " "], "question: expected a text, got an empty one. Write a question."),
        (["compare", "-"], "question: expected a text, got an empty one."),
        (["compare", "Où ?", "--arms", "base,nta"], "mixture: expected one of base, nat, "),
        (["compare", "Où ?", "--arms", ""], "mixture: expected one of base, nat, "),
        (["compare", "Où ?", "--model", "grand"], "model: expected one of mini, "),
        (["compare", "Où ?", "--temperature", "9"], "temperature: expected a number from 0 to 5, got 9.0"),
        (["compare", "Où ?", "--temperature", "nan"], "temperature: expected a number from 0 to 5, got nan"),
        (["compare", "Où ?", "--temperature", "chaud"], "--temperature"),
        (["compare", "Où ?", "--top-p", "0"], "top_p: expected a number from 1e-06 to 1, got 0.0"),
        (["compare", "Où ?", "--max-new-tokens", "0"], "max_new_tokens: expected a number from 1 to 8192, got 0"),
        (["compare", "Où ?", "--seed", "-1"], "seed: expected a number from 0 to "),
        (["compare", "Où ?", "--quantization", "int3"], "--quantization"),
        (["compare", "Où ?", "--registry", "absent.toml"], "--registry"),
        (["doctor", "now"], "now"),
        (["serve", "now"], "now"),
        (["serve", "--port", "0"], "--port"),
        (["serve", "--port", "seven"], "--port"),
        (["serve", "--quantization", "int3"], "--quantization"),
        (["bench", "page", "--repeats", "4"], "--repeats"),
        (["bench", "--tokens", "8", "page"], "Option '--tokens' belongs after 'page', where it has it."),
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


def test_every_arm_that_is_installed_answers_in_a_pipe(tiny_registry: Path) -> None:
    result = ask(tiny_registry)
    assert result.exit_code == 0
    assert sorted(re.findall("^== (.*?):", result.stdout, re.MULTILINE)) == ["all", "base", "nat", "trad"]
    assert result.stdout.startswith("tiny, greedy, at most 12 new tokens. A research demonstration")
    assert result.stderr == ""


def test_the_document_of_a_comparison_holds_what_the_engine_says(tiny_registry: Path) -> None:
    result = ask(tiny_registry, "--json", "--arms", " all, nat,all", "--temperature", 0.5, "--seed", 3)
    document = json.loads(result.stdout)
    assert [answer["mixture"] for answer in document["answers"]] == ["all", "nat"]
    assert Sampling(**document["sampling"]) == Sampling(max_new_tokens=12, temperature=0.5, seed=3)
    assert len({answer["fingerprint"] for answer in document["answers"]}) == 2
    assert all(0 < answer["tokens"] <= 12 for answer in document["answers"])
    assert ask(tiny_registry, "--json", "--arms", "nat", "--temperature", 0.5, "--seed", 4).stdout != result.stdout


def test_a_question_is_read_from_the_standard_input(tiny_registry: Path) -> None:
    result = ask(tiny_registry, "--json", "--arms", "nat", question="-", stdin="Qu'est-ce que la fièvre ?\n")
    assert json.loads(result.stdout)["question"] == "Qu'est-ce que la fièvre ?"


def test_a_standard_input_that_is_no_text_is_wrong_usage(tiny_registry: Path) -> None:
    result = ask(tiny_registry, question="-", stdin="été".encode("latin-1"))
    assert result.exit_code == 2
    assert "question: expected UTF-8 text, got byte 0 that is not" in result.stderr


def test_an_arm_that_is_not_installed_fails_with_the_way_to_get_it(tiny_registry: Path) -> None:
    line = one_line(ask(tiny_registry, "--arms", "base,syn"))
    assert line.startswith("error: arm syn: expected an adapter in ")
    assert "python -m medinject_demo train --mixture syn" in line


@pytest.mark.parametrize("command", [("compare", "Bonjour"), ("serve",)])
def test_a_device_that_is_none_is_wrong_usage(command: tuple[str, ...]) -> None:
    result = run(*command, "--device", "tpu")
    assert result.exit_code == 2
    assert "expected auto, cpu, cuda or cuda:<number>, got 'tpu'." in result.stderr


def test_a_profile_whose_base_is_absent_fails_in_one_line(tiny_registry: Path) -> None:
    line = one_line(ask(tiny_registry, "--model", "absent"))
    assert line.startswith("error: profile 'absent': expected its base in ")


def test_a_question_longer_than_the_context_fails_and_nothing_is_shown(tiny_registry: Path) -> None:
    result = ask(tiny_registry, question="mal " * 5000)
    assert "prompt: expected fewer than " in one_line(result)
    assert result.stdout == ""


def test_a_device_that_is_not_there_fails(tiny_registry: Path) -> None:
    assert "device: expected " in one_line(ask(tiny_registry, "--device", "cuda:99"))


def test_a_wrong_setting_of_the_environment_fails(tiny_registry: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MEDINJECT_QUANTIZATION", "int3")
    assert "MEDINJECT_QUANTIZATION: expected none or int8 or int4" in one_line(ask(tiny_registry))


def test_the_environment_names_the_profile_where_no_option_does(
    tiny_registry: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MEDINJECT_MODEL", "absent")
    assert "profile 'absent'" in one_line(run("compare", "Bonjour", "--registry", tiny_registry))
    monkeypatch.setenv("MEDINJECT_MODEL", "grand")
    assert "model: expected one of tiny, absent, hub, got 'grand'" in one_line(
        run("compare", "Bonjour", "--registry", tiny_registry)
    )


def test_ctrl_c_ends_a_comparison_in_one_line(tiny_registry: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("medinject_demo.terminal.show", interrupted)
    result = ask(tiny_registry)
    assert (result.exit_code, result.stderr) == (1, "interrupted.\n")


def test_the_miniature_answers_within_its_own_length() -> None:
    document = json.loads(run("compare", "Quels sont les symptômes de la grippe ?", "--arms", "base", "--json").stdout)
    assert document["model"] == "mini"
    assert document["sampling"]["max_new_tokens"] == 192
    assert "fièvre" in document["answers"][0]["text"].lower()


def test_each_quantisation_of_the_settings_can_be_asked_for() -> None:
    (option,) = [each for each in cli.commands["compare"].params if each.name == "quantization"]
    assert isinstance(option.type, click.Choice)
    assert tuple(option.type.choices) == QUANTIZATIONS


def test_the_doctor_exits_0_where_the_page_can_be_served(monkeypatch: pytest.MonkeyPatch) -> None:
    for variable in SETTINGS:
        monkeypatch.delenv(variable, raising=False)
    result = run("doctor")
    assert result.exit_code == 0
    assert "`make run` would serve the profile mini" in result.stdout
    assert result.stderr == ""


def test_the_doctor_exits_1_with_one_line_where_it_cannot(tiny_registry: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MEDINJECT_MODEL", "hub")
    result = run("doctor", "--registry", tiny_registry)
    assert one_line(result).endswith("Run: hf download group/model")
    assert "`make run` would not serve the page here" in result.stdout
    document = json.loads(run("doctor", "--registry", tiny_registry, "--json").stdout)
    assert document["servable"] is False


def test_the_command_line_needs_no_library_but_click_to_explain_itself() -> None:
    program = "import sys, medinject_demo.cli; print(*sorted({n.partition('.')[0] for n in sys.modules}))"
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True)
    ours = set(done.stdout.split()) - set(sys.stdlib_module_names) - {"medinject_demo"}
    bare = subprocess.run(
        [sys.executable, "-c", program.replace(", medinject_demo.cli", ", click")],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    assert ours <= set(bare.stdout.split())


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Scripted]:
    with scripted() as server:
        monkeypatch.setenv("MEDINJECT_ENGINE_URL", server.url)
        yield server


def test_compare_asks_the_arms_that_a_server_has(server: Scripted) -> None:
    result = run("compare", "Bonjour", "--json")
    assert result.exit_code == 0
    said = {each["mixture"]: each["text"] for each in json.loads(result.stdout)["answers"]}
    assert said == {arm: f"{arm} dit œdème 💪 Bonjour" for arm in ("base", "nat", "trad")}


def test_compare_fails_with_the_servers_words_and_shows_what_the_others_said(server: Scripted) -> None:
    def refuses_nat(exchange: Exchange) -> None:
        well(exchange) if exchange.body["model"] != "nat" else exchange.refuse(500, "out of memory")

    server.scripts["Bonjour"] = refuses_nat
    result = run("compare", "Bonjour", "--arms", "base,nat")
    assert "out of memory" in one_line(result)
    assert "base dit œdème" in result.stdout


def test_compare_refuses_an_arm_that_the_server_lacks(server: Scripted) -> None:
    line = one_line(run("compare", "Bonjour", "--arms", "base,all"))
    assert "arms all: expected them at their server, got none. Arm all is missing: " in line


def test_compare_says_in_one_line_that_no_server_is_there(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MEDINJECT_ENGINE_URL", f"http://127.0.0.1:{free_port()}")
    assert "remote arms: expected at least one that is served, got none" in one_line(run("compare", "Bonjour"))


def test_a_training_on_other_weights_of_the_same_name_is_another(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    base = tiny_base(tmp_path / "base")
    runs: list[Run] = []

    def train(run: Run, say: object) -> Path:
        runs.append(run)
        return run.output

    monkeypatch.setattr("medinject_demo.training.finetune.train", train)
    given = ["train", "--mixture", "nat", "--data", data, "--base", base, "--size", 2, "--output", tmp_path / "nat"]
    assert run(*given).exit_code == 0
    weights = tmp_path / "base" / "model.safetensors"
    save_file({name: 2 * tensor for name, tensor in load_file(weights).items()}, weights, metadata={"format": "pt"})
    assert run(*given).exit_code == 0
    one, other = (each.identity["base_weights"] for each in runs)
    assert one != other
