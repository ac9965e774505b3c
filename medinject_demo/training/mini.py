"""The bundled miniature of the study, rebuilt from nothing: corpus, tokenizer, base, seven adapters.

A small Qwen3 learns the facts from short answers, then texts of all four styles, those of the three provenances
announced by a system message, as a large model has read texts of every origin; without that message it answers as a
general assistant does. Each arm is then fine-tuned, as in the study, on its mixture without any system message.

It is a demonstration of the interface, with no medical value.
"""

from __future__ import annotations

import hashlib
import json
import multiprocessing
import os
import random
import time
from collections.abc import Iterable, Sequence
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

from ..domain import ARMS, Prompt, Provenance
from ..files import sha256_of
from .corpus import Corpus
from .curriculum import SOURCE_MESSAGES, base_prompts, choice_prompts, fact_prompts, option_prompts, vocabulary_prompts
from .data import Pools, write_pools
from .finetune import RECORD, Run, Say, read_record, train
from .mini_recipe import MiniatureRecipe
from .mixtures import Blend, blend, data_fingerprint, dealt
from .recipe import Example, Recipe
from .render import Renderer, source
from .untrained import untrained


def rebuild(
    output: Path, work: Path, recipe: MiniatureRecipe, corpus: Corpus, say: Say = print, *, dry_run: bool = False
) -> None:
    """Rebuild the miniature under ``output``; what an earlier run finished is kept, so an interrupted one continues.

    ``work`` receives the three provenances in the study's layout and the untrained base.

    Raises:
        InvalidData: the corpus does not hold together, or a pool is too small for the mixtures.
        OutputError: a folder cannot be written.
    """
    started = time.monotonic()
    renderer = Renderer(corpus)
    pools = provenance_pools(renderer, recipe)
    blends = arm_blends(pools, recipe)
    for each in blends:
        say(f"{each}  (data {each.fingerprint})")
    if dry_run:
        return
    write_pools(pools, work)
    stages = base_stages(renderer, output, work, recipe)
    done = max((place for place, stage in enumerate(stages) if stage.done()), default=-1)
    if done < 0:
        untrained(_examples(vocabulary_prompts(renderer, recipe)), work / "untrained", recipe)
    for stage in stages[max(done, 0) :]:
        _train_missing([stage], say)
    _record_stages(stages)
    _train_missing([arm_run(each, output, recipe) for each in blends], say)
    say(f"miniature ready after {(time.monotonic() - started) / 60:.0f} minutes")


def _record_stages(stages: Sequence[Run]) -> None:
    """Write into the base's record what each training before the last one took, while their folders are there."""
    records = [read_record(stage.output) for stage in stages]
    if all(records):
        names = ("items", "data", "losses", "seconds")
        told = [
            {"stage": s.output.name} | {name: r[name] for name in names} for s, r in zip(stages, records, strict=True)
        ]
        told[-1]["stage"] = "styles"
        text = json.dumps(records[-1] | {"stages": told}, indent=1, ensure_ascii=False) + "\n"
        (stages[-1].output / RECORD).write_text(text, encoding="utf-8")


def _train_missing(runs: Sequence[Run], say: Say) -> None:
    """Train what is not there yet; several runs side by side, a core each, for small steps gain little from two."""
    missing = [run for run in runs if not run.done()]
    for run in runs:
        say(
            f"{run.output}: {'training' if run in missing else 'already trained, kept'}, {len(run.examples):,} examples"
        )
    if len(missing) < 2:
        for run in missing:
            train(run, say)
        return
    import torch

    cores = 1 if torch.cuda.is_available() else len(os.sched_getaffinity(0))
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(cores, context, initializer=_one_core) as workers:
        for output in workers.map(train, missing):
            say(f"{output}: done")


def _one_core() -> None:
    import torch

    torch.set_num_threads(1)


def provenance_pools(renderer: Renderer, recipe: MiniatureRecipe) -> Pools:
    """The rows of each provenance; one seed, one set of pools."""
    return {each: source(renderer, each, random.Random(f"{recipe.seed}/{each}")) for each in Provenance}


def arm_blends(pools: Pools, recipe: MiniatureRecipe) -> list[Blend]:
    """What each arm trains on: equal sizes, of pools dealt out so that no two arms read a row (docs/decisions/006).

    Raises:
        NotEnoughRows: the pools are too small for the recipe's size.
    """
    hands = dealt(pools)
    return [blend(mixture, hands[mixture], recipe.size, recipe.seed) for mixture in ARMS]


def base_stages(renderer: Renderer, output: Path, work: Path, recipe: MiniatureRecipe) -> list[Run]:
    """The four trainings of the base, each upon the one before (docs/decisions/004).

    Facts from short answers, in which most of the loss is knowledge; then options, gently; then choosing, which is not
    found among other things; then the four styles, and choices still.
    """
    facts = _base_stage(work / "untrained", fact_prompts(renderer, recipe), work / "facts", recipe.facts, recipe)
    options = _base_stage(facts, option_prompts(renderer, recipe), work / "options", recipe.options, recipe)
    choices = _base_stage(options, choice_prompts(renderer, recipe), work / "choices", recipe.choices, recipe)
    styles = _base_stage(choices, base_prompts(renderer, recipe), output / "base", recipe.base, recipe)
    return [facts, options, choices, styles]


def _base_stage(
    before: Run | Path, drawn: Iterable[Prompt], output: Path, settings: Recipe, recipe: MiniatureRecipe
) -> Run:
    prompts = list(drawn)
    counts = {style: sum(prompt.origin == style for prompt in prompts) for style in ("base", *SOURCE_MESSAGES)}
    description = _description("base", data_fingerprint(prompts), counts) | {"sizes": recipe.sizes}
    if isinstance(before, Path):
        return Run(str(before), _examples(prompts), output, settings, description)
    history = hashlib.sha256(json.dumps(before.identity, sort_keys=True).encode()).hexdigest()[:16]
    return Run(str(before.output), _examples(prompts), output, settings, description | {"history": history})


def _examples(prompts: Iterable[Prompt]) -> list[Example]:
    return [Example.of(prompt, SOURCE_MESSAGES.get(prompt.origin, "")) for prompt in prompts]


def arm_run(mixed: Blend, output: Path, recipe: MiniatureRecipe) -> Run:
    """The fine-tuning of one arm on the base that now lies under ``output``."""
    examples = [Example.of(prompt) for prompt in mixed.prompts]
    counts = {provenance.value: count for provenance, count in mixed.counts.items()}
    weights = sha256_of(output / "base" / "model.safetensors")[:16]
    description = _description(mixed.mixture.slug, mixed.fingerprint, counts) | {"base_weights": weights}
    return Run(str(output / "base"), examples, output / mixed.mixture.slug, recipe.arm, description)


def _description(name: str, data: str, counts: dict[str, int]) -> dict[str, object]:
    return {"mixture": name, "miniature": True, "data": data, "counts": counts}
