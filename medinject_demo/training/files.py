"""Writing so that a reader never meets half a file: write beside the place, then move there. Standard library only."""

from __future__ import annotations

import os
import shutil
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


def replace_folder(new: Path, place: Path) -> None:
    """Put a finished folder in its place; what stood there is removed only once the new one stands."""
    old = place.with_name(place.name + ".old")
    shutil.rmtree(old, ignore_errors=True)
    if place.exists():
        os.replace(place, old)
    os.replace(new, place)
    shutil.rmtree(old, ignore_errors=True)


def unwritable(path: Path, error: OSError) -> OutputError:
    """The sentence for a place that cannot be written."""
    got = str(error.strerror or error)
    return OutputError(f"{path}: expected a place to write, got {got!r}. Choose another with --output.")
