"""Where a base came from: what its adapters' fingerprints and scales depend on, in whatever precision it runs.

Knows nothing of slots, rows or devices.
"""

from __future__ import annotations

import functools
import hashlib
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from torch import Tensor

from .adapter import Adapter
from .loading import load_base
from .scales import scales_of


@dataclass(frozen=True)
class Base:
    """Where a base came from: what its adapters' fingerprints and scales depend on, in whatever precision it runs."""

    name: str
    fingerprint: str
    stored: Any = field(repr=False)
    """The model while it holds the weights as they are stored; None once they are cast or quantised."""

    def joined(self, adapter: Adapter) -> str:
        """Hash of an adapter and the base together, 16 hexadecimal digits."""
        return hashlib.sha256(f"{self.fingerprint} {adapter.fingerprint}".encode()).hexdigest()[:16]

    def scales(self, adapter: Adapter, folder: Path) -> dict[str, Tensor]:
        """The scales of an adapter's layers, where they must be computed from the weights as they are stored."""

        @functools.cache
        def whole() -> Any:
            return load_base(self.name)[0] if self.stored is None else self.stored

        return scales_of(adapter, self.joined(adapter), folder, lambda name: whole().get_submodule(name).weight)


def base_print(base: str, model: Any) -> str:
    """Hash of a base: its weight files' bytes, or its name and commit where it comes from the Hub."""
    folder = Path(base)
    digest = hashlib.sha256()
    if not folder.is_dir():
        digest.update(f"{base}@{getattr(model.config, '_commit_hash', None)}".encode())
    for path in sorted(folder.glob("*.safetensors")):
        with path.open("rb") as file:
            digest.update(hashlib.file_digest(file, "sha256").digest())
    return digest.hexdigest()[:16]
