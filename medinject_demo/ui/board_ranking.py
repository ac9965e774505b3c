"""The arms by strength: a bar for each of the two models, figures, intervals, and what can be said. Pure."""

from __future__ import annotations

import html
from collections.abc import Iterator
from typing import Final

from ..domain import BASE
from ..stats.board import HOME, Board, Rating, Row, Rule, Standing
from .board_parts import section, standing
from .measures import WIDEST, Axis, bar, percent, scale, track, with_interval
from .texts import name, number, say

STEP: Final = 100.0
"""Points between two values at which the axis may end."""
COLUMNS: Final = ("rank", "arm", "plot", "controlled", "raw", "tally", "failures")


def ranking(lang: str, board: Board) -> str:
    """The table of the arms, its legend and its rule."""
    axis = axis_of(board)
    rows = "".join(_row(lang, row, axis) for row in board.rows)
    label = html.escape(say(lang, "board.ranking_region"))
    legend = "".join(
        f'<span class="{kind}"><span class="key"></span>{say(lang, f"board.legend_{kind}")}</span>'
        for kind in ("controlled", "raw")
    )
    return section(
        lang,
        "ranking",
        f'<p class="legend" aria-hidden="true">{legend}</p>'
        f'<div class="wide" role="region" tabindex="0" aria-label="{label}">'
        '<table class="ranking" role="table" aria-describedby="board-ranking-note">'
        f'<thead role="rowgroup"><tr role="row">{_heads(lang, axis)}</tr></thead>'
        f'<tbody role="rowgroup">{rows}</tbody></table></div>{rule(lang, board.rule)}',
    )


def axis_of(board: Board) -> Axis:
    """One axis for both models and all arms."""
    estimates = [each.points for row in board.rows for each in (row.raw, row.controlled)]
    return Axis.around(estimates, zero=HOME, step=STEP, widest=WIDEST)


def rule(lang: str, rule: Rule) -> str:
    """When a standing is said, and what a point is."""
    said = say(
        lang,
        "board.rule",
        votes=number(lang, rule.least_votes),
        voters=number(lang, rule.least_voters),
        confidence=number(lang, 100 * rule.confidence),
        within=number(lang, rule.level_within),
        settled=number(lang, rule.settled_votes),
        settled_voters=number(lang, rule.settled_voters),
    )
    scale = say(lang, "board.scale", home=number(lang, rule.reference_points))
    return f'<p class="note rule">{said}</p><p class="note rule">{scale}</p>'


def ranks(lang: str, rating: Rating) -> str:
    """``2``, or ``2 à 5`` where the votes do not tell."""
    best, worst = rating.ranks
    return str(best) if best == worst else say(lang, "board.ranks", best=best, worst=worst)


def _heads(lang: str, axis: Axis) -> str:
    """The heads of the columns; over the bars stands their axis."""
    shown = {key: say(lang, f"board.{key}") for key in COLUMNS}
    shown["plot"] = f'<span class="unseen">{shown["plot"]}</span>{scale(lang, axis)}'
    return "".join(f'<th scope="col" role="columnheader" class="{key}">{text}</th>' for key, text in shown.items())


def _row(lang: str, row: Row, axis: Axis) -> str:
    kind = "reference" if row.arm == BASE else "provisional" if row.provisional else "settled"
    cells = "".join(_cell(lang, key, text) for key, text in zip(COLUMNS, _texts(lang, row, axis), strict=True))
    return f'<tr role="row" class="{kind}">{cells}</tr>'


def _cell(lang: str, key: str, text: str) -> str:
    """A cell; where the page is narrow, the style sheet shows the head of its column before it."""
    if key == "arm":
        return f'<th scope="row" role="rowheader" class="arm">{text}</th>'
    return f'<td role="cell" class="{key}" data-label="{html.escape(say(lang, f"board.{key}"))}">{text}</td>'


def _texts(lang: str, row: Row, axis: Axis) -> Iterator[str]:
    """What is in the cells of an arm, in the order of ``COLUMNS``."""
    mark = f' <span class="tag">{say(lang, "board.provisional")}</span>' if row.provisional else ""
    yield ranks(lang, row.controlled)
    yield f"<b>{html.escape(name(lang, row.arm))}</b>{mark}"
    yield track(axis, (bar(axis, each.points, _kind(key, each)) for key, each in row_ratings(row)))
    for _, rating in row_ratings(row):
        yield f"{with_interval(lang, rating.points)} {standing(lang, rating.standing)}"
    tally = row.tally
    counts = {"wins": tally.wins, "losses": tally.losses, "ties": tally.ties, "unsure": tally.unsure}
    yield say(lang, "board.tally_value", **{key: number(lang, count) for key, count in counts.items()})
    yield percent(lang, row.failures)


def row_ratings(row: Row) -> tuple[tuple[str, Rating], ...]:
    """The two ratings of an arm, the one with the style controlled first."""
    return ("controlled", row.controlled), ("raw", row.raw)


def _kind(key: str, rating: Rating) -> str:
    return f"{key} muted" if rating.standing is Standing.TOO_FEW else key
