"""The components of a blind ranking, and which of them are seen at each stage. Gives no orders."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import gradio as gr
from gradio.blocks import Block

from ..duel import Shown, Stage
from ..votes.rankings import FEWEST, MOST
from . import ranking_view
from .frame import Frame
from .seat import Seat, awaits_vote
from .table_parts import (
    TableParts,
    lay_out_answers,
    lay_out_end,
    lay_out_question,
    lay_out_remarks,
    lay_out_status,
)

USUAL: Final = 4
"""Answers to rank, unless asked otherwise."""


@dataclass(frozen=True)
class Parts(TableParts):
    """Every component that an order of a ranking reads or draws."""

    count: gr.Radio
    cards: gr.HTML
    stop: gr.Button
    items: gr.HTML
    order: gr.Textbox
    submit: gr.Button

    @property
    def drawn(self) -> list[Block]:
        """What every order draws, besides the seat."""
        return [*super().drawn, self.cards, self.stop, self.items, self.submit]

    @property
    def written(self) -> list[Block]:
        """What a visitor fills in."""
        return [*super().written, self.order]

    def painted(self, lang: str, seat: Seat, view: Shown | None) -> dict[Block, Any]:
        """Everything but the cards: what is seen, and what may be pressed."""
        answering = view is not None and view.stage is Stage.ANSWERING
        updates = super().painted(lang, seat, view)
        updates[self.submit] = gr.update(variant="primary" if awaits_vote(view, seat) else "secondary")
        return updates | {self.stop: gr.update(visible=answering), self.items: ranking_view.items(lang, view)}

    def told_of(self, lang: str, seat: Seat) -> str:
        """Who was who."""
        return ranking_view.reveal(lang, seat.battle, seat.ranking) if seat.battle else ""


def lay_out(frame: Frame) -> Parts:
    """Make the components, in the order in which they are read."""
    made = lay_out_question(frame, "ranking") | {"count": _count(frame)} | lay_out_status(frame, "ranking")
    made |= lay_out_answers(frame, "ranking", lambda: _cards(frame))
    made |= _ballot(frame) | {"reference": gr.HTML("", elem_id="ranking-reference", js_on_load=None)}
    return Parts(**made | lay_out_end(frame, "ranking"))


def _count(frame: Frame) -> gr.Radio:
    most = min(MOST, len(frame.behind.engine.mixtures))
    return frame.wording.make(
        gr.Radio,
        {"label": "ranking.count"},
        choices=list(range(FEWEST, most + 1)),
        value=min(USUAL, most),
        elem_id="ranking-count",
    )


def _cards(frame: Frame) -> dict[str, Any]:
    cards = gr.HTML("", elem_id="ranking-cards", js_on_load=None)
    stop = frame.wording.make(gr.Button, {"value": "ranking.stop"}, visible=False, elem_id="ranking-stop", size="sm")
    return {"cards": cards, "stop": stop}


def _ballot(frame: Frame) -> dict[str, Any]:
    """The list and the field that it writes, what may be said with it, and the button that stores it."""
    make = frame.wording.make
    with gr.Column(visible=False, elem_id="ranking-ballot") as box:
        head = gr.HTML("", js_on_load=None, elem_id="ranking-head")
        items = gr.HTML("", elem_id="ranking-list", js_on_load=None)
        words = {"label": "ranking.order", "info": "ranking.order_info"}
        order = make(gr.Textbox, words, lines=1, max_lines=1, elem_id="ranking-order")
        with make(gr.Accordion, {"label": "ranking.remarks"}, open=False, elem_id="ranking-remarks"):
            remarks = lay_out_remarks(frame, "ranking")
        submit = make(gr.Button, {"value": "ranking.submit"}, variant="primary", elem_id="ranking-submit")
    return {"ballot_box": box, "head": head, "items": items, "order": order, "submit": submit, **remarks}
