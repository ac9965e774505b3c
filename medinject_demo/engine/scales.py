"""The scales of DoRA, ``s = m / ||W + k B A||`` by output row: computed once, then kept beside the adapter.

The file's name holds the hash of the adapter and the base together, so scales of other tensors are never taken.
Knows nothing of slots or devices.
"""

from __future__ import annotations

import contextlib
import os
import threading
from collections.abc import Callable, Mapping
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from .adapter import Adapter

Weight = Callable[[str], Tensor]
"""The unquantised weight (outputs, inputs) of a layer of the base, by module name."""


def scales_of(adapter: Adapter, fingerprint: str, folder: Path, weight: Weight) -> dict[str, Tensor]:
    """The scales of each adapted layer, (outputs) in fp32, read from ``folder`` or computed and left there.

    ``fingerprint`` is that of adapter and base together. A folder that cannot be written only costs the next start the
    computation again.
    """
    found = _read(_place(folder, fingerprint), adapter)
    if found is not None:
        return found
    # their memory first: a small result between two products of a whole matrix would leave the heap in pieces
    scales = {name: torch.empty(layer.up.shape[0]) for name, layer in adapter.layers.items()}
    for name, layer in adapter.layers.items():
        scales[name].copy_(layer.scale(weight(name)))
    keep_scales(scales, folder, fingerprint)
    return scales


def _place(folder: Path, fingerprint: str) -> Path:
    return folder / f"scales-{fingerprint}.safetensors"


def _read(kept: Path, adapter: Adapter) -> dict[str, Tensor] | None:
    """The scales of a whole file, one of each layer; None where it is missing, cut, of other layers or not finite."""
    try:
        with safe_open(kept, "pt") as file:
            scales = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118, not a dictionary
    except (OSError, SafetensorError):
        return None
    expected = {name: (layer.up.shape[0],) for name, layer in adapter.layers.items()}
    whole = {name: tuple(each.shape) for name, each in scales.items()} == expected
    return scales if whole and all(torch.isfinite(each).all() for each in scales.values()) else None


def keep_scales(scales: Mapping[str, Tensor], folder: Path, fingerprint: str) -> None:
    """Leave scales in a folder, where the next start finds them: the file whole, or none where it cannot be written."""
    kept = _place(folder, fingerprint)
    partial = kept.with_suffix(f".{os.getpid()}-{threading.get_ident()}.partial")
    try:
        save_file(dict(scales), partial)
        partial.replace(kept)
    except (OSError, SafetensorError):
        with contextlib.suppress(OSError):  # a read-only folder says so even of a file that is not there
            partial.unlink(missing_ok=True)
