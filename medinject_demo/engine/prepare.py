"""From a base's name and adapters' folders to a model ready for its bank: loaded, checked, cast, quantised, moved.

Knows nothing of slots, rows or threads.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from ..domain import Mixture
from ..errors import ModelError
from .adapter import Adapter, read_adapter
from .adapter_settings import Shapes
from .bank import shapes_of
from .fewrows import expect_few_rows
from .halves import keep_halves
from .loading import cast, load_base, move, require_fast_tokenizer
from .native import reads_halves
from .origin import Base, require_made_for
from .quantization import quantize_weights


@dataclass(frozen=True)
class Prepared:
    """A model as it will run, and what its bank must have room for; the adapters' own tensors are not kept."""

    model: Any
    tokenizer: Any
    base: Base
    shapes: Shapes
    scales: Mapping[Mixture, Mapping[str, Tensor]]
    """Of each adapter, by layer."""
    rank: int
    """The highest of the adapters', 0 where there is none yet."""

    @property
    def targets(self) -> frozenset[str]:
        """The layers that any adapter changes; all of them where there is no adapter yet."""
        return frozenset(name for scales in self.scales.values() for name in scales) or frozenset(self.shapes)


def prepare(
    name: str, folders: Mapping[Mixture, Path], device: torch.device, precision: torch.dtype, quantization: str
) -> Prepared:
    """Load a base and read its adapters; scales come of the weights as they are stored, before any change to them.

    A base that becomes smaller, by its precision or its quantisation, does so on the CPU: the device never holds more
    than what stays. Adapters are read one after the other, so that memory never holds them all beside their bank.

    Raises:
        ModelError: the base or an adapter cannot be loaded or honoured exactly, or the device has no room.
    """
    model: Any
    model, tokenizer = load_base(name)  # in evaluation mode
    require_fast_tokenizer(tokenizer, name)
    model.requires_grad_(False)
    _require_finite(name, model)
    shrinks = quantization != "none" or model.dtype.itemsize > precision.itemsize
    move(model, torch.device("cpu") if shrinks else device)
    base, shapes = Base.of(name, model, str(device)), shapes_of(model)
    scales: dict[Mixture, Mapping[str, Tensor]] = {}
    rank = 0
    for mixture, folder in folders.items():
        adapter = read_for(base, folder, shapes)
        scales[mixture], rank = base.scales(adapter, folder), max(rank, adapter.rank)
    base = _as_it_runs(model, base, device, precision, quantization)
    return Prepared(model, tokenizer, base, shapes, scales, rank)


def _as_it_runs(model: Any, base: Base, device: torch.device, precision: torch.dtype, quantization: str) -> Base:
    """Cast, quantise and move a model; where that changes what is stored, its origin holds it no longer."""
    whole = device.type == "cpu" and precision == torch.float32 and quantization == "none"
    if whole and model.dtype == torch.bfloat16 and reads_halves(model):
        keep_halves(model)
        return base
    if quantization != "none" or model.dtype != precision:
        base = replace(base, stored=None)
    cast(model, precision)
    quantize_weights(model, quantization)
    move(model, device)
    if whole:
        expect_few_rows(model)
    return base


def _require_finite(name: str, model: Any) -> None:
    """Raises ModelError where a weight is no number: every answer would fail, or be noise."""
    for where, weight in model.named_parameters():
        if not torch.isfinite(weight.sum(dtype=torch.float32)) and not torch.isfinite(weight).all():
            raise ModelError.of(
                f"base {name!r}",
                expected="weights that are finite numbers",
                got=f"others in {where}",
                remedy="Fetch it again: its files are damaged, or it was saved after a training that failed.",
            )


def read_for(base: Base, folder: Path, shapes: Shapes) -> Adapter:
    """An adapter of this base.

    Raises:
        ModelError: it cannot be honoured exactly, or says that it was made for another base.
    """
    adapter = read_adapter(folder, shapes)
    require_made_for(folder, base)
    return adapter


def require_fits(adapter: Adapter, rank: int, banked: Collection[str]) -> None:
    """Raises ModelError where a bank of this rank and these layers has no place for an adapter."""
    if adapter.rank > rank:
        expected, got = f"a rank of at most {rank}", str(adapter.rank)
    elif new := sorted(set(adapter.layers) - set(banked)):
        expected, got = "the layers that the adapters at the start had", f"{new[0]} as well"
    else:
        return
    remedy = "Start the engine with it, so that room is made."
    raise ModelError.of("adapter", expected=expected, got=got, remedy=remedy)
