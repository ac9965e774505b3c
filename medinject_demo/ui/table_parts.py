"""The components that duels and rankings have in common, and which of them are seen at each stage. Gives no orders."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

import gradio as gr
from gradio.blocks import Block

from ..duel import Shown, Stage
from ..votes.records import Profile
from . import duel_view
from .frame import Frame
from .picker import Picker
from .seat import Seat, awaits_vote, may_ask_again
from .texts import say
from .wording import Words

LINK: Final = (
    "const write = () => { const field = element.querySelector('[data-duel]'); "
    "if (field) field.value = location.origin + location.pathname + '?duel=' + field.dataset.duel; }; "
    "watch('value', () => setTimeout(write)); write();"
)
"""The page alone knows under which address it was opened: behind a proxy the server does not."""
FOCUS: Final = (
    "watch('value', () => { const told = element.querySelector('[data-focus]'); "
    "if (told) setTimeout(() => window.medinjectFocus(told.dataset.focus), 60); });"
)
"""A status that names what takes the focus gives it, once what came with it is drawn."""


@dataclass(frozen=True)
class TableParts(ABC):
    """What an order of either mode reads or draws."""

    name: str
    """Prefix of the elements' ids and of the words: ``duel`` or ``ranking``."""
    seat: gr.State
    picker: Picker
    question: gr.Textbox
    start: gr.Button
    plain: gr.Checkbox
    status: gr.HTML
    told: gr.State
    """The status in each language, for a visitor who changes it."""
    answers: gr.Column
    asked: gr.HTML
    regenerate: gr.Button
    ballot_box: gr.Column
    head: gr.HTML
    comment: gr.Textbox
    profile: gr.Dropdown
    reference: gr.HTML
    revealed: gr.HTML
    undo: gr.Button
    next: gr.Button
    share: gr.Button
    link: gr.HTML

    @property
    def drawn(self) -> list[Block]:
        """What every order draws, besides the seat."""
        panels = [self.answers, self.asked, self.ballot_box, self.head, self.reference, self.revealed, self.link]
        return [*panels, self.regenerate, self.start, self.undo, self.next, self.share]

    @property
    def written(self) -> list[Block]:
        """What a visitor fills in, and some orders clear; the profile stays."""
        return [self.question, self.comment]

    def painted(self, lang: str, seat: Seat, view: Shown | None) -> dict[Block, Any]:
        """Everything but the cards: what is seen, and what may be pressed."""
        answering = view is not None and view.stage is Stage.ANSWERING
        seen = {
            self.answers: view is not None,
            self.ballot_box: view is not None and view.stage is Stage.ANSWERED,
            self.regenerate: may_ask_again(view, seat),
            self.undo: seat.voted,
            self.share: seat.voted and not seat.guest and not seat.shared,
        }
        updates: dict[Block, Any] = {part: gr.update(visible=each) for part, each in seen.items()}
        updates[self.next] = self._next(lang, seat, view)
        updates[self.start] = gr.update(interactive=not answering)
        updates[self.head] = duel_view.verdict_head(lang, seat, self.name)
        updates[self.asked] = duel_view.asked(lang, view, self.name)
        updates[self.reference] = duel_view.reference(lang, seat.reference, self.name) if seat.reference else ""
        for part, told in (
            (self.revealed, self.told_of(lang, seat) if seat.battle else ""),
            (self.link, duel_view.link(lang, seat.duel, self.name) if seat.shared else ""),
        ):
            updates[part] = gr.update(value=told, visible=bool(told))
        return updates

    def _next(self, lang: str, seat: Seat, view: Shown | None) -> Any:
        """What clears the table; it has its key, and is what is pressed first, only once nothing would be lost."""
        waits = awaits_vote(view, seat)
        words = say(lang, f"{self.name}.next") if waits else say(lang, f"{self.name}.next_key")
        seen = view is not None and view.stage is not Stage.ANSWERING
        return gr.update(visible=seen, value=words, variant="secondary" if waits else "primary")

    @abstractmethod
    def told_of(self, lang: str, seat: Seat) -> str:
        """Who was who, once it is revealed."""


def lay_out_question(frame: Frame, name: str) -> dict[str, Any]:
    """Seat, lead, question and start."""
    make = frame.wording.make
    seat = gr.State(Seat())
    make(gr.HTML, {"value": lambda lang: _lead(lang, name)}, js_on_load=None, elem_id=f"{name}-lead")
    with gr.Row(elem_classes="ask"):
        words = {"label": "duel.question", "placeholder": "duel.placeholder", "info": f"{name}.question_info"}
        question = make(
            gr.Textbox, words, lines=1, max_lines=12, elem_id=f"{name}-question", scale=4, autofocus=name == "duel"
        )
        start = make(
            gr.Button, {"value": f"{name}.start"}, variant="primary", elem_id=f"{name}-start", scale=1, min_width=160
        )
    return {"name": name, "seat": seat, "question": question, "start": start}


def lay_out_status(frame: Frame, name: str) -> dict[str, Any]:
    """The picker of bundled questions, and what is said of orders."""
    picker, told = Picker(frame, name), gr.State({})
    status = gr.HTML("", elem_id=f"{name}-status", js_on_load=FOCUS)
    frame.wording.redraw(lambda lang, said: said.get(lang, ""), [told], [status])
    return {"picker": picker, "status": status, "told": told}


def lay_out_answers(frame: Frame, name: str, cards: Callable[[], dict[str, Any]]) -> dict[str, Any]:
    """The question that was put, the cards, and how they are shown."""
    make = frame.wording.make
    with gr.Column(visible=False, elem_id=f"{name}-area") as answers:
        asked = gr.HTML("", js_on_load=None, elem_id=f"{name}-asked")
        made = cards()
        with gr.Row():
            plain = make(gr.Checkbox, {"label": "duel.plain"}, elem_id=f"{name}-plain", container=False, min_width=200)
            again = make(
                gr.Button, {"value": f"{name}.regenerate"}, visible=False, elem_id=f"{name}-regenerate", size="sm"
            )
    return {"answers": answers, "asked": asked, "plain": plain, "regenerate": again, **made}


def lay_out_remarks(frame: Frame, name: str) -> dict[str, Any]:
    """Comment and profile, which go with a vote."""
    make = frame.wording.make
    with gr.Row():
        words = {"label": "duel.comment", "info": "duel.comment_info"}
        comment = make(gr.Textbox, words, lines=2, elem_id=f"{name}-comment", scale=2, min_width=280)
        said: Words = {"label": "duel.profile", "info": "duel.profile_info", "choices": _profiles}
        profile = make(gr.Dropdown, said, value=Profile.UNDECLARED.value, elem_id=f"{name}-profile", min_width=240)
    return {"comment": comment, "profile": profile}


def lay_out_end(frame: Frame, name: str) -> dict[str, Any]:
    """Who was who, what can be done after the vote, and the link."""
    make = frame.wording.make
    revealed = gr.HTML("", visible=False, elem_id=f"{name}-revealed", js_on_load=None)
    with gr.Row():
        share = make(gr.Button, {"value": f"{name}.share"}, visible=False, elem_id=f"{name}-share")
        undo = make(gr.Button, {"value": "duel.undo"}, visible=False, elem_id=f"{name}-undo")
        following = gr.Button("", visible=False, elem_id=f"{name}-next")
    link = gr.HTML("", visible=False, elem_id=f"{name}-link", elem_classes="shared-link", js_on_load=LINK)
    return {"revealed": revealed, "share": share, "undo": undo, "next": following, "link": link}


def _lead(lang: str, name: str) -> str:
    title = f'<h2 class="unseen">{say(lang, "page.tab_duel")}</h2>' if name == "duel" else ""
    return f"{title}<p>{say(lang, f'{name}.lead')}</p>"


def _profiles(lang: str) -> list[tuple[str, str]]:
    return [(say(lang, f"duel.profile_{each}"), each.value) for each in Profile]
