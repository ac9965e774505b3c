"""The profiles of the registry: their base, their arms, the memory they need; or what their servers have.

Reads headers only; no network but the servers of the profile to be served.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from ..adapters.presence import BaseFiles, adapter_memory, base_files
from ..adapters.registry import MINIATURE, Profile
from ..domain import BASE
from ..errors import InvalidValue, ModelError
from .findings import Finding, Level
from .machine import INSTALL, Place, gib

SERVE: Final = "Start it, or correct MEDINJECT_ENGINE_URL or the registry: docs/remote.md says how."
ROOM: Final = 1.2
"""What is wanted for each byte of weights: a fifth for the keys and values of the answers, and for buffers."""

HALVED: Final = ("llama", "mistral", "qwen2", "qwen3")
"""Kinds of models whose matrices a processor reads in bf16, as a rule: ``engine.parts`` looks at each one's parts."""


@dataclass(frozen=True)
class Look:
    """How profiles are looked at."""

    place: Place
    quantization: str
    cache: Path | None = None
    """The Hub's cache, the library's own where None."""
    key: str = field(default="", repr=False)
    """Bearer token of servers."""

    def at(self, profile: Profile, *, chosen: bool) -> Iterator[Finding]:
        """What is to say of a profile; what it lacks is a fault where it is the one to be served."""
        lacking = Level.FAIL if chosen else Level.WARN
        if profile.remote or not profile.base:
            yield from _served(profile, self.key, chosen=chosen)
            return
        try:
            found = base_files(profile.base, self.cache)
        except ImportError as error:
            what = f"cannot be looked at: {error.name} is missing"
            yield Finding("profiles", f"{profile.name} base", lacking, what, INSTALL)
        else:
            yield _base(profile, found, lacking)
            if found.whole:
                yield self._memory(profile, found, lacking)
        yield _arms(profile)

    def _memory(self, profile: Profile, found: BaseFiles, lacking: Level) -> Finding:
        folders = [arm.folder for arm in profile.arms.values() if arm.installed]
        halves = self.place.halves and found.kind in HALVED
        weights = found.memory(self.place.dtype, self.quantization, halves=halves)
        need = int(ROOM * (weights + sum(adapter_memory(folder, self.place.dtype) for folder in folders)))
        bits = self.place.dtype if self.quantization == "none" else f"{self.quantization} and {self.place.dtype}"
        halved = halves and weights < found.memory(self.place.dtype, self.quantization)
        bits += ", the base's matrices in bf16 as they are stored" if halved else ""
        what = f"base and arms need about {gib(need)} in {bits}"
        if self.place.memory is None:
            return Finding("profiles", f"{profile.name} memory", Level.OK, what)
        fits = need <= self.place.memory
        what += f", {gib(self.place.memory)} free on {self.place.name}"
        remedy = "" if fits else "Free some, take a larger machine, or set MEDINJECT_QUANTIZATION to int8 or int4."
        return Finding("profiles", f"{profile.name} memory", Level.OK if fits else lacking, what, remedy)


def _base(profile: Profile, found: BaseFiles, lacking: Level) -> Finding:
    subject = f"{profile.name} base"
    if found.whole:
        return Finding("profiles", subject, Level.OK, f"in {found.folder}")
    unknown = "the memory it needs is unknown until downloaded"
    if found.folder is None:
        return Finding("profiles", subject, lacking, f"{profile.base} is not on this machine; {unknown}", _get(profile))
    what = f"{found.folder} lacks, or has cut, {', '.join(found.missing)}; {unknown}"
    return Finding("profiles", subject, lacking, what, _get(profile))


def _get(profile: Profile) -> str:
    """How to get a base."""
    if profile.name == MINIATURE:
        return "Restore adapters/mini/base from the repository, or build it with: make miniature"
    if Path(profile.base).is_absolute():
        return "Put the base's files there."
    return f"Run: hf download {profile.base}"


def _served(profile: Profile, key: str, *, chosen: bool) -> Iterator[Finding]:
    """What the servers of a profile have; only those of the one to be served are asked."""
    subject, places = f"{profile.name} server", ", ".join(sorted({each.place for each in profile.remote.values()}))
    if not chosen:
        what = f"would be {places}; not asked" if places else "none named; needed only where this profile is served"
        yield Finding("profiles", subject, Level.OK, what)
        return
    try:
        profile.require_arm(BASE)
        from ..engine.remote import Patience, survey

        found = survey(profile.remote, key, Patience(connect=3, first=10, attempts=1))
    except ImportError as error:
        yield Finding("profiles", subject, Level.FAIL, f"cannot be asked: {error.name} is missing", INSTALL)
    except (InvalidValue, ModelError) as error:
        yield Finding("profiles", subject, Level.FAIL, str(error).rstrip("."))
    else:
        arms = ", ".join(map(str, found.arms))
        what = f"{places} ({found.name}) serves {arms}" if arms else f"{places} serves no arm"
        yield Finding("profiles", subject, Level.OK if arms else Level.FAIL, what, "" if arms else SERVE)
        for remark in found.remarks:
            yield Finding("profiles", f"{profile.name} arms", Level.WARN, remark.rstrip("."))


def _arms(profile: Profile) -> Finding:
    """Which arms can answer; the page answers with those that are there."""
    subject, there = f"{profile.name} arms", [mixture for mixture in profile.installed if mixture in profile.arms]
    if not profile.missing:
        return Finding("profiles", subject, Level.OK, f"all {len(there)} installed")
    what = f"{', '.join(map(str, there)) or 'none'} installed; missing: {', '.join(map(str, profile.missing))}"
    remedy = f"Install them with: {profile.install}" if profile.install else profile.remedy(profile.missing[0])
    return Finding("profiles", subject, Level.WARN, what, remedy)
