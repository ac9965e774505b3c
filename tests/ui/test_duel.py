"""The duel's tab, played over HTTP as a browser plays it."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from medinject_demo.domain import MIXTURES
from medinject_demo.duel import MOST_TURNS
from medinject_demo.engine.base import ScriptedEngine
from medinject_demo.prompts import layout, load_prompts
from medinject_demo.ui.frame import Playground
from medinject_demo.votes.records import LiveVote

from .visitor import Visitor, echo_of, served

QUESTION = "Quels sont les symptômes de la grippe ?"
CHOICES = next(each for each in load_prompts() if each.options)


def asked(visitor: Visitor, question: str = QUESTION) -> Visitor:
    visitor.write("duel-question", question)
    visitor.press("duel-question", "submit")
    return visitor


def latest(services: Playground) -> LiveVote:
    return max(services.store.live_votes(), key=lambda live: live.vote.at)


def prints(visitor: Visitor) -> list[str]:
    """The fingerprints that the reveal shows, left then right."""
    return re.findall(r"<code>(.*?)</code>", visitor.value("duel-revealed"))


def test_two_answers_come_and_a_vote_reveals_who_was_who(visitor: Visitor, services: Playground) -> None:
    assert not visitor.sees("ballot")
    asked(visitor)
    assert all("Réponse à" in visitor.value(f"duel-{side}") for side in ("left", "right"))
    assert visitor.sees("ballot")
    assert not visitor.sees("duel-revealed")
    visitor.press("verdict-right")
    assert "Vote enregistré" in visitor.value("duel-status")
    battle = services.store.battle(latest(services).vote.battle)
    assert battle is not None
    assert prints(visitor) == [f"scripted-{arm}"[:16] for arm in battle.arms]


def test_the_reference_comes_after_the_vote_and_before_the_reveal(visitor: Visitor) -> None:
    asked(visitor, layout(CHOICES))
    assert not visitor.sees("duel-judged")
    visitor.press("verdict-both_good")
    assert f">{CHOICES.reference}<" in visitor.value("duel-reference")
    assert not visitor.sees("duel-revealed")
    visitor.press("duel-reveal")
    assert len(prints(visitor)) == 2


def test_what_was_said_of_the_reference_is_stored(visitor: Visitor, services: Playground) -> None:
    asked(visitor, layout(CHOICES))
    visitor.press("verdict-left")
    visitor.write("equivalent-right", False)
    visitor.press("duel-reveal")
    assert latest(services).vote.equivalent == (None, False)


def test_a_vote_can_be_changed_and_taken_back(visitor: Visitor, services: Playground) -> None:
    before = services.store.counts().votes
    asked(visitor)
    assert "touches 1\u00a0à\u00a05" in visitor.value("verdict-head")
    visitor.press("verdict-left")
    assert "ne comptera pas comme aveugle" in visitor.value("verdict-head")
    visitor.press("verdict-unsure")
    assert "ne compte pas comme aveugle" in visitor.value("duel-status")
    visitor.press("duel-undo")
    for told in ("duel-status", "duel-revealed"):
        assert "Vote retiré" in visitor.value(told)
        assert "ne compterait pas comme aveugle" in visitor.value(told)
    assert services.store.counts().votes == before


def test_a_vote_that_is_taken_back_before_the_reveal_may_be_given_again_blind(
    visitor: Visitor, services: Playground
) -> None:
    asked(visitor, layout(CHOICES))
    visitor.press("verdict-left")
    assert "retirez votre vote" in visitor.value("verdict-head")
    visitor.press("duel-undo")
    assert "voter de nouveau" in visitor.value("duel-status")
    assert "touches 1\u00a0à\u00a05" in visitor.value("verdict-head")
    visitor.press("verdict-right")
    assert latest(services).vote.blind


def test_reasons_comment_and_profile_go_with_the_verdict(visitor: Visitor, services: Playground) -> None:
    asked(visitor)
    visitor.write("reasons-left", ["accuracy", "harm"])
    visitor.write("duel-comment", "Très net.")
    visitor.write("duel-profile", "physician")
    visitor.press("verdict-left")
    ballot = latest(services).ballot
    assert sorted(ballot.criteria[0]) == ["accuracy", "harm"]
    assert (ballot.comment, ballot.profile) == ("Très net.", "physician")


def test_who_compares_the_question_of_an_open_duel_is_told_that_the_vote_is_not_blind(
    visitor: Visitor, services: Playground
) -> None:
    for number, question in enumerate((QUESTION, layout(CHOICES))):
        asked(visitor, question)
        visitor.write("compare-question", question)
        visitor.write("compare-arms", [arm.slug for arm in MIXTURES])
        visitor.press_through("compare-ask")
        visitor.press("verdict-left")
        assert ("déjà vu" in visitor.value("duel-status")) == (number == 0)  # before the reveal it would tell an arm
        if number:
            visitor.press("duel-reveal")
        assert "déjà vu, sous son nom" in visitor.value("duel-status")
        assert not latest(services).vote.blind


def test_who_has_compared_some_arms_is_shown_the_others(visitor: Visitor, services: Playground) -> None:
    visitor.write("compare-question", QUESTION)
    visitor.write("compare-arms", [arm.slug for arm in MIXTURES[:6]])
    visitor.press_through("compare-ask")
    asked(visitor)
    visitor.press("verdict-left")
    assert set(latest(services).arms) == set(MIXTURES[6:])
    assert latest(services).vote.blind
    assert "déjà vu" not in visitor.value("duel-status")


def test_the_conversation_goes_on_until_the_vote(visitor: Visitor) -> None:
    asked(visitor)
    visitor.write("duel-message", "Et chez l'enfant ?")
    visitor.press("duel-send")
    assert visitor.value("duel-left").count('class="answer"') == 2
    assert "Et chez l" in visitor.value("duel-right")
    assert not visitor.value("duel-message")
    visitor.press("verdict-left")
    assert not visitor.sees("duel-conversation")


def test_nothing_asks_for_a_message_after_the_last_turn(visitor: Visitor) -> None:
    asked(visitor)
    for turn in range(2, MOST_TURNS + 1):
        assert visitor.sees("duel-conversation")
        visitor.write("duel-message", f"Tour {turn} ?")
        visitor.press("duel-send")
    assert visitor.value("duel-left").count('class="answer"') == MOST_TURNS
    assert not visitor.sees("duel-conversation")
    assert "dernier tour" in visitor.value("duel-status")
    visitor.press("verdict-left")
    assert "Vote enregistré" in visitor.value("duel-status")


def test_verdicts_come_first_until_one_is_given_and_the_next_duel_after(visitor: Visitor) -> None:
    def variants() -> list[str]:
        return [visitor.props[visitor.ids[each]]["variant"] for each in ("verdict-left", "verdict-right", "duel-next")]

    asked(visitor)
    assert variants() == ["primary", "primary", "secondary"]
    assert "sans voter" in visitor.value("duel-next")
    visitor.press("verdict-left")
    assert variants() == ["primary", "secondary", "primary"]
    assert visitor.value("duel-next").replace("\xa0", " ") == "Duel suivant (N)"
    visitor.press("duel-undo")
    assert variants() == ["secondary", "secondary", "primary"]


def test_what_is_written_while_the_answers_come_stays(visitor: Visitor) -> None:
    asked(visitor)
    visitor.write("duel-message", "Et chez l'enfant ?")
    coming = visitor.pressing("duel-send")
    while visitor.value("duel-message"):
        next(coming)
    visitor.write("duel-message", "Et chez la femme enceinte ?")
    for _ in coming:
        pass
    assert visitor.value("duel-message") == "Et chez la femme enceinte ?"


def test_the_reveal_counts_all_turns(visitor: Visitor) -> None:
    asked(visitor, "un deux")
    visitor.write("duel-message", "trois")
    visitor.press("duel-send")
    visitor.press("verdict-left")
    said = len(echo_of("un deux").split()) + len(echo_of("trois").split())
    assert visitor.value("duel-revealed").count(f"<td>{said}</td>") == 2


def test_both_answers_can_be_given_anew(visitor: Visitor) -> None:
    asked(visitor)
    visitor.press("duel-regenerate")
    assert visitor.value("duel-left").count('class="answer"') == 1
    assert visitor.sees("ballot")


def test_the_next_duel_starts_blank_and_after_a_bundled_question_proposes_another(visitor: Visitor) -> None:
    asked(visitor)
    visitor.press("verdict-left")
    visitor.press("duel-next")
    assert not visitor.value("duel-question")
    asked(visitor, layout(CHOICES))
    visitor.press("verdict-left")
    visitor.press("duel-next")
    following = visitor.value("duel-question")
    assert following != layout(CHOICES)
    assert following in map(layout, load_prompts())
    assert not visitor.sees("duel-judged")
    assert not visitor.sees("duel-area")


def test_what_was_written_since_is_kept_for_the_next_duel(visitor: Visitor) -> None:
    asked(visitor, layout(CHOICES))
    visitor.press("verdict-left")
    visitor.write("duel-question", "La suivante ?")
    visitor.press("duel-next")
    assert visitor.value("duel-question") == "La suivante ?"


def test_the_question_that_was_put_stays_above_its_answers(visitor: Visitor) -> None:
    asked(visitor, "Pourquoi <b>tousse</b>-t-on ?")
    visitor.write("duel-question", "Autre chose")
    visitor.press("duel-plain", "change")
    assert "Pourquoi &lt;b&gt;tousse&lt;/b&gt;-t-on ?" in visitor.value("duel-asked")


def test_what_was_said_of_the_answers_survives_a_follow_up(visitor: Visitor) -> None:
    asked(visitor)
    visitor.write("duel-comment", "Très net.")
    visitor.write("duel-message", "Et chez l'enfant ?")
    visitor.press("duel-send")
    assert visitor.value("duel-comment") == "Très net."
    asked(visitor, "Autre question ?")
    assert not visitor.value("duel-comment")


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("", "Écrivez une question"),
        ("  \n ", "Écrivez une question"),
        ("a" * 100_000, "trop long"),
        ("oui\x07non", "caractères de contrôle"),
        ("Appelez-moi au 06 12 34 56 78", "numéro de téléphone"),
    ],
    ids=["empty", "blank", "huge", "control", "phone"],
)
def test_a_text_that_is_held_back_stays_where_it_was_written(visitor: Visitor, text: str, sentence: str) -> None:
    asked(visitor, text)
    assert sentence in visitor.value("duel-status")
    assert 'role="alert"' in visitor.value("duel-status")
    assert visitor.value("duel-question") == text
    assert not visitor.sees("duel-area")


def test_a_comment_with_personal_data_is_held_back_and_the_vote_with_it(visitor: Visitor, services: Playground) -> None:
    asked(visitor)
    before = services.store.counts().votes
    visitor.write("duel-comment", "Écrivez à marie@exemple.fr")
    visitor.press("verdict-left")
    assert "adresse électronique" in visitor.value("duel-status")
    assert services.store.counts().votes == before


def test_a_message_that_is_held_back_leaves_the_conversation_as_it_is(visitor: Visitor) -> None:
    asked(visitor)
    visitor.write("duel-message", " ")
    visitor.press("duel-send")
    assert "Écrivez une question" in visitor.value("duel-status")
    assert visitor.value("duel-message") == " "
    visitor.press("verdict-left")
    assert "Vote enregistré" in visitor.value("duel-status")


def test_the_page_speaks_english_when_told(visitor: Visitor) -> None:
    asked(visitor)
    visitor.press("verdict-left")
    visitor.write("language", "en")
    visitor.press("language", "change")
    assert visitor.value("duel-start") == "Start the duel"
    assert "Vote stored" in visitor.value("duel-status")
    assert "data-focus" not in visitor.value("duel-status")
    assert "Who was who" in visitor.value("duel-revealed")
    assert "Answer A" in visitor.value("duel-left")


def test_a_refusal_follows_the_language(visitor: Visitor) -> None:
    asked(visitor, "Appelez-moi au 06 12 34 56 78")
    visitor.write("language", "en")
    visitor.press("language", "change")
    assert "phone number" in visitor.value("duel-status")
    asked(visitor)
    visitor.write("language", "fr")
    visitor.press("language", "change")
    assert "Les deux réponses sont terminées" in visitor.value("duel-status")


def test_html_of_models_and_visitors_is_shown_as_it_was_written(tmp_path: Path) -> None:
    attack = "<img src=x onerror=alert(1)> [lien](javascript:alert(1)) \u202e{{7*7}} ${alert(1)}"
    with served(tmp_path, ScriptedEngine(lambda request: attack)) as (url, _):
        visitor = asked(Visitor(url, "attack"), attack)
        assert "alert" not in visitor.value("duel-status")
        visitor.write("duel-message", attack)
        visitor.press("duel-send")
        for side in ("left", "right"):
            shown = visitor.value(f"duel-{side}")
            assert "&lt;img" in shown
            assert "<img" not in shown
            assert "<a " not in shown
            assert "\u202e" not in shown
        visitor.close()


def test_plain_text_can_be_asked_for(visitor: Visitor) -> None:
    asked(visitor, "**gras**")
    assert "<strong>gras</strong>" in visitor.value("duel-left")
    visitor.write("duel-plain", True)
    visitor.press("duel-plain", "change")
    assert "**gras**" in visitor.value("duel-left")
