"""``bench votes``: votes kept under load, and whom the rules of suspicion find."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import click

from ..errors import MedInjectError
from .measuring import bench, typed


@bench.command("votes")
@click.option("--voters", type=click.IntRange(1, 200), default=50, show_default=True, help="Who vote at once.")
@click.option("--seconds", type=click.FloatRange(1), default=60, show_default=True, help="For how long, in each place.")
@click.option(
    "--sessions", type=click.IntRange(1), default=2000, show_default=True, help="Simulated visitors of each habit."
)
@click.option(
    "--url",
    default="",
    metavar="URL",
    help="Empty database to measure.  [default: a PostgreSQL started here, restarted in the middle, then SQLite]",
)
@click.option("--json", "as_json", is_flag=True, help="Print a document with every figure instead of the text.")
@click.option(
    "--output",
    type=click.Path(path_type=Path, dir_okay=False, exists=True),
    help="Also write the part `votes` of this document, such as docs/statistics.md.",
)
@click.pass_context
def bench_votes(ctx: click.Context, /, as_json: bool, output: Path | None, **plan: Any) -> None:
    """Measure how votes are kept: voters at once, a server that restarts, every acknowledgement against the rows.

    And simulated visitors, honest ones and abusers, against the rules of suspicion. Exit 1 where a vote is missing.
    """
    from ..documents import Part
    from ..votes.bench.run import Plan
    from ..votes.bench.run import bench as measure

    place = None if output is None else Part(output, "votes")
    if place is not None:
        place.require_place()
    logging.getLogger("psycopg").setLevel(logging.ERROR)  # it warns of every connection that a restart has cut
    report = measure(Plan(**plan), lambda text: click.echo(text, err=True))
    click.echo(report.as_json() if as_json else report.as_text())
    if place is not None:
        place.write(report.as_markdown(typed(ctx, without=("url",))))  # it may hold a password
    if not all(each.exact for each in report.keepings):
        raise MedInjectError("bench votes: expected every acknowledged vote as a row and no other, got others.")
