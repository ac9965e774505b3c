"""Writing so that a reader never meets half a file: write beside the place, then move there; a file's hash, and what
a small record says. Standard library only."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from .errors import OutputError


@contextmanager
def whole(path: Path) -> Iterator[Path]:
    """Where to write a file that stands at ``path`` once the context ends well, and else leaves no trace.

    Raises:
        OutputError: the place cannot be written.
    """
    partial = path.with_name(path.name + ".partial")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        yield partial
        os.replace(partial, path)
    except OSError as error:
        raise unwritable(path, error) from error
    finally:
        _remove(partial)


def write_whole(path: Path, text: str) -> None:
    """Write a text file; a good file that stood there stays until the new one is whole.

    Raises:
        OutputError: the place cannot be written.
    """
    with whole(path) as partial:
        partial.write_text(text, encoding="utf-8")


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


def unwritable(path: Path, error: OSError) -> OutputError:
    """The sentence for a place that cannot be written."""
    got = str(error.strerror or error)
    return OutputError(f"{path}: expected a place to write, got {got!r}. Choose another place.")


def sha256_of(path: Path) -> str:
    """SHA-256 of a file, 64 hexadecimal digits; raises OSError where it cannot be read."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def said_in(path: Path) -> dict[str, Any]:
    """What a JSON file says; nothing where it is not there, or no object."""
    try:
        said = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return said if isinstance(said, dict) else {}


def _remove(partial: Path) -> None:
    try:
        partial.unlink()
    except OSError:  # moved to its place, or never made
        return
