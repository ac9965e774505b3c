"""A report as text, as JSON, as Markdown. Pure text: knows nothing of how the figures were taken."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from datetime import date

from ...errors import ModelError
from .environment import Environment
from .measure import Line
from .stage import Work

HEADER = ("line", "what", "measured", "goal", "met")
GPU_COMMAND = (
    "python -m medinject_demo bench --device cuda --quantization none --quantization int8 --quantization int4 "
    "--output docs/benchmarks-gpu.md"
)


@dataclass(frozen=True)
class Table:
    """The lines of one model in one quantisation."""

    model: str
    about: str
    dtype: str
    quantization: str
    work: Work
    repeats: int
    lines: tuple[Line, ...]

    @property
    def title(self) -> str:
        """Which model, how it is held."""
        held = "" if self.quantization == "none" else f"weights in {self.quantization}, the rest in "
        return f"{self.model}, {held}{self.dtype}"

    @property
    def asked(self) -> str:
        """What was asked for, in words."""
        work = self.work
        return (
            f"Prompts of {work.prompt} tokens (of {work.rows} different questions), {work.tokens} new tokens, greedy; "
            f"medians of {self.repeats} after a warm-up, variants in turn."
        )


@dataclass(frozen=True)
class Report:
    """Everything that one command measured."""

    command: str
    day: date
    environment: Environment
    tables: tuple[Table, ...]

    def holding(self, table: Table) -> Report:
        """The report with this table in the place of the one of its title."""
        return replace(self, tables=tuple(table if each.title == table.title else each for each in self.tables))

    def require_figures(self) -> None:
        """Raises ModelError where not one line has a figure; the first says why."""
        lines = [line for table in self.tables for line in table.lines]
        if lines and all(line.measured is None for line in lines):
            raise ModelError.of("bench", expected="a figure", got=lines[0].note)

    def as_text(self) -> str:
        """For a terminal: a note stands below its line."""
        parts = [str(self.environment)]
        for table in self.tables:
            rows = _aligned([HEADER, *(line.cells for line in table.lines)])
            notes = [f"{'':4}{line.note}" if line.note else "" for line in table.lines]
            parts += ["", table.title, f"  {table.about}", f"  {table.asked}", "", rows[0]]
            parts += [part for row in zip(rows[1:], notes, strict=True) for part in row if part]
        return "\n".join(parts)

    def as_json(self) -> str:
        """Everything, raw samples included."""
        tables = [
            asdict(table)
            | {"lines": [asdict(line) | {"goal": line.cells[3] or None, "met": line.met} for line in table.lines]}
            for table in self.tables
        ]
        document = {
            "command": self.command,
            "date": self.day.isoformat(),
            "environment": self.environment.as_dict(),
            "tables": tables,
        }
        return json.dumps(document, ensure_ascii=False, indent=1)

    def as_markdown(self) -> str:
        """For ``docs/``."""
        parts = [
            "# Benchmarks of the engine",
            f"Written by `{self.command}` on {self.day.isoformat()}.",
            f"{self.environment}.",
            "The engine and every other way ran in one process, in turn (A B A B …), after a warm-up. Ratios are of "
            "medians; the machine's own speed cancels out. A line without a goal is to be read beside the others.",
        ]
        if self.environment.kind == "cpu":
            parts.append(
                f"The same on a GPU is one command: `{GPU_COMMAND}`. What was measured on one so far is in docs/gpu.md."
            )
        return "\n\n".join([*parts, *(_section(table) for table in self.tables)]) + "\n"


def _section(table: Table) -> str:
    rows = [f"| {' | '.join(HEADER)} |", "|---|---|---|---|---|"]
    for line in table.lines:
        name, what, measured, goal, met = line.cells
        note = f"{what}; {line.note}" if line.note else what
        rows.append(f"| `{name}` | {note} | {measured} | {goal} | {'**no**' if met == 'no' else met} |")
    return f"## {table.title}\n\n{table.about} {table.asked}\n\n" + "\n".join(rows)


def _aligned(rows: Sequence[Sequence[str]]) -> list[str]:
    widths = [max(len(row[column]) for row in rows) for column in range(len(HEADER))]
    return ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]
