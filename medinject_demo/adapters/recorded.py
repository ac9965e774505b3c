"""The checkpoints that an adapter was recovered from, as its record names them: found again, or said to be others.

Knows nothing of what is done with them.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from ..errors import ModelError
from ..files import said_in
from .checkpoint import Checkpoint, open_checkpoint
from .folder import HASHED, RECORD
from .source import open_source


@dataclass(frozen=True)
class Recorded:
    """One checkpoint of a recovery."""

    adapter: Path
    which: str
    """``merged`` or ``base``."""
    name: str
    commit: str | None
    """Of a repository of the Hub; None elsewhere."""
    mark: str
    """The checkpoint's mark then; that of a repository's files depends on whether they were in the Hub's cache."""

    @classmethod
    def of(cls, adapter: Path, which: str) -> Recorded | None:
        """What the record beside an adapter says; None where it says nothing that can be opened."""
        try:
            said = said_in(adapter / RECORD)[which]
            found = cls(adapter, which, str(said["name"]), said.get("commit"), str(said["mark"]))
        except (KeyError, TypeError):
            return None
        return None if found.name.startswith(HASHED) else found

    def open(self, token: str | None = None) -> Checkpoint:
        """The very checkpoint again, a repository's at its commit.

        Raises:
            ModelError: it cannot be read, or is not what it was.
        """
        found = open_checkpoint(open_source(self.name, revision=self.commit, token=token))
        expected, got = f"its {self.which} at the commit {self.commit}", f"the commit {found.source.commit}"
        if self.commit is None:
            expected, got = f"its {self.which} with the mark {self.mark}", f"other files, or a copy: {found.mark}"
        if (self.commit or self.mark) != (found.source.commit if self.commit else found.mark):
            raise ModelError.of(
                f"checkpoint {self.name!r}",
                expected=f"{expected}, from which {self.adapter} was recovered",
                got=got,
                remedy=f"Recover the adapter again, or give --{self.which} to compare with what is there now.",
            )
        return found


def shortfall(adapter: Path) -> str:
    """Why a recovered adapter may answer otherwise than its checkpoint, by its record, and what can be done."""
    said = said_in(adapter / RECORD)
    precisions = {str(each.get("precision")) for each in said.get("matrices") or () if each.get("kind") != "unchanged"}
    if said.get("left_out") or said.get("beyond"):
        return "Its card names what it leaves out of the checkpoint: give --tolerance, or serve the checkpoint."
    if halves := sorted(precisions & {"BF16", "F16"}):
        return f"It was recovered from a merge in {' and '.join(halves)}, which rounds: give --tolerance."
    if precisions:
        return "It was merged in F32, whose rounding is far less: recover it again, which names what else changed."
    return "No record tells that it was recovered from this checkpoint: check that, or recover it."
