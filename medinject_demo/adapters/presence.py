"""Which files of a base are on this machine, and how much memory its weights take: headers only, no network.

Knows nothing of profiles, devices or pages. The Hub's library and safetensors are imported inside the functions.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from ..engine.headers import stored_tensors

CONFIG, WEIGHTS, INDEX = "config.json", "model.safetensors", "model.safetensors.index.json"
TOKENIZERS: Final = ("tokenizer.json", "tokenizer_config.json")


@dataclass(frozen=True)
class BaseFiles:
    """What there is of a base."""

    folder: Path | None
    """None where nothing of it is on this machine."""
    missing: tuple[str, ...] = ()
    """Files without which it cannot be loaded, and files that are cut."""
    weights: tuple[Path, ...] = field(default=(), repr=False)
    """Whole weight files."""

    @property
    def whole(self) -> bool:
        """True where the base can be loaded."""
        return self.folder is not None and not self.missing

    @property
    def kind(self) -> str:
        """The kind of model that its configuration names, such as ``qwen3``; empty where it names none."""
        if self.folder is None:
            return ""
        try:
            return str(json.loads((self.folder / CONFIG).read_text(encoding="utf-8"))["model_type"])
        except (OSError, ValueError, KeyError, TypeError):
            return ""

    def memory(self, dtype: str, quantization: str = "none", *, halves: bool = False) -> int:
        """Bytes of the weights once loaded in a precision, the linear layers in a quantisation's.

        ``halves`` where matrices that are stored in bf16 stay so, whatever the rest is in.
        """
        tensors = (each for path in self.weights for each in stored_tensors(path))
        return int(sum(each.held(dtype, quantization, halves=halves) for each in tensors))


def base_files(base: str, cache: Path | None = None) -> BaseFiles:
    """The files of a base: a folder, or a repository of the Hub as far as the local cache has it.

    ``cache`` is the Hub's cache, the library's own where None.
    """
    folder = Path(base) if Path(base).is_dir() else _snapshot(base, cache)
    if folder is None:
        return BaseFiles(None)
    missing = [] if any((folder / name).is_file() for name in TOKENIZERS) else [TOKENIZERS[0]]
    missing += [] if (folder / CONFIG).is_file() else [CONFIG]
    names = _weight_names(folder)
    good = [name for name in names if _readable(folder / name)]
    missing += [name for name in names if name not in good]
    return BaseFiles(folder, tuple(missing), tuple(folder / name for name in good))


def adapter_memory(folder: Path, dtype: str) -> int:
    """Bytes of an adapter's numbers in a precision; 0 where its file cannot be read."""
    path = folder / "adapter_model.safetensors"
    return int(sum(each.held(dtype) for each in stored_tensors(path))) if _readable(path) else 0


def hub_cache() -> Path | None:
    """Where the Hub's library keeps what it downloads; None where it is missing."""
    try:
        from huggingface_hub.constants import HF_HUB_CACHE
    except ImportError:
        return None
    return Path(HF_HUB_CACHE)


def _snapshot(base: str, cache: Path | None) -> Path | None:
    """The folder of the Hub's cache that holds a repository's main branch."""
    from huggingface_hub import try_to_load_from_cache

    try:
        found = try_to_load_from_cache(base, CONFIG, cache_dir=cache)
    except ValueError:  # no name that a repository can have: a folder that is not there
        return None
    return Path(found).parent if isinstance(found, str) else None


def _weight_names(folder: Path) -> list[str]:
    """The weight files that a base consists of, there or not; the list of them where it cannot be read."""
    if (folder / WEIGHTS).exists() or not (folder / INDEX).is_file():
        return [WEIGHTS]
    try:
        return sorted(set(map(str, json.loads((folder / INDEX).read_text(encoding="utf-8"))["weight_map"].values())))
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return [INDEX]


def _readable(path: Path) -> bool:
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, "np"):
            return True
    except (OSError, SafetensorError):
        return False
