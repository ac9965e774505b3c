from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from medinject_demo.serving import free_port

from .interrupts import interruptible
from .test_cli import ROOT, SETTINGS, one_line, run

PATIENCE = 240
"""Seconds: the machine may be busy."""


@pytest.fixture(autouse=True)
def _no_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    for variable in SETTINGS:
        monkeypatch.delenv(variable, raising=False)


@pytest.fixture
def taken() -> Iterator[int]:
    """A port on which somebody listens."""
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        yield other.getsockname()[1]


def test_a_port_in_use_fails_before_a_model_is_loaded(taken: int, below_a_file: Path) -> None:
    line = one_line(run("serve", "--port", taken, "--database", f"sqlite:///{below_a_file}/votes.db"))
    assert line == (
        f"error: address 127.0.0.1:{taken}: expected a free one of this machine, got Address already in use. "
        "Stop what listens there, or choose another with --port."
    )


def test_an_address_of_another_machine_fails() -> None:
    assert "address 192.0.2.1:" in one_line(run("serve", "--host", "192.0.2.1", "--port", free_port()))


def test_a_database_that_cannot_be_written_fails_in_one_line(below_a_file: Path) -> None:
    line = one_line(run("serve", "--database", f"sqlite:///{below_a_file}/votes.db"))
    assert f"votes in sqlite:///{below_a_file}/votes.db: expected " in line
    assert line.endswith("Set MEDINJECT_DATABASE_URL to another place.")


@pytest.mark.parametrize("url", ["votes.db", "sqlite://", "mysql://host/votes"])
def test_a_database_of_no_known_kind_fails_in_one_line(url: str) -> None:
    assert "MEDINJECT_DATABASE_URL: expected sqlite:///<file> or " in one_line(run("serve", "--database", url))


def test_an_unknown_model_is_wrong_usage_and_told_with_those_there_are(tmp_path: Path) -> None:
    result = run("serve", "--model", "grand", "--database", f"sqlite:///{tmp_path}/votes.db")
    assert result.exit_code == 2
    assert "model: expected one of mini, qwen3-4b, remote, got 'grand'." in result.stderr
    assert list(tmp_path.iterdir()) == []


def test_a_wrong_setting_of_the_environment_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MEDINJECT_QUANTIZATION", "int3")
    assert "MEDINJECT_QUANTIZATION: expected none or int8 or int4" in one_line(run("serve"))


def test_the_space_fails_in_the_same_line(below_a_file: Path) -> None:
    environment = os.environ | {"MEDINJECT_DATABASE_URL": f"sqlite:///{below_a_file}/votes.db"}
    done = subprocess.run(
        [sys.executable, "app.py"], cwd=ROOT, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1].startswith("error: votes in sqlite:///")
    assert "Traceback" not in done.stderr


def test_the_page_is_served_and_says_what_answers_and_where_votes_go(tmp_path: Path) -> None:
    port, database = free_port(), tmp_path / "new/votes.db"
    command = ["-m", "medinject_demo", "serve", "--port", str(port), "--database", f"sqlite:///{database}"]
    with subprocess.Popen(
        [sys.executable, *command],
        cwd=ROOT,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=interruptible,  # noqa: PLW1509 - no thread forks here
    ) as serving:
        try:
            assert _answer(f"http://127.0.0.1:{port}/", serving) == 200
            serving.send_signal(signal.SIGINT)
            _, said = serving.communicate(timeout=PATIENCE)
        finally:
            serving.kill()
    model, votes, secret = said.splitlines()[:3]
    assert re.fullmatch(r"model: mini \(auto\): base, nat, .*, all\.", model)
    assert votes == f"votes: {database}."
    assert secret.startswith("MEDINJECT_SECRET is not set: after a restart, a voter who comes back counts as a new")
    assert database.is_file()
    assert serving.returncode == 0


def _answer(url: str, serving: subprocess.Popen[str]) -> int:
    """The status of the page, once it is there."""
    latest = time.monotonic() + PATIENCE
    while time.monotonic() < latest:
        assert serving.poll() is None, "the page ended by itself"
        try:
            with urllib.request.urlopen(url, timeout=10) as answer:
                return int(answer.status)
        except OSError:
            time.sleep(0.1)
    raise AssertionError(f"the page did not come within {PATIENCE} s")
