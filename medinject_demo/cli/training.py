"""``train``: fine-tune an arm, rebuild the miniature, examine it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import click

from ..domain import ARMS, MIXTURES, STUDY_SIZE, Kind, Mixture
from .family import nothing_before

MINIATURE: Final = Path("adapters/mini")


@click.group(invoke_without_command=True)
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
    if ctx.invoked_subcommand is None:
        if options["mixture"] is None:
            raise click.UsageError("Missing option '--mixture', or the subcommand 'mini'.")
        _finetune(**options)
    else:
        nothing_before(ctx)


def _finetune(
    *, mixture: str, base: str, data: str, output: Path | None, size: int, dry_run: bool, **options: Any
) -> None:
    from ..adapters.based import recorded
    from ..engine.origin import Base
    from ..training.data import load_pools
    from ..training.finetune import Run
    from ..training.finetune import train as run_training
    from ..training.mixtures import blend
    from ..training.recipe import Example, Recipe

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
        **recorded(Base.of_folder(base).weights if Path(base).is_dir() else None),
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
    from ..training.corpus import Corpus
    from ..training.mini import rebuild
    from ..training.mini_recipe import MiniatureRecipe

    rebuild(output, work, MiniatureRecipe(seed=seed), Corpus.load(), say=click.echo, dry_run=dry_run)


@train.command()
@click.option("--output", type=click.Path(path_type=Path), default=Path("docs/miniature.md"), show_default=True)
@click.option("--count", type=click.IntRange(1), help="Held-out questions.  [default: one for each fact]")
def exam(output: Path, count: int | None) -> None:
    """Examine the miniature on held-out phrasings and write the figures."""
    from ..adapters.registry import profile
    from ..engine.sequential import SequentialArms
    from ..files import write_whole
    from ..training.corpus import Corpus
    from ..training.exam import examine
    from ..training.exam_report import record_of, report
    from ..training.render import Renderer

    renderer = Renderer(Corpus.load())
    miniature = profile("mini")
    miniature.require_base()
    for mixture in MIXTURES:
        record_of(Path(miniature.base).parent, mixture)
    arms = SequentialArms(miniature.base, {mixture: arm.folder for mixture, arm in miniature.arms.items()})
    results = examine(arms, renderer, seed=7, count=count, say=click.echo)
    write_whole(output, report(results, renderer, Path(miniature.base).parent))
    click.echo(f"written: {output}")
