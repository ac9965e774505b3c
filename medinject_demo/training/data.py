"""The three sources as files: read from a folder, a file or the Hub, in the layouts that the study publishes.

By source: ``<place>/{Native,Translated,Synthetic}/Train/{mcq,mcqu,oeq}/*.json``, where the place is a folder or a
namespace of the Hub. All in one: a file, or a data set of the Hub, whose rows say their own ``origin`` and ``type``.
A file is a JSON array or JSON Lines of the study's fields. Knows nothing of models.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

from ..domain import Kind, Prompt, Provenance
from ..engine.loading import first_line
from ..errors import InvalidData
from ..files import write_whole
from ..prompts import check_rows, row_of

FOLDERS: Final = {
    Provenance.NATIVE: "Native",
    Provenance.TRANSLATED: "Translated",
    Provenance.SYNTHETIC: "Synthetic",
}
TRAINING: Final = frozenset(("train", "training"))
OTHER_SPLITS: Final = frozenset(("validation", "valid", "val", "dev", "test", "eval", "evaluation"))
"""Words of a file's path that name its split; what an arm is judged on is never trained on."""
MULTIPLE_CHOICE: Final = (Kind.MCQ, Kind.MCQU)
"""What the study trained on: no open questions."""

Pools = Mapping[Provenance, Sequence[Prompt]]


def load_pools(
    place: str,
    provenances: Iterable[Provenance],
    kinds: Sequence[Kind] = MULTIPLE_CHOICE,
    *,
    revision: str | None = None,
) -> dict[Provenance, list[Prompt]]:
    """Training rows of each provenance, in the order of file names and rows.

    ``place`` is a file or a folder where one of that name exists; else a data set of the Hub (``owner/name``) or a
    namespace of the Hub (``owner``). ``revision`` is a branch, tag or commit of the Hub.

    Raises:
        InvalidData: a source has no row of these kinds, or a row is malformed; the sentence names file, row and field.
    """
    pools: dict[Provenance, list[Prompt]] = {}
    for provenance in provenances:
        if Path(place).is_dir():
            rows = _by_source(Path(place) / FOLDERS[provenance], provenance, kinds)
        elif Path(place).is_file():
            rows = _by_origin([Path(place)], provenance)
        elif "/" in place:
            rows = _by_origin(_training_files(place, _download(place, ["*.json", "*.jsonl"], revision)), provenance)
        else:
            patterns = [f"Train/{kind}/*.json" for kind in kinds]
            folder = _download(f"{place}/{FOLDERS[provenance]}", patterns, revision)
            rows = _by_source(folder, provenance, kinds)
        pools[provenance] = [replace(row, origin=provenance.value) for row in rows if row.kind in kinds]
        if not pools[provenance]:
            wanted = f"rows of {' or '.join(kinds)} in {place}"
            raise InvalidData.of(
                f"source {provenance.value!r}", expected=wanted, got="none", remedy="Check --data and --kinds."
            )
    return pools


def write_pools(pools: Pools, place: Path) -> None:
    """Write pools in the study's layout; :func:`load_pools` reads them back.

    Raises:
        OutputError: the folder cannot be written.
    """
    for provenance, prompts in pools.items():
        for kind in Kind:
            rows = [row_of(prompt) for prompt in prompts if prompt.kind is kind]
            path = place / FOLDERS[provenance] / "Train" / kind / f"{provenance}.json"
            text = "\n".join(json.dumps(row, ensure_ascii=False) for row in rows)
            write_whole(path, text + "\n")


def _by_source(folder: Path, provenance: Provenance, kinds: Sequence[Kind]) -> Iterator[Prompt]:
    """Rows of one source's folder; the folder says their kind where they do not."""
    for kind in kinds:
        for path in sorted((folder / "Train" / kind).glob("*.json")):
            rows = [{"type": kind, "origin": provenance.value} | row for row in _read_json(path)]
            yield from (row.prompt() for row in check_rows(rows, path.name))


def _training_files(place: str, folder: Path) -> list[Path]:
    """The files of a data set's training split, all where none of its files names a split.

    Raises:
        InvalidData: splits are named, and none is for training.
    """
    files = sorted(folder.rglob("*.json*"))
    words = {path: set(re.split(r"[^a-z]+", str(path.relative_to(folder)).casefold())) for path in files}
    if not any(each & (TRAINING | OTHER_SPLITS) for each in words.values()):
        return files
    kept = [path for path in files if words[path] & TRAINING and not words[path] & OTHER_SPLITS]
    if not kept:
        got = ", ".join(str(path.relative_to(folder)) for path in files)
        remedy = "Name the file to train on: --data FILE."
        raise InvalidData.of(place, expected="files of a training split", got=got, remedy=remedy)
    return kept


def _by_origin(paths: Sequence[Path], provenance: Provenance) -> Iterator[Prompt]:
    """Rows of one origin among files that hold several; ``Native``, ``native`` and ``nat`` are the same origin."""
    start = FOLDERS[provenance][:3].casefold()
    for path in paths:
        prompts = (row.prompt() for row in check_rows(_read_json(path), path.name))
        yield from (prompt for prompt in prompts if prompt.origin.casefold().startswith(start))


def _read_json(path: Path) -> list[dict[str, Any]]:
    """A JSON array of objects, or JSON Lines."""
    try:
        text = path.read_text(encoding="utf-8")
        rows = json.loads(text) if text.lstrip().startswith("[") else list(_lines(text, path))
    except (OSError, UnicodeDecodeError) as error:
        raise InvalidData.of(str(path), expected="a readable UTF-8 file", got=str(error)) from error
    except json.JSONDecodeError as error:
        raise InvalidData.of(str(path), expected="a JSON array or JSON Lines", got=str(error)) from error
    for number, row in enumerate(rows, start=1):
        if not isinstance(row, dict):
            raise InvalidData.of(f"{path.name}, row {number}", expected="a JSON object", got=repr(row)[:60])
    return rows


def _lines(text: str, path: Path) -> Iterator[Any]:
    """The values of JSON Lines; only a line feed ends a line (JSON texts may hold U+2028)."""
    for number, line in enumerate(text.removesuffix("\n").split("\n") if text.strip() else (), start=1):
        try:
            yield json.loads(line)
        except json.JSONDecodeError as error:
            place = f"{path.name}, line {number}"
            raise InvalidData.of(place, expected="a JSON object", got=f"{error.msg} at column {error.colno}") from error


def _download(repository: str, patterns: Sequence[str], revision: str | None) -> Path:
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HfHubHTTPError, LocalEntryNotFoundError

    try:
        folder = snapshot_download(repository, repo_type="dataset", allow_patterns=list(patterns), revision=revision)
    except (HfHubHTTPError, LocalEntryNotFoundError, OSError, ValueError) as error:
        raise InvalidData.of(
            repository,
            expected="a file, a folder or a data set of the Hub",
            got=first_line(error),
            remedy="Check --data, the network, and HF_TOKEN for a private data set.",
        ) from error
    return Path(folder)
