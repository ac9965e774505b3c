"""Bytes of a base, of an adapter and of a token's keys and values, read from the files' headers: nothing is loaded."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from ..adapter import WEIGHTS
from ..headers import WIDTHS, stored_tensors
from .subject import Subject


@dataclass(frozen=True)
class Sizes:
    """Bytes, in the precision in which the engine holds them."""

    weights: float
    """Of the base."""
    read: float
    """Of the base, as far as a decode step reads it: without an embedding table that is not the head too."""
    adapter: float
    """Of one adapter: A, B and a scale for each output."""
    token: float
    """Of one token's keys and values."""

    @classmethod
    def of(cls, subject: Subject, dtype: str, quantization: str) -> Sizes:
        """Those of a subject."""
        base = {each.name: each for path in sorted(subject.base.glob("*.safetensors")) for each in stored_tensors(path)}
        held = {name: each.held(dtype, quantization, halves=True) for name, each in base.items()}
        untied = any(name.startswith("lm_head") for name in base)
        table = sum(bytes_ for name, bytes_ in held.items() if untied and "embed_tokens" in name)
        one = sum(each.held(dtype) for each in stored_tensors(next(iter(subject.dora.values())) / WEIGHTS))
        weights = sum(held.values())
        return cls(weights, weights - table, one, _cached(subject.base) * WIDTHS[dtype])

    def step(self, adapters: int, rows: int, length: float) -> float:
        """Bytes that a decode step must read: the base once, each adapter in use once, each row's ``length`` tokens."""
        return self.read + adapters * self.adapter + rows * length * self.token


def _cached(base: Path) -> int:
    """Numbers of one token's keys and values."""
    config: Mapping[str, int] = json.loads((base / "config.json").read_text(encoding="utf-8"))
    heads = config["num_attention_heads"]
    width = config.get("head_dim") or config["hidden_size"] // heads
    return 2 * config["num_hidden_layers"] * config.get("num_key_value_heads", heads) * width
