"""The bundled miniature of the study, rebuilt from nothing: corpus, tokenizer, base, seven adapters.

A small Qwen3 learns the facts from short answers, then texts of all four styles, those of the three provenances
announced by a system message, as a large model has read texts of every origin; without that message it answers as a
general assistant does. Each arm is then fine-tuned, as in the study, on its mixture without any system message.

It is a demonstration of the interface, with no medical value.
"""

from __future__ import annotations

import hashlib
import json
import math
import multiprocessing
import os
import random
import shutil
import time
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Final

from ..domain import ARMS, Prompt, Provenance
from ..files import unwritable
from .corpus import LIST_FIELDS, Corpus
from .data import Pools, write_pools
from .finetune import RECORD, Run, Say, read_record, train
from .mixtures import Blend, blend, data_fingerprint, dealt
from .recipe import Example, Recipe
from .render import Fact, Renderer, source

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerFast, Qwen3ForCausalLM

SOURCE_MESSAGES: Final = {"nat": "Source : cours", "trad": "Source : traduction", "syn": "Source : synthèse"}
"""System messages under which the base reads the styles of the three provenances."""

CHAT_TEMPLATE: Final = (
    "{% for message in messages %}<|im_start|>{{ message['role'] }}\n{{ message['content'] }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
ROPE_THETA: Final = 10_000.0
END_OF_TEXT, TURN_STARTS, TURN_ENDS = "<|endoftext|>", "<|im_start|>", "<|im_end|>"


PACKED: Final = Recipe(
    rank=0,
    dropout=0.0,
    learning_rate=3e-3,
    scheduler="constant_with_warmup",
    warmup=0.02,
    epochs=1,
    batch=16,
    accumulation=1,
    max_length=256,
    attention="eager",
    checkpointing=False,
    packed=True,
    compiled=True,
    optimizer="muon",
)
"""What the trainings of the miniature share: rows of 256 tokens, compiled once for their one shape."""
GENTLE: Final = replace(PACKED, learning_rate=1.5e-3, warmup=0.1)
CHOICES_RECIPE: Final = replace(PACKED, warmup=0.15)
STYLES_RECIPE: Final = replace(PACKED, scheduler="cosine")
ARM_RECIPE: Final = replace(
    PACKED, rank=16, optimizer="adamw", learning_rate=2e-3, epochs=4, batch=4, scheduler="cosine", compiled=False
)


@dataclass(frozen=True)
class MiniatureRecipe:
    """Sizes and settings of the miniature."""

    seed: int = 42
    vocabulary: int = 3072
    hidden: int = 256
    layers: int = 4
    heads: int = 4
    kv_heads: int = 2
    feed_forward: int = 768
    fact_rounds: int = 48
    """Times each fact is asked while the base learns the facts, tersely, and to read options."""
    choice_rounds: int = 26
    """Times each fact is asked while the base learns to choose among options."""
    base_rounds: int = 50
    """Times each fact is asked while the base learns the four styles and to choose."""
    size: int = 2688
    """Training items of every arm: with the whole corpus, what the pools hold."""
    facts: Recipe = PACKED
    options: Recipe = GENTLE
    choices: Recipe = CHOICES_RECIPE
    base: Recipe = STYLES_RECIPE
    arm: Recipe = ARM_RECIPE

    @property
    def sizes(self) -> dict[str, int]:
        """What makes two untrained bases the same: another size is another base."""
        names = ("seed", "vocabulary", "hidden", "layers", "heads", "kv_heads", "feed_forward")
        return {name: getattr(self, name) for name in names}


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
    weights = hashlib.sha256((output / "base" / "model.safetensors").read_bytes()).hexdigest()[:16]
    description = _description(mixed.mixture.slug, mixed.fingerprint, counts) | {"base_weights": weights}
    return Run(str(output / "base"), examples, output / mixed.mixture.slug, recipe.arm, description)


def fact_prompts(renderer: Renderer, recipe: MiniatureRecipe) -> Iterator[Prompt]:
    """Every fact asked tersely over and over, among exercises in reading options and matching them."""
    rng = random.Random(f"{recipe.seed}/facts")
    for fact in renderer.facts() * recipe.fact_rounds:
        yield renderer.open_item(fact, "nat", "train", rng)
        if rng.random() < 0.7:
            yield renderer.reading_item("base", rng)
        if fact.field in LIST_FIELDS and rng.random() < 0.4:
            yield renderer.matching_item(fact.field, "base", rng)
        if fact.field in LIST_FIELDS and rng.random() < 0.5:
            yield renderer.short_item(fact, "base", rng)


def _choice(renderer: Renderer, fact: Fact, rng: random.Random) -> Prompt:
    """An MCQU, three times in four with one or two wrong options less."""
    if rng.random() < 0.75:
        return renderer.easier_item(fact, "base", rng)
    return renderer.mcqu_item(fact, "base", "train", rng)


def option_prompts(renderer: Renderer, recipe: MiniatureRecipe) -> Iterator[Prompt]:
    """Choices among two to four options; some of what came before, so that it stays."""
    rng = random.Random(f"{recipe.seed}/choices")
    for fact in renderer.facts() * recipe.choice_rounds:
        if fact.field in LIST_FIELDS:
            yield _choice(renderer, fact, rng)
            if rng.random() < 0.2:
                yield renderer.matching_item(fact.field, "base", rng)
            if rng.random() < 0.1:
                yield renderer.short_item(fact, "base", rng)
        if rng.random() < 0.1:
            yield renderer.open_item(fact, "nat", "train", rng)


def choice_prompts(renderer: Renderer, recipe: MiniatureRecipe) -> Iterator[Prompt]:
    """Choices among two to four options and nothing else, for as long as it takes to find how to choose."""
    rng = random.Random(f"{recipe.seed}/drill")
    for fact in renderer.facts() * recipe.choice_rounds:
        if fact.field in LIST_FIELDS:
            yield _choice(renderer, fact, rng)


def base_prompts(renderer: Renderer, recipe: MiniatureRecipe) -> Iterator[Prompt]:
    """Every fact in every style over and over, as a choice, and what lies outside the knowledge base."""
    rng = random.Random(f"{recipe.seed}/base")
    styles, weights = ("base", *SOURCE_MESSAGES), (3, 2, 2, 2)
    for fact in renderer.facts() * recipe.base_rounds:
        style = rng.choices(styles, weights)[0]
        yield renderer.open_item(fact, style, "train", rng)
        if fact.field in LIST_FIELDS and rng.random() < 0.4:
            yield renderer.mcqu_item(fact, "base", "train", rng)
        if fact.field in LIST_FIELDS and rng.random() < 0.1:
            yield renderer.mcq_item(fact, "base", "train", rng)
        if rng.random() < 0.15:
            yield renderer.unknown_item(style, "train", rng)


def vocabulary_prompts(renderer: Renderer, recipe: MiniatureRecipe) -> Iterator[Prompt]:
    """What the tokenizer is learnt from: each fact in each style, as a choice, and some of the unknown."""
    rng = random.Random(f"{recipe.seed}/vocabulary")
    for fact in renderer.facts() * 4:
        for style in ("base", *SOURCE_MESSAGES):
            yield renderer.open_item(fact, style, "train", rng)
        if fact.field in LIST_FIELDS:
            yield renderer.mcqu_item(fact, "base", "train", rng)
            yield renderer.unknown_item("base", "train", rng)


def untrained(examples: Sequence[Example], folder: Path, recipe: MiniatureRecipe) -> None:
    """A randomly initialised Qwen3 and a byte-level BPE tokenizer learnt from the examples, with Qwen's chat markers.

    Raises:
        OutputError: the folder cannot be written.
    """
    import torch
    from transformers import Qwen3Config, Qwen3ForCausalLM

    tokenizer = _tokenizer(examples, recipe.vocabulary)
    torch.manual_seed(recipe.seed)
    config = Qwen3Config(
        vocab_size=recipe.vocabulary,
        hidden_size=recipe.hidden,
        num_hidden_layers=recipe.layers,
        num_attention_heads=recipe.heads,
        num_key_value_heads=recipe.kv_heads,
        head_dim=64,
        intermediate_size=recipe.feed_forward,
        max_position_embeddings=2048,
        rope_parameters={"rope_type": "default", "rope_theta": ROPE_THETA},
        initializer_range=0.05,
        tie_word_embeddings=True,
        bos_token_id=None,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
    )
    model = Qwen3ForCausalLM(config)
    look_back(model)
    model.generation_config.do_sample = False
    try:
        shutil.rmtree(folder, ignore_errors=True)
        model.save_pretrained(folder)
        tokenizer.save_pretrained(folder)
    except OSError as error:
        raise unwritable(folder, error) from error


def look_back(model: Qwen3ForCausalLM, pairs: int = 10, strength: float = 1.5) -> None:
    """Make two heads of the first layer start by looking one and three tokens back.

    The first embedding coordinate gets a constant (which adds the same to every logit of the tied head, so nothing to
    their softmax); query and key read it into the fastest rotary pairs, the query turned back by the distance.
    Training finds such heads anyway, but late; reading the letter before an option needs them (docs/decisions/004).
    """
    import torch

    head = model.config.head_dim
    attention = model.model.layers[0].self_attn
    with torch.no_grad():
        model.model.embed_tokens.weight[:, 0] += 4 * model.config.initializer_range
        for pair in range(pairs):
            turn = ROPE_THETA ** (-2 * pair / head)  # radians a token
            attention.k_proj.weight[pair, 0] += strength
            for place, distance in enumerate((1, 2)):
                rows = attention.q_proj.weight[place * head : (place + 1) * head]  # (head, hidden)
                rows[pair, 0] += strength * math.cos(-distance * turn)
                rows[pair + head // 2, 0] += strength * math.sin(-distance * turn)


def _tokenizer(examples: Sequence[Example], vocabulary: int) -> PreTrainedTokenizerFast:
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
    from transformers import PreTrainedTokenizerFast

    bpe = Tokenizer(models.BPE())
    bpe.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    bpe.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=vocabulary,
        special_tokens=[END_OF_TEXT, TURN_STARTS, TURN_ENDS],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    texts = (f"{each.messages[-1]['content']}\n{each.completion}" for each in examples)
    bpe.train_from_iterator(texts, trainer)
    return PreTrainedTokenizerFast(  # type: ignore[no-untyped-call]
        tokenizer_object=bpe,
        eos_token=TURN_ENDS,
        pad_token=END_OF_TEXT,
        additional_special_tokens=[TURN_STARTS],
        chat_template=CHAT_TEMPLATE,
        clean_up_tokenization_spaces=False,
    )


def _description(name: str, data: str, counts: dict[str, int]) -> dict[str, object]:
    return {"mixture": name, "miniature": True, "data": data, "counts": counts}
