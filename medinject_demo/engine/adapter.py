"""A PEFT folder read exactly, or refused: DoRA and LoRA, rsLoRA, rank and alpha patterns.

Whatever would answer otherwise than peft does is named, with the remedy. Safetensors only, never pickle.
Knows nothing of slots, batches or tokens.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor

from ..errors import ModelError
from .adapter_settings import CONFIG, Shapes, of_pattern, read_settings, targets, unreadable
from .halves import pieces
from .loading import first_line

WEIGHTS: Final = "adapter_model.safetensors"
PREFIX: Final = "base_model.model."
PARTS: Final = {".lora_A.weight": "A", ".lora_B.weight": "B", ".lora_magnitude_vector": "m"}


@dataclass(frozen=True)
class LayerWeights:
    """One adapted layer of one adapter. ``magnitude`` None is plain LoRA."""

    down: Tensor
    """A, (rank, inputs)."""
    up: Tensor
    """B, (outputs, rank)."""
    scaling: float
    """alpha / r, or alpha / sqrt(r) for rsLoRA."""
    magnitude: Tensor | None
    """m, (outputs)."""

    @property
    def rank(self) -> int:
        """Rows of A."""
        return int(self.down.shape[0])

    def scale(self, weight: Tensor) -> Tensor:
        """``s = m / ||W + k B A||`` by output row, (outputs), in fp32 from the unquantised weight (outputs, inputs)."""
        if self.magnitude is None:
            return torch.ones(self.up.shape[0])
        return self.magnitude.float() / self.norms(weight)

    def norms(self, weight: Tensor) -> Tensor:
        """``||W + k B A||`` by output row, (outputs), in fp32, on the CPU."""
        up, down = (each.float().to(weight.device) for each in (self.up, self.down))
        norms, start = torch.empty(len(weight), device=weight.device), 0
        for rows in pieces(weight.detach()):
            these = slice(start, start := start + len(rows))
            adapted = torch.addmm(rows.float(), up[these], down, alpha=self.scaling)
            torch.linalg.vector_norm(adapted, dim=1, out=norms[these])
        return norms.cpu()


@dataclass(frozen=True)
class Adapter:
    """What a folder holds, by module name, and the hash of it."""

    layers: Mapping[str, LayerWeights]
    fingerprint: str

    @property
    def rank(self) -> int:
        """The highest of its ranks."""
        return max(layer.rank for layer in self.layers.values())


def read_adapter(folder: Path, shapes: Shapes) -> Adapter:
    """Read an adapter for a base of these shapes.

    Raises:
        ModelError: the folder is not whole, holds what cannot be honoured exactly, or is for another base.
    """
    config = read_settings(folder)
    try:
        tensors = load_file(folder / WEIGHTS)
    except (OSError, SafetensorError) as error:
        raise unreadable(folder, f"{WEIGHTS}: {first_line(error)}") from error
    parts: dict[str, dict[str, Tensor]] = {}
    for name, tensor in tensors.items():
        module, part = _place(folder, name)
        if not tensor.is_floating_point() or tensor.itemsize < 2:
            raise unreadable(folder, f"numbers of the kind {str(tensor.dtype).removeprefix('torch.')} in {name}")
        if not torch.isfinite(tensor).all():
            raise unreadable(folder, f"numbers that are not finite in {name}")
        if part in parts.setdefault(module, {}):
            raise unreadable(folder, f"{part} of {module} twice")
        parts[module][part] = tensor
    layers = {module: _layer(folder, module, found, config, shapes) for module, found in parts.items()}
    if not layers:
        raise unreadable(folder, "no adapted layer")
    _require_named(folder, layers, targets(config, shapes))
    return Adapter(layers, _fingerprint(tensors, layers))


def _require_named(folder: Path, layers: Collection[str], named: Collection[str] | None) -> None:
    """Raises ModelError where a file holds less than its settings name, or more: peft would leave that out."""
    if named is None:
        return
    if missing := sorted(set(named) - set(layers)):
        raise unreadable(folder, f"nothing of {missing[0]}, which the target_modules of its {CONFIG} name")
    if surplus := sorted(set(layers) - set(named)):
        raise ModelError.of(
            f"adapter {str(folder)!r}",
            expected=f"the layers that its {CONFIG} names",
            got=f"{surplus[0]} as well, which peft would leave out",
            remedy=f"Name it in the target_modules of its {CONFIG}, or save the adapter again with peft.",
        )


def _place(folder: Path, name: str) -> tuple[str, str]:
    """Module name and part of a tensor."""
    for ending, part in PARTS.items():
        stem = name.removesuffix(".weight") if part == "m" else name
        if stem.startswith(PREFIX) and stem.endswith(ending):
            return stem.removeprefix(PREFIX).removesuffix(ending), part
    raise ModelError.of(
        f"adapter {str(folder)!r}",
        expected="tensors of linear layers (lora_A, lora_B, lora_magnitude_vector)",
        got=name,
        remedy="It would not be served exactly; merge it into its base instead.",
    )


def _layer(
    folder: Path, module: str, found: Mapping[str, Tensor], config: Mapping[str, Any], shapes: Shapes
) -> LayerWeights:
    wanted = {"A", "B", "m"} if config.get("use_dora") else {"A", "B"}
    if set(found) != wanted:
        raise unreadable(folder, f"the parts {sorted(found)} of {module}, where {sorted(wanted)} belong")
    if module not in shapes:
        raise ModelError.of(
            f"adapter {str(folder)!r}",
            expected="an adapter of the linear layers of this base's decoder",
            got=f"the layer {module}, which is none of them",
            remedy="Check which base it was made on; one of the head or the embedding must be merged into its base.",
        )
    outputs, inputs = shapes[module]
    rank = of_pattern(config.get("rank_pattern"), module, config["r"])
    got = {part: tuple(tensor.shape) for part, tensor in found.items()}
    expected = {"A": (rank, inputs), "B": (outputs, rank), "m": (outputs,)}
    for part, shape in got.items():
        if shape != expected[part]:
            raise another_base(folder, f"{part} of {module} with the shape {shape} where the base has {expected[part]}")
    alpha = of_pattern(config.get("alpha_pattern"), module, config["lora_alpha"])
    scaling = alpha / (math.sqrt(rank) if config.get("use_rslora") else rank)
    return LayerWeights(found["A"], found["B"], scaling, found.get("m"))


def _fingerprint(tensors: Mapping[str, Tensor], layers: Mapping[str, LayerWeights]) -> str:
    """SHA-256 over names, scalings and values, in the order of names."""
    digest = hashlib.sha256()
    for name, tensor in sorted(tensors.items()):
        digest.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}".encode())
        digest.update(tensor.contiguous().view(torch.uint8).numpy().tobytes())
    for module, layer in sorted(layers.items()):
        digest.update(f"{module} {layer.scaling}".encode())
    return digest.hexdigest()


def another_base(folder: Path, got: str) -> ModelError:
    """The refusal of an adapter that was made for another base."""
    return ModelError.of(
        f"adapter {str(folder)!r}",
        expected="an adapter of this base",
        got=got,
        remedy="Check which base it was made on.",
    )
