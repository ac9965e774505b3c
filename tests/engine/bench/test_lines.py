"""Each line of the table of goals is there and sound; none is held to a time."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch

from medinject_demo.domain import ARMS, FinishReason
from medinject_demo.engine.base import Delta, Finished
from medinject_demo.engine.bench import memory, speed
from medinject_demo.engine.bench.limits import bandwidths
from medinject_demo.engine.bench.measure import Goal
from medinject_demo.engine.bench.report import Report
from medinject_demo.engine.bench.run import LINES, guarded
from medinject_demo.engine.bench.stage import Stage, work_on
from medinject_demo.engine.bench.subject import TINY, Subject
from medinject_demo.errors import ModelError

from ..watched import Watched
from .work import SLOW, SMALL


def test_every_line_is_there(report: Report) -> None:
    (table,) = report.tables
    assert {line.name for line in table.lines} == set(LINES) - set(SLOW)
    assert not [line.note for line in table.lines if line.measured is None]


def test_a_line_that_was_timed_holds_its_samples(report: Report) -> None:
    for line in report.tables[0].lines:
        assert all(len(each) == (1 if line.name == "quantised" else 2) for each in line.samples.values())
        assert line.samples or "answers equal" in line.what or "scale is that" in line.what


def test_greedy_answers_are_those_of_peft_and_of_transformers(report: Report) -> None:
    agreed = [line for line in report.tables[0].lines if "answers equal" in line.what]
    assert [(line.name, line.measured, line.met) for line in agreed] == [
        ("plain-batch", 8, True),
        ("quicker", 8, True),
        ("peft-sequential", 8, True),
    ]


def test_scales_are_those_of_the_whole_weights_and_four_bits_are_further_than_eight(report: Report) -> None:
    eight, kept, four, kept_too = [line for line in report.tables[0].lines if line.name == "quantised"]
    assert eight.measured is not None
    assert four.measured is not None
    assert 0 < eight.measured < four.measured
    assert (kept.met, kept_too.met) == (True, True)
    assert kept.measured == len(ARMS) * TINY.layers * 7


def test_a_quantised_engine_is_held_beside_the_whole_weights(stage: Stage) -> None:
    whole = [line.measured for line in guarded("quantised", stage)]
    assert [line.measured for line in guarded("quantised", replace(stage, quantization="int4"))] == whole[2:]


def test_peft_in_samples_of_one_row_is_compared_row_by_row(stage: Stage) -> None:
    faster, agreed = speed.peft_sequential(replace(stage, work=replace(SMALL, sequential=1)))
    assert faster.measured == SMALL.rows  # each sample of the counting clock takes one second
    assert agreed.measured == 1 + stage.repeats  # a warm-up, then a row each


def test_answers_in_half_precision_are_compared_without_a_goal(stage: Stage) -> None:
    line = speed.agreement(replace(stage, dtype="bf16"), "a", "rows", ["x", "y"], ["x", "z"])
    assert (line.measured, line.goal) == (1, None)
    assert speed.agreement(stage, "a", "rows", ["x", "y"], ["x", "z"]).met is False


@pytest.mark.parametrize(
    ("between", "steps"), [([0, 1, 0, 1], 2), ([0, 0, 0, 1], 3), ([0, 1, 1, 1], 3), ([], 0)], ids=str
)
def test_steps_are_the_most_pieces_of_a_row_from_the_leavers_end_to_the_newcomers_first(
    between: list[int], steps: int
) -> None:
    step = [Delta(0, "a"), Delta(1, "b")]
    end = Finished(2, FinishReason.LENGTH, 4, 0.1)
    pieces = [Delta(row, "x") for row in between]
    events = [*step, Delta(2, "c"), end, *pieces, Delta(3, "d"), *step]
    assert speed._steps_to_first(events, leaver=2, newcomer=3) == steps


@pytest.mark.parametrize("name", ["join", "answers"])
def test_answers_that_fail_are_no_figure(tiny: Subject, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    def failing(*_: object) -> None:
        raise torch.OutOfMemoryError("out of memory")

    stage = Stage(tiny, SMALL, "cpu", "fp32", "none", 1, lambda: 0.0)
    monkeypatch.setattr(stage.engine._batcher, "steps", Watched(stage.engine._batcher.steps, failing))
    try:
        (line,) = guarded(name, stage)
    finally:
        stage.close()
    assert line.measured is None
    assert "out of memory" in line.note


def test_a_bandwidth_counts_what_is_read_and_what_is_written() -> None:
    ticks = iter(range(100))
    assert bandwidths("cpu", 4096, 3, lambda: float(next(ticks))) == [8192.0] * 3


def test_a_cpu_and_a_gpu_are_asked_for_their_own_work() -> None:
    assert (work_on("cpu", None).prompt, work_on("cpu", None).tokens) == (64, 64)
    gpu = work_on("cuda", None)
    assert (gpu.prompt, gpu.tokens, gpu.row_counts, gpu.context) == (200, 256, (2, 8, 32, 64), 512)
    assert work_on("cuda", 32).tokens == 32


@pytest.mark.slow
def test_an_engine_is_weighed_in_a_process_of_its_own(stage: Stage) -> None:
    above, held = guarded("memory", stage)
    assert above.goal == Goal(15)
    assert above.measured is not None, above.note
    assert held.unit == "MB"


def test_where_the_system_does_not_tell_the_line_says_so(
    stage: Stage, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(memory, "STATUS", tmp_path / "absent")
    with pytest.raises(ModelError, match="VmRSS and VmHWM"):
        memory._resident()
