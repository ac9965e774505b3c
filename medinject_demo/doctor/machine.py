"""The libraries against the ranges that the project declares, and the machine. Knows nothing of profiles or settings.

A library that is missing is a finding, not a crash.
"""

from __future__ import annotations

import importlib.metadata
import importlib.util
import platform
import shutil
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from ..engine.device import Accelerator, Host, accelerators
from ..engine.native.build import COMPILERS, NotBuilt, compiler, library
from .findings import Finding, Level

if TYPE_CHECKING:
    from packaging.requirements import Requirement

GIB: Final = 2**30
INSTALL: Final = "Run: pip install -r requirements.txt"


@dataclass(frozen=True)
class Place:
    """Where a model would run: the first accelerator, else the processor."""

    name: str
    dtype: str
    memory: int | None
    """Bytes that are free, None where the system does not say."""
    halves: bool = False
    """Whether matrices that are stored in bf16 stay so, whatever is computed in."""

    @classmethod
    def of(cls, here: Host, devices: Sequence[Accelerator], *, compiles: bool = False) -> Place:
        """The place that ``auto`` takes."""
        if not devices:
            return cls("the processor", "fp32", here.memory, compiles)
        return cls(devices[0].device, devices[0].dtype, devices[0].free)


def libraries(root: Path) -> Iterator[Finding]:
    """Python and the libraries of requirements.txt: each there, and inside its range."""
    try:
        from packaging.requirements import Requirement

        project = tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))["project"]
        lines = (root / "requirements.txt").read_text(encoding="utf-8").splitlines()
    except ImportError:
        yield Finding("libraries", "packaging", Level.FAIL, "expected any version, got none", INSTALL)
        return
    except (OSError, KeyError, ValueError) as error:
        what = f"the declared ranges cannot be read: {error}"
        yield Finding("libraries", "requirements.txt", Level.WARN, what, "Take a whole copy of the project.")
        return
    python = Requirement(f"python{project['requires-python']}")
    yield ranged(python, platform.python_version(), "Run: make PYTHON=python3.11")
    for line in lines:
        if line.strip() and not line.startswith(("#", "-")):
            wanted = Requirement(line.partition(" #")[0])
            yield ranged(wanted, _version(wanted.name), INSTALL)


def ranged(wanted: Requirement, version: str | None, remedy: str) -> Finding:
    """One library: below its range it lacks what is called, which is a fault; above, it is only untried."""
    span = ",".join(sorted(map(str, wanted.specifier), reverse=True))  # the lower bound first
    if version is None:
        return Finding("libraries", wanted.name, Level.FAIL, f"expected {span}, got none", remedy)
    outside = [each for each in wanted.specifier if not each.contains(version, prereleases=True)]
    if not outside:
        return Finding("libraries", wanted.name, Level.OK, f"{version} ({span})")
    above = all(each.operator.startswith("<") for each in outside)
    level, what = (Level.WARN, ", which is untried") if above else (Level.FAIL, "")
    return Finding("libraries", wanted.name, level, f"expected {span}, got {version}{what}", remedy)


def surroundings(here: Host, places: Mapping[str, Path]) -> Iterator[Finding]:
    """Processor, memory, and the room in places of the disk, there already or not."""
    memory = "of an unknown size" if here.memory is None else f"{gib(here.memory)} available"
    yield Finding("machine", "processor", Level.OK, f"{here.cores} cores, computes in fp32")
    yield Finding("machine", "memory", Level.OK, memory)
    for name, place in places.items():
        free = shutil.disk_usage(next(each for each in (place, *place.parents) if each.exists())).free
        level, remedy = (Level.OK, "") if free > GIB else (Level.WARN, "Make room before anything is downloaded.")
        yield Finding("machine", name, level, f"{gib(free)} free in {place}", remedy)


def devices() -> tuple[tuple[Accelerator, ...], list[Finding]]:
    """The accelerators, and what is to say of them."""
    try:
        found = accelerators()
    except (ImportError, OSError, RuntimeError) as error:  # a library of the driver that is missing is an OSError
        what = f"cannot be used: {error}".splitlines()[0].rstrip(".")
        return (), [Finding("machine", "torch", Level.FAIL, what, INSTALL)]
    if not found:
        none = "no device that torch can use; the processor answers"
        return (), [Finding("machine", "CUDA", Level.OK, none)]
    return found, [_accelerator(each) for each in found]


def compiled(devices: Sequence[Accelerator]) -> tuple[bool, Finding]:
    """Whether the processor can answer by a library of its own, made now; a lack only where the processor answers."""
    try:
        library()
        return True, Finding("machine", "C compiler", Level.OK, f"{compiler()}, for answers of the processor")
    except NotBuilt as reason:
        what = f"{reason}, so that the processor answers several times as slowly as it could"
        there = any(map(shutil.which, COMPILERS))
        remedy = "Install gcc, or mend what stands in its way." if there else "Install gcc."
        return False, Finding("machine", "C compiler", Level.OK if devices else Level.WARN, what, remedy)


def quantization(asked: str) -> Finding:
    """Whether a base's weights can be held in eight or four bits; a fault only where that is asked for."""
    if importlib.util.find_spec("optimum") and importlib.util.find_spec("optimum.quanto"):
        return Finding("machine", "int8 and int4", Level.OK, "available (optimum-quanto)")
    level = Level.WARN if asked == "none" else Level.FAIL
    return Finding("machine", "int8 and int4", level, "not available", "Run: pip install optimum-quanto")


def fleet() -> Finding:
    """Whether ``serve --fleet`` can answer from replicas on Ray; the page itself needs none."""
    if importlib.util.find_spec("ray") and importlib.util.find_spec("ray.serve"):
        return Finding("machine", "fleet", Level.OK, f"available (ray {_version('ray')}): serve --fleet N")
    return Finding(
        "machine",
        "fleet",
        Level.OK,
        "not available, and not needed here",
        "For it: pip install -r requirements-fleet.txt",
    )


def gib(count: int) -> str:
    """Bytes for a person."""
    return f"{count / GIB:.1f} GiB" if count >= GIB / 10 else f"{count / 2**20:.0f} MiB"


def _accelerator(each: Accelerator) -> Finding:
    what = f"{each.name}, compute capability {each.capability}, {gib(each.free)} free of {gib(each.memory)}"
    return Finding("machine", each.device, Level.OK, f"{what}, computes in {each.dtype}")


def _version(name: str) -> str | None:
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return None
