"""Text of models and visitors as HTML that does nothing: no tags, links, images, scripts or reordered lines.

Markdown keeps its emphasis, lists, headings, code and tables; everything else is shown as it was written. Knows no
component.
"""

from __future__ import annotations

import functools
import html
import re
import unicodedata
from typing import Final

from markdown_it import MarkdownIt
from markdown_it.rules_core import StateCore

HEADING_SHIFT: Final = 3
"""A model's first-level heading stands below the page's own (h1 to h3)."""
_MARKS: Final = re.compile("[\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069\u2028\u2029\ufeff]")
"""Marks that change the direction of what follows."""


def plain(text: str) -> str:
    """The text as it was written, its lines kept."""
    return f'<div class="plain" dir="auto">{html.escape(visible(text))}</div>'


def markdown(text: str) -> str:
    """The text with its markdown rendered."""
    return f'<div class="written" dir="auto">{_parser().render(visible(text))}</div>'


def visible(text: str) -> str:
    """The text without control characters and marks of direction; ends of lines and tabs stay."""
    kept = (each for each in _MARKS.sub("", text) if each in "\n\t" or unicodedata.category(each) not in ("Cc", "Cs"))
    return "".join(kept)


@functools.cache
def _parser() -> MarkdownIt:
    parser = MarkdownIt("commonmark", {"html": False, "breaks": True, "maxNesting": 20})
    parser.enable("table").disable(["link", "image", "autolink", "reference", "html_inline", "html_block"])
    parser.core.ruler.push("headings", _lower_headings)
    return parser


def _lower_headings(state: StateCore) -> None:
    for token in state.tokens:
        if token.type in ("heading_open", "heading_close"):
            token.tag = f"h{min(6, int(token.tag[1]) + HEADING_SHIFT)}"
