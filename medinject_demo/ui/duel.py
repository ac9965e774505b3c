"""The tab of the blind duel: its components, and which order each of them gives.

The arena decides what may be shown; here it is only laid out. Every order draws the whole tab anew from the duel and
the visitor's seat, so that no order can leave a part of it behind; while answers come, only the two cards are drawn.
"""

from __future__ import annotations

import inspect
import secrets
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any, Final

import gradio as gr
from gradio.blocks import Block

from ..domain import Verdict
from ..duel import Refusal, Shown, Side, Stage, refused
from ..errors import MedInjectError, Refused, StoreError
from ..prompts import layout
from ..votes.records import Ballot
from . import duel_api, duel_view
from .duel_parts import Parts, lay_out
from .frame import REFRESH, VISITORS, Frame, explained
from .picker import Picker
from .seat import Seat, followed, opened, revealed, seated, shown, voted, withdrawn
from .texts import say

Updates = dict[Block, Any]
ANSWERS: Final = "#duel-answers"
QUESTION: Final = "#duel-question textarea"


def build(frame: Frame) -> None:
    """Lay the tab out and give its components their orders."""
    Duels(frame).wire()
    duel_api.publish(frame.behind)


@dataclass(frozen=True)
class Visit:
    """Who gives an order: language, secret token, seat, and whether answers are shown without their markdown."""

    lang: str
    session: str
    seat: Seat
    plain: bool


class Duels:
    """The orders of the tab. Each takes the visit, then what its components hold."""

    def __init__(self, frame: Frame) -> None:
        self.frame, self.behind, self.arena = frame, frame.behind, frame.behind.arena
        self.parts: Parts = lay_out(frame)
        self.picker: Picker = self.parts.picker

    def wire(self) -> None:
        """Bind every event to its order."""
        parts, picker = self.parts, self.picker
        picker.wire(parts.question)
        streams = {"concurrency_limit": VISITORS, "concurrency_id": "duel-streams"}
        for triggers, order, inputs in (
            ([parts.start.click, parts.question.submit], self.start, [parts.question]),
            ([parts.regenerate.click], self.regenerate, []),
            ([parts.send.click, parts.message.submit], self.follow_up, [parts.message]),
        ):
            ended = self._on(triggers, order, inputs, **streams)
            ended.then(**self._bound(self.redraw, []))  # language or rendering may have changed while answers came
        for side, button in parts.stops.items():
            self._on([button.click], self._stopping(side), [])
        ballot = [parts.reasons[Side.LEFT], parts.reasons[Side.RIGHT], parts.comment, parts.profile]
        for verdict, button in parts.verdicts.items():
            self._on([button.click], self._voting(verdict), ballot)
        self._on([parts.reveal.click], self.reveal, [parts.equivalent[Side.LEFT], parts.equivalent[Side.RIGHT]])
        self._on([parts.undo.click], self.undo, [])
        self._on([parts.next.click], self.next, [*picker.filters, parts.question])
        self._on([parts.share.click], self.share, [])
        self._on([parts.plain.change], self.redraw, [])
        self.frame.arrivals.append(self._bound(self.arrive, []) | {"fn": self._arrived})
        self.frame.wording.redraw(self._retold, [parts.seat, parts.plain], parts.drawn)

    def _on(self, triggers: list[Any], order: Callable[..., Any], inputs: list[Any], **settings: Any) -> Any:
        return gr.on(triggers, **self._bound(order, inputs) | settings)

    def _bound(self, order: Callable[..., Any], inputs: list[Any]) -> dict[str, Any]:
        """An order as an event takes it: the visit first, and the whole tab to draw."""
        parts = self.parts
        return {
            "fn": _from_components(order),
            "inputs": [self.frame.language, self.frame.session, parts.seat, parts.plain, *inputs],
            "outputs": [parts.seat, *parts.drawn, parts.status, parts.question, parts.message, *parts.ballot],
            "show_progress": "hidden",
            "api_visibility": "private",
            "concurrency_limit": VISITORS,
        }

    def start(self, visit: Visit, question: str) -> Iterator[Updates]:
        """Propose a duel and let it be answered; a question that is held back stays where it was written."""
        token = visit.session or secrets.token_urlsafe(24)  # the browser's own may not have come yet
        try:
            self._require_quiet(visit)
            after = seated(self.arena, token, question, self.behind.prompts, self.behind.sampling)
        except MedInjectError as error:
            yield self._refused(visit.lang, error, QUESTION)
            return
        blank = self.parts.blank_ballot()
        yield from self._answered(replace(visit, seat=after), self._warning(visit.lang), begun=blank)

    def regenerate(self, visit: Visit) -> Iterator[Updates]:
        """Have the last turn answered anew, or at last where the engine could not take it."""

        def again() -> None:
            if self.arena.shown(visit.seat.duel, visit.seat.session).stage is not Stage.ASKED:
                self.arena.regenerate(visit.seat.duel, visit.seat.session)

        yield from self._again(visit, again)

    def follow_up(self, visit: Visit, message: str) -> Iterator[Updates]:
        """Send one more message to both sides; one that is held back stays where it was written."""

        def asked() -> Shown:
            return self.arena.follow_up(visit.seat.duel, visit.seat.session, message, self.behind.sampling)

        yield from self._again(visit, asked, begun={self.parts.message: ""})

    def reveal(self, visit: Visit, left: bool | None, right: bool | None) -> Updates:
        """Store what was said of the reference, and show who was who."""
        return self._order(visit, lambda: revealed(self.arena, visit.seat, (left, right)))

    def undo(self, visit: Visit) -> Updates:
        """Withdraw the vote."""
        return self._order(visit, lambda: withdrawn(self.arena, visit.seat))

    def share(self, visit: Visit) -> Updates:
        """Let whoever has its link read the duel and vote on it."""

        def told(lang: str, before: Seat, after: Seat) -> str:
            return duel_view.status(say(lang, "duel.said_shared"), focus="#duel-link-field")

        return self._order(visit, lambda: opened(self.arena, visit.seat), told)

    def arrive(self, visit: Visit, link: str) -> Updates:
        """Open the duel that the address names, where it names one."""
        if not link:
            return {self.parts.status: gr.skip()}
        try:
            after = followed(self.arena, visit.session, link)
        except Refused:
            return {self.parts.status: duel_view.status(say(visit.lang, "duel.said_lost"), alert=True)}
        except MedInjectError as error:
            return self._refused(visit.lang, error)
        told = {self.parts.status: duel_view.arrived(visit.lang, after)}
        return self._paint(replace(visit, seat=after), shown(self.arena, after)) | told

    def _arrived(self, lang: str, session: str, seat: Seat, plain: bool, request: gr.Request) -> Updates:
        return self.arrive(Visit(lang, session, seat, plain), str(request.query_params.get("duel", "")))

    def next(self, visit: Visit, specialty: str, kind: str, question: str) -> Updates:
        """Clear the table; after a bundled question another one is drawn, and what was written since stays."""
        following = self._following(visit, question or "", specialty, kind)
        told = duel_view.status(say(visit.lang, "duel.said_next"), focus=QUESTION)
        cleared: Updates = {self.parts.question: following, self.parts.message: "", self.parts.status: told}
        return self._paint(replace(visit, seat=Seat()), None) | cleared | self.parts.blank_ballot()

    def redraw(self, visit: Visit) -> Updates:
        """Draw the tab as it is."""
        return self._order(visit, lambda: visit.seat, told=None)

    def _stopping(self, side: Side) -> Callable[..., Updates]:
        def stop(visit: Visit) -> Updates:
            def order() -> Seat:
                self.arena.stop(visit.seat.duel, visit.seat.session, side)
                return visit.seat

            return self._order(visit, order, told=lambda lang, before, after: duel_view.stopped(lang))

        return stop

    def _voting(self, verdict: Verdict) -> Callable[..., Updates]:
        def vote(visit: Visit, left: list[str], right: list[str], comment: str, me: str) -> Updates:
            def order() -> Seat:
                ballot = Ballot.read(verdict, (left or [], right or []), comment or "", me)
                return voted(self.arena, visit.seat, ballot)

            return self._order(visit, order)

        return vote

    def _order(
        self,
        visit: Visit,
        order: Callable[[], Seat],
        told: Callable[[str, Seat, Seat], str] | None = duel_view.told,
    ) -> Updates:
        """Carry an order out and draw the tab; where it is refused, say why and leave the rest as it is."""
        try:
            after = order()
            painted = self._paint(replace(visit, seat=after), shown(self.arena, after))
        except MedInjectError as error:
            return self._refused(visit.lang, error)
        return painted | ({self.parts.status: told(visit.lang, visit.seat, after)} if told else {})

    def _again(self, visit: Visit, order: Callable[[], object], begun: Updates | None = None) -> Iterator[Updates]:
        try:
            order()
        except MedInjectError as error:
            yield self._refused(visit.lang, error)
            return
        yield from self._answered(visit, begun=begun)

    def _answered(self, visit: Visit, warning: str = "", begun: Updates | None = None) -> Iterator[Updates]:
        """Draw the cards as the answers come: at the first piece of each side, then every ``REFRESH`` seconds.

        ``begun`` is drawn once, with the first piece: not before, since the order may still fail, and not later, since
        the visitor goes on writing.
        """
        spoken, drawn = set[int](), 0.0
        yield self._asked(visit.lang, warning)
        try:
            for event in self.arena.stream(visit.seat.duel, visit.seat.session):
                view = self.arena.shown(visit.seat.duel, visit.seat.session)
                if not spoken:
                    yield self._paint(visit, view) | self._asked(visit.lang, warning, ANSWERS) | (begun or {})
                elif event.place not in spoken or time.monotonic() - drawn >= REFRESH:
                    yield self._cards(visit, view)
                    drawn = time.monotonic()
                spoken.add(event.place)
            view = self.arena.shown(visit.seat.duel, visit.seat.session)
        except MedInjectError as error:
            yield self._refused(visit.lang, error, QUESTION)
            return
        yield self._paint(visit, view) | {self.parts.status: duel_view.ended(visit.lang, view, warning)}

    def _asked(self, lang: str, warning: str, focus: str = "") -> Updates:
        told = duel_view.status(warning or say(lang, "duel.said_asked"), alert=bool(warning), focus=focus)
        return {self.parts.status: told}

    def _view(self, seat: Seat) -> Shown | None:
        """The duel as it stands; None where there is none, or where it is forgotten."""
        try:
            return shown(self.arena, seat)
        except Refused:
            return None

    def _require_quiet(self, visit: Visit) -> None:
        """Raises Refused while this visitor's answers come: two streams would draw one tab."""
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

    def _cards(self, visit: Visit, view: Shown | None) -> Updates:
        return {
            card: duel_view.card(visit.lang, view, side, plain=visit.plain) for side, card in self.parts.cards.items()
        }

    def _paint(self, visit: Visit, view: Shown | None) -> Updates:
        """The whole tab, but for the status and what the visitor wrote."""
        painted = self.parts.painted(visit.lang, visit.seat, view)
        return {self.parts.seat: visit.seat} | self._cards(visit, view) | painted

    def _retold(self, lang: str, seat: Seat, plain: bool) -> list[Any]:
        """The drawn parts in another language."""
        painted = self._paint(Visit(lang, seat.session, seat, plain), self._view(seat))
        return [painted[part] for part in self.parts.drawn]

    def _refused(self, lang: str, error: MedInjectError, focus: str = "") -> Updates:
        return {self.parts.status: duel_view.status(explained(lang, error), alert=True, focus=focus)}

    def _warning(self, lang: str) -> str:
        """A sentence where votes could not be stored at this moment; empty where they could."""
        try:
            self.behind.store.check()
        except StoreError:
            return say(lang, "duel.said_not_stored")
        return ""


def _from_components(order: Callable[..., Any]) -> Callable[..., Any]:
    """An order as Gradio calls it: the first four values are the visit's."""

    def stream(lang: str, session: str, seat: Seat, plain: bool, *inputs: Any) -> Iterator[Updates]:
        yield from order(Visit(lang, session, seat, plain), *inputs)

    def once(lang: str, session: str, seat: Seat, plain: bool, *inputs: Any) -> Any:
        return order(Visit(lang, session, seat, plain), *inputs)

    return stream if inspect.isgeneratorfunction(order) else once
