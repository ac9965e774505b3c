"""Sizes and settings of the miniature: of its base, of each of the base's four trainings, of its arms.

Knows nothing of texts or of models.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final

from .recipe import Recipe

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
