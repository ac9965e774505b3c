"""The three sources as files: read from a folder or from the Hub, in the layout that the study publishes.

``<place>/{Native,Translated,Synthetic}/{Train,Validation,Test}/{mcq,mcqu,oeq}/*.json``, where a file is a JSON array or
JSON Lines of the study's fields. The place is a folder, or a namespace of the Hub. Knows nothing of models.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from ..domain import Kind, Prompt, Provenance
from ..errors import InvalidData
from ..prompts import check_rows, row_of
from .files import write_whole

FOLDERS: Final = {
    Provenance.NATIVE: "Native",
    Provenance.TRANSLATED: "Translated",
    Provenance.SYNTHETIC: "Synthetic",
}
MULTIPLE_CHOICE: Final = (Kind.MCQ, Kind.MCQU)
"""What the study trained on: no open questions."""

Pools = Mapping[Provenance, Sequence[Prompt]]


def load_pools(
    place: str, provenances: Iterable[Provenance], kinds: Sequence[Kind] = MULTIPLE_CHOICE, *, token: str = ""
) -> dict[Provenance, list[Prompt]]:
    """Training rows of each provenance, in the order of file names and rows.

    ``place`` is a folder where one of that name exists, else a namespace of the Hub (``MedInjection``).

    Raises:
        InvalidData: a source or kind is absent, or a row is malformed; the sentence names the file, row and field.
    """
    pools = {}
    for provenance in provenances:
        folder = Path(place) / FOLDERS[provenance]
        if not Path(place).is_dir():
            folder = _download(f"{place}/{FOLDERS[provenance]}", kinds, token)
        pools[provenance] = [row for kind in kinds for row in _read_kind(folder / "Train" / kind, provenance, kind)]
        if not pools[provenance]:
            wanted = " or ".join(str(folder / "Train" / kind / "*.json") for kind in kinds)
            raise InvalidData.of(
                f"source {provenance.value!r}", expected=wanted, got="no file", remedy="Check --data and --kinds."
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


def _read_kind(folder: Path, provenance: Provenance, kind: Kind) -> Iterable[Prompt]:
    for path in sorted(folder.glob("*.json")):
        rows = [row | {"type": kind, "origin": provenance.value} for row in _read_json(path)]
        yield from (row.prompt() for row in check_rows(rows, path.name))


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


def _download(repository: str, kinds: Sequence[Kind], token: str) -> Path:
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HfHubHTTPError, LocalEntryNotFoundError

    patterns = [f"Train/{kind}/*.json" for kind in kinds]
    try:
        folder = snapshot_download(repository, repo_type="dataset", allow_patterns=patterns, token=token or None)
    except (HfHubHTTPError, LocalEntryNotFoundError, OSError, ValueError) as error:
        reason = str(error).strip().splitlines()[0]
        raise InvalidData.of(
            repository,
            expected="a folder or a data set of the Hub",
            got=reason,
            remedy="Check --data, the network, and HF_TOKEN for a private data set.",
        ) from error
    return Path(folder)
