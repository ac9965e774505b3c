"""``bench statistics``: what the statistics of the votes do with votes whose truth is known."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from .measuring import bench, typed

DOCUMENT = Path("docs/statistics.md")


@bench.command("statistics")
@click.option("--runs", type=click.IntRange(2), default=2_000, show_default=True, help="Simulations of each crowd.")
@click.option("--duels", type=click.IntRange(2), default=60, show_default=True, help="Runs of each way of pairing.")
@click.option("--repeats", type=click.IntRange(1), default=5, show_default=True, help="Samples of each time.")
@click.option(
    "--size", "sizes", type=click.IntRange(10), multiple=True, default=[100_000, 1_000_000], show_default=True,
    help="Votes of a board that is timed; may be given several times.",
)  # fmt: skip
@click.option("--read", type=click.IntRange(10), default=100_000, show_default=True, help="Votes read from SQLite.")
@click.option(
    "--example", "examples", type=click.Path(path_type=Path, exists=True, dir_okay=False), multiple=True,
    help="Another CSV of evalica's columns left, right, winner to compare with evalica.",
)  # fmt: skip
@click.option("--json", "as_json", is_flag=True, help="Print a document with every figure instead of the tables.")
@click.option(
    "--output",
    type=click.Path(path_type=Path, dir_okay=False),
    help=f"Also write the part 'statistics' of a document, such as {DOCUMENT}.",
)
@click.pass_context
def bench_statistics(
    ctx: click.Context, /, examples: tuple[Path, ...], as_json: bool, output: Path | None, **plan: Any
) -> None:
    """Measure the statistics of the votes.

    Planted truths, evalica and a textbook as oracles, the time of a board, and the votes that the pairing saves.
    """
    from ..documents import Part
    from ..statistics_bench.run import Plan, measure

    place = None if output is None else Part(output, "statistics")
    if place is not None:
        place.require_place()
    found = measure(Plan(**plan), examples, lambda text: click.echo(text, err=True))
    tables = found.as_markdown(typed(ctx))
    click.echo(found.as_json() if as_json else tables)
    if place is not None:
        place.write(tables)
