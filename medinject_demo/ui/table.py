"""What duels and rankings have in common on the page: a seat, orders that draw all anew, answers drawn as they come.

The arena decides what may be shown; here it is only laid out. Every order draws the whole table anew from the duel and
the visitor's seat, so that no order can leave a part of it behind; while answers come, only the cards are drawn. Knows
neither how a vote is given nor what a card looks like.
"""

from __future__ import annotations

import abc
import secrets
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import Any, ClassVar, Final

import gradio as gr
from gradio.blocks import Block

from ..duel import Refusal, Shown, Stage, refused
from ..errors import MedInjectError, Refused, StoreError
from ..limiter import Act
from ..prompts import layout
from . import duel_view
from .frame import REFRESH, VISITORS, Frame, explained
from .seat import Seat, caught_up, opened, shown, withdrawn
from .table_parts import TableParts
from .texts import Lang, say
from .unsent import forget_when_sent
from .visit import Visit, from_components

Updates = dict[Block, Any]
SOON: Final = 1.0
"""Seconds within which answers may begin and end before a browser has drawn the first: the last gives the focus too."""


class Table(abc.ABC):
    """The orders of one mode. Each takes the visit, then what its components hold."""

    name: ClassVar[str]
    """Prefix of its elements and of its words."""

    def __init__(self, frame: Frame, parts: TableParts) -> None:
        self.frame, self.behind, self.arena = frame, frame.behind, frame.behind.arena
        self._parts: TableParts = parts
        self.picker = parts.picker

    @abc.abstractmethod
    def seated(self, session: str, question: str, *how: Any) -> Seat:
        """Propose a duel or a ranking; ``how`` is what else its form holds."""

    @abc.abstractmethod
    def takes(self, places: int) -> bool:
        """Whether a duel of so many answers is shown here."""

    @abc.abstractmethod
    def cards(self, visit: Visit, view: Shown | None) -> Updates:
        """The answers."""

    @abc.abstractmethod
    def told(self, lang: str, before: Seat, after: Seat) -> str:
        """What an order did to the vote, and what takes the focus then."""

    @abc.abstractmethod
    def blank(self, view: Shown | None) -> Updates:
        """The ballot before anything was said of these answers."""

    def wire(self, *how: Block) -> None:
        """Bind the common events to their orders; ``how`` is what a start reads besides the question."""
        parts = self._parts
        self.picker.wire(parts.question)
        asked = [parts.start.click, parts.question.submit]
        forget_when_sent(asked, parts.question)  # before its answers come
        self.streams(asked, self.start, [parts.question, *how])
        self.streams([parts.regenerate.click], self.regenerate, [])
        self.on([parts.undo.click], self.undo, [])
        self.on([parts.next.click], self.next, [*self.picker.filters, parts.question])
        self.on([parts.share.click], self.share, [])
        self.on([parts.plain.change], self.redraw, [])
        self.frame.wording.redraw(self._retold, [parts.seat, parts.plain], parts.drawn)

    def streams(self, triggers: list[Any], order: Callable[..., Any], inputs: Sequence[Block]) -> None:
        """Bind an order that answers come of."""
        ended = self.on(triggers, order, inputs, concurrency_id="duel-streams")
        ended.then(**self.bound(self.redraw, []))  # language or rendering may have changed while answers came

    def on(self, triggers: list[Any], order: Callable[..., Any], inputs: Sequence[Block], **settings: Any) -> Any:
        """Bind an order."""
        return gr.on(triggers, **self.bound(order, inputs) | settings)

    def bound(self, order: Callable[..., Any], inputs: Sequence[Block]) -> dict[str, Any]:
        """An order as an event takes it: the visit first, and the whole table to draw."""
        parts = self._parts
        return {
            "fn": from_components(order),
            "inputs": [self.frame.language, self.frame.session, parts.seat, parts.plain, *inputs],
            "outputs": self.outputs,
            "show_progress": "hidden",
            "api_visibility": "private",
            "concurrency_limit": VISITORS,
        }

    @property
    def status(self) -> Block:
        """Where it is said what became of an order."""
        return self._parts.status

    @property
    def outputs(self) -> list[Block]:
        """Everything that an order may change."""
        return [self._parts.seat, *self._parts.drawn, self._parts.status, self._parts.told, *self._parts.written]

    def tell(self, lang: str, told: Callable[[str], str]) -> Updates:
        """What became of an order, in this language and, for who changes it, in each."""
        said = {each.value: duel_view.unfocused(told(each)) for each in Lang}
        return {self._parts.status: told(lang), self._parts.told: said}

    def start(self, visit: Visit, question: str, *how: Any) -> Iterator[Updates]:
        """Propose a duel and let it be answered; a question that is held back stays where it was written."""
        token = visit.session or secrets.token_urlsafe(24)  # the browser's own may not have come yet
        try:
            self._require_quiet(visit)
            self.behind.gate.admit(Act.ASK, visit.request, token)
            after = self.seated(token, question or "", *how)
            blank = self.blank(shown(self.arena, after))
        except MedInjectError as error:
            yield self._refused(visit.lang, error, self._question)
            return
        yield from self.answered(replace(visit, seat=after), unstored=self._unstored(), begun=blank)

    def regenerate(self, visit: Visit) -> Iterator[Updates]:
        """Have the last turn answered anew, or at last where the engine could not take it."""

        def again() -> None:
            self.admit(Act.ASK, visit)
            if self.arena.shown(visit.seat.duel, visit.seat.session).stage is not Stage.ASKED:
                self.arena.regenerate(visit.seat.duel, visit.seat.session)

        yield from self.again(visit, again)

    def undo(self, visit: Visit) -> Updates:
        """Withdraw the vote."""

        def order() -> Seat:
            self.admit(Act.VOTE, visit)
            return withdrawn(self.arena, visit.seat)

        return self.order(visit, order)

    def share(self, visit: Visit) -> Updates:
        """Let whoever has its link read the duel and vote on it."""

        def told(lang: str, before: Seat, after: Seat) -> str:
            return duel_view.status(say(lang, "duel.said_shared"), focus=f"#{self.name}-link-field")

        return self.order(visit, lambda: opened(self.arena, visit.seat), told)

    def arrive(self, visit: Visit, seat: Seat) -> Updates:
        """Sit down where a link leads."""
        view = shown(self.arena, seat)
        told = self.tell(visit.lang, lambda lang: duel_view.arrived(lang, seat, self.name))
        return self._paint(replace(visit, seat=seat), view) | self.blank(view) | told

    def next(self, visit: Visit, specialty: str, kind: str, question: str) -> Updates:
        """Clear the table; after a bundled question another one is drawn, and what was written since stays."""
        following = self._following(visit, question or "", specialty, kind)
        told = self._says(visit.lang, f"{self.name}.said_next", focus=self._question)
        cleared = dict.fromkeys(self._parts.written, gr.skip()) | self.blank(None)
        return self._paint(replace(visit, seat=Seat()), None) | cleared | {self._parts.question: following} | told

    def redraw(self, visit: Visit) -> Updates:
        """Draw the table as it is."""
        return self.order(visit, lambda: visit.seat, told=lambda lang, before, after: "")

    def order(
        self, visit: Visit, order: Callable[[], Seat], told: Callable[[str, Seat, Seat], str] | None = None
    ) -> Updates:
        """Carry an order out and draw the table; where it is refused, say why and leave the rest as it is.

        ``told`` is what is said of it instead of the mode's own; where it says nothing, the status stays.
        """
        try:
            after = order()
            painted = self._paint(replace(visit, seat=after), shown(self.arena, after))
        except MedInjectError as error:
            return self._standing(visit, error) | self._refused(visit.lang, error)
        said = told or self.told
        if not said(visit.lang, visit.seat, after):
            return painted
        return painted | self.tell(visit.lang, lambda lang: said(lang, visit.seat, after))

    def stopped(self, lang: str, before: Seat, after: Seat) -> str:
        """What is said of answers that were stopped."""
        return duel_view.stopped(lang, self._view(after), self.name)

    def admit(self, act: Act, visit: Visit) -> None:
        """Count an order of the one who sits; Refused where there are too many."""
        self.behind.gate.admit(act, visit.request, visit.seat.session)

    def again(self, visit: Visit, order: Callable[[], object], begun: Updates | None = None) -> Iterator[Updates]:
        """Carry an order out that lets answers come, and draw them."""
        try:
            order()
        except MedInjectError as error:
            yield self._refused(visit.lang, error)
            return
        yield from self.answered(visit, begun=begun)

    def answered(self, visit: Visit, *, unstored: bool = False, begun: Updates | None = None) -> Iterator[Updates]:
        """Draw the cards as the answers come: at the first piece of each, then every ``REFRESH`` seconds.

        ``begun`` is drawn once, with the first piece: not before, since the order may still fail, and not later, since
        the visitor goes on writing.
        """
        spoken, drawn, begun_at = set[int](), 0.0, time.monotonic()
        asked = "duel.said_not_stored" if unstored else "duel.said_asked"
        yield self._says(visit.lang, asked, alert=unstored)
        try:
            for event in self.arena.stream(visit.seat.duel, visit.seat.session):
                view = self.arena.shown(visit.seat.duel, visit.seat.session)
                if not spoken:
                    begun_at = time.monotonic()
                    yield (
                        self._paint(visit, view)
                        | self._says(visit.lang, asked, alert=unstored, focus=self._answers)
                        | (begun or {})
                    )
                elif event.place not in spoken or time.monotonic() - drawn >= REFRESH:
                    yield self.cards(visit, view)
                    drawn = time.monotonic()
                spoken.add(event.place)
            view = self.arena.shown(visit.seat.duel, visit.seat.session)
        except MedInjectError as error:
            yield self._refused(visit.lang, error, self._question)
            return
        focus = self._answers if time.monotonic() - begun_at < SOON else ""
        yield self._paint(visit, view) | self.tell(
            visit.lang, lambda lang: duel_view.ended(lang, view, self.name, unstored=unstored, focus=focus)
        )

    @property
    def _answers(self) -> str:
        return f"#{self.name}-answers"

    @property
    def _question(self) -> str:
        return f"#{self.name}-question textarea"

    def _says(self, lang: str, key: str, *, alert: bool = False, focus: str = "") -> Updates:
        return self.tell(lang, lambda lang: duel_view.status(say(lang, key), alert=alert, focus=focus))

    def _view(self, seat: Seat) -> Shown | None:
        """The duel as it stands; None where there is none, or where it is forgotten."""
        try:
            return shown(self.arena, seat)
        except Refused:
            return None

    def _require_quiet(self, visit: Visit) -> None:
        """Raises Refused while this visitor's answers come: two streams would draw one table."""
        view = self._view(visit.seat)
        if view is not None and view.stage is Stage.ANSWERING:
            raise refused(Refusal.UNDER_WAY)

    def _following(self, visit: Visit, question: str, specialty: str, kind: str) -> str:
        """What the box holds for the next duel."""
        view = self._view(visit.seat)
        if view is None and visit.seat.duel:
            return question
        asked = layout(view.prompt) if view else ""
        return question if question.strip() != asked else self.picker.following(question, specialty, kind)

    def _paint(self, visit: Visit, view: Shown | None) -> Updates:
        """The whole table, but for the status and what the visitor wrote."""
        painted = self._parts.painted(visit.lang, visit.seat, view)
        return {self._parts.seat: visit.seat} | self.cards(visit, view) | painted

    def _retold(self, lang: str, seat: Seat, plain: bool) -> list[Any]:
        """The drawn parts in another language."""
        painted = self._paint(Visit(lang, seat.session, seat, plain), self._view(seat))
        return [painted[part] for part in self._parts.drawn]

    def _refused(self, lang: str, error: MedInjectError, focus: str = "") -> Updates:
        return self.tell(lang, lambda lang: duel_view.status(explained(lang, error), alert=True, focus=focus))

    def _standing(self, visit: Visit, error: MedInjectError) -> Updates:
        """The table with the vote that an order has met, where it expected none."""
        if not isinstance(error, Refused) or Refusal.STANDS not in error.codes:
            return {}
        seat = caught_up(self.arena, visit.seat)
        return self._paint(replace(visit, seat=seat), shown(self.arena, seat))

    def _unstored(self) -> bool:
        """True where votes could not be stored at this moment."""
        try:
            self.behind.store.check(patient=False)
        except StoreError:
            return True
        return False
