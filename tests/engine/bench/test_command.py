"""The plan of a benchmark, and the command that runs it."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from click.testing import CliRunner, Result

from medinject_demo import cli
from medinject_demo.engine.bench import subject
from medinject_demo.engine.bench.run import ALONE, LINES, Plan
from medinject_demo.engine.bench.subject import SHAPES, TINY
from medinject_demo.errors import InvalidValue, ModelError, OutputError
from medinject_demo.settings import QUANTIZATIONS

ROOT = Path(__file__).parents[3]


@pytest.mark.parametrize(
    ("plan", "said"),
    [
        (Plan(only=["speed"]), "only: expected one of base-batch"),
        (Plan(models=["random-70b"]), "model: expected one of random-60m, random-4b, mini, got 'random-70b'"),
        (
            Plan(models=["random-4b"], only=["step", "quicker", "peft-mixed"]),
            "only: expected for random-4b on a processor, some of base-batch, .*, got quicker, peft-mixed. The others",
        ),
    ],
)
def test_a_plan_that_names_the_unknown_is_refused(plan: Plan, said: str) -> None:
    with pytest.raises(InvalidValue, match=said):
        plan.on("cpu")


def test_each_device_has_its_usual_model() -> None:
    assert (Plan().on("cpu").models, Plan().on("cuda").models) == (("random-60m",), ("random-4b",))


def test_of_the_large_base_a_processor_measures_the_engine_alone() -> None:
    plan = Plan(models=["random-4b", "mini"])
    assert plan.on("cpu").lines("random-4b") == ALONE
    assert set(plan.on("cuda").lines("random-4b")) == set(LINES)
    assert plan.on("cpu").lines("mini") == tuple(LINES)
    assert replace(plan, only=["step", "rows"]).on("cpu").lines("random-4b") == ("step", "rows")


def run(*arguments: object) -> Result:
    return CliRunner().invoke(cli.cli, ["bench", *map(str, arguments)])


class TestCommand:
    def test_its_lists_are_those_of_the_package(self) -> None:
        options = {str(option.name): option for option in cli.bench.params}
        assert tuple(LINES) == cli.BENCH_LINES
        assert tuple(options["models"].type.choices) == subject.MODELS
        assert tuple(options["quantizations"].type.choices) == QUANTIZATIONS

    @pytest.mark.parametrize(
        ("arguments", "code"),
        [
            (["--model", "gpt"], 2),
            (["--quantization", "int2"], 2),
            (["--repeats", "0"], 2),
            (["--tokens", "1"], 2),
            (["--device", "cpu", "--only", "speed"], 2),
            (["--device", "cpu", "--model", "random-4b", "--only", "peft-mixed"], 1),
        ],
    )
    def test_wrong_options_end_in_one_sentence(self, arguments: list[str], code: int) -> None:
        result = run(*arguments)
        assert result.exit_code == code
        assert result.stderr.splitlines()[-1].lower().startswith("error: ")

    @pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
    def test_cuda_that_is_not_there_is_said(self) -> None:
        assert (
            "error: device: expected auto or cpu, got 'cuda'. torch sees no CUDA device"
            in run("--device", "cuda").stderr
        )

    def test_an_output_that_cannot_be_written_fails_before_anything_is_measured(self, below_a_file: Path) -> None:
        result = run("--device", "cpu", "--output", below_a_file)
        (line,) = result.stderr.splitlines()
        assert line.endswith("Choose another place.")

    def test_it_prints_json_and_writes_markdown_with_the_command(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setitem(SHAPES, "random-60m", TINY)
        output = tmp_path / "docs" / "benchmarks.md"
        options = ["--device", "cpu", "--repeats", 1, "--tokens", 4, "--only", "join", "--only", "answers", "--json"]
        result = run(*options, "--output", output)
        assert result.exit_code == 0, result.stderr
        assert [line["name"] for line in json.loads(result.stdout)["tables"][0]["lines"]] == ["join", "answers"]
        typed = " ".join(map(str, options))
        assert f"bench {typed} --output {output}`" in output.read_text(encoding="utf-8")
        assert "random-60m, none: join" in result.stderr

    def test_a_run_that_is_killed_leaves_in_its_output_what_was_measured_and_names_the_rest(
        self, tmp_path: Path
    ) -> None:
        output = tmp_path / "benchmarks.md"
        program = "\n".join(
            [
                "import os, signal",
                "from medinject_demo.cli import cli",
                "from medinject_demo.engine.bench.run import LINES",
                "from medinject_demo.engine.bench.subject import SHAPES, TINY",
                "SHAPES['random-60m'] = TINY",
                "LINES['load'] = lambda _: os.kill(os.getpid(), signal.SIGKILL)",
                "only = [each for name in ('answers', 'load', 'rows') for each in ('--only', name)]",
                f"cli(['bench', '--device', 'cpu', '--tokens', '4', *only, '--output', {str(output)!r}])",
            ]
        )
        done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=False)
        assert done.returncode == -signal.SIGKILL, done.stderr
        rows = [row for row in output.read_text(encoding="utf-8").splitlines() if row.startswith("| `")]
        assert [(row.split("`")[1], "not run yet" in row) for row in rows] == [
            ("answers", False),
            ("load", True),
            ("rows", True),
        ]

    def test_a_disk_that_is_full_in_mid_run_loses_no_figure(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def full(path: Path, text: str) -> None:
            raise OutputError("No space left on device")

        monkeypatch.setitem(SHAPES, "random-60m", TINY)
        monkeypatch.setattr("medinject_demo.files.write_whole", full)
        result = run("--device", "cpu", "--tokens", 4, "--only", "answers", "--output", tmp_path / "benchmarks.md")
        assert "tokens/s" in result.stdout
        assert (result.exit_code, result.stderr.splitlines()[-1]) == (1, "error: No space left on device")

    def test_a_run_without_one_figure_is_a_failure_that_says_why(self, monkeypatch: pytest.MonkeyPatch) -> None:
        def full(*_: object) -> None:
            raise ModelError("no room. Name another with TMPDIR.")

        monkeypatch.setattr("medinject_demo.engine.bench.run.random_subject", full)
        result = run("--device", "cpu", "--only", "answers", "--only", "load")
        assert result.stdout.count("not run: no room") == 2
        assert result.exit_code == 1
        assert result.stderr.splitlines()[-1].startswith("error: bench: expected a figure, got not run: no room.")

    def test_it_needs_the_tensor_libraries_and_click_alone(self) -> None:
        absent = ("pydantic", "gradio", "datasets", "trl", "pandas", "rouge_score", "sqlalchemy")
        program = "\n".join(
            [
                f"import sys; sys.modules.update(dict.fromkeys({absent!r}))",
                "from medinject_demo.cli import cli",
                "import medinject_demo.engine.bench.run",
                "cli(['bench', '--device', 'cpu', '--model', 'random-4b', '--only', 'quicker'])",
            ]
        )
        done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=False)
        assert done.stderr.startswith("error: only: expected for random-4b on a processor, some of base-batch")
