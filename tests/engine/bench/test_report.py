"""A report in its three forms."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from medinject_demo.engine.bench import environment
from medinject_demo.engine.bench.measure import Line
from medinject_demo.engine.bench.report import GPU_COMMAND, Report

ROOT = Path(__file__).parents[3]


def test_json_holds_the_environment_the_goals_and_every_sample(report: Report) -> None:
    document = json.loads(report.as_json())
    assert set(document) == {"command", "date", "environment", "tables"}
    assert set(document["environment"]["libraries"]) == {"torch", "transformers", "peft"}
    first = document["tables"][0]["lines"][0]
    assert (first["name"], first["goal"]) == ("base-batch", "≤ 1.1")
    assert [len(each) for each in first["samples"].values()] == [2, 2]


def test_the_text_has_a_row_for_each_line(report: Report) -> None:
    rows = report.as_text().splitlines()
    for line in report.tables[0].lines:
        assert any(row.startswith(line.name) and line.what in row for row in rows)


def test_markdown_names_its_command_and_on_a_processor_the_one_for_a_gpu(report: Report) -> None:
    text = report.as_markdown()
    assert "Written by `python -m medinject_demo bench` on 2026-11-22." in text
    assert "The same on a GPU is one command" in text
    on_gpu = replace(report, environment=replace(report.environment, kind="cuda"))
    assert "The same on a GPU" not in on_gpu.as_markdown()


def test_the_document_of_a_gpu_and_a_report_name_the_same_command() -> None:
    told = " ".join((ROOT / "docs" / "gpu.md").read_text(encoding="utf-8").replace("\\\n", "").split())
    assert GPU_COMMAND in told


def test_a_line_that_was_not_run_says_why_in_every_form(report: Report) -> None:
    (table,) = report.tables
    report = replace(report, tables=(replace(table, lines=(Line.not_run("load", "loading", "no room"),)),))
    assert all("not run: no room" in text for text in (report.as_text(), report.as_json(), report.as_markdown()))


def test_a_processor_without_a_name_has_its_architecture(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(environment, "PROCESSORS", tmp_path / "absent")
    assert environment.Environment.of("cpu").device
