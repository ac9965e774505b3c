"""The checkpoints that an adapter was recovered from, as its record names them: found again, or said to be others.

Knows nothing of what is done with them.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

from ..errors import ModelError
from .checkpoint import Checkpoint, open_checkpoint
from .folder import RECORD
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
        """What the record beside an adapter says; None where it says nothing of a recovery."""
        try:
            said = json.loads((adapter / RECORD).read_text(encoding="utf-8"))[which]
            return cls(adapter, which, str(said["name"]), said.get("commit"), str(said["mark"]))
        except (OSError, ValueError, KeyError, TypeError):
            return None

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
