"""Orders of a duel that meet another: a second verdict, one of another page, a stop as the answers end."""

from __future__ import annotations

import re

import pytest

from medinject_demo.domain import FinishReason, Kind, Prompt, Verdict
from medinject_demo.duel import Shown, ShownTurn, Stage
from medinject_demo.prompts import layout
from medinject_demo.ui import duel_view
from medinject_demo.ui.frame import Playground

from .test_duel import CHOICES, QUESTION, asked, latest, prints
from .visitor import Visitor


def test_between_a_vote_and_its_reveal_no_other_verdict_is_taken(visitor: Visitor, services: Playground) -> None:
    asked(visitor, layout(CHOICES))
    visitor.press("verdict-left")
    assert [verdict for verdict in Verdict if visitor.presses(f"verdict-{verdict}")] == ["left"]
    visitor.press("verdict-right")
    assert "c’est lui qui compte" in visitor.value("duel-status")
    assert latest(services).ballot.verdict == "left"
    visitor.write("reasons-left", ["harm"])
    visitor.press("verdict-left")
    assert latest(services).ballot.criteria[0] == {"harm"}


def test_of_two_verdicts_at_once_one_is_stored_and_shown(visitor: Visitor, services: Playground) -> None:
    asked(visitor)
    visitor.begin("verdict-left")
    visitor.begin("verdict-right")
    for _ in visitor.listen():
        pass
    stored = latest(services)
    assert stored.vote.blind
    assert len(services.store.history(stored.vote.battle, stored.vote.voter)) == 1
    assert f"Vous avez préféré {'A' if stored.ballot.verdict == 'left' else 'B'}" in visitor.value("duel-revealed")


def test_a_vote_given_on_another_page_stands_and_is_shown(visitor: Visitor, services: Playground) -> None:
    asked(visitor)
    duel = re.findall(r'data-battle="(.*?)"', visitor.value("duel-asked"))[0]
    other = Visitor(str(visitor.client.base_url), visitor.token)
    other.session_hash = "another page"
    other.arrive(duel)
    other.press("verdict-left")
    visitor.press("verdict-right")
    assert "c’est lui qui compte" in visitor.value("duel-status")
    assert prints(visitor) == prints(other) != []
    assert (latest(services).ballot.verdict, latest(services).vote.blind) == ("left", True)
    other.close()


@pytest.mark.parametrize(
    ("reasons", "said"),
    [((FinishReason.CANCELLED, None), "Réponse arrêtée"), ((FinishReason.CANCELLED,) * 2, "à vous de voter")],
)
def test_what_is_said_of_an_answer_that_was_stopped_is_true_of_the_other_one(
    reasons: tuple[FinishReason | None, ...], said: str
) -> None:
    stage = Stage.ANSWERING if None in reasons else Stage.ANSWERED
    view = Shown("duel", Prompt(Kind.OEQ, QUESTION), stage, (ShownTurn("", ("Un", "Deux"), reasons),))
    assert said in duel_view.stopped("fr", view)
