from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from medinject_demo import fleet_bench
from medinject_demo.engine.base import Finished, ScriptedEngine
from medinject_demo.engine.bench.environment import Environment
from medinject_demo.errors import ModelError
from medinject_demo.fleet_bench import BASELINE, VISITORS, Cost, Place

from .test_cli import one_line, run

COST = Cost(
    [Place(BASELINE, [0.01, 0.02, 0.04], [100, 200, 150]), Place("a fleet", [0.02, 0.03, 0.05], [60, 75, 90])],
    [7.0, 5.0, 6.04],
    Environment("a processor", "cpu", "fp32", 2, 2, "3.11.2", {"torch": "2.13.0"}),
)


def test_each_place_is_set_beside_the_baseline_by_medians() -> None:
    baseline, fleet, returns, machine = COST.as_text().splitlines()
    assert baseline == f"{BASELINE} 20 (10 to 40) ms 150 (100 to 200) 1.00"
    assert fleet == "a fleet 30 (20 to 50) ms 75 (60 to 90) 0.50"
    assert returns.startswith("From a replica's death (SIGKILL) until both answer again: 6.0 (5.0 to 7.0) s, 3 deaths")
    assert machine.startswith("2 CPU cores")


def test_the_kept_document_says_what_made_it_and_that_two_are_not_faster_here() -> None:
    text = COST.as_markdown("medinject bench fleet --output docs/fleet.md")
    assert "Written by `medinject bench fleet --output docs/fleet.md`" in text
    assert "| a fleet | 30 (20 to 50) ms | 75 (60 to 90) | 0.50 |" in text
    assert "On 2 cores two replicas cannot be faster than one" in text


def test_the_document_for_a_machine_holds_every_sample() -> None:
    document = json.loads(COST.as_json())
    assert document["places"][0] == {"name": BASELINE, "first": [0.01, 0.02, 0.04], "rate": [100, 200, 150]}
    assert document["returns"] == [7.0, 5.0, 6.04]


def test_a_round_is_a_duel_of_each_visitor() -> None:
    duels = fleet_bench._duels()
    assert [len({request.mixture for request in duel}) for duel in duels] == [2] * VISITORS
    assert len({str(duel[0].messages) for duel in duels}) == VISITORS
    first, rate = fleet_bench._round(ScriptedEngine(lambda request: "une réponse"))
    assert first > 0
    assert rate > 0


def test_an_answer_that_failed_is_no_measure() -> None:
    def fails(request: object) -> str:
        raise ValueError("panne")

    with pytest.raises(ModelError, match="answer: expected one that is whole, got ValueError: panne"):
        fleet_bench._round(ScriptedEngine(fails))
    assert fleet_bench._whole(Finished(0, "stop", 1, 0.0)).tokens == 1  # type: ignore[arg-type]


def test_it_is_printed_and_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fleet_bench, "measure", lambda rounds, deaths, say: COST)
    result = run("bench", "fleet", "--output", tmp_path / "fleet.md")
    assert result.stdout == COST.as_text() + "\n"
    assert "bench fleet --output " in (tmp_path / "fleet.md").read_text(encoding="utf-8")


def test_what_is_missing_or_cannot_be_written_is_said_first(
    below_a_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "ray.serve", None)
    assert f"{below_a_file}" in one_line(run("bench", "fleet", "--output", below_a_file))
    assert one_line(run("bench", "fleet")).endswith("Run: pip install -r requirements-fleet.txt")
