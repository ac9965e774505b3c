"""The components of the duel, and which of them are seen at each stage. Gives no orders."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import gradio as gr
from gradio.blocks import Block

from ..domain import Verdict
from ..duel import Shown, Side, Stage
from ..votes.records import Criterion
from . import duel_view
from .frame import Frame
from .seat import Seat, awaits_vote, may_go_on
from .table_parts import (
    TableParts,
    lay_out_answers,
    lay_out_end,
    lay_out_question,
    lay_out_remarks,
    lay_out_status,
)
from .texts import say


@dataclass(frozen=True)
class Parts(TableParts):
    """Every component that an order of a duel reads or draws."""

    cards: dict[Side, gr.HTML]
    stops: dict[Side, gr.Button]
    verdicts: dict[Verdict, gr.Button]
    reasons: dict[Side, gr.CheckboxGroup]
    judged: gr.Column
    judging: gr.Column
    equivalent: dict[Side, gr.Radio]
    reveal: gr.Button
    conversation: gr.Column
    message: gr.Textbox
    send: gr.Button

    @property
    def drawn(self) -> list[Block]:
        """What every order draws, besides the seat."""
        buttons = [*self.stops.values(), *self.verdicts.values()]
        return [*super().drawn, *self.cards.values(), self.judged, self.judging, self.conversation, *buttons]

    @property
    def written(self) -> list[Block]:
        """What a visitor fills in."""
        return [*super().written, self.message, *self.reasons.values(), *self.equivalent.values()]

    def painted(self, lang: str, seat: Seat, view: Shown | None) -> dict[Block, Any]:
        """Everything but the cards: what is seen, and what may be pressed."""
        answering = view is not None and view.stage is Stage.ANSWERING
        shown = {
            self.judged: bool(seat.reference),
            self.judging: bool(seat.verdict and not seat.late),
            self.conversation: may_go_on(view, seat),
        }
        updates = super().painted(lang, seat, view)
        updates |= {part: gr.update(visible=seen) for part, seen in shown.items()}
        for side, button in self.stops.items():
            going = answering and view is not None and view.turns[-1].reasons[side] is None
            updates[button] = gr.update(visible=going)
        for verdict, button in self.verdicts.items():
            first = verdict is seat.verdict or awaits_vote(view, seat)
            may = not seat.stands or verdict is seat.verdict
            updates[button] = gr.update(variant="primary" if first else "secondary", interactive=may)
        return updates

    def told_of(self, lang: str, seat: Seat) -> str:
        """Who was who."""
        return duel_view.reveal(lang, seat.battle, seat.verdict) if seat.battle else ""


def lay_out(frame: Frame) -> Parts:
    """Make the components, in the order in which they are read."""
    made = lay_out_question(frame, "duel") | lay_out_status(frame, "duel")
    made |= lay_out_answers(frame, "duel", lambda: _cards(frame))
    made |= _ballot(frame) | _judging(frame) | lay_out_end(frame, "duel")
    return Parts(**made | _conversation(frame))


def _cards(frame: Frame) -> dict[str, Any]:
    cards: dict[Side, gr.HTML] = {}
    stops: dict[Side, gr.Button] = {}
    with gr.Row(equal_height=False):
        for side in Side:
            with gr.Column(min_width=300):
                cards[side] = gr.HTML("", elem_id=f"duel-{side}", js_on_load=None)
                stops[side] = frame.wording.make(
                    gr.Button, {"value": f"duel.stop_{side}"}, visible=False, elem_id=f"stop-{side}", size="sm"
                )
    return {"cards": cards, "stops": stops}


def _ballot(frame: Frame) -> dict[str, Any]:
    """The verdict's buttons, and what may be said with it."""
    make = frame.wording.make
    with gr.Column(visible=False, elem_id="ballot") as box:
        head = gr.HTML("", js_on_load=None, elem_id="verdict-head")
        with gr.Row(elem_id="verdicts"):
            verdicts = {
                verdict: make(
                    gr.Button, {"value": _numbered(key, f"duel.{verdict}")}, elem_id=f"verdict-{verdict}", min_width=0
                )
                for key, verdict in enumerate(Verdict, start=1)
            }
        with make(gr.Accordion, {"label": "duel.reasons"}, open=False, elem_id="duel-reasons"):
            make(gr.HTML, {"value": lambda lang: f"<p>{say(lang, 'duel.reasons_info')}</p>"}, js_on_load=None)
            with gr.Row():
                reasons = {
                    side: make(
                        gr.CheckboxGroup,
                        {"label": f"duel.reasons_{side}", "choices": _named("duel.criterion_", Criterion)},
                        elem_id=f"reasons-{side}",
                        min_width=280,
                    )
                    for side in Side
                }
            remarks = lay_out_remarks(frame, "duel")
    return {"ballot_box": box, "head": head, "verdicts": verdicts, "reasons": reasons, **remarks}


def _judging(frame: Frame) -> dict[str, Any]:
    """The reference, and whether each answer is equivalent to it."""
    make = frame.wording.make
    with gr.Column(visible=False, elem_id="duel-judged") as box:
        reference = gr.HTML("", elem_id="duel-reference", js_on_load=None)
        with gr.Column() as judging:
            with gr.Row():
                equivalent = {
                    side: make(
                        gr.Radio,
                        {"label": f"duel.equivalent_{side}", "choices": _yes_no},
                        elem_id=f"equivalent-{side}",
                        min_width=280,
                    )
                    for side in Side
                }
            reveal = make(gr.Button, {"value": "duel.reveal"}, variant="primary", elem_id="duel-reveal")
    said = {"judged": box, "judging": judging, "reference": reference}
    return said | {"equivalent": equivalent, "reveal": reveal}


def _conversation(frame: Frame) -> dict[str, Any]:
    make = frame.wording.make
    with gr.Column(visible=False, elem_id="duel-conversation") as box, gr.Row(equal_height=True):
        message = make(
            gr.Textbox,
            {"label": "duel.follow_up", "info": "duel.follow_up_info"},
            lines=1,
            max_lines=6,
            elem_id="duel-message",
            scale=4,
        )
        send = make(gr.Button, {"value": "duel.send"}, elem_id="duel-send", scale=1, min_width=160)
    return {"conversation": box, "message": message, "send": send}


def _numbered(number: int, key: str) -> Any:
    return lambda lang: f"{number}. {say(lang, key)}"


def _named(prefix: str, names: type[Criterion]) -> Any:
    return lambda lang: [(say(lang, f"{prefix}{each}"), each.value) for each in names]


def _yes_no(lang: str) -> list[tuple[str, bool]]:
    return [(say(lang, "duel.yes"), True), (say(lang, "duel.no"), False)]
