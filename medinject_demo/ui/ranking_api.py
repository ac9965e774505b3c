"""The ranking's stable interface for programs: ``ranking`` streams answers, ``ranking_vote`` stores ranks."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import gradio as gr
from gradio.events import api

from ..duel import Shown
from ..limiter import Act
from ..votes.records import Ballot
from .duel_api import told_answer, told_state
from .frame import VISITORS, Playground, told_to_programs
from .seat import Seat, ranked, seated_to_rank


def publish(behind: Playground) -> None:
    """Add both to the page that is being built."""

    def ranking(sent: gr.Request, question: str, session: str, count: int = 4) -> Iterator[dict[str, Any]]:
        """Three to eight arms drawn by lot answer a question, or a bundled prompt where the text is one of theirs.

        ``session`` is a token of the caller's own choice, which must not be guessable: the vote needs it again.
        """
        with told_to_programs():
            behind.gate.admit(Act.ASK, sent, session)
            seat = seated_to_rank(behind.arena, session, question, count, behind.prompts, behind.sampling)
            for _ in behind.arena.stream(seat.duel, seat.session):
                yield _told(behind.arena.shown(seat.duel, seat.session))
            yield _told(behind.arena.shown(seat.duel, seat.session))

    def ranking_vote(
        sent: gr.Request, battle: str, session: str, ranks: list[int], comment: str = "", profile: str = "undeclared"
    ) -> dict[str, Any]:
        """Store the rank of each answer (1 for the best, the same where tied), and tell who was who.

        ``blind`` is as ``vote`` tells it.
        """
        with told_to_programs():
            ballot = Ballot.ranked(ranks, comment, profile)
            behind.gate.admit(Act.VOTE, sent, session)
            seat = ranked(behind.arena, Seat(battle, session), ballot)
            last = seat.battle.turns[-1].answers if seat.battle else ()
            said = {"battle": battle, "ranking": list(seat.ranking), "blind": seat.blind, "reference": seat.reference}
            return said | {"answers": [told_answer(each) for each in last]}

    api(ranking, api_name="ranking", concurrency_limit=VISITORS)
    api(ranking_vote, api_name="ranking_vote", concurrency_limit=VISITORS)


def _told(view: Shown) -> dict[str, Any]:
    """A ranking before the vote: texts and how they ended, in display order, and nothing of the arms."""
    return {"answers": list(view.turns[-1].texts)} | told_state(view)
