"""Bytes of a base, of an adapter and of a token's keys and values, read from the files' headers: nothing is loaded."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
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
        size, linear = BYTES[dtype], QUANTISED.get(quantization)
        numbers = _numbers(subject.base)
        untied = any(name.startswith("lm_head") for name in numbers)
        held = {name: each.count * each.width(size, linear) for name, each in numbers.items()}
        table = sum(bytes_ for name, bytes_ in held.items() if untied and "embed_tokens" in name)
        one = sum(each.count for each in _headers(next(iter(subject.dora.values())) / WEIGHTS).values())
        weights = sum(held.values())
        return cls(weights, weights - table, one * size, _cached(subject.base) * size)

    def step(self, adapters: int, rows: int, length: float) -> float:
        """Bytes that a decode step must read: the base once, each adapter in use once, each row's ``length`` tokens."""
        return self.read + adapters * self.adapter + rows * length * self.token


def _cached(base: Path) -> int:
    """Numbers of one token's keys and values."""
    config: Mapping[str, int] = json.loads((base / "config.json").read_text(encoding="utf-8"))
    heads = config["num_attention_heads"]
    width = config.get("head_dim") or config["hidden_size"] // heads
    return 2 * config["num_hidden_layers"] * config.get("num_key_value_heads", heads) * width


@dataclass(frozen=True)
class _Numbers:
    """What a safetensors file's header says of a tensor."""

    name: str
    count: int
    halves: bool
    """A matrix that is stored in bf16."""

    def width(self, size: float, linear: float | None) -> float:
        """Bytes of each, where the engine computes in numbers of ``size`` bytes and holds layers in ``linear``."""
        if linear is not None and any(f".{each}.weight" in self.name for each in PROJECTIONS):
            return linear
        return min(size, 2.0) if self.halves and linear is None else size


def _numbers(folder: Path) -> dict[str, _Numbers]:
    return {name: each for path in sorted(folder.glob("*.safetensors")) for name, each in _headers(path).items()}


def _headers(path: Path) -> dict[str, _Numbers]:
    from safetensors import safe_open

    found: dict[str, _Numbers] = {}
    with safe_open(path, "np") as file:
        for name in file.keys():  # noqa: SIM118, not a dictionary
            tensor = file.get_slice(name)
            shape = tensor.get_shape()
            found[name] = _Numbers(name, math.prod(shape), len(shape) == 2 and tensor.get_dtype() == "BF16")
    return found
