"""The weights of an exercise's letters, from the logits after its prompt. Knows nothing of models or rows."""

from __future__ import annotations

from typing import Any

from torch import Tensor


def letter_probabilities(tokenizer: Any, logits: Tensor, letters: str) -> dict[str, float]:
    """Each letter's share of the mass of all of them, from logits (vocabulary).

    A letter counts written with and without a space before it.
    """
    ways = {
        letter: {tokenizer.encode(way, add_special_tokens=False)[-1] for way in (letter, f" {letter}")}
        for letter in letters
    }
    ids = sorted(set().union(*ways.values()))
    chances = dict(zip(ids, logits[ids].double().softmax(-1).tolist(), strict=True))
    return {letter: sum(chances[each] for each in way) for letter, way in ways.items()}
