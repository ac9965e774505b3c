"""The unfinished work of a recovery, on disk: each finished tensor in a file of its own, written whole or not at all.

What belongs to other checkpoints or another command is thrown away. Knows nothing of how a tensor is finished.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote

from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor

from ..errors import OutputError
from ..files import said_in
from .findings import Kind, Matrix, Other
from .folder import unwritable

IDENTITY: Final = "run.json"
SCOUTED: Final = "rank.json"
PARTS: Final = ("down", "up", "magnitude", "scale")


@dataclass(frozen=True)
class Work:
    """A folder beside the output."""

    folder: Path

    @classmethod
    def open(cls, output: Path, identity: Mapping[str, Any]) -> Work:
        """The work of this very command, continued where it was begun.

        Raises:
            OutputError: it cannot be written, or a folder of its name is something else.
        """
        whole = output.absolute()
        work = cls(whole.with_name(f"{whole.name}.partial"))
        try:
            if work.folder.exists() and said_in(work.folder / IDENTITY) != dict(identity):
                if any(work.folder.iterdir()) and not (work.folder / IDENTITY).is_file():
                    remedy = "Move it away, or choose another --output."
                    raise OutputError.of(
                        str(work.folder), expected="unfinished work", got="another folder", remedy=remedy
                    )
                shutil.rmtree(work.folder)
            work.folder.mkdir(parents=True, exist_ok=True)
            work._write(IDENTITY, json.dumps(dict(identity)).encode())
        except OSError as error:
            raise unwritable(work.folder, error) from error
        return work

    @property
    def rank(self) -> int | None:
        """The rank that was agreed on; None where that is still to do."""
        said = said_in(self.folder / SCOUTED)
        return int(said["rank"]) if said else None

    def agree(self, rank: int) -> None:
        """Keep the rank."""
        self._write(SCOUTED, json.dumps({"rank": rank}).encode())

    def keep(self, matrix: Matrix, parts: Mapping[str, Tensor]) -> None:
        """Keep a finished matrix: its report, and the parts of its layer where it has one."""
        metadata = {"report": json.dumps(asdict(matrix))}
        tensors = {name: tensor.contiguous() for name, tensor in parts.items()}
        self._write(_file(matrix.module, "safetensors"), save(tensors, metadata=metadata))

    def keep_other(self, other: Other) -> None:
        """Keep the report of a tensor that no adapter holds."""
        self._write(_file(other.name, "json"), json.dumps(asdict(other)).encode())

    def matrix(self, module: str) -> Matrix | None:
        """The report of a finished matrix; None where it is not, or where its file is broken."""
        try:
            with safe_open(self.folder / _file(module, "safetensors"), "pt") as file:
                said = json.loads(file.metadata()["report"])
        except (OSError, SafetensorError, ValueError, KeyError, TypeError):
            return None
        return Matrix(**said | {"kind": Kind(said["kind"])})

    def parts(self, module: str) -> dict[str, Tensor]:
        """The parts of a finished matrix; empty where it did not change."""
        with safe_open(self.folder / _file(module, "safetensors"), "pt") as file:
            return {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118, not a dictionary

    def other(self, name: str) -> Other | None:
        """The report of a finished tensor that no adapter holds."""
        said = said_in(self.folder / _file(name, "json"))
        return Other(**said) if said else None

    @property
    def worth_keeping(self) -> bool:
        """True where a tensor is finished, or the rank is agreed on."""
        return any(each.name != IDENTITY for each in self.folder.iterdir())

    def remove(self) -> None:
        """Throw the work away, once its result stands."""
        shutil.rmtree(self.folder, ignore_errors=True)

    def _write(self, name: str, content: bytes) -> None:
        beside = self.folder / f"{name}.new"
        try:
            beside.write_bytes(content)
            os.replace(beside, self.folder / name)
        except OSError as error:
            raise unwritable(self.folder, error) from error


def _file(name: str, suffix: str) -> str:
    """The file of a tensor: names come from checkpoints, and shall lead nowhere else."""
    return f"{quote(name, safe='')}.{suffix}"
