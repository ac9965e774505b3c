"""A PEFT folder read exactly, or refused: DoRA and LoRA, rsLoRA, rank and alpha patterns.

Whatever would answer otherwise than peft does is named, with the remedy. Safetensors only, never pickle.
Knows nothing of slots, batches or tokens.
"""

from __future__ import annotations

import hashlib
import json
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor

from ..errors import ModelError
from .halves import pieces
from .loading import first_line

CONFIG, WEIGHTS = "adapter_config.json", "adapter_model.safetensors"
PREFIX: Final = "base_model.model."
PARTS: Final = {".lora_A.weight": "A", ".lora_B.weight": "B", ".lora_magnitude_vector": "m"}
REFUSED: Final = {
    "bias": "none",
    "modules_to_save": None,
    "layer_replication": None,
    "trainable_token_indices": None,
    "target_parameters": None,
    "alora_invocation_tokens": None,
    "use_qalora": False,
    "use_bdlora": None,
    "lora_bias": False,
    "fan_in_fan_out": False,
    "velora_config": None,
    "kasa_config": None,
    "arrow_config": None,
    "monteclora_config": None,
}
"""Settings of peft that change what an adapter computes, and the value with which they do not."""

HARMLESS: Final = frozenset(
    (
        *("alpha_pattern", "auto_mapping", "base_model_name_or_path", "corda_config", "ensure_weight_tying"),
        *("eva_config", "exclude_modules", "inference_mode", "init_lora_weights", "layers_pattern"),
        *("layers_to_transform", "loftq_config", "lora_alpha", "lora_dropout", "lora_ga_config", "megatron_core"),
        *("peft_type", "peft_version", "qalora_group_size", "r", "rank_pattern", "revision", "runtime_config"),
        *("target_modules", "task_type", "use_dora", "use_rslora"),
    )
)
"""Settings of peft 0.21 that are read here, or that say how an adapter was made; another, where set, may do more."""

FAITHFUL_STARTS: Final = ("gaussian", "orthogonal", "eva")
"""Named initialisations that leave the base's weights alone; PiSSA, OLoRA and their like subtract from them."""

Shapes = Mapping[str, tuple[int, int]]
"""(outputs, inputs) of each linear layer of a base, by module name."""


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
    config = _config(folder)
    _refuse(folder, config)
    try:
        tensors = load_file(folder / WEIGHTS)
    except (OSError, SafetensorError) as error:
        raise _unreadable(folder, f"{WEIGHTS}: {first_line(error)}") from error
    parts: dict[str, dict[str, Tensor]] = {}
    for name, tensor in tensors.items():
        module, part = _place(folder, name)
        if not tensor.is_floating_point() or tensor.itemsize < 2:
            raise _unreadable(folder, f"numbers of the kind {str(tensor.dtype).removeprefix('torch.')} in {name}")
        if not torch.isfinite(tensor).all():
            raise _unreadable(folder, f"numbers that are not finite in {name}")
        parts.setdefault(module, {})[part] = tensor
    layers = {module: _layer(folder, module, found, config, shapes) for module, found in parts.items()}
    if not layers:
        raise _unreadable(folder, "no adapted layer")
    if missing := sorted(_targets(config, shapes) - layers.keys()):
        raise _unreadable(folder, f"nothing of {missing[0]}, which the target_modules of its {CONFIG} name")
    return Adapter(layers, _fingerprint(tensors, layers))


def _targets(config: Mapping[str, Any], shapes: Shapes) -> set[str]:
    """The layers of a base that an adapter's settings name, as peft reads them; none where they choose among layers."""
    named = config.get("target_modules")
    if not named or config.get("layers_to_transform") is not None or config.get("exclude_modules"):
        return set()
    if isinstance(named, str):
        return {each for each in shapes if named == "all-linear" or re.fullmatch(named, each)}
    return {each for each in shapes if any(each == one or each.endswith(f".{one}") for one in named)}


def _config(folder: Path) -> dict[str, Any]:
    try:
        config = json.loads((folder / CONFIG).read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, json.JSONDecodeError, RecursionError) as error:
        raise _unreadable(folder, f"{CONFIG}: {first_line(error)}") from error
    if not isinstance(config, dict):
        raise _unreadable(folder, f"{CONFIG} that is no JSON object")
    config = {"r": 8, "lora_alpha": 8} | config  # peft's own defaults
    for name, kinds in (("r", int), ("lora_alpha", (int, float))):
        values = {name: config[name]} | _pattern(folder, config, {"r": "rank_pattern"}.get(name, "alpha_pattern"))
        for where, value in values.items():
            if not isinstance(value, kinds) or isinstance(value, bool) or not 0 < value < math.inf:
                raise _unreadable(folder, f"{CONFIG} with {value!r} for {where}, where a number above 0 belongs")
    return config


def _pattern(folder: Path, config: Mapping[str, Any], name: str) -> dict[str, Any]:
    """Numbers by regular expressions of modules' names, as peft has them; none where there are none."""
    pattern = config.get(name) or {}
    try:
        for each in pattern:
            re.compile(each)
        return {f"{each} in {name}": pattern[each] for each in pattern}
    except (re.error, TypeError) as error:
        raise _unreadable(folder, f"{CONFIG} whose {name} holds no regular expressions: {first_line(error)}") from error


def _refuse(folder: Path, config: Mapping[str, Any]) -> None:
    kind = config.get("peft_type")
    if kind != "LORA":
        raise ModelError.of(
            f"adapter {str(folder)!r}",
            expected="a LoRA or DoRA adapter",
            got=f"the type {kind!r}",
            remedy="Merge it into its base, and recover a DoRA adapter from that.",
        )
    started = config.get("init_lora_weights")
    if isinstance(started, str) and started not in FAITHFUL_STARTS:
        raise ModelError.of(
            f"adapter {str(folder)!r}",
            expected="an adapter of the base as it is",
            got=f"init_lora_weights = {started!r}, which changes the base's weights",
            remedy="Convert it to a plain adapter with peft, or merge it into its base.",
        )
    for name, harmless in REFUSED.items():
        value = config.get(name, harmless)
        if value != harmless and value:
            raise ModelError.of(
                f"adapter {str(folder)!r}",
                expected=f"{name} = {harmless!r}",
                got=repr(value),
                remedy="It would not be served exactly; merge it into its base instead.",
            )

    for name in sorted(config.keys() - REFUSED.keys() - HARMLESS):
        if config[name]:
            raise ModelError.of(
                f"adapter {str(folder)!r}",
                expected="settings of peft that are known here",
                got=f"{name} = {config[name]!r}",
                remedy="It may not be served exactly; merge it into its base instead.",
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
        raise _unreadable(folder, f"the parts {sorted(found)} of {module}, where {sorted(wanted)} belong")
    if module not in shapes:
        raise ModelError.of(
            f"adapter {str(folder)!r}",
            expected="an adapter of the linear layers of this base's decoder",
            got=f"the layer {module}, which is none of them",
            remedy="Check which base it was made on; one of the head or the embedding must be merged into its base.",
        )
    outputs, inputs = shapes[module]
    rank = _of_pattern(config.get("rank_pattern"), module, config["r"])
    got = {part: tuple(tensor.shape) for part, tensor in found.items()}
    expected = {"A": (rank, inputs), "B": (outputs, rank), "m": (outputs,)}
    for part, shape in got.items():
        if shape != expected[part]:
            raise another_base(folder, f"{part} of {module} with the shape {shape} where the base has {expected[part]}")
    alpha = _of_pattern(config.get("alpha_pattern"), module, config["lora_alpha"])
    scaling = alpha / (math.sqrt(rank) if config.get("use_rslora") else rank)
    return LayerWeights(found["A"], found["B"], scaling, found.get("m"))


def _of_pattern(patterns: Mapping[str, Any] | None, module: str, default: Any) -> Any:
    """A rank or an alpha: that of the first pattern that matches the end of the module's name, as in peft."""
    for pattern, value in (patterns or {}).items():
        if re.match(rf"(.*\.)?({pattern})$", module):
            return value
    return default


def _fingerprint(tensors: Mapping[str, Tensor], layers: Mapping[str, LayerWeights]) -> str:
    """SHA-256 over names, scalings and values, in the order of names."""
    digest = hashlib.sha256()
    for name, tensor in sorted(tensors.items()):
        digest.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}".encode())
        digest.update(tensor.contiguous().view(torch.uint8).numpy().tobytes())
    for module, layer in sorted(layers.items()):
        digest.update(f"{module} {layer.scaling}".encode())
    return digest.hexdigest()


def _unreadable(folder: Path, got: str) -> ModelError:
    return ModelError.of(
        f"adapter {str(folder)!r}", expected="a whole PEFT folder", got=got, remedy="Fetch or recover it again."
    )


def another_base(folder: Path, got: str) -> ModelError:
    """The refusal of an adapter that was made for another base."""
    return ModelError.of(
        f"adapter {str(folder)!r}",
        expected="an adapter of this base",
        got=got,
        remedy="Check which base it was made on.",
    )
