"""The base of an adapter, as an engine will know it, from the checkpoint that was opened for it.

Knows nothing of what is made with it.
"""

from __future__ import annotations

from pathlib import Path

from ..engine.origin import Base, made_for, require_made_for
from .checkpoint import Checkpoint


def base_of(base: Checkpoint) -> Base | None:
    """The base as an engine will know it; None for an address, which no engine loads."""
    if Path(base.name).is_dir():
        return Base.of_folder(base.name)
    return Base.of_commit(base.name, base.source.commit) if base.source.commit else None


def weights_for(adapter: Path, base: Checkpoint) -> str | None:
    """The hash of the weights that an adapter is made for: the base's, else what is recorded beside the adapter.

    Raises:
        ModelError: the adapter was made for another base.
    """
    origin = base_of(base)
    if origin is not None:
        require_made_for(adapter, origin)
    return (origin.weights if origin else None) or made_for(adapter)[1]


def recorded(weights: str | None) -> dict[str, str]:
    """What a record says of the weights that its adapter is made for."""
    return {"base_weights": weights} if weights else {}
