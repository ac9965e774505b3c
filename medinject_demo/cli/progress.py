"""How far long work is: a bar with an estimate on a terminal, a line now and then elsewhere, always on stderr."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final

import click

EVERY: Final = 10.0
"""Seconds between two lines where there is no terminal."""

Report = Callable[[int, int, str], None]
"""Told what is done, what there is in all, and what is being done."""


@contextmanager
def progress(title: str, *, now: Callable[[], float] = time.monotonic) -> Iterator[Report]:
    """Show how far some work is."""
    if sys.stderr.isatty():
        yield from _bar(title)
    else:
        yield _lines(title, now)


def _bar(title: str) -> Iterator[Report]:
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

    columns = (
        TextColumn(title),
        BarColumn(),
        TaskProgressColumn(),
        TimeRemainingColumn(),
        TextColumn("{task.fields[at]}"),
    )
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(title, total=None, at="")
        yield lambda done, total, what: bar.update(task, completed=done, total=total, at=what)


def _lines(title: str, now: Callable[[], float]) -> Report:
    begun = now()
    last, first = begun, -1

    def report(done: int, total: int, what: str) -> None:
        nonlocal last, first
        first = done if first < 0 else first  # what an earlier run did took no time of this one
        here = now()
        if here - last < EVERY or done <= first:
            return
        last = here
        left = (here - begun) * (total - done) / (done - first)
        guess = f", about {left:.0f} s left" if done - first > total / 100 else ""
        click.echo(f"{title}: {done / max(1, total):.0%}{guess}, {what}", err=True)

    return report
