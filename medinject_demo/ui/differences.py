"""Which words of a text differ from those of another. Pure; knows neither HTML nor models."""

from __future__ import annotations

import difflib
import re
from collections.abc import Sequence
from typing import Final

_WORDS: Final = re.compile(r"\s*\S+|\s+$")
_EDGES: Final = re.compile(r"^[\W_]+|[\W_]+$")

Run = tuple[str, bool]
"""A piece of a text, and whether its words differ."""


def differing(reference: str, text: str) -> list[Run]:
    """A text cut into runs that differ or not from a reference, case and punctuation aside; they concatenate to it.

    A word that is only missing here leaves no trace. At most about 0.2 s for 800 words of a model that repeats itself.
    """
    ours = _WORDS.findall(text)
    matcher = difflib.SequenceMatcher(None, _keys(_WORDS.findall(reference)), _keys(ours), autojunk=False)
    return [
        ("".join(ours[start:end]), operation != "equal")
        for operation, _, _, start, end in matcher.get_opcodes()
        if start < end
    ]


def _keys(words: Sequence[str]) -> list[str]:
    """What is compared of each word; a sign that stands alone is compared as it is."""
    return [_EDGES.sub("", word.strip()).casefold() or word.strip() for word in words]
