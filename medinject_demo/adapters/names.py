"""What the tensors of a checkpoint are: linear layers that an adapter can change, and what it cannot. Names only."""

from __future__ import annotations

from typing import Final

from .checkpoint import Checkpoint

TOKENS: Final = ("embed_tokens", "wte", "lm_head")
"""Matrices by token: an adapter of linear layers leaves them alone."""
HEAD: Final = "lm_head.weight"
EMBEDDING: Final = "embed_tokens.weight"


def is_tokens(name: str) -> bool:
    """True for the embedding of the tokens and the head that is often tied to it."""
    return any(each in name.split(".") for each in TOKENS)


def is_linear(name: str, shape: tuple[int, ...]) -> bool:
    """True for the weight of a linear layer that DoRA can adapt."""
    return len(shape) == 2 and name.endswith(".weight") and not is_tokens(name)


def linear_shapes(checkpoint: Checkpoint) -> dict[str, tuple[int, int]]:
    """(outputs, inputs) of each linear layer, by module name."""
    found = ((name, entry.shape) for name, entry in checkpoint.entries.items() if is_linear(name, entry.shape))
    return {name.removesuffix(".weight"): (shape[0], shape[1]) for name, shape in sorted(found)}
