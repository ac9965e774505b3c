"""What the sections of the board share: titles, tables that scroll by themselves, heads of arms, standings. Pure."""

from __future__ import annotations

import html
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from ..domain import BASE, Mixture
from ..stats.board import Standing
from .texts import name, say

MARKS: Final = {Standing.AHEAD: "▲", Standing.BEHIND: "▼", Standing.LEVEL: "=", Standing.TOO_FEW: "·"}
"""A sign for each standing where there is no room for its words."""

ROW_HEADS: Final = ("arm", "effect")
"""Columns that say what their row is of."""


@dataclass(frozen=True)
class Row:
    """A row of a stacked table: its class, and its cells by column, as HTML."""

    kind: str
    cells: tuple[str, ...]


def section(lang: str, key: str, body: str) -> str:
    """A title, what is shown, and that."""
    return (
        f'<section class="{key}"><h3>{say(lang, f"board.{key}_title")}</h3>'
        f'<p class="note" id="board-{key}-note">{say(lang, f"board.{key}_caption")}</p>{body}</section>'
    )


def table(lang: str, key: str, head: str, rows: Iterable[str]) -> str:
    """A table told by its section's note; where it is wider than the page it scrolls alone, by keyboard too."""
    return (
        f'<div class="wide" role="region" tabindex="0" aria-label="{html.escape(say(lang, f"board.{key}_region"))}">'
        f'<table class="{key}" aria-describedby="board-{key}-note"><thead><tr>{head}</tr></thead>'
        f"<tbody>{''.join(rows)}</tbody></table></div>"
    )


def stacked(lang: str, key: str, columns: Sequence[str], rows: Iterable[Row], *, plot: str) -> str:
    """A table whose rows become cards where the page is narrow, each figure under the head of its column.

    The roles say what such rows and cells still are. ``plot`` is the axis over the column of that name.
    """
    shown = {column: say(lang, f"board.{column}") for column in columns}
    shown["plot"] = f'<span class="unseen">{shown["plot"]}</span>{plot}'
    head = "".join(f'<th scope="col" role="columnheader" class="{each}">{text}</th>' for each, text in shown.items())
    label = html.escape(say(lang, f"board.{key}_region"))
    return (
        f'<div class="wide" role="region" tabindex="0" aria-label="{label}">'
        f'<table class="{key} stacks" role="table" aria-describedby="board-{key}-note">'
        f'<thead role="rowgroup"><tr role="row">{head}</tr></thead>'
        f'<tbody role="rowgroup">{"".join(_stacked_row(lang, columns, row) for row in rows)}</tbody></table></div>'
    )


def _label(lang: str, column: str) -> str:
    """The head of a column before its figure."""
    return html.escape(say(lang, "board.label", head=say(lang, f"board.{column}")))


def _stacked_row(lang: str, columns: Sequence[str], row: Row) -> str:
    cells = (
        f'<th scope="row" role="rowheader" class="{key}">{text}</th>'
        if key in ROW_HEADS
        else f'<td role="cell" class="{key}" data-label="{_label(lang, key)}">{text}</td>'
        for key, text in zip(columns, row.cells, strict=True)
    )
    return f'<tr role="row" class="{row.kind}">{"".join(cells)}</tr>'


def heads(lang: str, keys: Iterable[str]) -> str:
    """Heads of columns."""
    return "".join(f'<th scope="col">{say(lang, f"board.{key}")}</th>' for key in keys)


def short(lang: str, mixture: Mixture) -> str:
    """An arm in a few letters: ``N+T``."""
    return say(lang, "board.base") if mixture == BASE else "+".join(each[0].upper() for each in mixture.provenances)


def arm_head(lang: str, mixture: Mixture, scope: str) -> str:
    """The head of a row or column: short for the eye, in full for a screen reader and under the pointer."""
    full = html.escape(name(lang, mixture))
    shown = f'<span aria-hidden="true">{short(lang, mixture)}</span><span class="unseen">{full}</span>'
    return f'<th scope="{scope}" title="{full}">{shown}</th>'


def provisional(lang: str) -> str:
    """The mark of what rests on few votes or voters."""
    return f'<span class="tag">{say(lang, "board.provisional")}</span>'


def standing(lang: str, said: Standing) -> str:
    """A standing in words."""
    return f'<span class="standing {said}">{say(lang, f"board.standing_{said}")}</span>'
