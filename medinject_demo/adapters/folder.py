"""Adapter folders as peft writes them: the same names, the same configuration, and bytes that depend on nothing else.

Knows nothing of where the layers came from.
"""

from __future__ import annotations

import json
import shutil
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from safetensors.torch import save
from torch import Tensor

from ..engine.adapter import PREFIX, WEIGHTS
from ..engine.adapter_settings import CONFIG
from ..errors import OutputError

CARD: Final = "README.md"
RECORD: Final = "recovery.json"
"""What a recovery or a conversion leaves beside an adapter: from what, how well, with which base."""

HASHED: Final = "sha256:"
"""Begins what stands for a base or a checkpoint that only its weights tell: nothing can be opened by it."""


@dataclass(frozen=True)
class Parts:
    """One layer of an adapter."""

    down: Tensor
    """A, (rank, inputs)."""
    up: Tensor
    """B, (outputs, rank)."""
    magnitude: Tensor | None = None
    """m, (outputs); None is plain LoRA."""


def write_adapter(folder: Path, layers: Mapping[str, Parts], base: str, linear: Iterable[str]) -> None:
    """``adapter_config.json`` and ``adapter_model.safetensors``, alpha = r.

    ``linear`` names every module of the base that an adapter could have changed, so that ``target_modules`` can be as
    short as it may and no shorter.
    """
    tensors: dict[str, Tensor] = {}
    for module, layer in layers.items():
        tensors[f"{PREFIX}{module}.lora_A.weight"] = layer.down.contiguous()
        tensors[f"{PREFIX}{module}.lora_B.weight"] = layer.up.contiguous()
        if layer.magnitude is not None:
            tensors[f"{PREFIX}{module}.lora_magnitude_vector"] = layer.magnitude.contiguous()
    (folder / WEIGHTS).write_bytes(save(tensors, metadata={"format": "pt"}))  # save_file would hide it from others
    config = _config(layers, base, targets(layers, linear))
    write_json(folder / CONFIG, config)


def write_json(path: Path, said: Mapping[str, Any]) -> None:
    """A JSON file for people and machines."""
    path.write_text(json.dumps(said, indent=2, ensure_ascii=False, sort_keys=True) + "\n", encoding="utf-8")


def targets(adapted: Iterable[str], linear: Iterable[str]) -> list[str]:
    """The last part of the modules' names where all modules of that part are adapted, else their whole names."""
    adapted = set(adapted)
    all_of: dict[str, set[str]] = {}
    for module in {*linear, *adapted}:
        all_of.setdefault(module.rpartition(".")[2], set()).add(module)
    if all(modules <= adapted or not modules & adapted for modules in all_of.values()):
        return sorted(kind for kind, modules in all_of.items() if modules <= adapted)
    return sorted(adapted)


def put_in_place(output: Path, fill: Callable[[Path], None]) -> None:
    """Let ``fill`` write a folder, then put it at ``output``: whole, or not at all.

    Raises:
        OutputError: the place is taken by something else, or cannot be written.
    """
    require_place(output)
    whole = output.absolute()
    beside = whole.with_name(f"{whole.name}.new.partial")
    old = whole.with_name(f"{whole.name}.old")
    try:
        shutil.rmtree(beside, ignore_errors=True)
        beside.mkdir(parents=True)
        fill(beside)
        if whole.exists():
            shutil.rmtree(old, ignore_errors=True)
            whole.rename(old)
        beside.rename(whole)
        shutil.rmtree(old, ignore_errors=True)
    except OSError as error:
        if old.exists() and not whole.exists():
            old.rename(whole)
        raise unwritable(output, error) from error
    finally:
        shutil.rmtree(beside, ignore_errors=True)


def require_place(output: Path) -> None:
    """Refuse to replace what is no adapter.

    Raises:
        OutputError: the sentence names what stands there.
    """
    if not output.exists() or (output.is_dir() and (not any(output.iterdir()) or (output / CONFIG).is_file())):
        return
    got = "another folder" if output.is_dir() else "a file"
    remedy = "Choose another --output."
    raise OutputError.of(str(output), expected="a free place or an earlier adapter", got=got, remedy=remedy)


def unwritable(place: Path, error: OSError) -> OutputError:
    """The sentence for a place that cannot be written."""
    got = str(error.strerror or error)
    return OutputError.of(str(place), expected="a place to write", got=got, remedy="Choose another place.")


def _config(layers: Mapping[str, Parts], base: str, modules: list[str]) -> dict[str, Any]:
    """What peft's own configuration says of these layers; the most common rank is r, the others are patterns."""
    from peft import LoraConfig

    ranks = {module: int(layer.down.shape[0]) for module, layer in layers.items()}
    rank = Counter(sorted(ranks.values(), reverse=True)).most_common(1)[0][0]
    others = {module: each for module, each in sorted(ranks.items()) if each != rank}
    config = LoraConfig(
        r=rank,
        lora_alpha=rank,
        rank_pattern=dict(others),
        alpha_pattern=dict(others),
        target_modules=modules,
        use_dora=any(layer.magnitude is not None for layer in layers.values()),
        task_type="CAUSAL_LM",
        base_model_name_or_path=base,
        inference_mode=True,
    )
    said: dict[str, Any] = config.to_dict()
    return said | {"target_modules": modules}
