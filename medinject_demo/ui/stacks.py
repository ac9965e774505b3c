"""Wide tables whose rows become cards where the page is narrow, each figure under the head of its column. Pure.

The style sheet ``assets/stacks.css`` does it; the roles say what such rows and cells still are.
"""

from __future__ import annotations

import html
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final

from .texts import say

ROW_HEADS: Final = ("arm", "effect", "pair", "answer")
"""Columns that say what their row is of."""
FLOWS: Final = "flows"
"""Class of a table whose figures are short: where it is narrow they go on in one line."""


@dataclass(frozen=True)
class Row:
    """A row: its class, and its cells by column, as HTML."""

    kind: str
    cells: tuple[str, ...]


def stacked(
    lang: str, kind: str, heads: Mapping[str, str], rows: Iterable[Row], *, region: str, described: str = ""
) -> str:
    """A table that scrolls by itself, by keyboard too, where it does not fit.

    ``kind`` is its classes, ``heads`` the columns' as HTML by class of the column, ``region`` what it is called, and
    ``described`` the id of what tells it.
    """
    head = "".join(f'<th scope="col" role="columnheader" class="{each}">{text}</th>' for each, text in heads.items())
    told = f' aria-describedby="{described}"' if described else ""
    return (
        f'<div class="wide" role="region" tabindex="0" aria-label="{html.escape(region)}">'
        f'<table class="{kind} stacks" role="table"{told}>'
        f'<thead role="rowgroup"><tr role="row">{head}</tr></thead>'
        f'<tbody role="rowgroup">{"".join(_row(lang, heads, row) for row in rows)}</tbody></table></div>'
    )


def _row(lang: str, heads: Mapping[str, str], row: Row) -> str:
    cells = "".join(_cell(lang, key, heads[key], text) for key, text in zip(heads, row.cells, strict=True))
    return f'<tr role="row" class="{row.kind}">{cells}</tr>'


def _cell(lang: str, key: str, head: str, text: str) -> str:
    label = "" if key == "plot" else f' data-label="{html.escape(say(lang, "board.label", head=head))}"'
    if key in ROW_HEADS:
        return f'<th scope="row" role="rowheader" class="{key}"{label}>{text}</th>'
    return f'<td role="cell" class="{key}"{label}>{text}</td>'
