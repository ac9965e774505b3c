"""The benchmark from a plan to a report: each model and quantisation one table, each line guarded on its own.

Knows neither the command line nor how a report is printed.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

from ...errors import InvalidValue, ModelError
from ..device import device_of
from ..loading import first_line
from . import closeness, limits, memory, speed
from .environment import Environment
from .measure import Clock, Line
from .report import Report, Table
from .stage import FAILURES, Stage, Work, quiet, release, work_on
from .subject import MINIATURE, MODELS, RANDOM_4B, SHAPES, Miniature, Subject, miniature_subject, random_subject

LINES: Final[dict[str, Callable[[Stage], list[Line]]]] = {
    "base-batch": speed.base_batch,
    "plain-batch": speed.plain_batch,
    "quicker": speed.quicker,
    "peft-sequential": speed.peft_sequential,
    "peft-mixed": speed.peft_mixed,
    "switch": speed.switch,
    "visitors": speed.visitors,
    "join": speed.join,
    "memory": memory.memory,
    "quantised": closeness.quantised,
    "step": limits.step,
    "answers": limits.answers,
    "rows": limits.rows,
    "load": limits.load,
}
"""What is measured, by the name that ``--only`` takes."""
ALONE: Final = ("base-batch", "switch", "visitors", "join", "memory", "step", "answers", "rows", "load")
"""Lines that load nothing but the engine: what there is room for on a processor with a base of Qwen3-4B's size."""


@dataclass(frozen=True)
class Plan:
    """What to measure, and where. Empty ``models`` are the device's usual one, empty ``only`` is every line of each."""

    device: str = "auto"
    models: Sequence[str] = ()
    quantizations: Sequence[str] = ("none",)
    repeats: int = 5
    tokens: int | None = None
    only: Sequence[str] = ()
    work: Work | None = None
    """Other work than the device's usual."""

    def on(self, device: str) -> Plan:
        """The plan with its blanks filled in for a device.

        Raises:
            InvalidValue: a name is none of those that are known, or a line is not one for a model on this device.
        """
        models = tuple(self.models) or (RANDOM_4B if device == "cuda" else "random-60m",)
        for name, known, got in (("only", tuple(LINES), self.only), ("model", MODELS, models)):
            for each in got:
                if each not in known:
                    raise InvalidValue.of(name, expected=f"one of {', '.join(known)}", got=repr(each))
        work = self.work or work_on(device, self.tokens)
        plan = replace(self, device=device, models=models, only=tuple(self.only), work=work)
        if RANDOM_4B in models and (others := [each for each in plan.only if each not in plan.lines(RANDOM_4B)]):
            raise InvalidValue.of(
                "only",
                expected=f"for {RANDOM_4B} on a processor, some of {', '.join(ALONE)}",
                got=", ".join(others),
                remedy="The others hold the base twice: measure them on random-60m or mini, or on a GPU.",
            )
        return plan

    def lines(self, model: str) -> tuple[str, ...]:
        """What is measured of a model, by a plan whose device is known (``on``)."""
        there = ALONE if model == RANDOM_4B and self.device == "cpu" else tuple(LINES)
        return tuple(each for each in self.only or there if each in there)


def bench(
    plan: Plan,
    miniature: Miniature,
    command: str,
    say: Callable[[str], None] = lambda _: None,
    *,
    clock: Clock = time.perf_counter,
    today: Callable[[], date] = lambda: datetime.now(UTC).date(),
) -> Report:
    """Measure everything of a plan; ``say`` is told each line as soon as it is measured.

    Raises:
        InvalidValue: the plan names what is not known, or CUDA where there is none.
    """
    chosen = plan.on(device_of(plan.device).type)
    quiet()
    environment = Environment.of(chosen.device)
    tables = []
    for model in chosen.models:
        with TemporaryDirectory(prefix="medinject-bench-") as folder:
            say(f"{model}: writing it and its adapters")
            tables += list(_tables(model, chosen, miniature, environment, clock, Path(folder), say))
    return Report(command, today(), environment, tuple(tables))


def _tables(
    model: str,
    plan: Plan,
    miniature: Miniature,
    environment: Environment,
    clock: Clock,
    folder: Path,
    say: Callable[[str], None],
) -> Iterator[Table]:
    """One table a quantisation, of one subject."""
    assert plan.work is not None, "Plan.on fills it in"
    subject = _subject(model, miniature, folder, plan.device, environment.dtype)
    release(plan.device)
    for quantization in plan.quantizations:
        stage = Stage(
            subject, plan.work, plan.device, environment.dtype, quantization, plan.repeats, clock, environment.device
        )
        lines: list[Line] = []
        for name in plan.lines(model):
            for line in guarded(name, stage):
                say(f"{model}, {quantization}: {line}")
                lines.append(line)
        stage.close()
        yield Table(model, subject.about, environment.dtype, quantization, plan.work, plan.repeats, tuple(lines))


def guarded(name: str, stage: Stage) -> list[Line]:
    """The lines of one measurement; where it cannot be taken, one line that says why."""
    try:
        return LINES[name](stage)
    except FAILURES as error:
        summary = (LINES[name].__doc__ or name).splitlines()[0].rstrip(".")
        return [Line.not_run(name, summary, first_line(error))]
    finally:
        release(stage.device)


def _subject(model: str, miniature: Miniature, folder: Path, device: str, dtype: str) -> Subject:
    try:
        if model == MINIATURE:
            return miniature_subject(miniature, folder)
        return random_subject(model, SHAPES[model], folder, device, dtype)
    except (OSError, RuntimeError) as error:
        raise ModelError.of(f"model {model}", expected="room to write it", got=first_line(error)) from error
