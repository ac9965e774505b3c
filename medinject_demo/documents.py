"""Generated parts of a document, each between two markers of its name. Knows nothing of what is generated.

Several commands may write into one document, each its own part: what is outside the markers is left as it is.
"""

from __future__ import annotations

from .errors import InvalidData


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
