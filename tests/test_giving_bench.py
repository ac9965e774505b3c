from __future__ import annotations

import json
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from medinject_demo import giving_bench
from medinject_demo.giving_bench import Given, RoundTrip, Trained
from medinject_demo.votes.failures import Failed

from .test_cli import one_line, run

FAILED = Failed("first push", "commit", 6, "cut", "peer closed", lost=0, doubled=0, completed=True)
GIVEN = Given(
    [RoundTrip("csv", 82, same=True, again=0)],
    [FAILED],
    [Trained("dpo", "DPOTrainer", 24, conversational=True, loss=0.693)],
    "trl 1.16.0",
    "huggingface_hub 2.4.0",
)
DOCUMENT = "avant\n<!-- giving: generated -->\nvieux\n<!-- giving: end -->\naprès\n"


@pytest.mark.parametrize(
    "wrong",
    [
        {"trips": [replace(GIVEN.trips[0], same=False)]},
        {"trips": [replace(GIVEN.trips[0], again=1)]},
        {"failed": [replace(FAILED, lost=1)]},
        {"failed": [replace(FAILED, doubled=1)]},
        {"failed": [replace(FAILED, completed=False)]},
        {"trained": [replace(GIVEN.trained[0], conversational=False)]},
        {"trained": [replace(GIVEN.trained[0], rows=0)]},
    ],
)
def test_it_holds_where_nothing_was_lost_doubled_changed_or_refused(wrong: dict[str, object]) -> None:
    assert GIVEN.holds
    assert not replace(GIVEN, **wrong).holds  # type: ignore[arg-type]


def test_the_part_of_the_document_has_each_table() -> None:
    text = GIVEN.as_markdown("medinject bench giving")
    for line in (
        "| csv | 82 | yes | 0 |",
        "| first push | 6. commit | cut | peer closed | 0 | 0 | yes |",
        "| dpo | DPOTrainer | 24 | yes | 0.693 |",
        "Written by `medinject bench giving`.",
    ):
        assert line in text
    assert json.loads(GIVEN.as_json())["holds"] is True


def test_the_part_alone_is_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(giving_bench, "measure", lambda battles, say: GIVEN)
    place = tmp_path / "statistics.md"
    place.write_text(DOCUMENT, encoding="utf-8")
    result = run("bench", "giving", "--output", place)
    assert result.exit_code == 0
    text = place.read_text(encoding="utf-8")
    assert text.startswith("avant\n")
    assert text.endswith("après\n")
    assert "vieux" not in text
    assert "bench giving --output" in text


def test_a_document_without_its_markers_fails_before_anything_is_measured(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(giving_bench, "measure", lambda *_: pytest.fail("measured"))
    (tmp_path / "other.md").write_text("rien", encoding="utf-8")
    assert "expected the markers" in one_line(run("bench", "giving", "--output", tmp_path / "other.md"))


def test_what_does_not_hold_is_a_failure(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(giving_bench, "measure", lambda *_: replace(GIVEN, failed=[replace(FAILED, lost=1)]))
    assert "see the table" in one_line(run("bench", "giving"))


def test_without_trl_it_is_said_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "trl", None)
    said = one_line(run("bench", "giving"))
    assert "expected trl and datasets, got no trl. Run: pip install -r requirements-train.txt" in said
