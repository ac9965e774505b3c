"""The blind duel on the page: how two answers are voted on. What it has in common with a ranking is in ``table``."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from ..domain import Verdict
from ..duel import Shown, Side
from ..limiter import Act
from ..votes.records import Ballot
from . import duel_view
from .duel_parts import Parts, lay_out
from .frame import Frame
from .seat import Seat, revealed, seated, voted
from .table import Table, Updates
from .texts import say
from .visit import Visit


class Duels(Table):
    """The orders of a duel."""

    name = "duel"

    def __init__(self, frame: Frame) -> None:
        self.parts: Parts = lay_out(frame)
        super().__init__(frame, self.parts)
        self.wire()
        self._wire_votes()

    def _wire_votes(self) -> None:
        parts = self.parts
        self.streams([parts.send.click, parts.message.submit], self.follow_up, [parts.message])
        for side, button in parts.stops.items():
            self.on([button.click], self._stopping(side), [])
        ballot = [parts.reasons[Side.LEFT], parts.reasons[Side.RIGHT], parts.comment, parts.profile]
        for verdict, button in parts.verdicts.items():
            self.on([button.click], self._voting(verdict), ballot).then(None, js="() => window.medinjectVoted()")
        self.on([parts.reveal.click], self.reveal, [parts.equivalent[Side.LEFT], parts.equivalent[Side.RIGHT]])

    def seated(self, session: str, question: str, *how: Any) -> Seat:
        """Propose a duel."""
        return seated(self.arena, session, question, self.behind.prompts, self.behind.sampling)

    def takes(self, places: int) -> bool:
        """Two answers."""
        return places == 2

    def follow_up(self, visit: Visit, message: str) -> Iterator[Updates]:
        """Send one more message to both sides; one that is held back stays where it was written."""

        def asked() -> Shown:
            self.admit(Act.ASK, visit)
            return self.arena.follow_up(visit.seat.duel, visit.seat.session, message, self.behind.sampling)

        yield from self.again(visit, asked, begun={self.parts.message: ""})

    def reveal(self, visit: Visit, left: bool | None, right: bool | None) -> Updates:
        """Store what was said of the reference, and show who was who."""
        return self.order(visit, lambda: revealed(self.arena, visit.seat, (left, right)))

    def cards(self, visit: Visit, view: Shown | None) -> Updates:
        """Both sides."""
        drawn: Updates = {}
        for side, card in self.parts.cards.items():
            title = say(visit.lang, f"duel.answer_{side}")
            drawn[card] = duel_view.card(visit.lang, view, side, name=str(side), title=title, plain=visit.plain)
        return drawn

    def told(self, lang: str, before: Seat, after: Seat) -> str:
        """What became of the vote."""
        return duel_view.told(lang, before, after)

    def blank(self, view: Shown | None) -> Updates:
        """Nothing said of either side."""
        said: Updates = {each: [] for each in self.parts.reasons.values()}
        blank = said | {self.parts.comment: ""} | dict.fromkeys(self.parts.equivalent.values())
        return blank if view else blank | {self.parts.message: ""}

    def _stopping(self, side: Side) -> Callable[..., Updates]:
        def stop(visit: Visit) -> Updates:
            def order() -> Seat:
                self.arena.stop(visit.seat.duel, visit.seat.session, side)
                return visit.seat

            return self.order(visit, order, told=self.stopped)

        return stop

    def _voting(self, verdict: Verdict) -> Callable[..., Updates]:
        def vote(visit: Visit, left: list[str], right: list[str], comment: str, me: str) -> Updates:
            def order() -> Seat:
                ballot = Ballot.read(verdict, (left or [], right or []), comment or "", me)
                self.admit(Act.VOTE, visit)
                another = verdict is not visit.seat.verdict
                return voted(self.arena, visit.seat, ballot, first=another and not visit.seat.late)

            return self.order(visit, order)

        return vote
