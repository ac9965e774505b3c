"""A finished folder in its place. What writes one file is in ``medinject_demo/files.py``. Standard library only."""

from __future__ import annotations

import os
import shutil
from collections.abc import Sequence
from pathlib import Path

from ..errors import OutputError


def require_replaceable(place: Path, marks: Sequence[str]) -> None:
    """Refuse to replace what we did not write: a file, or a folder that holds none of ``marks``.

    Raises:
        OutputError: the sentence names what stands there.
    """
    if not place.exists():
        return
    if not place.is_dir() or (any(place.iterdir()) and not any((place / mark).is_file() for mark in marks)):
        got = "another folder" if place.is_dir() else "a file"
        raise OutputError(f"{place}: expected a free place or an earlier training, got {got}. Choose another --output.")


def replace_folder(new: Path, place: Path) -> None:
    """Put a finished folder in its place; what stood there is removed only once the new one stands, else put back."""
    old = place.with_name(place.name + ".old")
    if place.exists():
        shutil.rmtree(old, ignore_errors=True)
        os.replace(place, old)
    try:
        os.replace(new, place)
    except OSError:
        if old.exists():
            os.replace(old, place)
        raise
    shutil.rmtree(old, ignore_errors=True)
