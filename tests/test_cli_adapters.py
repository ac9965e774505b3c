"""``adapters`` on the command line, on small checkpoints."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from medinject_demo.adapters.bench.made import Sizes, write_pair
from medinject_demo.adapters.checkpoint import Checkpoint
from medinject_demo.adapters.source import Folder
from medinject_demo.adapters.verify import Verification
from medinject_demo.cli import cli
from medinject_demo.cli.progress import EVERY, progress
from tests.adapters.pairs import change, made
from tests.interrupts import interruptible

ROOT = Path(__file__).parent.parent


def run(*arguments: str | Path) -> Result:
    return CliRunner().invoke(cli, ["adapters", *map(str, arguments)])


@pytest.fixture
def pair(tmp_path: Path) -> tuple[Path, Path]:
    return made(tmp_path)


def test_a_recovery_says_what_it_found_and_where_it_is(pair: tuple[Path, Path], tmp_path: Path) -> None:
    done = run("recover", "--merged", pair[0], "--base", pair[1], "--output", tmp_path / "out")
    assert done.exit_code == 0
    assert "DoRA of rank 4 in 21 of 21 layers" in done.stdout
    assert f"written: {tmp_path / 'out'}" in done.stdout


def test_a_recovery_for_a_machine_is_one_document(pair: tuple[Path, Path], tmp_path: Path) -> None:
    done = run("recover", "--merged", pair[0], "--base", pair[1], "--output", tmp_path / "out", "--json")
    (said,) = json.loads(done.stdout)
    assert said["kind"] == "DoRA"
    assert len(said["matrices"]) == 21


def test_work_that_fails_is_one_line_and_exit_code_1(pair: tuple[Path, Path], tmp_path: Path) -> None:
    (pair[0] / "model-00002-of-00002.safetensors").unlink()
    done = run("recover", "--merged", pair[0], "--base", pair[1], "--output", tmp_path / "out")
    assert done.exit_code == 1
    assert done.stderr.count("\n") == 1
    assert done.stderr.startswith("error: checkpoint ")
    assert not (tmp_path / "out").exists()


def test_a_change_that_no_adapter_holds_needs_a_word(pair: tuple[Path, Path], tmp_path: Path) -> None:
    change(pair[0], "model.norm.weight", lambda values: values + 1)
    arguments = ("recover", "--merged", pair[0], "--base", pair[1], "--output", tmp_path / "out")
    assert run(*arguments).exit_code == 1
    done = run(*arguments, "--leave-out")
    assert done.exit_code == 0
    assert "left out, as no adapter holds it: model.norm.weight" in done.stdout


@pytest.mark.parametrize(
    "arguments",
    [
        ("recover",),
        ("recover", "--merged", "x"),
        ("recover", "--merged", "x", "--missing"),
        ("recover", "--mixture", "nat", "--mixture", "syn", "--output", "x"),
        ("recover", "--mixture", "base"),
        ("convert", ".", "--output", "x"),
        ("convert", ".", "--output", "x", "--rank", "4"),
        ("verify", "."),
        ("verify", "nowhere"),
        ("fetch",),
    ],
)
def test_wrong_usage_is_exit_code_2(
    arguments: tuple[str, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert run(*arguments).exit_code == 2


WHICH = {"merged": 0, "base": 1}


@pytest.fixture
def recovered(pair: tuple[Path, Path], tmp_path: Path) -> Path:
    """An adapter with the record of its recovery."""
    done = run("recover", "--merged", pair[0], "--base", pair[1], "--output", tmp_path / "out", "--rank", "4")
    assert done.exit_code == 0
    return tmp_path / "out"


@pytest.fixture
def compared(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, str | None]]:
    """The name and the commit of each checkpoint that was compared; these small ones cannot answer."""
    seen: list[tuple[str, str | None]] = []

    def verify(adapter: Path, *checkpoints: Checkpoint, **options: object) -> Verification:
        seen.extend((each.name, each.source.commit) for each in checkpoints)
        return Verification(False, (), 1.0)

    monkeypatch.setattr("medinject_demo.adapters.verify.verify", verify)
    return seen


def test_a_verification_asks_the_checkpoints_of_the_recovery(
    pair: tuple[Path, Path], recovered: Path, compared: list[tuple[str, str | None]]
) -> None:
    assert run("verify", recovered).exit_code == 0
    assert compared == [(str(each), None) for each in pair]


@pytest.mark.parametrize("which", WHICH)
def test_checkpoints_that_are_no_longer_those_of_the_recovery_are_refused_unless_they_are_named(
    pair: tuple[Path, Path], recovered: Path, compared: list[tuple[str, str | None]], which: str
) -> None:
    changed = pair[WHICH[which]]
    change(changed, "model.embed_tokens.weight", lambda values: values)
    done = run("verify", recovered)
    assert (done.exit_code, done.stderr.count("\n"), compared) == (1, 1, [])
    assert f"expected its {which} with the mark " in done.stderr
    assert f"give --{which} to compare" in done.stderr
    assert run("verify", recovered, f"--{which}", changed).exit_code == 0


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ((), ("a" * 40, "b" * 40)),
        (("--revision", "v2"), ("v2", "b" * 40)),
        (("--base-revision", "v3"), ("a" * 40, "v3")),
        (("--merged", "group/merged"), (None, "b" * 40)),
    ],
)
def test_repositories_are_verified_at_the_commits_of_the_recovery_unless_others_are_named(
    pair: tuple[Path, Path],
    recovered: Path,
    compared: list[tuple[str, str | None]],
    monkeypatch: pytest.MonkeyPatch,
    options: tuple[str, ...],
    expected: tuple[str | None, str | None],
) -> None:
    record = json.loads((recovered / "recovery.json").read_text(encoding="utf-8"))
    for which, commit in (("merged", "a" * 40), ("base", "b" * 40)):
        record[which] |= {"name": f"group/{which}", "commit": commit, "mark": "that of the other kind of reader"}
    (recovered / "recovery.json").write_text(json.dumps(record), encoding="utf-8")

    def open_source(name: str, *, revision: str | None = None, token: str | None = None) -> Folder:
        return Folder(pair[WHICH[name.removeprefix("group/")]], name, revision)

    for module in ("source", "recorded"):
        monkeypatch.setattr(f"medinject_demo.adapters.{module}.open_source", open_source)
    assert run("verify", recovered, *options).exit_code == 0
    assert compared == list(zip(("group/merged", "group/base"), expected, strict=True))


@pytest.mark.parametrize("command", [("verify",), ("convert", "--output", "x", "--rank", "4")])
def test_what_only_its_weights_tell_has_to_be_named(recovered: Path, command: tuple[str, ...]) -> None:
    for name in ("adapter_config.json", "recovery.json"):
        said = json.loads((recovered / name).read_text(encoding="utf-8"))
        if name == "recovery.json":
            said["merged"]["name"] = said["base"]["name"] = "sha256:0123456789abcdef"
        else:
            said["base_model_name_or_path"] = "sha256:0123456789abcdef"
        (recovered / name).write_text(json.dumps(said), encoding="utf-8")
    done = run(command[0], recovered, *command[1:])
    assert (done.exit_code, "Missing option" in done.stderr) == (2, True)


def test_an_arm_of_a_registry_is_recovered_to_its_own_place(pair: tuple[Path, Path], tmp_path: Path) -> None:
    registry = tmp_path / "registry.toml"
    registry.write_text(
        f'[small]\ntitle = "Petit"\nnotice = "Sans valeur."\nbase = "{pair[1]}"\n'
        f'[small.arms]\nnat = {{ folder = "small/nat", merged = "{pair[0]}" }}\nsyn = {{ folder = "small/syn" }}\n',
        encoding="utf-8",
    )
    options = ("--registry", registry, "--model", "small")
    assert run("recover", "--mixture", "nat", *options).exit_code == 0
    rows = {each["arm"]: each for each in json.loads(run("list", "--registry", registry, "--json").stdout)}
    assert (rows["nat"]["state"], rows["syn"]["state"]) == ("installed", "missing")
    assert rows["nat"]["origin"] == f"recovered from {pair[0]}"
    assert rows["nat"]["size"] > 0
    refused = run("recover", "--missing", *options)
    assert (refused.exit_code, "arm syn: expected a merged checkpoint" in refused.stderr) == (1, True)


def test_the_list_shows_every_arm_of_every_profile() -> None:
    lines = run("list").stdout.splitlines()
    assert len(lines) == 15
    assert "qwen3-4b  nat" in run("list").stdout


def test_a_push_is_a_dry_run_unless_it_is_confirmed(monkeypatch: pytest.MonkeyPatch) -> None:
    def never(*given: object, **options: object) -> None:
        raise AssertionError("uploaded")

    monkeypatch.setattr("huggingface_hub.HfApi.create_repo", never)
    done = run("push", "group/adapters", "--model", "mini", "--mixture", "nat")
    assert done.exit_code == 0
    assert "nat/adapter_model.safetensors" in done.stdout
    assert "group/adapters, private if new. Upload with --yes." in done.stdout
    assert "adapters/mini/base is named sha256:" in done.stdout
    assert "public if new" in run("push", "group/adapters", "--model", "mini", "--mixture", "nat", "--public").stdout


@pytest.mark.parametrize("options", [(), ("--public",)])
def test_a_push_makes_a_private_repository_unless_it_is_told_otherwise(
    monkeypatch: pytest.MonkeyPatch, options: tuple[str, ...]
) -> None:
    seen: list[bool] = []
    monkeypatch.setattr("huggingface_hub.HfApi.create_repo", lambda *_, private, **__: seen.append(private))
    monkeypatch.setattr("huggingface_hub.HfApi.create_commit", lambda *_, **__: None)
    assert run("push", "group/adapters", "--model", "mini", "--mixture", "nat", "--yes", *options).exit_code == 0
    assert seen == [not options]


def test_a_conversion_that_loses_too_much_is_refused_and_can_be_forced(tmp_path: Path) -> None:
    arguments = ("convert", ROOT / "adapters/mini/nat", "--rank", "16", "--output", tmp_path / "lora")
    base = ("--base", ROOT / "adapters/mini/base")
    refused = run(*arguments, *base)
    assert refused.exit_code == 1
    assert "23 to 45 %" in refused.stderr
    assert "of the change lost" in run(*arguments, *base, "--force").stdout


@pytest.mark.parametrize("sent", [signal.SIGINT, signal.SIGKILL])
def test_a_process_that_is_stopped_leaves_nothing_half_written_and_continues(
    tmp_path: Path, sent: signal.Signals
) -> None:
    sizes = Sizes(hidden=512, layers=4, heads=4, kv_heads=4, head=128, feed_forward=1536, vocabulary=300)
    merged, base = write_pair(tmp_path, sizes, 4, lambda line: None)
    arguments = ["adapters", "recover", "--merged", str(merged), "--base", str(base), "--output"]
    command = [sys.executable, "-m", "medinject_demo", *arguments]
    subprocess.run([*command, str(tmp_path / "whole")], cwd=ROOT, check=True, capture_output=True)
    running = subprocess.Popen(
        [*command, str(tmp_path / "out")],
        cwd=ROOT,
        stderr=subprocess.PIPE,
        preexec_fn=interruptible,  # noqa: PLW1509 - no thread forks here
    )
    work = tmp_path / "out.partial"
    while len(list(work.glob("*.safetensors"))) < 5:
        assert running.poll() is None
        time.sleep(0.005)
    os.kill(running.pid, sent)
    _, said = running.communicate()
    assert running.returncode == (1 if sent == signal.SIGINT else -sent)
    if sent == signal.SIGINT:
        assert said.decode().splitlines()[-1] == "interrupted: what was finished is kept; the same command continues."
    assert not (tmp_path / "out").exists()
    subprocess.run([*command, str(tmp_path / "out")], cwd=ROOT, check=True, capture_output=True)
    for path in (
        each for each in (tmp_path / "whole").iterdir() if each.name != "README.md"
    ):  # whose title is its name
        assert (tmp_path / "out" / path.name).read_bytes() == path.read_bytes()
    shutil.rmtree(merged)


def test_without_a_terminal_progress_is_a_line_now_and_then(capsys: pytest.CaptureFixture[str]) -> None:
    clock = iter([0.0, 1.0, EVERY + 1, EVERY + 2, 2 * EVERY + 2])
    with progress("nat", now=lambda: next(clock)) as report:
        for done in (10, 20, 30, 40):
            report(done, 100, "a layer")
    assert capsys.readouterr().err.splitlines() == [
        "nat: 20%, about 88 s left, a layer",
        "nat: 40%, about 44 s left, a layer",
    ]
