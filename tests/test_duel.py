"""A duel is a value: orders in turn give the next one, orders out of turn are refused."""

from __future__ import annotations

from dataclasses import replace

import pytest

from medinject_demo.domain import BASE, MIXTURES, FinishReason, Sampling
from medinject_demo.duel import MOST_TURNS, Draft, Duel, Refusal, Side, Stage, refused
from medinject_demo.errors import Refused
from medinject_demo.votes.records import Ballot, Vote

from .duels import OPEN, WITH_REFERENCE

ASKED = Duel.asked("duel", "voter", WITH_REFERENCE, (MIXTURES[7], BASE), 0.1, Sampling())
BEGUN = ASKED.begin(("print 7", "print 0"), 10.0)
ANSWERED = BEGUN.said(0, "un ").said(0, "deux").finished(0, FinishReason.STOP, 3, 0.5, 11.0)
ANSWERED = ANSWERED.said(1, "trois").finished(1, FinishReason.LENGTH, 9, 0.9, 12.0)


def test_the_sides_are_the_places_of_the_answers() -> None:
    assert [*Side] == [0, 1]
    assert [f"{side}" for side in Side] == ["left", "right"]


def test_the_stages_follow_the_last_turn() -> None:
    half = BEGUN.finished(1, FinishReason.STOP, 1, 0.1, 11.0)
    assert [each.stage for each in (ASKED, BEGUN, half, ANSWERED)] == [
        Stage.ASKED,
        Stage.ANSWERING,
        Stage.ANSWERING,
        Stage.ANSWERED,
    ]
    assert half.finished(0, FinishReason.ERROR, 0, 0.0, 11.0).stage is Stage.FAILED


def test_the_battle_is_the_answers_in_display_order() -> None:
    battle = ANSWERED.battle
    assert [(each.mixture, each.fingerprint, each.text, each.tokens, each.seconds) for each in battle] == [
        (MIXTURES[7], "print 7", "un deux", 3, 0.5),
        (BASE, "print 0", "trois", 9, 0.9),
    ]
    assert (battle.propensity, battle.voter, battle.prompt) == (0.1, "voter", WITH_REFERENCE)


def test_the_time_of_the_answers_is_that_of_the_later_one() -> None:
    assert ANSWERED.last.ended == 12.0
    assert BEGUN.finished(1, FinishReason.STOP, 1, 0.1, 11.0).last.ended is None


def test_a_side_that_has_ended_says_no_more() -> None:
    assert ANSWERED.said(0, "encore") is ANSWERED
    assert ANSWERED.finished(0, FinishReason.ERROR, 0, 0.0, 99.0) is ANSWERED
    assert ANSWERED.halted(0, FinishReason.CANCELLED, 99.0) is ANSWERED


def test_a_side_stopped_keeps_what_it_said_and_counts_its_pieces() -> None:
    stopped = BEGUN.said(0, "un ").said(0, "deux").halted(0, FinishReason.CANCELLED, 14.0)
    assert stopped.last.drafts[0] == Draft("un deux", 2, FinishReason.CANCELLED, 2, 4.0)


def test_stopping_before_the_answers_begin_changes_nothing() -> None:
    assert ASKED.halted(0, FinishReason.CANCELLED, 1.0) is ASKED


def test_what_is_shown_tells_no_arm_no_time_and_no_reference() -> None:
    shown = repr(ANSWERED.shown)
    assert "un deux" in shown
    for hidden in ("print", "Mixture", "0.5", "0.9", "reference='B'", "trad", "voter"):
        assert hidden not in shown


def test_a_duel_comes_back_from_its_battle() -> None:
    asked_on = ANSWERED.followed_up("Et après ?", Sampling(seed=4)).begin(("p", "q"), 20.0)
    done = asked_on.halted(0, FinishReason.CANCELLED, 21.0).halted(1, FinishReason.CANCELLED, 21.0)
    restored = Duel.restored(done.battle, None)
    assert restored.battle == done.battle
    assert restored.stage is Stage.ANSWERED
    assert restored.revealed


def test_answering_anew_forgets_the_last_turn_only() -> None:
    second = ANSWERED.followed_up("Et après ?", Sampling()).begin(("p", "q"), 20.0)
    second = second.halted(0, FinishReason.ERROR, 21.0).halted(1, FinishReason.CANCELLED, 21.0)
    again = second.asked_again(Sampling(seed=3))
    assert again.stage is Stage.ASKED
    assert again.exchanges[0] == ANSWERED.last
    assert (again.last.message, again.last.sampling.seed, again.last.drafts[0].text) == ("Et après ?", 3, "")


def test_a_follow_up_that_is_refused_leaves_the_turns_before_it() -> None:
    assert ANSWERED.followed_up("trop long", Sampling()).unasked() == ANSWERED
    assert ASKED.unasked() == ASKED


def test_there_is_a_most_to_the_turns() -> None:
    duel = replace(ANSWERED, exchanges=ANSWERED.exchanges * MOST_TURNS)
    with pytest.raises(Refused) as held:
        duel.followed_up("encore", Sampling())
    assert held.value.codes == (Refusal.TOO_MANY_TURNS,)


VOTED = replace(ANSWERED, vote=Vote("1", "duel", "voter", 1, "now", Ballot.read("left")))
WITHDRAWN = replace(ANSWERED, vote=Vote("2", "duel", "voter", 2, "now", None))
FAILED = BEGUN.halted(0, FinishReason.ERROR, 11.0).halted(1, FinishReason.CANCELLED, 11.0)


@pytest.mark.parametrize(
    ("order", "refusal"),
    [
        (lambda: BEGUN.begin(("p", "q"), 1.0), Refusal.UNDER_WAY),
        (lambda: ANSWERED.begin(("p", "q"), 1.0), Refusal.UNDER_WAY),
        (lambda: ASKED.asked_again(Sampling()), Refusal.NOT_ANSWERED),
        (lambda: BEGUN.asked_again(Sampling()), Refusal.NOT_ANSWERED),
        (lambda: VOTED.asked_again(Sampling()), Refusal.VOTED),
        (lambda: WITHDRAWN.asked_again(Sampling()), Refusal.VOTED),
        (lambda: BEGUN.followed_up("x", Sampling()), Refusal.NOT_ANSWERED),
        (lambda: FAILED.followed_up("x", Sampling()), Refusal.FAILED),
        (lambda: VOTED.followed_up("x", Sampling()), Refusal.VOTED),
        (ASKED.require_answered, Refusal.NOT_ANSWERED),
        (FAILED.require_answered, Refusal.FAILED),
    ],
)
def test_orders_out_of_turn_are_refused(order, refusal: Refusal) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(Refused) as held:
        order()
    assert held.value.codes == (refusal,)


@pytest.mark.parametrize("refusal", Refusal)
def test_every_refusal_says_expected_got_and_what_to_do(refusal: Refusal) -> None:
    sentence = str(refused(refusal))
    assert ": expected " in sentence
    assert ", got " in sentence
    assert sentence.count(".") >= 2 or ";" in sentence


def test_an_open_prompt_shows_whole() -> None:
    assert replace(ASKED, prompt=OPEN).shown.prompt == replace(OPEN, origin="")
