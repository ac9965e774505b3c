"""``bench giving``: what becomes of votes that are given away."""

from __future__ import annotations

from pathlib import Path

import click

from ..errors import MedInjectError
from .measuring import bench, typed


@bench.command("giving")
@click.option("--battles", type=click.IntRange(20), default=500, show_default=True, help="Battles voted on.")
@click.option("--json", "as_json", is_flag=True, help="Print a document with every figure instead of the tables.")
@click.option(
    "--output",
    type=click.Path(path_type=Path, dir_okay=False, exists=True),
    help="Also write the tables into the part `giving` of a document, such as docs/statistics.md.",
)
@click.pass_context
def bench_giving(ctx: click.Context, /, battles: int, as_json: bool, output: Path | None) -> None:
    """Measure that votes given away are the same votes: there and back, at each failure of a Hub, in trl's trainers.

    The Hub is a scripted one on this machine; the trainers take two steps with the miniature's base.
    """
    from ..documents import Part
    from ..giving_bench import measure

    place = None if output is None else Part(output, "giving")
    if place is not None:
        place.require_place()
    given = measure(battles, lambda line: click.echo(line, err=True))
    part = given.as_markdown(typed(ctx))
    click.echo(given.as_json() if as_json else part)
    if place is not None:
        place.write(part)
    if not given.holds:
        raise MedInjectError("bench giving: expected the same votes everywhere, got others: see the table.")
