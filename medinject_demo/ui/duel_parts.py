"""The components of the duel's tab, and which of them are seen at each stage. Gives no orders."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import gradio as gr
from gradio.blocks import Block

from ..domain import Verdict
from ..duel import Shown, Side, Stage
from ..votes.records import Criterion, Profile
from . import duel_view
from .frame import Frame
from .picker import Picker
from .seat import Seat, may_ask_again, may_go_on
from .texts import say

LINK = (
    "const write = () => { const field = element.querySelector('[data-duel]'); "
    "if (field) field.value = location.origin + location.pathname + '?duel=' + field.dataset.duel; }; "
    "watch('value', () => setTimeout(write)); write();"
)
"""The page alone knows under which address it was opened: behind a proxy the server does not."""
FOCUS = (
    "watch('value', () => { const told = element.querySelector('[data-focus]'); "
    "if (told) setTimeout(() => document.querySelector(told.dataset.focus)?.focus(), 60); });"
)
"""A status that names what takes the focus gives it, once what came with it is drawn."""


@dataclass(frozen=True)
class Parts:
    """Every component that an order reads or draws."""

    seat: gr.State
    picker: Picker
    question: gr.Textbox
    start: gr.Button
    plain: gr.Checkbox
    status: gr.HTML
    answers: gr.Column
    asked: gr.HTML
    cards: dict[Side, gr.HTML]
    stops: dict[Side, gr.Button]
    regenerate: gr.Button
    ballot_box: gr.Column
    verdicts: dict[Verdict, gr.Button]
    reasons: dict[Side, gr.CheckboxGroup]
    comment: gr.Textbox
    profile: gr.Dropdown
    judged: gr.Column
    judging: gr.Column
    reference: gr.HTML
    equivalent: dict[Side, gr.Radio]
    reveal: gr.Button
    revealed: gr.HTML
    conversation: gr.Column
    message: gr.Textbox
    send: gr.Button
    undo: gr.Button
    next: gr.Button
    share: gr.Button
    link: gr.HTML

    @property
    def drawn(self) -> list[Block]:
        """What every order draws, besides the seat."""
        buttons = [*self.stops.values(), *self.verdicts.values(), self.regenerate, self.start, self.undo, self.next]
        buttons.append(self.share)
        panels = [self.answers, self.ballot_box, self.judged, self.judging, self.conversation]
        return [self.asked, *self.cards.values(), *panels, *buttons, self.reference, self.revealed, self.link]

    @property
    def ballot(self) -> list[Block]:
        """What a visitor says with the verdict, cleared for each duel; the profile stays."""
        return [*self.reasons.values(), self.comment, *self.equivalent.values()]

    def blank_ballot(self) -> dict[Block, Any]:
        """The ballot as it is before anything was said."""
        said: dict[Block, Any] = {each: [] for each in self.reasons.values()}
        return said | {self.comment: ""} | dict.fromkeys(self.equivalent.values())

    def painted(self, lang: str, seat: Seat, view: Shown | None) -> dict[Block, Any]:
        """Everything but the cards: what is seen, and what may be pressed."""
        answering = view is not None and view.stage is Stage.ANSWERING
        shown = {
            self.answers: view is not None,
            self.ballot_box: view is not None and view.stage is Stage.ANSWERED,
            self.judged: bool(seat.reference),
            self.judging: bool(seat.verdict and not seat.late),
            self.conversation: may_go_on(view, seat),
            self.regenerate: may_ask_again(view, seat),
            self.undo: seat.verdict is not None,
            self.next: view is not None and not answering,
            self.share: seat.verdict is not None and not seat.guest and not seat.shared,
        }
        updates: dict[Block, Any] = {part: gr.update(visible=seen) for part, seen in shown.items()}
        for side, button in self.stops.items():
            going = answering and view is not None and view.turns[-1].reasons[side] is None
            updates[button] = gr.update(visible=going)
        for verdict, button in self.verdicts.items():
            updates[button] = gr.update(variant="primary" if verdict is seat.verdict else "secondary")
        updates[self.start] = gr.update(interactive=not answering)
        reference = duel_view.reference(lang, seat.reference) if seat.reference else ""
        updates[self.reference] = reference
        updates[self.asked] = duel_view.asked(lang, view)
        told = duel_view.reveal(lang, seat.battle, seat.verdict) if seat.battle else ""
        updates[self.revealed] = gr.update(value=told, visible=bool(told))
        link = duel_view.link(lang, seat.duel) if seat.shared else ""
        updates[self.link] = gr.update(value=link, visible=bool(link))
        return updates


def lay_out(frame: Frame) -> Parts:
    """Make the components, in the order in which they are read."""
    make = frame.wording.make
    seat = gr.State(Seat())
    make(gr.HTML, {"value": _lead}, js_on_load=None, elem_id="duel-lead")
    with gr.Row(elem_id="ask"):
        question = make(
            gr.Textbox,
            {"label": "duel.question", "placeholder": "duel.placeholder", "info": "duel.question_info"},
            lines=1,
            max_lines=12,
            elem_id="duel-question",
            scale=4,
            autofocus=True,
        )
        start = make(
            gr.Button, {"value": "duel.start"}, variant="primary", elem_id="duel-start", scale=1, min_width=160
        )
    picker = Picker(frame, "duel")
    status = gr.HTML("", elem_id="duel-status", js_on_load=FOCUS)
    with gr.Column(visible=False, elem_id="duel-area") as answers:
        asked = gr.HTML("", js_on_load=None, elem_id="duel-asked")
        cards, stops = _cards(frame)
        with gr.Row():
            plain = make(gr.Checkbox, {"label": "duel.plain"}, elem_id="duel-plain", container=False, min_width=200)
            regenerate = make(
                gr.Button, {"value": "duel.regenerate"}, visible=False, elem_id="duel-regenerate", size="sm"
            )
    ballot = _ballot(frame)
    judging = _judging(frame)
    revealed = gr.HTML("", visible=False, elem_id="duel-revealed", js_on_load=None)
    with gr.Row():
        share = make(gr.Button, {"value": "duel.share"}, visible=False, elem_id="duel-share")
        undo = make(gr.Button, {"value": "duel.undo"}, visible=False, elem_id="duel-undo")
        following = make(gr.Button, {"value": "duel.next"}, visible=False, variant="primary", elem_id="duel-next")
    link = gr.HTML("", visible=False, elem_id="duel-link", js_on_load=LINK)
    conversation, message, send = _conversation(frame)
    return Parts(
        seat=seat,
        picker=picker,
        question=question,
        start=start,
        plain=plain,
        status=status,
        answers=answers,
        asked=asked,
        cards=cards,
        stops=stops,
        regenerate=regenerate,
        revealed=revealed,
        undo=undo,
        next=following,
        share=share,
        link=link,
        conversation=conversation,
        message=message,
        send=send,
        **ballot,
        **judging,
    )


def _cards(frame: Frame) -> tuple[dict[Side, gr.HTML], dict[Side, gr.Button]]:
    cards: dict[Side, gr.HTML] = {}
    stops: dict[Side, gr.Button] = {}
    with gr.Row(equal_height=False):
        for side in Side:
            with gr.Column(min_width=300):
                cards[side] = gr.HTML("", elem_id=f"duel-{side}", js_on_load=None)
                stops[side] = frame.wording.make(
                    gr.Button, {"value": f"duel.stop_{side}"}, visible=False, elem_id=f"stop-{side}", size="sm"
                )
    return cards, stops


def _ballot(frame: Frame) -> dict[str, Any]:
    """The verdict's buttons, and what may be said with it."""
    make = frame.wording.make
    with gr.Column(visible=False, elem_id="ballot") as box:
        make(gr.HTML, {"value": _verdict_head}, js_on_load=None, elem_id="verdict-head")
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
            with gr.Row():
                comment = make(
                    gr.Textbox,
                    {"label": "duel.comment", "info": "duel.comment_info"},
                    lines=2,
                    elem_id="duel-comment",
                    scale=2,
                    min_width=280,
                )
                profile = make(
                    gr.Dropdown,
                    {"label": "duel.profile", "info": "duel.profile_info", "choices": _named("duel.profile_", Profile)},
                    value=Profile.UNDECLARED.value,
                    elem_id="duel-profile",
                    min_width=240,
                )
    return {"ballot_box": box, "verdicts": verdicts, "reasons": reasons, "comment": comment, "profile": profile}


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


def _conversation(frame: Frame) -> tuple[gr.Column, gr.Textbox, gr.Button]:
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
    return box, message, send


def _lead(lang: str) -> str:
    return f'<h2 class="unseen">{say(lang, "page.tab_duel")}</h2><p>{say(lang, "duel.lead")}</p>'


def _verdict_head(lang: str) -> str:
    return f"<h3>{say(lang, 'duel.verdict')}</h3><p>{say(lang, 'duel.verdict_keys')}</p>"


def _numbered(number: int, key: str) -> Any:
    return lambda lang: f"{number}. {say(lang, key)}"


def _named(prefix: str, names: type[Criterion] | type[Profile]) -> Any:
    return lambda lang: [(say(lang, f"{prefix}{each}"), each.value) for each in names]


def _yes_no(lang: str) -> list[tuple[str, bool]]:
    return [(say(lang, "duel.yes"), True), (say(lang, "duel.no"), False)]
