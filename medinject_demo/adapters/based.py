"""The base of an adapter, as an engine will know it, from the checkpoint that was opened for it.

Knows nothing of what is made with it.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from ..engine.origin import Base, made_for, require_made_for
from .checkpoint import Checkpoint
from .presence import base_files


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


def identity(base: str) -> dict[str, str]:
    """What tells a base on any machine: its weights' hash for a folder, else its repository, and the commit if known.

    The commit is that of the Hub's cache; a folder's path is of this machine, and not said.
    """
    if Path(base).is_dir() or Path(base).is_absolute():
        return recorded(Base.of_folder(base).weights)
    cached = base_files(base).folder
    return {"repository": base} | ({"commit": cached.name} if cached else {})


def same_base(one: Mapping[str, str], other: Mapping[str, str]) -> bool:
    """True where two identities are of one base: they share what tells it, and differ in nothing that both say."""
    both = one.keys() & other.keys()
    return bool(both) and all(one[each] == other[each] for each in both)


def said(base: Mapping[str, str]) -> str:
    """An identity for a person."""
    if "repository" in base:
        return base["repository"] + (f" at {base['commit']}" if "commit" in base else "")
    return f"a base of the weights {base['base_weights']}" if base.get("base_weights") else "a base without weights"


def recorded(weights: str | None) -> dict[str, str]:
    """What a record says of the weights that its adapter is made for."""
    return {"base_weights": weights} if weights else {}
