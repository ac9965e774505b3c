"""Writing so that a reader never meets half a file: write beside the place, then move there. Standard library only."""

from __future__ import annotations

import os
import shutil
from collections.abc import Sequence
from pathlib import Path

from ..errors import OutputError


def write_whole(path: Path, text: str) -> None:
    """Write a text file; a good file that stood there stays until the new one is whole.

    Raises:
        OutputError: the place cannot be written.
    """
    partial = path.with_name(path.name + ".partial")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        partial.write_text(text, encoding="utf-8")
        os.replace(partial, path)
    except OSError as error:
        raise unwritable(path, error) from error


def require_writable(path: Path) -> None:
    """Try a place before long work whose result shall stand there; what stands there now is left alone.

    Raises:
        OutputError: the place cannot be written.
    """
    partial = path.with_name(path.name + ".partial")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        partial.touch()
        partial.unlink()
    except OSError as error:
        raise unwritable(path, error) from error


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


def unwritable(path: Path, error: OSError) -> OutputError:
    """The sentence for a place that cannot be written."""
    got = str(error.strerror or error)
    return OutputError(f"{path}: expected a place to write, got {got!r}. Choose another place.")
