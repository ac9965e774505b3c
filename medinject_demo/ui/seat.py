"""A visitor's place in a duel: what the page remembers between two orders, and what each order makes of it.

Kept on the server alone: the reference is there from the vote on, the arms from the reveal on. Knows no component.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from ..arena import Arena
from ..domain import Battle, Prompt, Sampling, Verdict
from ..duel import MOST_TURNS, Refusal, Shown, Stage, refused
from ..receipts import Receipt
from ..votes.rankings import Ranking
from ..votes.records import Ballot
from .asking import question_of


@dataclass(frozen=True)
class Seat:
    """Which duel a visitor plays, and how far its vote is."""

    duel: str = ""
    """Identifier of the duel; empty before the first."""
    session: str = ""
    """Token under which it was begun, and its vote is given."""
    verdict: Verdict | None = None
    """The verdict that is stored; None before the vote and after its withdrawal, and of a ranking."""
    ranking: Ranking = ()
    """The ranking that is stored; empty before the vote and after its withdrawal, and of a duel."""
    blind: bool = True
    """False where the vote that is stored is not."""
    closed: bool = False
    """True from the first vote on: its conversation cannot go on."""
    reference: str = ""
    """The prompt's reference; empty before the vote, and where it has none."""
    battle: Battle | None = None
    """Who was who, from the reveal on."""
    guest: bool = False
    """True where the duel is another's, who shared it: it is read and voted on, and nothing else."""
    shared: bool = False
    """True once this visitor has shared it."""

    @property
    def voted(self) -> bool:
        """True where a vote is stored and was not withdrawn."""
        return self.verdict is not None or bool(self.ranking)

    @property
    def late(self) -> bool:
        """True where a verdict given now comes after the reveal."""
        return self.battle is not None

    @property
    def judges(self) -> bool:
        """True where a vote is followed by the reference, and by the arms only after it."""
        return self.verdict is not None and bool(self.reference)

    @property
    def stands(self) -> bool:
        """True where a vote is stored and the arms are not revealed: it can be withdrawn, and no other is taken."""
        return self.voted and not self.late


def seated(arena: Arena, session: str, text: str, prompts: Sequence[Prompt], sampling: Sampling) -> Seat:
    """Propose a duel on a text.

    Raises:
        Refused, InvalidValue: as ``Arena.propose``.
    """
    return Seat(arena.propose(question_of(text, prompts), session, sampling).id, session)


def followed(arena: Arena, session: str, link: str) -> Seat:
    """Sit down at a duel that a link names: one's own as it was left, or another's, blind until one's own vote.

    Raises:
        Refused: there is none, or it was not shared.
    """
    guest = arena.standing(link, session).guest
    return caught_up(arena, Seat(link, session, closed=guest, guest=guest))


def caught_up(arena: Arena, seat: Seat) -> Seat:
    """A seat with the vote that stands, which may have been given elsewhere: on another page, or in an order before.

    Raises:
        Refused: as ``Arena.standing``.
    """
    at = arena.standing(seat.duel, seat.session)
    if at.receipt is None:
        return seat
    after = replace(_told(seat, at.receipt), battle=at.battle)
    return after if after.late or not after.voted or after.judges else revealed(arena, after)


def seated_to_rank(
    arena: Arena, session: str, text: str, count: int, prompts: Sequence[Prompt], sampling: Sampling
) -> Seat:
    """Propose a ranking of so many answers on a text.

    Raises:
        Refused, InvalidValue: as ``Arena.propose_ranking``.
    """
    return Seat(arena.propose_ranking(question_of(text, prompts), session, count, sampling).id, session)


def shown(arena: Arena, seat: Seat) -> Shown | None:
    """The duel as its voter may see it; None where there is none.

    Raises:
        Refused: the duel is forgotten, or another's.
    """
    return arena.shown(seat.duel, seat.session) if seat.duel else None


def voted(arena: Arena, seat: Seat, ballot: Ballot, *, first: bool = False) -> Seat:
    """Store a vote; where the prompt has no reference to judge by, the arms are revealed at once.

    Raises:
        Refused, StoreError: as ``Arena.vote``; the seat is as it was.
    """
    _require(seat)
    after = _told(seat, arena.vote(seat.duel, seat.session, ballot, first=first))
    return after if after.judges and not seat.late else revealed(arena, after)


def ranked(arena: Arena, seat: Seat, ballot: Ballot, *, first: bool = False) -> Seat:
    """Store a ranking; the arms are revealed at once, and the reference with them.

    Raises:
        Refused, StoreError: as ``Arena.vote``; the seat is as it was.
    """
    _require(seat)
    return revealed(arena, _told(seat, arena.vote(seat.duel, seat.session, ballot, first=first)))


def revealed(arena: Arena, seat: Seat, equivalent: Sequence[bool | None] = (None, None)) -> Seat:
    """Store what was said of the reference, where anything was, and reveal the arms.

    Raises:
        Refused, StoreError: as ``Arena.judge`` and ``Arena.reveal``.
    """
    _require(seat)
    if not seat.late and tuple(equivalent) != (None, None):
        arena.judge(seat.duel, seat.session, equivalent)
    return replace(seat, battle=arena.reveal(seat.duel, seat.session))


def withdrawn(arena: Arena, seat: Seat) -> Seat:
    """Withdraw the vote.

    Raises:
        Refused, StoreError: as ``Arena.undo``; the seat is as it was.
    """
    _require(seat)
    arena.undo(seat.duel, seat.session)
    return replace(seat, verdict=None, ranking=(), blind=True)


def opened(arena: Arena, seat: Seat) -> Seat:
    """Share one's own duel.

    Raises:
        Refused, StoreError: as ``Arena.share``.
    """
    _require(seat)
    arena.share(seat.duel, seat.session)
    return replace(seat, shared=True)


def may_go_on(view: Shown | None, seat: Seat) -> bool:
    """True where both answers are there, not of the last turn, and no vote has closed the conversation."""
    answered = view is not None and view.stage is Stage.ANSWERED and len(view.turns) < MOST_TURNS
    return answered and not seat.closed


def awaits_vote(view: Shown | None, seat: Seat) -> bool:
    """True where answers can be judged blind and were not: to go on would throw them away."""
    return view is not None and view.stage is Stage.ANSWERED and not seat.voted and not seat.late


def may_ask_again(view: Shown | None, seat: Seat) -> bool:
    """True where the answers have ended, well or not, or could not begin, and no vote was given."""
    return view is not None and view.stage is not Stage.ANSWERING and not seat.closed


def _told(seat: Seat, receipt: Receipt) -> Seat:
    said = {name: getattr(receipt, name) for name in ("verdict", "ranking", "blind", "reference")}
    return replace(seat, closed=True, **said)


def _require(seat: Seat) -> None:
    """Raises Refused where nobody sits: the server has begun anew since the duel was drawn."""
    if not seat.duel:
        raise refused(Refusal.UNKNOWN)
