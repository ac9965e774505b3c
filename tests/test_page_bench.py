from __future__ import annotations

import json
import shutil
import sys
from pathlib import Path

import pytest

from medinject_demo import page_bench
from medinject_demo.engine.bench.environment import Environment
from medinject_demo.errors import MedInjectError
from medinject_demo.page_bench import Waits

from .test_cli import one_line, run

WAITS = Waits(
    {"usable": [1.0, 1.5, 9.0, 1.25, 2.0], "first_token": [1.5, 0.5, 2.0, 1.75, 0.25]},
    Environment("a processor", "cpu", "fp32", 2, 2, "3.11.2", {"torch": "2.13.0"}),
    "150.0",
)


def without(monkeypatch: pytest.MonkeyPatch, *, playwright: bool) -> None:
    if playwright:
        monkeypatch.setitem(sys.modules, "playwright.sync_api", None)
    else:
        monkeypatch.setattr(shutil, "which", lambda name: None)


def test_a_wait_is_judged_by_its_median() -> None:
    assert WAITS.medians == {"usable": 1.5, "first_token": 1.5}
    usable, first, machine = WAITS.as_text().splitlines()
    assert usable.startswith("usable       median 1.50 s (1.00 to 9.00, 5 samples), goal 3 s: met; from navigation")
    assert "goal 1 s: not met" in first
    assert machine == "2 CPU cores, 2 threads, fp32; torch 2.13.0, Python 3.11.2; Chromium 150.0"


def test_the_document_holds_every_sample() -> None:
    document = json.loads(WAITS.as_json())
    assert document["samples"]["first_token"] == [1.5, 0.5, 2.0, 1.75, 0.25]
    assert document["goals"] == {"usable": 3.0, "first_token": 1.0}
    assert document["environment"]["cores"] == 2


def test_the_kept_document_says_what_made_it_and_what_was_not_met() -> None:
    text = WAITS.as_markdown("medinject bench page --output docs/page.md")
    assert "Written by `medinject bench page --output docs/page.md`" in text
    rows = [line for line in text.splitlines() if line.startswith("| from ")]
    assert [row.rsplit("|", 2)[1].strip() for row in rows] == ["met", "not met"]


@pytest.mark.parametrize(
    ("playwright", "remedy"),
    [(True, "Run: pip install -r requirements-dev.txt"), (False, "On Debian, run: apt-get install chromium")],
)
def test_what_is_missing_is_said_with_its_remedy(
    monkeypatch: pytest.MonkeyPatch, playwright: bool, remedy: str
) -> None:
    pytest.importorskip("playwright")
    without(monkeypatch, playwright=playwright)
    with pytest.raises(MedInjectError) as missing, page_bench.browser():
        pass
    assert str(missing.value).endswith(remedy)
    assert one_line(run("bench", "page")).endswith(remedy)


def test_a_document_that_cannot_be_written_fails_before_anything_is_measured(
    below_a_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(page_bench, "measure", lambda *_: pytest.fail("measured"))
    assert f"{below_a_file}" in one_line(run("bench", "page", "--output", below_a_file))


def test_the_waits_are_printed_and_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(page_bench, "measure", lambda repeats, say: WAITS)
    result = run("bench", "page", "--output", tmp_path / "page.md")
    assert result.stdout == WAITS.as_text() + "\n"
    assert "bench page --output " in (tmp_path / "page.md").read_text(encoding="utf-8")
    assert json.loads(run("bench", "page", "--json").stdout)["chromium"] == "150.0"
