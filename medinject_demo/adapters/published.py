"""An adapter's folder as others may read it: base and checkpoint are named by what they are, never by a path of here.

The files of this machine stay as they are; what is changed is a copy of their text. Knows nothing of the Hub.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from ..engine.adapter import WEIGHTS, read_adapter
from ..engine.adapter_settings import CONFIG
from ..engine.origin import Base, is_repository, require_made_for
from ..errors import ModelError
from ..files import said_in
from .checkpoint import open_checkpoint
from .folder import CARD, HASHED, RECORD
from .names import linear_shapes
from .presence import base_files
from .registry import Arm
from .source import open_source

TRAINING: Final = "training.json"
TEXTS: Final = (CONFIG, CARD, RECORD, TRAINING)
SCALES: Final = "scales-*.safetensors"
PATH: Final = re.compile(r"(?<![\w/.:~-])(?:~/[\w.-]+|/[\w.-]+/[\w.-]+)(?:/[\w.-]+)*")
"""A path that begins at the root or at home, and no part of an address."""
REMEDY: Final = "Write the repository of the Hub that it is into the registry"


@dataclass(frozen=True)
class Published:
    """What of an adapter's folder is for others."""

    files: Mapping[str, Path | bytes]
    """By name: a file as it is, or the bytes that stand for it."""
    names: Mapping[str, str]
    """What is named otherwise there: the name of here → what it is."""


def published(arm: Arm, base: Base) -> Published:
    """The known files of an arm's folder: weights, settings, card, records, and the scales for this very base.

    Raises:
        ModelError: the adapter is of another base, or a path of this machine cannot be said otherwise.
    """
    require_made_for(arm.folder, base)
    names = dict(_names(arm, base))
    files: dict[str, Path | bytes] = {
        name: _renamed(arm.folder / name, names) for name in TEXTS if (arm.folder / name).is_file()
    }
    return Published(files | {path.name: path for path in (arm.folder / WEIGHTS, *_scales(arm.folder, base))}, names)


def _names(arm: Arm, base: Base) -> Iterator[tuple[str, str]]:
    """The names in an adapter's records that mean nothing elsewhere, and what they are."""
    record, trained = said_in(arm.folder / RECORD), said_in(arm.folder / TRAINING)
    settings = said_in(arm.folder / CONFIG)
    for name in (record.get("base"), trained.get("base"), settings.get("base_model_name_or_path")):
        local = _local(name)
        if local and not (is_repository(base.name) and local.lower() == base.name.lower()):
            yield local, _told(base, arm, record.get("base_weights") or trained.get("base_weights"))
    merged = _local(record.get("merged"))
    if merged:
        yield merged, _checkpoint(merged, arm)
    if record.get("converted"):
        yield str(record["converted"]), Path(str(record["converted"])).name


def _local(name: Any) -> str:
    """A recorded name that is not known for a repository's: one is recorded with the commit that was read."""
    if isinstance(name, dict):
        return "" if name.get("commit") else str(name.get("name", ""))
    return name if isinstance(name, str) else ""


def _told(base: Base, arm: Arm, recorded: str | None) -> str:
    """A base by its repository, else by the hash of its weights."""
    if is_repository(base.name):
        return base.name
    weights = base.weights or recorded
    if weights is None:
        raise _unsaid(arm, base.name, "the base", f"{REMEDY} as the profile's base.")
    return f"{HASHED}{weights}"


def _checkpoint(name: str, arm: Arm) -> str:
    """A merged checkpoint by the repository that the registry names, else by the hash of its weights."""
    if is_repository(arm.merged):
        return arm.merged
    weights = Base.of_folder(name).weights if Path(name).is_dir() else None
    if weights is None:
        raise _unsaid(arm, name, "the checkpoint", f"{REMEDY} as the arm's merged, or put the files back to be hashed.")
    return f"{HASHED}{weights}"


def _unsaid(arm: Arm, name: str, what: str, remedy: str) -> ModelError:
    expected = f"a repository, or weights to hash, that tell others {what}"
    return ModelError.of(f"arm {arm.mixture}", expected=expected, got=f"{name!r} alone", remedy=remedy)


def _renamed(path: Path, names: Mapping[str, str]) -> Path | bytes:
    """A text with the names that others understand; the file itself where nothing changes.

    Raises:
        ModelError: a path is left in it.
    """
    text = path.read_text(encoding="utf-8", errors="surrogateescape")
    said = said_in(path) if path.suffix == ".json" else {}
    again = _said_again(said, names)
    if said:
        new = text if again == said else json.dumps(again, indent=2, ensure_ascii=False, sort_keys=True) + "\n"
    else:
        new = _written_again(text, names)
    if left := PATH.search(new):
        expected, remedy = "no path of this machine in what is pushed", "Take it out of that file."
        raise ModelError.of(str(path), expected=expected, got=left[0], remedy=remedy)
    return path if new == text else new.encode(errors="surrogateescape")


def _said_again(said: Any, names: Mapping[str, str]) -> Any:
    """The values of a JSON document, whole names renamed."""
    if isinstance(said, dict):
        return {key: _said_again(each, names) for key, each in said.items()}
    if isinstance(said, list):
        return [_said_again(each, names) for each in said]
    return names.get(said, said) if isinstance(said, str) else said


def _written_again(text: str, names: Mapping[str, str]) -> str:
    """A card, renamed, long names first: one may begin another."""
    for name in sorted(names, key=len, reverse=True):
        text = _with(name, names[name], text)
    return text


def _with(name: str, told: str, text: str) -> str:
    """A card with another name; one that is a word, and no path, is a name only where it is marked as one."""
    before, after = (r"(?<![\w/.-])", r"(?![\w/-])") if "/" in name else (r"(?:(?<=`)|(?<=^base_model: ))", r"(?=`|$)")
    return re.sub(before + re.escape(name) + after, lambda _: told, text, flags=re.MULTILINE)


def _scales(folder: Path, base: Base) -> list[Path]:
    """The scales that an engine would take for this base; none where the base is not here to tell which they are."""
    kept = sorted(folder.glob(SCALES))
    if not kept or not base_files(base.name).whole:
        return []
    shapes = linear_shapes(open_checkpoint(open_source(base.name)))
    joined = base.joined(read_adapter(folder, shapes))
    return [path for path in kept if path.name == SCALES.replace("*", joined)]
