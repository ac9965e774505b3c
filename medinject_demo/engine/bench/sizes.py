"""Bytes of a base, of an adapter and of a token's keys and values, read from the files' headers: nothing is loaded."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from ..adapter import WEIGHTS
from .random_adapters import PROJECTIONS
from .subject import Subject

BYTES: Final = {"fp32": 4.0, "bf16": 2.0, "fp16": 2.0}
QUANTISED: Final = {"int8": 1.0, "int4": 0.5}
"""Bytes of a weight of a linear layer; the scales of its groups, some percent of it, are left out."""


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
        size, linear = BYTES[dtype], QUANTISED.get(quantization, BYTES[dtype])
        numbers = _numbers(subject.base)
        inner = sum(n for name, n in numbers.items() if _projection(name))
        outer = sum(numbers.values()) - inner
        untied = any(name.startswith("lm_head") for name in numbers)
        table = sum(n for name, n in numbers.items() if untied and "embed_tokens" in name)
        one = sum(_headers(next(iter(subject.dora.values())) / WEIGHTS).values())
        weights = inner * linear + outer * size
        return cls(weights, weights - table * size, one * size, _cached(subject.base) * size)

    def step(self, adapters: int, rows: int, length: float) -> float:
        """Bytes that a decode step must read: the base once, each adapter in use once, each row's ``length`` tokens."""
        return self.read + adapters * self.adapter + rows * length * self.token


def _cached(base: Path) -> int:
    """Numbers of one token's keys and values."""
    config: Mapping[str, int] = json.loads((base / "config.json").read_text(encoding="utf-8"))
    heads = config["num_attention_heads"]
    width = config.get("head_dim") or config["hidden_size"] // heads
    return 2 * config["num_hidden_layers"] * config.get("num_key_value_heads", heads) * width


def _projection(name: str) -> bool:
    return any(f".{each}.weight" in name for each in PROJECTIONS)


def _numbers(folder: Path) -> dict[str, int]:
    return {name: n for path in sorted(folder.glob("*.safetensors")) for name, n in _headers(path).items()}


def _headers(path: Path) -> dict[str, int]:
    """How many numbers each tensor of a safetensors file has."""
    return dict(_shapes(path))


def _shapes(path: Path) -> Iterator[tuple[str, int]]:
    from safetensors import safe_open

    with safe_open(path, "np") as file:
        for name in file.keys():  # noqa: SIM118, not a dictionary
            yield name, math.prod(file.get_slice(name).get_shape())
