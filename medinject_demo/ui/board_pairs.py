"""Pair by pair: who is preferred to whom, how often they met, what was said. Pure."""

from __future__ import annotations

import html
import math
from collections.abc import Iterator
from typing import Final

from ..domain import MIXTURES, Mixture
from ..pairing import Pair, pair_of, pairs
from ..stats.board import Board, Cell
from .board_parts import MARKS, arm_head, heads, section, stacked, standing, table
from .measures import between, in_percent
from .stacks import Row
from .texts import name, number, say

SHADES: Final = 4
"""Shades of the map above none, in equal steps up to the pair with the most comparisons."""
COLUMNS: Final = (
    "pair",
    "comparisons",
    "first_wins",
    "second_wins",
    "both_good",
    "both_bad",
    "alike",
    "unsure",
    "said",
)


def matrix(lang: str, board: Board) -> str:
    """Each arm beside each other, both in the order of the ranking: a row's wins, then its losses."""
    arms = [row.arm for row in board.rows]
    head = heads(lang, ["arm"]) + "".join(arm_head(lang, arm, "col") for arm in arms)
    rows = (
        f"<tr>{arm_head(lang, arm, 'row')}{''.join(_beside(lang, board, arm, other) for other in arms)}</tr>"
        for arm in arms
    )
    return section(lang, "matrix", table(lang, "matrix", head, rows))


def coverage(lang: str, board: Board) -> str:
    """How often each pair met: the lower triangle, a row for each arm but the first, a column for each but the last."""
    counts = {pair: board.cells[pair].tally.votes for pair in pairs()}
    head = heads(lang, ["arm"]) + "".join(arm_head(lang, arm, "col") for arm in MIXTURES[:-1])
    rows = (f"<tr>{arm_head(lang, arm, 'row')}{''.join(_met(lang, arm, counts))}</tr>" for arm in MIXTURES[1:])
    return section(lang, "map", table(lang, "map", head, rows))


def details(lang: str, board: Board) -> str:
    """What was said of each pair that met, folded."""
    met = {pair: board.cells[pair] for pair in pairs() if board.cells[pair].tally.votes}
    rows = (_pair(lang, pair, cell) for pair, cell in met.items())
    unmet = len(pairs()) - len(met)
    note = f'<p class="note">{say(lang, "board.unmet", count=unmet)}</p>' if unmet else ""
    shown = stacked(lang, "pairs", COLUMNS, rows) + note
    body = section(lang, "pairs", shown)
    return f"<details><summary>{say(lang, 'board.pairs_summary')}</summary>{body}</details>"


def shade(count: int, most: int) -> int:
    """0 for none, then 1 to ``SHADES`` in equal steps up to ``most``."""
    return math.ceil(SHADES * count / most) if count else 0


def _beside(lang: str, board: Board, arm: Mixture, other: Mixture) -> str:
    if arm == other:
        return '<td class="none"></td>'
    cell = board.cells[arm, other]
    if not cell.tally.votes:
        return f'<td class="too_few"><span class="unseen">{say(lang, "board.never_met")}</span></td>'
    wins, losses = number(lang, cell.tally.wins), number(lang, cell.tally.losses)
    mark = f'<span class="mark" aria-hidden="true">{MARKS[cell.standing]}</span>'
    said = f'<span class="unseen">{say(lang, f"board.standing_{cell.standing}")}</span>'
    return f'<td class="{cell.standing}">{wins}–{losses} {mark}{said}</td>'


def _met(lang: str, row: Mixture, counts: dict[Pair, int]) -> Iterator[str]:
    most = max(counts.values())
    for column in MIXTURES[:-1]:
        if MIXTURES.index(column) >= MIXTURES.index(row):
            yield '<td class="none"></td>'
        else:
            count = counts[pair_of(column, row)]
            yield f'<td class="shade-{shade(count, most)}">{number(lang, count)}</td>'


def _pair(lang: str, pair: Pair, cell: Cell) -> Row:
    first, second = (f"<b>{html.escape(name(lang, each))}</b>" for each in pair)
    tally = cell.tally
    counts = (tally.votes, tally.wins, tally.losses, tally.both_good, tally.both_bad, tally.alike, tally.unsure)
    shown = cell.controlled.scaled(100)
    chance = in_percent(lang, shown.value)
    chance = say(lang, "board.chance", chance=chance, between=between(lang, shown, write=in_percent))
    both = say(lang, "board.pair_of", first=first, second=second)
    said = f'{standing(lang, cell.standing)} <span class="chance">{chance}</span>'
    return Row("", (both, *(number(lang, each) for each in counts), said))
