"""What the sections of the board share: titles, tables that scroll by themselves, heads of arms, standings. Pure."""

from __future__ import annotations

import html
from collections.abc import Iterable, Sequence
from typing import Final

from ..domain import BASE, Mixture
from ..stats.board import Standing
from . import stacks
from .stacks import FLOWS, Row
from .texts import name, say

MARKS: Final = {Standing.AHEAD: "▲", Standing.BEHIND: "▼", Standing.LEVEL: "=", Standing.TOO_FEW: "·"}
"""A sign for each standing where there is no room for its words."""


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


def stacked(lang: str, key: str, columns: Sequence[str], rows: Iterable[Row], *, plot: str = "") -> str:
    """A table whose rows become cards where the page is narrow. ``plot`` is the axis over the column of that name."""
    shown = {column: say(lang, f"board.{column}") for column in columns}
    if plot:
        shown["plot"] = f'<span class="unseen">{shown["plot"]}</span>{plot}'
    kind, region = key if plot else f"{key} {FLOWS}", say(lang, f"board.{key}_region")
    return stacks.stacked(lang, kind, shown, rows, region=region, described=f"board-{key}-note")


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
