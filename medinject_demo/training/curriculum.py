"""What the miniature's base reads, stage by stage, and what its tokenizer is learnt from (docs/decisions/004).

Each is drawn from the corpus by a seed of its own. Knows nothing of models or of files.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from typing import Final

from ..domain import Prompt
from .corpus import LIST_FIELDS
from .mini_recipe import MiniatureRecipe
from .render import Fact, Renderer

SOURCE_MESSAGES: Final = {"nat": "Source : cours", "trad": "Source : traduction", "syn": "Source : synthèse"}
"""System messages under which the base reads the styles of the three provenances."""


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
