"""The weights of an exercise's letters: one forward for all rows. Knows nothing of slots or caches."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor


def last_logits(model: Any, prompts: Sequence[Sequence[int]]) -> Tensor:
    """Logits after each prompt, (rows, vocabulary), in fp32 on the CPU; prompts are padded on the left."""
    longest, device = max(map(len, prompts)), model.device
    ids = torch.tensor([[0] * (longest - len(prompt)) + list(prompt) for prompt in prompts], device=device)
    seen = torch.tensor([[0] * (longest - len(prompt)) + [1] * len(prompt) for prompt in prompts], device=device)
    output = model(
        input_ids=ids,
        attention_mask=seen,
        position_ids=(seen.cumsum(-1) - 1).clamp(min=0),
        use_cache=False,
        logits_to_keep=1,
    )
    logits: Tensor = output.logits[:, -1].float().cpu()
    return logits


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
