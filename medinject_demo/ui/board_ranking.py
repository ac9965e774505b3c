"""The arms by strength: a bar for each of the two models, figures, intervals, and what can be said. Pure."""

from __future__ import annotations

import html
from collections.abc import Iterator
from typing import Final

from ..domain import BASE
from ..stats.board import HOME, Board, Rating, Row, Rule, Standing
from .board_parts import provisional, section, stacked, standing
from .measures import NONE, WIDEST, Axis, bar, percent, scale, track, with_interval
from .stacks import Row as Stacked
from .texts import name, number, say

STEP: Final = 100.0
"""Points between two values at which the axis may end."""
COLUMNS: Final = ("rank", "arm", "plot", "controlled", "raw", "tally", "failures")


def ranking(lang: str, board: Board) -> str:
    """The table of the arms, its legend and its rule."""
    axis = axis_of(board)
    rows = (Stacked(_kind(row), tuple(_cells(lang, row, axis))) for row in board.rows)
    shown = stacked(lang, "ranking", COLUMNS, rows, plot=scale(lang, axis))
    return section(lang, "ranking", f"{legend(lang)}{shown}{rule(lang, board.rule)}")


def legend(lang: str) -> str:
    """Which bar is which."""
    keys = (
        f'<span class="{kind}"><span class="key"></span>{say(lang, f"board.legend_{kind}")}</span>'
        for kind in ("controlled", "raw")
    )
    return f'<p class="legend" aria-hidden="true">{"".join(keys)}</p>'


def axis_of(board: Board) -> Axis:
    """One axis for both models and all arms that met another."""
    met = [row for row in board.rows if row.tally.votes]
    estimates = [each.points for row in met for each in (row.raw, row.controlled)]
    return Axis.around(estimates, zero=HOME, step=STEP, widest=WIDEST)


def rule(lang: str, rule: Rule) -> str:
    """When a standing is said, and what a point is."""
    said = say(
        lang,
        "board.rule",
        votes=number(lang, rule.least_votes),
        voters=number(lang, rule.least_voters),
        prompts=number(lang, rule.least_prompts),
        confidence=number(lang, 100 * rule.confidence),
        within=number(lang, rule.level_within),
        settled=number(lang, rule.settled_votes),
        settled_voters=number(lang, rule.settled_voters),
        settled_prompts=number(lang, rule.settled_prompts),
    )
    scale = say(lang, "board.scale", home=number(lang, rule.reference_points))
    return "".join(f'<p class="note rule">{each}</p>' for each in (said, say(lang, "board.looks"), scale))


def ranks(lang: str, rating: Rating) -> str:
    """``2``, or ``2 à 5`` where the votes do not tell."""
    best, worst = rating.ranks
    return str(best) if best == worst else say(lang, "board.ranks", best=best, worst=worst)


def _kind(row: Row) -> str:
    return "reference" if row.arm == BASE else "provisional" if row.provisional else "settled"


def _cells(lang: str, row: Row, axis: Axis) -> Iterator[str]:
    """What is in the cells of an arm, in the order of ``COLUMNS``; of one that met no other, no figure."""
    mark = f" {provisional(lang)}" if row.provisional else ""
    ratings = {"controlled": row.controlled, "raw": row.raw}
    met = row.tally.votes > 0
    yield ranks(lang, row.controlled) if met else NONE
    yield f"<b>{html.escape(name(lang, row.arm))}</b>{mark}"
    yield track(axis, (_bar(axis, key, rating) for key, rating in ratings.items() if met))
    for rating in ratings.values():
        yield f"{with_interval(lang, rating.points) if met else NONE} {standing(lang, rating.standing)}"
    tally = row.tally
    counts = {"wins": tally.wins, "losses": tally.losses, "ties": tally.ties, "unsure": tally.unsure}
    yield say(lang, "board.tally_value", **{key: number(lang, count) for key, count in counts.items()})
    yield percent(lang, row.failures)


def _bar(axis: Axis, key: str, rating: Rating) -> str:
    """Pale where nothing can be said of it."""
    return bar(axis, rating.points, f"{key} muted" if rating.standing is Standing.TOO_FEW else key)
