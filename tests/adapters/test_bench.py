from __future__ import annotations

import json
from pathlib import Path

import pytest

from medinject_demo.adapters.bench.run import Plan, bench, measured_whole
from medinject_demo.adapters.registry import profile
from medinject_demo.domain import Mixture
from tests.adapters.pairs import SMALL


@pytest.mark.slow
def test_a_bench_tells_the_truth_it_knows(tmp_path: Path) -> None:
    miniature, arm = profile("mini"), Mixture.parse("nat")
    folders = {arm: miniature.arms[arm].folder}
    report = bench(Plan([4], False, tmp_path), Path(miniature.base), folders, "command", lambda line: None, SMALL)
    said = json.loads(report.as_json())
    whole, rounded = said["arms"]
    assert whole["left"] < 1e-4
    assert whole["logits"] < 1e-3
    assert whole["same"] == 3
    assert rounded["away"] < rounded["checkpoint"]
    assert {(each["found"], each["rank"]) for each in said["matrices"] if each["precision"] == "F32"} == {(4, 4)}
    assert all(each["plain"][0] > 0.1 for each in said["matrices"])
    assert "| nat | F32 | 16 |" in report.as_markdown()


@pytest.mark.slow
def test_a_killed_recovery_over_http_ends_with_the_bytes_of_one_from_folders(tmp_path: Path) -> None:
    whole = measured_whole(tmp_path, SMALL, lambda line: None)
    assert whole.same
    assert whole.failures > 0
    assert whole.first.peak > whole.interpreter / 2
