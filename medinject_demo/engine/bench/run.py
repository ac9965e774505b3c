"""The benchmark from a plan to a report: each model and quantisation one table, each line guarded on its own.

A GPU may be lent for minutes: whatever a line, a model or the giving back of memory raises, the figures of all others
are kept, and told as soon as they are there. Knows neither the command line nor how a report is printed or written.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

from ...errors import InvalidValue, MedInjectError, ModelError
from ..device import device_of
from ..loading import first_line
from . import closeness, limits, memory, speed
from .environment import Environment
from .measure import Clock, Line
from .report import Report, Table
from .stage import Stage, Work, quiet, release, work_on
from .subject import MINIATURE, MODELS, RANDOM_4B, SHAPES, Miniature, Subject, miniature_subject, random_subject

_log = logging.getLogger(__name__)

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
FIRST_ON_A_GPU: Final = ("step", "answers", "peft-sequential", "load", "rows")
"""Lines that have a goal on a GPU, or are asked of one: what a run there that is cut short shall have measured."""


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
        models, quantizations = tuple(dict.fromkeys(models)), tuple(dict.fromkeys(self.quantizations))
        plan = replace(
            self, device=device, models=models, quantizations=quantizations, only=tuple(self.only), work=work
        )
        if RANDOM_4B in models and (others := [each for each in plan.only if each not in plan.lines(RANDOM_4B)]):
            raise InvalidValue.of(
                "only",
                expected=f"for {RANDOM_4B} on a processor, some of {', '.join(ALONE)}",
                got=", ".join(others),
                remedy="The others hold the base twice: measure them on random-60m or mini, or on a GPU.",
            )
        return plan

    def lines(self, model: str) -> tuple[str, ...]:
        """What is measured of a model, and in which order, by a plan whose device is known (``on``)."""
        there = ALONE if model == RANDOM_4B and self.device == "cpu" else tuple(LINES)
        if self.device == "cuda":
            there = tuple(dict.fromkeys((*FIRST_ON_A_GPU, *there)))
        return tuple(each for each in self.only or there if each in there)


def bench(
    plan: Plan,
    miniature: Miniature,
    command: str,
    say: Callable[[str], None] = lambda _: None,
    *,
    keep: Callable[[Report], None] = lambda _: None,
    clock: Clock = time.perf_counter,
    today: Callable[[], date] = lambda: datetime.now(UTC).date(),
) -> Report:
    """Measure everything of a plan.

    ``say`` is told each line as soon as it is measured, and ``keep`` is given the report as it then is, in which the
    lines and tables that are still to come are named.

    Raises:
        InvalidValue: the plan names what is not known, or CUDA where there is none.
    """
    chosen = plan.on(device_of(plan.device).type)
    quiet()
    run = _Run(chosen, miniature, Environment.of(chosen.device), clock, say)
    blanks = tuple(run.blank(model, each) for model in chosen.models for each in chosen.quantizations)
    report = Report(command, today(), run.environment, blanks)
    for model in chosen.models:
        with ExitStack() as folders:
            say(f"{model}: writing it and its adapters")
            for table in run.tables(model, folders):
                report = report.holding(table)
                keep(report)
    return report


@dataclass(frozen=True)
class _Run:
    """A plan on its way, on the machine where it runs."""

    plan: Plan
    miniature: Miniature
    environment: Environment
    clock: Clock
    say: Callable[[str], None]

    def blank(self, model: str, quantization: str) -> Table:
        """A table of which nothing is measured yet."""
        plan, dtype = self.plan, self.environment.dtype
        assert plan.work is not None, "Plan.on fills it in"
        return Table(model, "Not begun.", dtype, quantization, plan.work, plan.repeats, _ahead(plan.lines(model)))

    def tables(self, model: str, folders: ExitStack) -> Iterator[Table]:
        """Those of one model, each once more after each of its lines; it lies in one of the folders."""
        subject = self._written(model, folders)
        _give_back(lambda: release(self.plan.device))
        for quantization in self.plan.quantizations:
            blank = self.blank(model, quantization)
            if isinstance(subject, Subject):
                yield from self._growing(replace(blank, about=subject.about), subject)
            else:
                lines = tuple(Line.not_run(each.name, each.what, subject) for each in blank.lines)
                yield replace(blank, about="Not written.", lines=lines)

    def _written(self, model: str, folders: ExitStack) -> Subject | str:
        """A model in a folder of its own, or why it is not there."""
        try:
            place = TemporaryDirectory(prefix="medinject-bench-", ignore_cleanup_errors=True)
            folder = Path(folders.enter_context(place))
            return _subject(model, self.miniature, folder, self.plan.device, self.environment.dtype)
        except Exception as error:  # of any library: the other models' tables are kept
            return _why(f"{model}: not written", error)

    def _growing(self, table: Table, subject: Subject) -> Iterator[Table]:
        """A table after each of its measurements."""
        stage = Stage(
            subject,
            table.work,
            self.plan.device,
            table.dtype,
            table.quantization,
            table.repeats,
            self.clock,
            self.environment.device,
        )
        names, lines = self.plan.lines(table.model), []
        for place, name in enumerate(names, 1):
            for line in guarded(name, stage):
                self.say(f"{table.model}, {table.quantization}: {line}")
                lines.append(line)
            yield replace(table, lines=(*lines, *_ahead(names[place:])))
        _give_back(stage.close)


def guarded(name: str, stage: Stage) -> list[Line]:
    """The lines of one measurement; where it cannot be taken, one line that says why."""
    try:
        return LINES[name](stage)
    except Exception as error:  # of any library, or a fault of ours: the other lines' figures are kept
        return [Line.not_run(name, _summary(name), _why(name, error))]
    finally:
        _give_back(lambda: release(stage.device))


def _give_back(how: Callable[[], None]) -> None:
    """Give memory back, where the device still can: after some faults of CUDA it raises at whatever it is asked."""
    try:
        how()
    except Exception as error:  # what was measured before is kept
        _why("memory: not given back", error)


def _why(what: str, error: Exception) -> str:
    """The sentence for a report; the log has the trace too, where the error is none of the family."""
    if not isinstance(error, MedInjectError):
        _log.warning("%s", what, exc_info=error)
    return first_line(error)


def _ahead(names: Sequence[str]) -> tuple[Line, ...]:
    return tuple(Line.ahead(name, _summary(name)) for name in names)


def _summary(name: str) -> str:
    return (LINES[name].__doc__ or name).splitlines()[0].rstrip(".")


def _subject(model: str, miniature: Miniature, folder: Path, device: str, dtype: str) -> Subject:
    try:
        if model == MINIATURE:
            return miniature_subject(miniature, folder)
        return random_subject(model, SHAPES[model], folder, device, dtype)
    except (OSError, RuntimeError) as error:
        raise ModelError.of(f"model {model}", expected="room to write it", got=first_line(error)) from error
