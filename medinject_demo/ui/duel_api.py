"""The duel's stable interface for programs: ``battle`` streams two answers, ``vote`` stores a verdict and reveals."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import gradio as gr
from gradio.events import api

from ..domain import Answer, Battle
from ..duel import Shown
from ..errors import InvalidValue
from ..limiter import Act
from ..votes.records import Ballot
from .frame import VISITORS, Playground, told_to_programs
from .seat import Seat, revealed, seated, voted


def publish(behind: Playground) -> None:
    """Add both to the page that is being built."""

    def battle(sent: gr.Request, question: str, session: str) -> Iterator[dict[str, Any]]:
        """Two arms drawn by lot answer a question, or a bundled prompt where the text is one of theirs.

        ``session`` is a token of the caller's own choice, which must not be guessable: the vote needs it again.
        """
        with told_to_programs():
            behind.gate.admit(Act.ASK, sent, session)
            seat = seated(behind.arena, session, question, behind.prompts, behind.sampling)
            for _ in behind.arena.stream(seat.duel, seat.session):
                yield _told(behind.arena.shown(seat.duel, seat.session))
            yield _told(behind.arena.shown(seat.duel, seat.session))

    def vote(  # noqa: PLR0913, PLR0917 - a program's interface: an argument for each thing that is said
        sent: gr.Request,
        battle: str,
        session: str,
        verdict: str,
        reasons_left: list[str] | None = None,
        reasons_right: list[str] | None = None,
        comment: str = "",
        profile: str = "undeclared",
        equivalent_left: bool | None = None,
        equivalent_right: bool | None = None,
    ) -> dict[str, Any]:
        """Store a verdict (left, right, both_good, both_bad, unsure) and tell who was who.

        ``blind`` is false where the verdict was not: after the reveal, or after this session was told, by an earlier
        vote on the same question, what one of the arms answers. It is kept, and counts on no board.
        """
        with told_to_programs():
            if not {type(equivalent_left), type(equivalent_right)} <= {bool, type(None)}:
                got = repr((equivalent_left, equivalent_right))[:60]
                raise InvalidValue.of("equivalence", expected="true, false or null for each side", got=got)
            ballot = Ballot.read(verdict, (reasons_left or (), reasons_right or ()), comment, profile)
            behind.gate.admit(Act.VOTE, sent, session)
            seat = voted(behind.arena, Seat(battle, session), ballot)
            if not seat.late:
                seat = revealed(behind.arena, seat, (equivalent_left, equivalent_right))
            said = {"battle": battle, "verdict": verdict, "blind": seat.blind, "reference": seat.reference}
            return said | _revealed(seat.battle)

    api(battle, api_name="battle", concurrency_limit=VISITORS)
    api(vote, api_name="vote", concurrency_limit=VISITORS)


def _told(view: Shown) -> dict[str, Any]:
    """A duel before the vote: texts and how they ended, by side, and nothing of the arms."""
    left, right = view.turns[-1].texts
    return {"left": left, "right": right} | told_state(view)


def told_state(view: Shown) -> dict[str, Any]:
    """How far the answers are, in display order."""
    ended = [reason.value if reason else None for reason in view.turns[-1].reasons]
    return {"battle": view.id, "stage": view.stage.value, "ended": ended}


def _revealed(battle: Battle | None) -> dict[str, Any]:
    if battle is None:
        return {}
    left, right = battle.turns[-1].answers
    return {"left": told_answer(left), "right": told_answer(right)}


def told_answer(answer: Answer) -> dict[str, Any]:
    """An answer after the vote: its arm, and what was measured of it."""
    return {
        "mixture": answer.mixture.slug,
        "provenances": [each.value for each in answer.mixture.provenances],
        "fingerprint": answer.fingerprint,
        "words": answer.words,
        "tokens": answer.tokens,
        "seconds": round(answer.seconds, 3),
        "style": answer.style,
        "cached": answer.cached,
    }
