"""Which adapters there are: by profile and arm, whether installed, how large, with which fingerprint, and where from.

Reads small files and the hash of the weights; knows nothing of torch or of the network.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any

from ..files import said_in, sha256_of
from .registry import ADAPTER_FILES, Arm, Profile


class State(StrEnum):
    """Of an arm."""

    INSTALLED = "installed"
    RECOVERABLE = "recoverable"
    MISSING = "missing"


@dataclass(frozen=True)
class Listed:
    """One arm of one profile."""

    profile: str
    arm: str
    state: State
    size: int
    """Bytes of its folder; 0 where it is not installed."""
    fingerprint: str
    """SHA-256 of the weights' file, 16 hexadecimal digits; empty where it is not installed."""
    origin: str
    """Where it came from; where it can be recovered from, or how it is made, where it is not installed."""

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        return asdict(self)


def listed(profiles: Mapping[str, Profile]) -> Iterator[Listed]:
    """Every arm of every profile, in the registry's order."""
    for profile in profiles.values():
        for arm in profile.arms.values():
            yield _installed(profile, arm) if arm.installed else _absent(profile, arm)


def table(rows: list[Listed]) -> str:
    """For a person: one line each, in columns."""
    heads = ("profile", "arm", "state", "size", "fingerprint", "from")
    cells = [
        (each.profile, each.arm, str(each.state), _size(each.size), each.fingerprint or "-", each.origin)
        for each in rows
    ]
    widths = [max(map(len, column)) for column in zip(heads, *cells, strict=True)]
    lines = ("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) for row in (heads, *cells))
    return "\n".join(line.rstrip() for line in lines)


def _installed(profile: Profile, arm: Arm) -> Listed:
    size = sum(each.stat().st_size for each in arm.folder.iterdir() if each.is_file())
    fingerprint = sha256_of(arm.folder / ADAPTER_FILES[1])[:16]
    return Listed(profile.name, arm.mixture.slug, State.INSTALLED, size, fingerprint, origin_of(arm.folder))


def _absent(profile: Profile, arm: Arm) -> Listed:
    state = State.RECOVERABLE if arm.merged else State.MISSING
    return Listed(profile.name, arm.mixture.slug, state, 0, "", arm.merged or profile.remedy(arm.mixture))


def origin_of(folder: Path) -> str:
    """What the records beside an adapter say of its origin; ``unknown`` where they say nothing."""
    fetched, recovered, trained = (said_in(folder / f"{name}.json") for name in ("fetched", "recovery", "training"))
    merged = recovered.get("merged")
    if fetched.get("repository"):
        return f"fetched from {fetched['repository']}"
    if isinstance(merged, dict) and merged.get("name"):
        return f"recovered from {merged['name']}"
    if recovered.get("converted"):
        return f"converted from {recovered['converted']}"
    return f"trained on {trained['base']}" if trained.get("base") else "unknown"


def _size(count: int) -> str:
    return f"{count / 1e6:.1f} MB" if count else "-"
