"""The base of an adapter, as an engine will know it, from the checkpoint that was opened for it.

Knows nothing of what is made with it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from ..engine.origin import Base, is_repository, made_for, require_made_for
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


def present(name: str) -> Base:
    """A profile's base as this machine has it; of a repository, the commit and the weights of the Hub's cache."""
    if not is_repository(name):
        return Base.of_folder(name)
    cached = base_files(name)
    if cached.folder is None:
        return Base(name, "")
    weights = Base.of_folder(str(cached.folder)).weights if cached.whole else None
    return replace(Base.of_commit(name, cached.folder.name), weights=weights)


def identity(base: Base) -> dict[str, str]:
    """What tells a base on any machine: the hash of its weights, and of a repository its name and commit, as far as
    they are known. A folder's path is of this machine, and not said.
    """
    if not is_repository(base.name):
        return recorded(base.weights)
    cached = base_files(base.name).folder
    return {"repository": base.name} | ({"commit": cached.name} if cached else {}) | recorded(base.weights)


def same_base(one: Mapping[str, str], other: Mapping[str, str]) -> bool:
    """True where two identities are of one base: of the same weights where both tell them, else of one repository."""
    for told in ("base_weights", "repository"):
        if told in one and told in other:
            return one[told].lower() == other[told].lower()
    return False


def remark(one: Mapping[str, str], other: Mapping[str, str]) -> str:
    """What is not known of two identities that pass for one base; empty where their weights are the same."""
    commits = [each.get("commit", "an unknown commit") for each in (one, other)]
    if "base_weights" in one.keys() & other.keys() or commits[0] == commits[1]:
        return ""
    return f"the base is here at {commits[0]}, theirs was at {commits[1]}: whether the weights are the same is unknown"


def said(base: Mapping[str, str]) -> str:
    """An identity for a person."""
    if "repository" in base:
        at = f" at {base['commit']}" if "commit" in base else ""
        return base["repository"] + at + (f" (weights {base['base_weights']})" if base.get("base_weights") else "")
    return f"a base of the weights {base['base_weights']}" if base.get("base_weights") else "a base without weights"


def recorded(weights: str | None) -> dict[str, str]:
    """What a record says of the weights that its adapter is made for."""
    return {"base_weights": weights} if weights else {}
