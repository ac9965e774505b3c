"""The blind ranking on the page: how three to eight answers are put in order. The rest is ``table``'s."""

from __future__ import annotations

from typing import Any

from ..duel import Shown
from ..limiter import Act
from ..votes.records import Ballot
from . import ranking_view
from .frame import Frame
from .order import ranks_of
from .ranking_parts import Parts, lay_out
from .seat import Seat, ranked, seated_to_rank
from .table import Table, Updates
from .visit import Visit


class Rankings(Table):
    """The orders of a ranking."""

    name = "ranking"

    def __init__(self, frame: Frame) -> None:
        self.parts: Parts = lay_out(frame)
        super().__init__(frame, self.parts)
        self.wire(self.parts.count)
        self.on([self.parts.stop.click], self.stop, [])
        ballot = [self.parts.order, self.parts.comment, self.parts.profile]
        self.on([self.parts.submit.click, self.parts.order.submit], self.submit, ballot)

    def seated(self, session: str, question: str, *how: Any) -> Seat:
        """Propose a ranking of so many answers."""
        count = int(how[0])
        return seated_to_rank(self.arena, session, question, count, self.behind.prompts, self.behind.sampling)

    def takes(self, places: int) -> bool:
        """More than two answers."""
        return places > 2

    def stop(self, visit: Visit) -> Updates:
        """End all answers where they are."""

        def order() -> Seat:
            places = range(len(self.arena.shown(visit.seat.duel, visit.seat.session).turns[-1].texts))
            self.arena.stop(visit.seat.duel, visit.seat.session, *places)
            return visit.seat

        return self.order(visit, order, told=self.stopped)

    def submit(self, visit: Visit, order: str, comment: str, me: str) -> Updates:
        """Store the ranking, or a change of it."""

        def ranking() -> Seat:
            places = len(self.arena.shown(visit.seat.duel, visit.seat.session).turns[-1].texts)
            ballot = Ballot.ranked(ranks_of(order or "", places), comment or "", me)
            self.admit(Act.VOTE, visit)
            return ranked(self.arena, visit.seat, ballot, first=not visit.seat.late)

        return self.order(visit, ranking)

    def cards(self, visit: Visit, view: Shown | None) -> Updates:
        """All answers."""
        return {self.parts.cards: ranking_view.cards(visit.lang, view, plain=visit.plain)}

    def told(self, lang: str, before: Seat, after: Seat) -> str:
        """What became of the vote."""
        return ranking_view.told(lang, before, after)

    def blank(self, view: Shown | None) -> Updates:
        """Nothing ordered."""
        return {self.parts.comment: "", self.parts.order: ""}
