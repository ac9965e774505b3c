"""``bench``: the engine beside peft's own ways, the page in a browser, a fleet, and the recovery of adapters."""

from __future__ import annotations

import shlex
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from click.core import ParameterSource

from ..errors import OutputError
from .family import nothing_before

if TYPE_CHECKING:
    from ..engine.bench.report import Report

BENCH_LINES = (
    *("base-batch", "plain-batch", "quicker", "peft-sequential", "peft-mixed", "switch", "visitors", "join", "memory"),
    *("quantised", "step", "answers", "rows", "load"),
)
"""As in engine/bench/run.py, which a list of options must not import; a test holds the two together."""


@click.group(invoke_without_command=True)
@click.option("--device", type=click.Choice(["auto", "cpu", "cuda"]), default="auto", show_default=True)
@click.option(
    "--model",
    "models",
    type=click.Choice(["random-60m", "random-4b", "mini"]),
    multiple=True,
    help="Base to measure; may be given several times.  [default: random-4b on CUDA, else random-60m]",
)
@click.option(
    "--quantization",
    "quantizations",
    type=click.Choice(["none", "int8", "int4"]),
    multiple=True,
    default=["none"],
    help="How the engine holds the base; may be given several times.  [default: none]",
)
@click.option("--repeats", type=click.IntRange(1), default=5, show_default=True, help="Samples of each median.")
@click.option(
    "--tokens", type=click.IntRange(4, 1024), help="New tokens of an answer.  [default: 256 on CUDA, else 64]"
)
@click.option(
    "--only",
    type=click.Choice(BENCH_LINES),
    multiple=True,
    metavar="LINE",
    help=f"Lines to measure, among {', '.join(BENCH_LINES)}.",
)
@click.option("--json", "as_json", is_flag=True, help="Print a document with every sample instead of the tables.")
@click.option("--output", type=click.Path(path_type=Path, dir_okay=False), help="Also write the tables as Markdown.")
@click.pass_context
def bench(ctx: click.Context, /, as_json: bool, output: Path | None, **plan: Any) -> None:
    """Measure the engine beside peft's own ways, in one run; or the page, or a fleet (bench page, bench fleet).

    Bases of random weights and their adapters are made on the spot, in a temporary folder.
    """
    if ctx.invoked_subcommand is None:
        _bench_engine(ctx, as_json=as_json, output=output, **plan)
    else:
        nothing_before(ctx)


def _bench_engine(ctx: click.Context, *, as_json: bool, output: Path | None, **plan: Any) -> None:
    from ..adapters.registry import profile
    from ..engine.bench.run import Plan
    from ..engine.bench.run import bench as measure
    from ..engine.bench.subject import Miniature
    from ..files import require_writable, write_whole

    miniature = profile("mini")
    if "mini" in plan["models"]:
        miniature.require_base()
    if output is not None:
        require_writable(output)
    arms = {mixture: arm.folder for mixture, arm in miniature.arms.items() if arm.installed}

    def keep(report: Report) -> None:
        if output is not None:
            write_whole(output, report.as_markdown())

    def so_far(report: Report) -> None:
        """A run may be ended at any moment: what is measured is in its file by then."""
        with suppress(OutputError):  # a full disk: it is told at the end, when no figure can be lost by it
            keep(report)

    report = measure(
        Plan(**plan),
        Miniature(Path(miniature.base), arms),
        typed(ctx),
        lambda text: click.echo(text, err=True),
        keep=so_far,
    )
    click.echo(report.as_json() if as_json else report.as_text())
    keep(report)
    report.require_figures()


@bench.command("page")
@click.option("--repeats", type=click.IntRange(5), default=5, show_default=True, help="Samples of each median.")
@click.option("--json", "as_json", is_flag=True, help="Print a document with every sample instead of the text.")
@click.option(
    "--output",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Also write the table as Markdown, such as docs/page.md.",
)
@click.pass_context
def bench_page(ctx: click.Context, /, repeats: int, as_json: bool, output: Path | None) -> None:
    """Measure how long a visitor waits, in a headless Chromium.

    From navigation to a usable page, and from Enter in a duel to the first visible token, with the miniature.
    """
    from ..files import require_writable, write_whole
    from ..page_bench import measure

    if output is not None:
        require_writable(output)
    waits = measure(repeats, lambda text: click.echo(text, err=True))
    click.echo(waits.as_json() if as_json else waits.as_text())
    if output is not None:
        write_whole(output, waits.as_markdown(typed(ctx)))


@bench.command("fleet")
@click.option("--rounds", type=click.IntRange(3), default=5, show_default=True, help="Rounds of eight visitors.")
@click.option("--deaths", type=click.IntRange(1), default=3, show_default=True, help="Replicas that are killed.")
@click.option("--json", "as_json", is_flag=True, help="Print a document with every sample instead of the text.")
@click.option(
    "--output",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Also write the table as Markdown, such as docs/fleet.md.",
)
@click.pass_context
def bench_fleet(ctx: click.Context, /, rounds: int, deaths: int, as_json: bool, output: Path | None) -> None:
    """Measure what replicas on Ray cost beside one engine, and how long one that died is missing.

    With the miniature, on the processor, all on this machine.
    """
    from ..files import require_writable, write_whole
    from ..fleet_bench import measure

    if output is not None:
        require_writable(output)
    cost = measure(rounds, deaths, lambda text: click.echo(text, err=True))
    click.echo(cost.as_json() if as_json else cost.as_text())
    if output is not None:
        write_whole(output, cost.as_markdown(typed(ctx)))


@bench.command("recovery")
@click.option("--rank", "ranks", type=click.IntRange(1), multiple=True, default=[8, 16, 32, 64], show_default=True)
@click.option("--whole", is_flag=True, help="Also a whole pair of a 4B's size: 25 GB of disk, and half an hour.")
@click.option(
    "--work", type=click.Path(path_type=Path, exists=True, file_okay=False), help="Where large files are made."
)
@click.option("--json", "as_json", is_flag=True, help="Print a document with every figure instead of the tables.")
@click.option(
    "--output",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Also write the tables as Markdown, such as docs/recovery.md.",
)
@click.pass_context
def bench_recovery(ctx: click.Context, /, as_json: bool, output: Path | None, **plan: Any) -> None:
    """Measure the recovery of adapters whose truth is known.

    The miniature's arms merged by peft, random adapters at Qwen3-4B's shapes, beside plain truncated SVDs.
    """
    from ..adapters.bench.run import Plan
    from ..adapters.bench.run import bench as measure
    from ..adapters.registry import profile
    from ..assembly import hush_libraries
    from ..files import require_writable, write_whole

    miniature = profile("mini")
    miniature.require_base()
    hush_libraries()
    if output is not None:
        require_writable(output)
    arms = {mixture: arm.folder for mixture, arm in miniature.arms.items() if arm.installed}
    command = typed(ctx, without=("work",))  # a place of this machine
    report = measure(Plan(**plan), Path(miniature.base), arms, command, lambda text: click.echo(text, err=True))
    click.echo(report.as_json() if as_json else report.as_markdown())
    if output is not None:
        write_whole(output, report.as_markdown())


def typed(ctx: click.Context, *, without: tuple[str, ...] = ()) -> str:
    """The command as it was typed, so that a document can say what made it, but for options that are of no matter."""
    words = [ctx.command_path]
    for option in ctx.command.params:
        named = str(option.name)
        value = ctx.params.get(named)
        if named not in without and ctx.get_parameter_source(named) is ParameterSource.COMMANDLINE:
            given = value if isinstance(value, tuple) else (value,)
            words += [
                option.opts[0] if each is True else f"{option.opts[0]} {shlex.quote(str(each))}" for each in given
            ]
    return " ".join(words)
