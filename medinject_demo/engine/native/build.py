"""The library of ``step.c``, compiled for this processor by the machine's own C compiler, once.

It is kept where Python keeps its own compiled modules, under a hash of the sources and of what the compiler takes for
granted of the processor: other sources, another compiler or processor make another. Where that folder cannot be
written, it is made anew for each process.
"""

from __future__ import annotations

import ctypes
import functools
import hashlib
import os
import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import Final

HERE: Final = Path(__file__).parent
MAIN: Final = "step.c"
FLAGS: Final = ("-O3", "-fopenmp", "-fno-math-errno", "-shared", "-fPIC")
COMPILERS: Final = ("cc", "gcc", "clang")
PATIENCE: Final = 120
"""Seconds for the compiler."""


class NotBuilt(Exception):
    """There is no library; the sentence says why."""


@functools.cache
def library(processor: str = "native", kept: Path = HERE / "__pycache__") -> ctypes.CDLL:
    """The library for a processor, as ``-march`` names it, made where it is not there yet.

    Raises:
        NotBuilt: there is no compiler, or it fails.
    """
    flags = (*FLAGS, f"-march={processor}")
    name = f"step.{_key(flags)}"
    for there in kept.glob(f"{name}.*.so"):
        if there.name == f"{name}.{there.stat().st_size}.so":  # one that was cut would end the process
            return _loaded(there)
    return _made(flags, kept, name)


def _made(flags: tuple[str, ...], kept: Path, name: str) -> ctypes.CDLL:
    """Compiled, and put in its place at once, its size in its name: whoever else is at it does no harm."""
    with _room(kept) as room:
        made = Path(room) / name
        _said(*flags, str(HERE / MAIN), "-o", str(made), "-lm")
        loaded = _loaded(made)
        if Path(room).parent == kept:
            made.replace(kept / f"{name}.{made.stat().st_size}.so")
        return loaded


def _loaded(path: Path) -> ctypes.CDLL:
    try:
        return ctypes.CDLL(str(path))
    except OSError as error:
        raise NotBuilt(str(error)) from error


def compiler() -> str:
    """The path of the machine's C compiler.

    Raises:
        NotBuilt: there is none.
    """
    for name in COMPILERS:
        if found := shutil.which(name):
            return found
    raise NotBuilt("no C compiler on this machine")


def _key(flags: tuple[str, ...]) -> str:
    """Hash of the sources, the flags, and what the compiler defines with them; 16 hexadecimal digits."""
    digest = hashlib.sha256(" ".join(flags).encode())
    for source in sorted([*HERE.glob("*.c"), *HERE.glob("*.h")]):
        digest.update(source.read_bytes())
    digest.update(_said(*flags, "-dM", "-E", "-x", "c", os.devnull))
    return digest.hexdigest()[:16]


def _room(kept: Path) -> tempfile.TemporaryDirectory[str]:
    """A folder for a file that is not whole yet: in that which keeps it, where it can be written."""
    try:
        kept.mkdir(parents=True, exist_ok=True)
        return tempfile.TemporaryDirectory(dir=kept)
    except OSError:
        return tempfile.TemporaryDirectory()


def _said(*arguments: str) -> bytes:
    """What the compiler writes.

    Raises:
        NotBuilt: it fails.
    """
    try:
        done = subprocess.run([compiler(), *arguments], capture_output=True, check=False, timeout=PATIENCE)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise NotBuilt(f"the C compiler cannot be run ({error})") from error
    if done.returncode:
        said = done.stderr.decode(errors="replace").strip().splitlines() or [str(done.returncode)]
        raise NotBuilt(f"the C compiler fails ({next((line for line in said if 'error:' in line), said[0])})")
    return done.stdout
