"""Whatever a line, a model or a device does, the figures of the others are kept."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest
import torch

from medinject_demo.engine.bench import run, speed
from medinject_demo.engine.bench.measure import Goal, Line
from medinject_demo.engine.bench.report import Report
from medinject_demo.engine.bench.run import LINES, Plan, bench, guarded
from medinject_demo.engine.bench.stage import Stage
from medinject_demo.engine.bench.subject import SHAPES, TINY, Subject
from medinject_demo.errors import ModelError

from .work import NOWHERE, SMALL

Lines = dict[str, Callable[[Stage], list[Line]]]


def ticking() -> float:
    """A clock that stands still."""
    return 0.0


@pytest.fixture
def lines(tiny: Subject, monkeypatch: pytest.MonkeyPatch) -> Lines:
    """What is measured, where that takes no time: of a model that is there, each line its own place among all."""
    monkeypatch.setattr(run, "random_subject", lambda *_: tiny)
    for place, name in enumerate(LINES, 1):
        monkeypatch.setitem(LINES, name, lambda _, line=Line(name, "a figure", place): [line])
    return LINES


def told(report: Report) -> list[list[float | str]]:
    """Of each table each line's figure, or what stands in its place."""
    return [[line.note if line.measured is None else line.measured for line in table.lines] for table in report.tables]


def failing(error: Exception) -> Callable[[object], list[Line]]:
    def measure(_: object) -> list[Line]:
        raise error

    return measure


def test_each_line_is_told_as_soon_as_it_is_measured(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(SHAPES, "random-60m", TINY)
    told: list[str] = []
    asked: list[int] = []
    line = Line("join", "steps", 1, goal=Goal(2))
    monkeypatch.setitem(LINES, "join", lambda _: asked.append(len(told)) or [line])
    bench(Plan(device="cpu", work=SMALL, only=["join", "join"]), NOWHERE, "bench", told.append)
    assert asked == [1, 2]
    assert told[1] == "random-60m, none: join: steps: 1 (goal ≤ 2: yes)"


def test_a_failing_baseline_becomes_a_line_and_the_next_is_measured(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    def failing(*_: object) -> None:
        raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate\nmuch")

    monkeypatch.setattr(speed, "plain", failing)
    (line,) = guarded("plain-batch", stage)
    assert (line.name, line.measured, line.met) == ("plain-batch", None, None)
    assert line.note == "not run: CUDA out of memory. Tried to allocate"
    assert guarded("join", stage)[0].measured is not None


def test_an_engine_that_cannot_load_is_tried_once_and_told_on_every_line(tiny: Subject) -> None:
    tried: list[int] = []

    class Unable(Stage):
        def load(self, rows: int, context: int) -> object:  # type: ignore[override]
            tried.append(rows)
            raise ModelError("no room")

    stage = Unable(tiny, SMALL, "cpu", "fp32", "none", 1, ticking)
    assert [guarded(name, stage)[0].note for name in ("join", "rows")] == ["not run: no room"] * 2
    assert tried == [SMALL.most_rows]
    stage.close()


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (AssertionError("triton"), "triton"),
        (IndexError("list index out of range"), "list index out of range"),
        (ZeroDivisionError(), "ZeroDivisionError"),
        (StopIteration(), "StopIteration"),
        (ModelError("no room"), "no room"),
    ],
)
def test_whatever_a_line_raises_the_others_keep_their_figures(
    lines: Lines, caplog: pytest.LogCaptureFixture, error: Exception, said: str
) -> None:
    lines["plain-batch"] = failing(error)
    report = bench(Plan(device="cpu", only=["base-batch", "plain-batch", "quicker"]), NOWHERE, "bench")
    assert told(report) == [[1, f"not run: {said}", 3]]
    assert ("Traceback" in caplog.text) is not isinstance(error, ModelError)


@pytest.mark.parametrize("where", ["run", "stage"])
def test_a_device_that_gives_nothing_back_takes_no_figure_with_it(
    lines: Lines, monkeypatch: pytest.MonkeyPatch, where: str
) -> None:
    def broken(_: str) -> None:
        raise RuntimeError("CUDA error: an illegal memory access was encountered")

    monkeypatch.setattr(f"medinject_demo.engine.bench.{where}.release", broken)
    plan = Plan(device="cpu", quantizations=["none", "int8"], only=["base-batch", "quicker"])
    assert told(bench(plan, NOWHERE, "bench")) == [[1, 3], [1, 3]]


@pytest.mark.parametrize("error", [OSError(28, "No space left on device"), MemoryError(), KeyError("lm_head")])
@pytest.mark.parametrize("place", [0, 1])
def test_a_model_that_cannot_be_written_is_named_and_the_other_is_measured(
    lines: Lines, tiny: Subject, monkeypatch: pytest.MonkeyPatch, error: Exception, place: int
) -> None:
    models = ["random-60m", "mini"]

    def full(*_: object) -> Subject:
        raise error

    monkeypatch.setattr(run, "miniature_subject", lambda *_: tiny)
    monkeypatch.setattr(run, ("random_subject", "miniature_subject")[place], full)
    tables = told(bench(Plan(device="cpu", models=models, only=["base-batch", "quicker"]), NOWHERE, "bench"))
    assert tables[1 - place] == [1, 3]
    assert [str(each).startswith("not run: ") for each in tables[place]] == [True, True]


def test_an_engine_that_a_fault_has_ended_is_loaded_anew(tiny: Subject) -> None:
    stage = Stage(tiny, SMALL, "cpu", "fp32", "none", 1, ticking)
    first = stage.engine
    assert stage.engine is first
    first.close()
    try:
        assert stage.engine.is_open
        assert guarded("join", stage)[0].measured is not None
    finally:
        stage.close()
    assert not first.is_open


def test_after_each_line_the_report_holds_it_and_names_what_is_still_to_come(lines: Lines) -> None:
    kept: list[Report] = []
    plan = Plan(device="cpu", quantizations=["none", "int8"], only=["base-batch", "quicker"])
    report = bench(plan, NOWHERE, "bench", keep=kept.append)
    late = "not run yet"
    assert [told(each) for each in kept] == [
        [[1, late], [late, late]],
        [[1, 3], [late, late]],
        [[1, 3], [1, late]],
        [[1, 3], [1, 3]],
    ]
    assert report == kept[-1]


def test_on_a_gpu_the_lines_that_are_asked_of_one_come_first_and_those_typed_in_their_own_order() -> None:
    plan = Plan().on("cuda")
    asked = ("step", "answers", "peft-sequential", "load", "rows")
    assert plan.lines("random-4b")[: len(asked)] == asked
    assert sorted(plan.lines("random-4b")) == sorted(LINES)
    assert replace(plan, only=("join", "step")).lines("random-4b") == ("join", "step")


def test_what_is_named_twice_is_one_table(lines: Lines) -> None:
    plan = Plan(device="cpu", models=["random-60m"] * 2, quantizations=["none"] * 2, only=["join"])
    assert told(bench(plan, NOWHERE, "bench")) == [[8]]
