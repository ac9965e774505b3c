"""Bytes of a base, of an adapter and of a token's keys and values, as the engine holds them.

They are read from the files' headers and from a model without weights: nothing is loaded.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..adapter import WEIGHTS
from ..device import DTYPES
from ..headers import stored_tensors
from ..native import reads_halves
from ..room import token_bytes
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
        """Those of a subject; in fp32, matrices stored in bf16 stay so where this machine reads them."""
        model = _outline(subject.base, dtype)
        halves = dtype == "fp32" and reads_halves(model)
        base = {each.name: each for path in sorted(subject.base.glob("*.safetensors")) for each in stored_tensors(path)}
        held = {name: each.held(dtype, quantization, halves=halves) for name, each in base.items()}
        untied = any(name.startswith("lm_head") for name in base)
        table = sum(bytes_ for name, bytes_ in held.items() if untied and "embed_tokens" in name)
        one = sum(each.held(dtype) for each in stored_tensors(next(iter(subject.dora.values())) / WEIGHTS))
        weights = sum(held.values())
        return cls(weights, weights - table, one, token_bytes(model))

    def step(self, adapters: int, rows: int, length: float) -> float:
        """Bytes that a decode step must read: the base once, each adapter in use once, each row's ``length`` tokens."""
        return self.read + adapters * self.adapter + rows * length * self.token


def _outline(base: Path, dtype: str) -> Any:
    """A base's model in a precision, without a number in it."""
    import torch
    from transformers import AutoConfig, AutoModelForCausalLM

    auto: Any = AutoModelForCausalLM
    with torch.device("meta"):
        return auto.from_config(AutoConfig.from_pretrained(str(base)), dtype=getattr(torch, DTYPES[dtype]))
