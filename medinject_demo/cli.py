"""The command line. Exit 0 done, 1 the work failed (one line on stderr), 2 wrong usage.

Imports of heavy libraries are inside the commands: ``--help`` answers at once.
"""

from __future__ import annotations

import json
import os
import shlex
import shutil
import sys
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from click.core import ParameterSource

from . import __version__
from .domain import ARMS, MIXTURES, STUDY_SIZE, Kind, Mixture, Sampling
from .errors import InvalidValue, MedInjectError

if TYPE_CHECKING:
    from .adapters.registry import Profile

MINIATURE = Path("adapters/mini")
REGISTRY_FILE = click.Path(exists=True, dir_okay=False, resolve_path=True, path_type=Path)
MINIATURE_TOKENS = 192
"""New tokens of an answer of the miniature, unless asked otherwise: its longest answers end before."""
BENCH_LINES = (
    *("base-batch", "plain-batch", "peft-sequential", "peft-mixed", "switch", "visitors", "join", "memory"),
    *("quantised", "step", "answers", "rows", "load"),
)
"""As in engine/bench/run.py, which a list of options must not import; a test holds the two together."""


class FamilyGroup(click.Group):
    """A group whose commands turn an error of the family into one line on stderr and exit code 1."""

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command; the library's own errors keep their trace, for they are faults of ours."""
        try:
            return super().invoke(ctx)
        except ModuleNotFoundError as error:
            needs = "requirements-train.txt" if ctx.invoked_subcommand == "train" else "requirements.txt"
            click.echo(f"error: {error.name} is missing. Run: pip install -r {needs}", err=True)
            ctx.exit(1)
        except MedInjectError as error:
            click.echo(f"error: {error}", err=True)
            ctx.exit(1)
        except KeyboardInterrupt:
            kept = ": what was finished is kept; the same command continues"
            click.echo(f"interrupted{kept if ctx.invoked_subcommand == 'train' else ''}.", err=True)
            ctx.exit(1)


@click.group(cls=FamilyGroup, context_settings={"max_content_width": 100})
@click.version_option(__version__, prog_name="medinject-demo")
def cli() -> None:
    """Playground for the eight configurations of the MedInjection-FR study."""


@cli.group(invoke_without_command=True)
@click.option("--mixture", type=click.Choice([mixture.slug for mixture in ARMS]), help="Arm to train.")
@click.option("--base", default="Qwen/Qwen3-4B-Instruct-2507", show_default=True, help="Folder or Hub id of the base.")
@click.option(
    "--data",
    default="MedInjection",
    show_default=True,
    help="Folder, file, Hub data set or Hub namespace of the rows.",
)
@click.option("--revision", help="Branch, tag or commit of the Hub for the data.  [default: main]")
@click.option("--output", type=click.Path(path_type=Path), help="Folder of the adapter.  [default: adapters/<mixture>]")
@click.option("--size", type=click.IntRange(1), default=STUDY_SIZE, show_default=True, help="Training items in all.")
@click.option("--kinds", default="mcq,mcqu", show_default=True, help="Kinds of items, among mcq, mcqu, oeq.")
@click.option("--epochs", type=click.IntRange(1), default=10, show_default=True)
@click.option("--batch", type=click.IntRange(1), default=12, show_default=True, help="Items of one step and device.")
@click.option("--accumulation", type=click.IntRange(1), default=8, show_default=True, help="Steps of one update.")
@click.option("--learning-rate", type=click.FloatRange(0, min_open=True), default=1e-4, show_default=True)
@click.option(
    "--rank", type=click.IntRange(1), default=16, show_default=True, help="Rank of the DoRA adapter (alpha too)."
)
@click.option("--max-length", type=click.IntRange(8), default=2048, show_default=True, help="Tokens of an item.")
@click.option("--seed", type=click.IntRange(0, 2**32 - 1), default=42, show_default=True)
@click.option("--full-sequence-loss", is_flag=True, help="Take the loss on the question too, as the study does.")
@click.option("--dry-run", is_flag=True, help="Read the data, print the counts and settings, train nothing.")
@click.pass_context
def train(ctx: click.Context, /, **options: Any) -> None:
    """Fine-tune one arm, or rebuild the miniature (train mini).

    The defaults are the study's settings, except the loss: the study also takes it on the question
    (--full-sequence-loss).
    """
    given = [name for name in options if ctx.get_parameter_source(name) is ParameterSource.COMMANDLINE]
    if ctx.invoked_subcommand is None:
        if options["mixture"] is None:
            raise click.UsageError("Missing option '--mixture', or the subcommand 'mini'.")
        _finetune(**options)
    elif given:
        option = "--" + given[0].replace("_", "-")
        raise click.UsageError(f"Option '{option}' belongs after '{ctx.invoked_subcommand}', where it has it.")


def _finetune(
    *, mixture: str, base: str, data: str, output: Path | None, size: int, dry_run: bool, **options: Any
) -> None:
    from .training.data import load_pools
    from .training.finetune import Run
    from .training.finetune import train as run_training
    from .training.mixtures import blend
    from .training.recipe import Example, Recipe

    rank, full_sequence, kinds = options.pop("rank"), options.pop("full_sequence_loss"), _kinds(options.pop("kinds"))
    revision = options.pop("revision")
    recipe = Recipe(rank=rank, alpha=rank, completion_only=not full_sequence, **options)
    arm = Mixture.parse(mixture)
    mixed = blend(arm, load_pools(data, arm.provenances, kinds, revision=revision), size, recipe.seed)
    click.echo(f"{mixed}  (data {mixed.fingerprint})")
    description = {
        "mixture": mixture,
        "data": mixed.fingerprint,
        "counts": {str(k): v for k, v in mixed.counts.items()},
    }
    examples = [Example.of(prompt) for prompt in mixed.prompts]
    run = Run(base, examples, output or Path("adapters") / mixture, recipe, description)
    for name, value in run.identity["recipe"].items():
        click.echo(f"  {name} = {value}")
    if dry_run:
        click.echo("dry run: nothing was trained.")
    elif run.done():
        click.echo(f"{run.output}: already trained with these data and settings, kept.")
    else:
        click.echo(f"written: {run_training(run, click.echo)}")


def _kinds(text: str) -> Sequence[Kind]:
    try:
        return list(dict.fromkeys(Kind(kind.strip()) for kind in text.split(",")))
    except ValueError as error:
        raise click.BadParameter(f"expected kinds among mcq, mcqu, oeq, got {text!r}.", param_hint="--kinds") from error


@train.command()
@click.option("--output", type=click.Path(path_type=Path), default=MINIATURE, show_default=True)
@click.option("--work", type=click.Path(path_type=Path), default=Path("data/mini"), show_default=True)
@click.option("--seed", type=click.IntRange(0, 2**32 - 1), default=42, show_default=True)
@click.option("--dry-run", is_flag=True, help="Make the data, print the counts and fingerprints, train nothing.")
def mini(output: Path, work: Path, seed: int, dry_run: bool) -> None:
    """Rebuild the bundled miniature from nothing; what is already trained is kept."""
    from .training.corpus import Corpus
    from .training.mini import MiniatureRecipe, rebuild

    rebuild(output, work, MiniatureRecipe(seed=seed), Corpus.load(), say=click.echo, dry_run=dry_run)


@train.command()
@click.option("--output", type=click.Path(path_type=Path), default=Path("docs/miniature.md"), show_default=True)
@click.option("--count", type=click.IntRange(1), help="Held-out questions.  [default: one for each fact]")
def exam(output: Path, count: int | None) -> None:
    """Examine the miniature on held-out phrasings and write the figures."""
    from .adapters.registry import profile
    from .engine.sequential import SequentialArms
    from .training.corpus import Corpus
    from .training.exam import examine
    from .training.exam_report import record_of, report
    from .training.files import write_whole
    from .training.render import Renderer

    renderer = Renderer(Corpus.load())
    miniature = profile("mini")
    miniature.require_base()
    for mixture in MIXTURES:
        record_of(Path(miniature.base).parent, mixture)
    arms = SequentialArms(miniature.base, {mixture: arm.folder for mixture, arm in miniature.arms.items()})
    results = examine(arms, renderer, seed=7, count=count, say=click.echo)
    write_whole(output, report(results, renderer, Path(miniature.base).parent))
    click.echo(f"written: {output}")


@cli.command()
@click.argument("question")
@click.option("--arms", help="Arms that answer, such as base,nat,all.  [default: every arm installed]")
@click.option("--model", help="Profile of the registry, or auto.  [default: MEDINJECT_MODEL]")
@click.option("--max-new-tokens", type=int, help="Tokens of an answer at most.  [default: 192 (mini), 512 (others)]")
@click.option("--temperature", default=0.0, show_default=True, help="0 takes the most probable token, as the study.")
@click.option("--top-p", default=1.0, show_default=True)
@click.option("--top-k", default=0, show_default=True, help="0 is no limit.")
@click.option("--min-p", default=0.0, show_default=True)
@click.option("--repetition-penalty", default=1.0, show_default=True)
@click.option("--seed", default=0, show_default=True)
@click.option("--device", default="auto", show_default=True, help="auto, cpu, cuda or cuda:<number>.")
@click.option(
    "--quantization",
    type=click.Choice(["none", "int8", "int4"]),
    help="Bits of the base's weights.  [default: MEDINJECT_QUANTIZATION]",
)
@click.option("--registry", type=REGISTRY_FILE, help="File of the profiles.  [default: adapters/registry.toml]")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document once all have answered.")
def compare(
    question: str,
    *,
    arms: str | None,
    model: str | None,
    registry: Path | None,
    device: str,
    quantization: str | None,
    as_json: bool,
    **drawn: Any,
) -> None:
    """Ask several arms one QUESTION and read their answers side by side.

    QUESTION '-' is read from the standard input. Among --arms, 'all' is the arm trained on all three provenances.
    """
    from . import terminal
    from .adapters.registry import REGISTRY, serving
    from .assembly import load_engine
    from .settings import Settings

    settings = Settings.from_env(os.environ)
    with _usage() if model else nullcontext():
        chosen = serving(model or settings.model, registry or REGISTRY)
    with _usage():
        mixtures = _mixtures(arms) or chosen.installed
        comparison = terminal.Comparison(chosen.name, _read(question), mixtures, _sampling(chosen, **drawn))
    bits, quiet = quantization or settings.quantization, not sys.stderr.isatty()
    engine = load_engine(chosen, mixtures, device=device, quantization=bits, rows=len(mixtures), quiet=quiet)
    with closing(engine):
        terminal.compare(comparison, engine, sys.stdout, as_json=as_json)


def _read(question: str) -> str:
    if question != "-":
        return question
    try:
        return sys.stdin.buffer.read().decode("utf-8")
    except UnicodeDecodeError as error:
        raise InvalidValue.of("question", expected="UTF-8 text", got=f"byte {error.start} that is not") from error


def _mixtures(slugs: str | None) -> tuple[Mixture, ...]:
    """The arms named, each once; none where none is."""
    return () if slugs is None else tuple(dict.fromkeys(Mixture.parse(slug.strip()) for slug in slugs.split(",")))


def _sampling(chosen: Profile, *, max_new_tokens: int | None, **drawn: Any) -> Sampling:
    if max_new_tokens is None:
        max_new_tokens = MINIATURE_TOKENS if chosen.name == "mini" else Sampling().max_new_tokens
    return Sampling(max_new_tokens=max_new_tokens, **drawn)


@contextmanager
def _usage() -> Iterator[None]:
    """A value that a person typed wrong is wrong usage."""
    try:
        yield
    except InvalidValue as error:
        raise click.UsageError(str(error)) from error


@cli.command()
@click.option("--registry", type=REGISTRY_FILE, help="File of the profiles.  [default: adapters/registry.toml]")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
def doctor(registry: Path | None, as_json: bool) -> None:
    """Say what can run on this machine, and how to get what is missing."""
    from .adapters.registry import REGISTRY
    from .doctor import examine

    found = examine(os.environ, registry=registry or REGISTRY)
    width = shutil.get_terminal_size().columns if sys.stdout.isatty() else None
    click.echo(json.dumps(found.as_json(), ensure_ascii=False, indent=2) if as_json else found.as_text(width))
    if not found.servable:
        raise MedInjectError(found.faults[0].sentence)


@cli.command()
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
@click.option("--only", multiple=True, metavar="LINE", help=f"Lines to measure, among {', '.join(BENCH_LINES)}.")
@click.option("--json", "as_json", is_flag=True, help="Print a document with every sample instead of the tables.")
@click.option("--output", type=click.Path(path_type=Path, dir_okay=False), help="Also write the tables as Markdown.")
@click.pass_context
def bench(ctx: click.Context, /, as_json: bool, output: Path | None, **plan: Any) -> None:
    """Measure the engine beside peft's own ways, in one run.

    Bases of random weights and their adapters are made on the spot, in a temporary folder.
    """
    from .adapters.registry import profile
    from .engine.bench.run import Plan
    from .engine.bench.run import bench as measure
    from .engine.bench.subject import Miniature
    from .training.files import require_writable, write_whole

    miniature = profile("mini")
    if "mini" in plan["models"]:
        miniature.require_base()
    if output is not None:
        require_writable(output)
    arms = {mixture: arm.folder for mixture, arm in miniature.arms.items() if arm.installed}
    report = measure(
        Plan(**plan), Miniature(Path(miniature.base), arms), _typed(ctx), lambda text: click.echo(text, err=True)
    )
    click.echo(report.as_json() if as_json else report.as_text())
    if output is not None:
        write_whole(output, report.as_markdown())


def _typed(ctx: click.Context) -> str:
    """The command as it was typed, so that a document can say what made it."""
    words = [ctx.command_path]
    for option in ctx.command.params:
        value = ctx.params.get(str(option.name))
        if ctx.get_parameter_source(str(option.name)) is ParameterSource.COMMANDLINE:
            given = value if isinstance(value, tuple) else (value,)
            words += [
                option.opts[0] if each is True else f"{option.opts[0]} {shlex.quote(str(each))}" for each in given
            ]
    return " ".join(words)


def main() -> None:
    """Entry point."""
    if hasattr(sys.stdout, "reconfigure"):
        sys.stdout.reconfigure(encoding="utf-8")
    cli(prog_name="python -m medinject_demo")
