"""The tab where answers are judged blind: duels of two, or rankings of three to eight, one mode in sight at a time.

A link opens the mode of the duel that it leads to. Knows neither how a vote is given nor what is shown of it.
"""

from __future__ import annotations

import functools
from typing import Any, Final

import gradio as gr

from ..duel import Refusal
from ..errors import MedInjectError, Refused
from ..limiter import Act
from ..votes.rankings import FEWEST
from . import duel_api, duel_view, ranking_api
from .duel import Duels
from .frame import Frame, explained
from .picker import QUICK
from .ranking import Rankings
from .seat import Seat, followed
from .table import Table, Updates
from .texts import say
from .visit import Visit
from .wording import Words

MODES: Final = (Duels, Rankings)
"""In order; the first is in sight when the page opens."""


def build(frame: Frame) -> None:
    """Lay the modes out. Where too few arms can answer there is nothing to rank, and duels alone are laid out."""
    kinds = MODES if len(frame.behind.engine.mixtures) >= FEWEST else MODES[:1]
    choice = _choice(frame, shown=len(kinds) > 1)
    columns: dict[str, gr.Column] = {}
    tables: list[Table] = []
    for kind in kinds:
        with gr.Column(visible=kind is MODES[0], elem_id=f"mode-{kind.name}") as columns[kind.name]:
            tables.append(kind(frame))
    choice.input(lambda mode: _seen(columns, mode), choice, list(columns.values()), **QUICK)
    _follow_links(frame, tables, choice, columns)
    duel_api.publish(frame.behind)
    ranking_api.publish(frame.behind)


def _choice(frame: Frame, *, shown: bool) -> gr.Radio:
    words: Words = {
        "label": "ranking.mode",
        "choices": lambda lang: [(say(lang, f"ranking.mode_{kind.name}"), kind.name) for kind in MODES],
    }
    return frame.wording.make(
        gr.Radio, words, value=MODES[0].name, elem_id="blind-mode", container=False, visible=shown
    )


def _seen(columns: dict[str, gr.Column], mode: str) -> Updates:
    return {column: gr.update(visible=name == mode) for name, column in columns.items()}


def _follow_links(frame: Frame, tables: list[Table], choice: gr.Radio, columns: dict[str, gr.Column]) -> None:
    """Open the duel that the address names, where it names one."""
    first = tables[0].bound(tables[0].redraw, [])
    said = tables[0].status

    def arrived(lang: str, session: str, seat: Seat, plain: bool, request: gr.Request) -> Updates:
        link = str(request.query_params.get("duel", ""))
        if not link:
            return {said: gr.skip()}
        try:
            frame.behind.gate.admit(Act.ASK, request, session)
            seat = followed(frame.behind.arena, session, link)
            places = len(frame.behind.arena.shown(link, session).turns[-1].texts)
            (table,) = [each for each in tables if each.takes(places)]
            drawn = table.arrive(Visit(lang, session, seat, plain), seat)
        except MedInjectError as error:
            return tables[0].tell(lang, functools.partial(_lost, error))
        return drawn | _seen(columns, table.name) | {choice: table.name}

    outputs: list[Any] = [part for table in tables for part in table.outputs]
    frame.arrivals.append(first | {"fn": arrived, "outputs": [*outputs, choice, *columns.values()]})


def _lost(error: MedInjectError, lang: str) -> str:
    """Why a link opens no duel."""
    lost = isinstance(error, Refused) and Refusal.UNKNOWN in error.codes
    return duel_view.status(say(lang, "duel.said_lost") if lost else explained(lang, error), alert=True)
