"""A base of a few thousand parameters and adapters for it, made on the spot: real files, no knowledge."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from peft import LoraConfig, get_peft_model

from medinject_demo.domain import Kind, Mixture, Prompt
from medinject_demo.engine.loading import load_base
from medinject_demo.training.mini_recipe import MiniatureRecipe
from medinject_demo.training.recipe import PROJECTIONS, Example
from medinject_demo.training.untrained import untrained

PROMPTS = [
    Prompt(Kind.OEQ, f"Quelle est la définition de la maladie numéro {number} ?", reference=f"Réponse {number}.")
    for number in range(8)
]
EXAMPLES = [Example.of(prompt) for prompt in PROMPTS]
TINY = MiniatureRecipe(vocabulary=400, hidden=32, layers=1, heads=2, kv_heads=1, feed_forward=48)


def tiny_base(folder: Path) -> str:
    """A Qwen3 of one layer, with the miniature's tokenizer and chat template."""
    untrained(EXAMPLES, folder, TINY)
    return str(folder)


def stored_in(dtype: torch.dtype, base: str, folder: Path) -> str:
    """A copy of a base whose weights, rounded to bf16, are stored in a precision: the same numbers in each."""
    model, tokenizer = load_base(base)
    rounded: Any = model.to(torch.bfloat16).to(dtype)  # type: ignore[arg-type]
    rounded.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return str(folder)


def tiny_adapter(base: str, folder: Path, mixture: Mixture, *, scale: float = 0.5) -> Path:
    """A DoRA adapter with random weights, drawn from the mixture."""
    model, _ = load_base(base)
    config = LoraConfig(r=4, lora_alpha=4, use_dora=True, target_modules=list(PROJECTIONS), task_type="CAUSAL_LM")
    torch.manual_seed(sum(level << place for place, level in enumerate(mixture.levels)))
    adapted = get_peft_model(model, config)
    for name, parameter in adapted.named_parameters():
        if "lora_B" in name:
            torch.nn.init.normal_(parameter, std=scale)
    adapted.save_pretrained(folder)
    return folder
