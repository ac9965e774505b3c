"""The board as HTML: of when and of which votes it is, what it rests on, then its sections. Pure.

Knows neither components nor the store. Every number is a text; bars and colours only repeat it.
"""

from __future__ import annotations

import html
from datetime import UTC

from ..domain import Kind
from ..pairing import pairs
from ..stats.board import Board, Standing
from ..stats.report import Report
from ..stats.selection import Selection
from .board_bias import panel
from .board_effects import effects
from .board_pairs import coverage, details, matrix
from .board_ranking import ranking
from .measures import NONE, fine, in_percent
from .picker import titled
from .texts import name, number, say


def board(lang: str, report: Report, *, miniature: bool) -> str:
    """The whole board; without votes, only what it would rest on."""
    shown = report.board
    parts = [figures(lang, report), remarks(lang, shown, miniature=miniature)]
    if shown.comparisons:
        parts += [ranking(lang, shown), matrix(lang, shown), coverage(lang, shown), details(lang, shown)]
        parts += [effects(lang, report.provenances, shown.rule), panel(lang, report.bias)]
    return "".join(parts)


def as_of(lang: str, board: Board) -> str:
    """When the votes were read and which of them it counts; a screen reader says it after a refresh."""
    moment = board.as_of.astimezone(UTC)
    said = say(lang, "board.as_of", at=moment)
    time = f'<time datetime="{moment.isoformat(timespec="seconds")}">{said}</time>'
    return f'<p role="status">{time} · {html.escape(selected(lang, board.selection))}</p>'


def selected(lang: str, selection: Selection) -> str:
    """Which part of the votes, in words."""
    chosen = [
        say(lang, f"picker.kind_{selection.kind}") if selection.kind else "",
        titled(selection.specialty or ""),
        say(lang, f"duel.profile_{selection.profile}") if selection.profile else "",
    ]
    parts = ", ".join(filter(None, chosen))
    return say(lang, "board.selected", parts=parts) if parts else say(lang, "board.selected_all")


def figures(lang: str, report: Report) -> str:
    """How much the board rests on, what both answers fail at, and what is left out."""
    shown, failed = report.board, report.bias.both_bad
    tiles = {
        "comparisons": number(lang, shown.comparisons),
        "voters": number(lang, shown.voters),
        "coverage": say(lang, "board.coverage_value", met=shown.met, all=len(pairs())),
        "failures": in_percent(lang, 100 * failed.value, fine(failed)) if failed else NONE,
        "not_blind": number(lang, shown.set_aside.not_blind),
        "suspect": number(lang, shown.set_aside.suspect),
    }
    drawn = (
        f'<div><dt>{say(lang, f"board.tile_{key}")}</dt><dd class="figure">{value}</dd>'
        f"<dd>{say(lang, f'board.tile_{key}_note')}</dd></div>"
        for key, value in tiles.items()
    )
    return f'<dl class="figures tiles">{"".join(drawn)}</dl>'


def remarks(lang: str, board: Board, *, miniature: bool) -> str:
    """What to know before reading it: what can be said, what it measures on open questions, what style hides."""
    parts = [_verdict(lang, board)]
    if board.comparisons and board.selection.kind in (None, Kind.OEQ):
        parts.append(_notice(lang, "open", say(lang, f"board.open_{'miniature' if miniature else 'study'}")))
    if board.apart is not None and not board.overlaps:
        share = in_percent(lang, 100 * board.apart)
        parts.append(_notice(lang, "apart", say(lang, "board.apart_text", share=share)))
    return "".join(parts)


def _verdict(lang: str, board: Board) -> str:
    """Who is ahead of the base, level with it or behind, the style controlled; or that nothing can be said."""
    if not board.comparisons:
        part = board.selection != Selection()
        return _notice(lang, "none", say(lang, "board.none_selected" if part else "board.none_text"))
    by_standing: dict[Standing, list[str]] = {}
    for row in board.rows:
        by_standing.setdefault(row.controlled.standing, []).append(name(lang, row.arm))
    said = [
        say(lang, f"board.verdict_{each}", arms=", ".join(by_standing[each]))
        for each in (Standing.AHEAD, Standing.LEVEL, Standing.BEHIND, Standing.TOO_FEW)
        if each in by_standing
    ]
    if by_standing.keys() <= {Standing.REFERENCE, Standing.TOO_FEW}:
        return _notice(lang, "too_few", say(lang, "board.too_few_text"))
    return _notice(lang, "verdict", " ".join(said))


def _notice(lang: str, key: str, text: str) -> str:
    return f'<div class="notice"><p><strong>{say(lang, f"board.{key}")}</strong></p><p>{text}</p></div>'
