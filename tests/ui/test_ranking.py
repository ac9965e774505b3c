"""The blind ranking, played over HTTP as a browser plays it, and as a program calls it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from gradio_client import Client
from gradio_client.exceptions import AppError

from medinject_demo.domain import MIXTURES
from medinject_demo.engine.base import ScriptedEngine
from medinject_demo.prompts import layout
from medinject_demo.ui.frame import Playground
from medinject_demo.votes.records import LiveVote, Profile

from .test_blinding import normalised
from .test_duel import CHOICES, QUESTION
from .test_gate import guarded
from .visitor import Visitor, same_words, served

ME = "a token of mine"


@pytest.fixture(scope="module")
def client(place: tuple[str, Playground]) -> Iterator[Client]:
    client = Client(place[0], verbose=False)
    yield client
    client.close()


def asked(visitor: Visitor, count: int = 4, question: str = QUESTION) -> Visitor:
    visitor.write("ranking-question", question)
    visitor.write("ranking-count", count)
    visitor.press("ranking-question", "submit")
    return visitor


def ranked(visitor: Visitor, order: str) -> Visitor:
    visitor.write("ranking-order", order)
    visitor.press("ranking-submit")
    return visitor


def latest(services: Playground) -> LiveVote:
    return max(services.store.live_votes(), key=lambda live: live.vote.at)


def prints(visitor: Visitor) -> list[str]:
    """The fingerprints that the reveal shows, the best first."""
    return re.findall(r"<code>(.*?)</code>", visitor.value("ranking-revealed"))


def test_who_has_compared_all_arms_is_told_that_a_ranking_is_not_blind(visitor: Visitor, services: Playground) -> None:
    asked(visitor, 3)
    visitor.write("compare-question", QUESTION)
    visitor.write("compare-arms", [arm.slug for arm in MIXTURES])
    visitor.press_through("compare-ask")
    ranked(visitor, "A > B > C")
    assert "déjà vu, sous son nom" in visitor.value("ranking-status")
    assert not latest(services).vote.blind


@pytest.mark.parametrize("count", range(3, 9))
def test_so_many_answers_come_and_a_ranking_reveals_who_was_who(
    visitor: Visitor, services: Playground, count: int
) -> None:
    assert not visitor.sees("ranking-ballot")
    asked(visitor, count)
    assert visitor.value("ranking-cards").count("Réponse à") == count
    assert visitor.value("ranking-list").count("<li ") == count
    assert not visitor.sees("ranking-revealed")
    order = " > ".join("HGFEDCBA"[-count:])
    ranked(visitor, order)
    assert f"Classement enregistré : {order}." in visitor.value("ranking-status").replace("\xa0", " ").replace(
        "&gt;", ">"
    )
    live = latest(services)
    assert live.ranking == tuple(range(count, 0, -1))
    assert prints(visitor) == [f"scripted-{arm}"[:16] for arm in reversed(live.arms)]


def test_an_order_that_nobody_gave_is_refused_and_all_may_be_tied_by_hand(
    visitor: Visitor, services: Playground
) -> None:
    asked(visitor, 3)
    before = services.store.counts().votes
    visitor.press("ranking-submit")
    assert "rien classé" in visitor.value("ranking-status")
    assert "A = B = C" in visitor.value("ranking-status")
    assert services.store.counts().votes == before
    ranked(visitor, "A = B = C")
    assert latest(services).ranking == (1, 1, 1)


def test_ranks_are_there_before_anything_is_moved(visitor: Visitor) -> None:
    asked(visitor, 3)
    assert visitor.value("ranking-list").count('<span class="rank">1 (ex æquo)</span>') == 3


def test_a_ranking_can_be_changed_and_taken_back(visitor: Visitor, services: Playground) -> None:
    before = services.store.counts().votes
    assert "ne comptera pas" not in asked(visitor, 3).value("ranking-head")
    ranked(visitor, "A > B > C")
    assert "ne comptera pas comme aveugle" in visitor.value("ranking-head")
    ranked(visitor, "C > B = A")
    assert latest(services).ranking == (2, 2, 1)
    assert "ne compte pas comme aveugle" in visitor.value("ranking-status")
    visitor.press("ranking-undo")
    assert "Classement retiré" in visitor.value("ranking-status")
    assert "ne compterait pas comme aveugle" in visitor.value("ranking-status")
    assert services.store.counts().votes == before


def test_comment_and_profile_go_with_the_ranking(visitor: Visitor, services: Playground) -> None:
    asked(visitor, 3)
    visitor.write("ranking-comment", "Net.")
    visitor.write("ranking-profile", "physician")
    ranked(visitor, "A > B > C")
    assert (latest(services).ballot.comment, latest(services).ballot.profile) == ("Net.", Profile.PHYSICIAN)


@pytest.mark.parametrize("order", ["A > B", "A > B > C > C", "x"])
def test_an_order_that_is_none_is_said_and_nothing_is_stored(
    visitor: Visitor, services: Playground, order: str
) -> None:
    asked(visitor, 3)
    before = services.store.counts().votes
    ranked(visitor, order)
    assert "chaque réponse une fois" in visitor.value("ranking-status")
    assert visitor.value("ranking-order") == order
    assert services.store.counts().votes == before


def test_the_reference_comes_with_the_reveal(visitor: Visitor) -> None:
    asked(visitor, 3, layout(CHOICES))
    assert not visitor.value("ranking-reference")
    ranked(visitor, "A = B > C")
    assert f">{CHOICES.reference}<" in visitor.value("ranking-reference")


def test_the_next_ranking_starts_blank(visitor: Visitor) -> None:
    ranked(asked(visitor, 3), "A = B > C")
    visitor.press("ranking-next")
    assert not visitor.sees("ranking-area")
    assert not visitor.sees("ranking-revealed")
    assert not visitor.value("ranking-order")


def test_a_question_that_is_held_back_stays_where_it_was_written(visitor: Visitor) -> None:
    asked(visitor, 3, "Appelez-moi au 06 12 34 56 78")
    assert "numéro de téléphone" in visitor.value("ranking-status")
    assert not visitor.sees("ranking-area")


def test_a_ranking_is_shared_by_a_link_that_opens_its_own_mode_blind(
    visitor: Visitor, services: Playground, place: tuple[str, Playground]
) -> None:
    ranked(asked(visitor, 3), "A > B > C")
    visitor.press("ranking-share")
    (link,) = re.findall(r'data-duel="(.*?)"', visitor.value("ranking-link"))
    guest = Visitor(place[0], "guest of a ranking")
    guest.arrive(link)
    assert (guest.value("blind-mode"), guest.sees("mode-ranking"), guest.sees("mode-duel")) == ("ranking", True, False)
    assert guest.value("ranking-cards") == visitor.value("ranking-cards")
    assert not guest.sees("ranking-revealed")
    assert not guest.value("ranking-order")
    ranked(guest, "C > A > B")
    assert sorted(prints(guest)) == sorted(prints(visitor))
    assert sorted(each.ranking for each in services.store.live_votes() if each.vote.battle == link) == [
        (1, 2, 3),
        (2, 3, 1),
    ]
    guest.close()


def test_before_the_vote_no_byte_tells_an_arm(tmp_path: Path) -> None:
    """All arms say the same words here: then everything sent is the same, whichever arms were drawn."""
    heard, drawn = set(), set()
    with served(tmp_path) as (url, services):
        for number in range(8):
            visitor = asked(Visitor(url, f"blind {number}"), 5)
            visitor.press("ranking-regenerate")
            heard.add(normalised(visitor.heard))
            ranked(visitor, "E > D = C > B > A")
            live = latest(services)
            assert sorted(prints(visitor)) == sorted(f"scripted-{arm}"[:16] for arm in live.arms)
            drawn.add(live.arms)
            visitor.close()
    assert len(drawn) > 4
    assert len(heard) == 1
    assert b"scripted-" not in heard.pop()


def test_html_of_models_is_shown_as_it_was_written(tmp_path: Path) -> None:
    attack = "<img src=x onerror=alert(1)> \u202e"
    with served(tmp_path, ScriptedEngine(lambda request: attack)) as (url, _):
        visitor = asked(Visitor(url, "attack"), 3, attack)
        for part in ("ranking-cards", "ranking-list"):
            assert "&lt;img" in visitor.value(part)
            assert "<img" not in visitor.value(part)
            assert "\u202e" not in visitor.value(part)
        visitor.close()


def test_with_fewer_than_three_arms_there_is_nothing_to_rank(tmp_path: Path) -> None:
    with served(tmp_path, ScriptedEngine(same_words, MIXTURES[:2])) as (url, _):
        visitor = Visitor(url, "two arms")
        assert not visitor.sees("blind-mode")
        assert "ranking-start" not in visitor.ids
        visitor.close()


def fought(client: Client, count: int = 3) -> dict[str, Any]:
    job = client.submit(QUESTION, ME, count, api_name="/ranking")
    states = list(job)
    job.result()  # where it was refused there is no state, and this raises
    return dict(states[-1])


def test_a_program_ranks_and_learns_who_was_who(client: Client, services: Playground) -> None:
    state = fought(client, 5)
    assert set(state) == {"battle", "stage", "answers", "ended"}
    assert len(state["answers"]) == 5
    told = client.predict(state["battle"], ME, [1, 1, 3, 4, 4], api_name="/ranking_vote")
    assert told["ranking"] == [1, 1, 2, 3, 3]
    stored = services.store.battle(state["battle"])
    assert stored is not None
    assert [each["mixture"] for each in told["answers"]] == [arm.slug for arm in stored.arms]
    assert latest(services).propensity == 1 / 56


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"ranks": [1, 2]}, "ranking: expected a whole number"),
        ({"ranks": [1, 2, 3, 4]}, "expected a ranking of 3 answers, got a ranking of 4"),
        ({"ranks": [1, 2, 0]}, "ranking: expected a whole number"),
        ({"session": "somebody else"}, "got an unknown one"),
        ({"battle": "forged"}, "unknown"),
        ({"comment": "marie@exemple.fr"}, "comment"),
    ],
    ids=["two", "four", "zero", "foreign", "unknown", "comment"],
)
def test_a_forged_ranking_is_refused_with_one_sentence_and_nothing_is_stored(
    client: Client, services: Playground, changes: dict[str, Any], sentence: str
) -> None:
    battle = fought(client)["battle"]
    before = services.store.counts()
    with pytest.raises(AppError, match=sentence):
        client.predict(**({"battle": battle, "session": ME, "ranks": [1, 2, 3]} | changes), api_name="/ranking_vote")
    assert services.store.counts() == before


def test_a_verdict_on_a_ranking_and_a_ranking_of_a_duel_are_refused(client: Client) -> None:
    with pytest.raises(AppError, match="expected a ranking of 3 answers, got a verdict"):
        client.predict(fought(client)["battle"], ME, "left", api_name="/vote")
    job = client.submit(QUESTION, ME, api_name="/battle")
    job.result()
    with pytest.raises(AppError, match="expected a verdict on two answers"):
        client.predict(list(job)[-1]["battle"], ME, [1, 2, 3], api_name="/ranking_vote")


@pytest.mark.parametrize("count", [2, 9])
def test_more_or_fewer_answers_than_can_be_ranked_are_refused(client: Client, count: int) -> None:
    with pytest.raises(AppError, match="expected 3 to 8 arms to rank"):
        fought(client, count)


def test_rankings_pass_the_gate_that_duels_pass(tmp_path: Path) -> None:
    with guarded(tmp_path, asks_per_voter="1/minute", votes_per_voter="1/minute") as (url, behind):
        visitor = ranked(asked(Visitor(url, "eager"), 3), "C > A = B")
        ranked(visitor, "A > B > C")
        assert "plus vite" in visitor.value("ranking-status")
        assert visitor.value("ranking-order") == "A > B > C"
        visitor.press("ranking-next")
        asked(visitor, 3, "Une autre question ?")
        assert "Vous posez vos questions plus vite" in visitor.value("ranking-status")
        assert visitor.value("ranking-question") == "Une autre question ?"
        assert [live.ranking for live in behind.store.live_votes()] == [(2, 2, 1)]
        visitor.close()
