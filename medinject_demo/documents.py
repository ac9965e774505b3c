"""Generated parts of a document, each between two markers of its name. Knows nothing of what is generated.

Several commands may write into one document, each its own part: what is outside the markers is left as it is.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from .errors import InvalidData
from .files import require_writable, write_whole


@dataclass(frozen=True)
class Part:
    """A generated part of a document on the disk."""

    document: Path
    name: str

    def require_place(self) -> None:
        """Find out, before long work, whether the part could be written.

        Raises:
            InvalidData: there is no such document, or it has no markers.
            OutputError: it cannot be written.
        """
        self._with("")
        require_writable(self.document)

    def write(self, part: str) -> None:
        """Put the part into its document, whole; what others wrote meanwhile stays.

        Raises:
            InvalidData, OutputError: as ``require_place``.
        """
        write_whole(self.document, self._with(part))

    def _with(self, part: str) -> str:
        where = str(self.document)
        if not self.document.is_file():
            raise InvalidData.of(where, expected=f"a document with the markers of the part {self.name!r}", got="none")
        return put(self.document.read_text(encoding="utf-8"), self.name, part, where=where)


def put(text: str, name: str, part: str, *, where: str = "document") -> str:
    """The text with what is between the markers of ``name`` replaced by ``part``.

    Raises:
        InvalidData: a marker is missing; the sentence names both, and the document as ``where``.
    """
    start, end = f"<!-- {name}: generated -->", f"<!-- {name}: end -->"
    if start not in text or end not in text:
        raise InvalidData.of(
            where, expected=f"the markers {start} and {end}", got="neither or one", remedy="Put them back."
        )
    before, _, rest = text.partition(start)
    return f"{before}{start}\n{part}\n{end}{rest.partition(end)[2]}"
