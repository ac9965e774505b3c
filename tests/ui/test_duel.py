"""The duel's tab, played over HTTP as a browser plays it."""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from medinject_demo.domain import MIXTURES, FinishReason
from medinject_demo.engine.base import Delta, Event, Finished, Request, ScriptedEngine
from medinject_demo.errors import ModelError, StoreError
from medinject_demo.prompts import layout, load_prompts
from medinject_demo.ui.frame import Playground

from .visitor import Visitor, same_words, served

QUESTION = "Quels sont les symptômes de la grippe ?"
CHOICES = next(each for each in load_prompts() if each.options)


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, Playground]]:
    with served(
        tmp_path_factory.mktemp("votes"), ScriptedEngine(lambda r: f"Réponse à « {r.messages[-1]['content']} »")
    ) as it:
        yield it


@pytest.fixture
def visitor(place: tuple[str, Playground], request: pytest.FixtureRequest) -> Iterator[Visitor]:
    visitor = Visitor(place[0], request.node.name)
    yield visitor
    visitor.close()


def asked(visitor: Visitor, question: str = QUESTION) -> Visitor:
    visitor.write("duel-question", question)
    visitor.press("duel-question", "submit")
    return visitor


def test_two_answers_come_and_can_be_voted_on(visitor: Visitor, place: tuple[str, Playground]) -> None:
    assert visitor.sees("ballot") is None or not visitor.props[visitor.ids["ballot"]]["visible"]
    asked(visitor)
    assert all("Réponse à" in visitor.sees(f"duel-{side}") for side in ("left", "right"))
    assert visitor.props[visitor.ids["ballot"]]["visible"]
    visitor.press("verdict-right")
    assert "B est meilleure" in visitor.sees("duel-status")
    battle = place[1].store.live_votes()[-1].vote.battle
    left, right = place[1].store.battle(battle).arms  # type: ignore[union-attr]
    shown = visitor.sees("duel-revealed")
    prints = re.findall(r"<code>(.*?)</code>", shown)
    assert prints == [f"scripted-{arm}"[:16] for arm in (left, right)]


def test_the_reference_comes_after_the_vote_and_before_the_reveal(visitor: Visitor) -> None:
    asked(visitor, layout(CHOICES))
    assert not visitor.props[visitor.ids["duel-judged"]]["visible"]
    visitor.press("verdict-both_good")
    assert CHOICES.reference in visitor.sees("duel-reference")
    assert visitor.sees("duel-revealed") is None
    visitor.write("equivalent-left", True)
    visitor.press("duel-reveal")
    assert "Empreinte" in visitor.sees("duel-revealed")


def test_what_was_said_of_the_reference_is_stored(visitor: Visitor, place: tuple[str, Playground]) -> None:
    asked(visitor, layout(CHOICES))
    visitor.press("verdict-left")
    visitor.write("equivalent-right", False)
    visitor.press("duel-reveal")
    assert place[1].store.live_votes()[-1].vote.equivalent == (None, False)


def test_a_vote_can_be_changed_and_taken_back(visitor: Visitor, place: tuple[str, Playground]) -> None:
    before = place[1].store.counts().votes
    asked(visitor)
    visitor.press("verdict-left")
    visitor.press("verdict-unsure")
    assert "ne compte pas comme aveugle" in visitor.sees("duel-status")
    visitor.press("duel-undo")
    assert "Vote retiré" in visitor.sees("duel-status")
    assert place[1].store.counts().votes == before


def test_reasons_comment_and_profile_go_with_the_verdict(visitor: Visitor, place: tuple[str, Playground]) -> None:
    asked(visitor)
    visitor.write("reasons-left", ["accuracy", "harm"])
    visitor.write("duel-comment", "Très net.")
    visitor.write("duel-profile", "physician")
    visitor.press("verdict-left")
    ballot = place[1].store.live_votes()[-1].ballot
    assert (sorted(ballot.criteria[0]), ballot.comment, ballot.profile) == (
        ["accuracy", "harm"],
        "Très net.",
        "physician",
    )


def test_the_conversation_goes_on_for_several_turns(visitor: Visitor) -> None:
    asked(visitor)
    visitor.write("duel-message", "Et chez l'enfant ?")
    visitor.press("duel-send")
    assert visitor.sees("duel-left").count('class="answer"') == 2
    assert visitor.sees("duel-message") == ""
    visitor.press("verdict-left")
    assert not visitor.props[visitor.ids["duel-conversation"]]["visible"]


def test_both_answers_can_be_given_anew(visitor: Visitor) -> None:
    asked(visitor)
    visitor.press("duel-regenerate")
    assert visitor.sees("duel-left").count('class="answer"') == 1
    assert visitor.props[visitor.ids["ballot"]]["visible"]


def test_the_next_duel_starts_blank_and_after_a_bundled_question_proposes_another(visitor: Visitor) -> None:
    asked(visitor)
    visitor.press("verdict-left")
    visitor.press("duel-next")
    assert visitor.sees("duel-question") == ""
    asked(visitor, layout(CHOICES))
    visitor.press("verdict-left")
    visitor.press("duel-next")
    following = visitor.sees("duel-question")
    assert following != layout(CHOICES) and following in map(layout, load_prompts())
    assert not visitor.props[visitor.ids["duel-judged"]]["visible"]


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("", "Écrivez une question"),
        ("  \n ", "Écrivez une question"),
        ("a" * 100_000, "trop long"),
        ("oui\x07non", "caractères de contrôle"),
        ("Appelez-moi au 06 12 34 56 78", "numéro de téléphone"),
    ],
)
def test_a_text_that_is_held_back_stays_where_it_was_written(visitor: Visitor, text: str, sentence: str) -> None:
    asked(visitor, text)
    assert sentence in visitor.sees("duel-status")
    assert 'role="alert"' in visitor.sees("duel-status")
    assert visitor.sees("duel-question") == text


def test_a_comment_with_personal_data_is_held_back_and_the_vote_not_stored(
    visitor: Visitor, place: tuple[str, Playground]
) -> None:
    asked(visitor)
    before = place[1].store.counts().votes
    visitor.write("duel-comment", "Écrivez à marie@exemple.fr")
    visitor.press("verdict-left")
    assert "adresse électronique" in visitor.sees("duel-status")
    assert place[1].store.counts().votes == before


def test_the_page_speaks_english_when_told(visitor: Visitor) -> None:
    asked(visitor)
    visitor.press("verdict-left")
    visitor.write("language", "en")
    visitor.press("language", "change")
    assert visitor.sees("duel-start") == "Start the duel"
    assert "Who was who" in visitor.sees("duel-revealed")
    assert "Answer A" in visitor.sees("duel-left")


def test_a_failing_side_leaves_the_other_readable_and_the_duel_does_not_count(tmp_path: Path) -> None:
    class HalfBroken(ScriptedEngine):
        def stream(self, requests: Sequence[Request]) -> Iterator[Event]:
            for event in super().stream(requests):
                if event.row == 0:
                    if isinstance(event, Finished):
                        yield Finished(0, FinishReason.ERROR, 0, 0.0, "boom")
                else:
                    yield event

    with served(tmp_path, HalfBroken(same_words)) as (url, services):
        visitor = asked(Visitor(url, "half"))
        assert "n’a pas pu être produite" in visitor.sees("duel-left")
        assert "toux" in visitor.sees("duel-right")
        assert "ne compte pas" in visitor.sees("duel-status")
        assert not visitor.props[visitor.ids["ballot"]]["visible"]
        assert services.store.counts().battles == 0
        visitor.close()


def test_a_full_queue_says_to_wait(tmp_path: Path) -> None:
    class Full(ScriptedEngine):
        def stream(self, requests: Sequence[Request]) -> Iterator[Event]:
            raise ModelError("engine: expected at most 64 rows, got more. Wait.")

    with served(tmp_path, Full(same_words)) as (url, _):
        visitor = asked(Visitor(url, "full"))
        assert "Trop de réponses sont en attente" in visitor.sees("duel-status")
        assert visitor.sees("duel-question") == QUESTION
        visitor.close()


def test_a_vote_that_is_not_stored_is_not_shown_as_stored(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with served(tmp_path) as (url, services):
        visitor = Visitor(url, "lost")

        def fail(*_given: object, **_named: object) -> None:
            raise StoreError("votes: expected a disk with room, got a full one.")

        with monkeypatch.context() as broken:
            broken.setattr(services.store._database, "write", fail)
            broken.setattr(services.store, "check", fail)
            asked(visitor)
            assert "ne sont pas enregistrés" in visitor.sees("duel-status")
            visitor.press("verdict-left")
            assert "n’a pas été enregistré" in visitor.sees("duel-status")
            assert visitor.props[visitor.ids["verdict-left"]]["variant"] == "secondary"
            assert visitor.sees("duel-revealed") is None
        visitor.press("verdict-left")
        assert "Vote enregistré" in visitor.sees("duel-status")
        assert services.store.counts().votes == 1
        visitor.close()


class Slow(ScriptedEngine):
    """Answers without end until its streams are closed; says how many are open."""

    open = 0

    def stream(self, requests: Sequence[Request]) -> Iterator[Event]:
        def events() -> Iterator[Event]:
            Slow.open += 1
            try:
                while True:
                    for row in range(len(requests)):
                        threading.Event().wait(0.02)
                        yield Delta(row, "mot ")
            finally:
                Slow.open -= 1

        return events()


def test_a_client_that_leaves_in_mid_answer_frees_its_rows(tmp_path: Path) -> None:
    with served(tmp_path, Slow(same_words)) as (url, _):
        visitor = Visitor(url, "leaves")
        visitor.write("duel-question", QUESTION)
        coming = visitor.pressing("duel-question", "submit")
        while "mot" not in (visitor.sees("duel-left") or ""):
            next(coming)
        assert Slow.open == 1
        coming.close()  # type: ignore[attr-defined]
        visitor.close()
        for _ in range(200):
            if not Slow.open:
                break
            threading.Event().wait(0.05)
        assert Slow.open == 0


def test_a_side_can_be_stopped_and_still_voted_on(tmp_path: Path) -> None:
    with served(tmp_path, Slow(same_words)) as (url, services):
        visitor, hand = Visitor(url, "stops"), Visitor(url, "stops")
        visitor.write("duel-question", QUESTION)
        coming = visitor.pressing("duel-question", "submit")
        while "mot" not in (visitor.sees("duel-right") or ""):
            next(coming)
        hand.session_hash = visitor.session_hash
        duel = next(iter(services.arena._duels))
        for side in ("left", "right"):
            services.arena.stop(duel, "stops", services_side(side))
        for _ in coming:
            pass
        assert "Réponse arrêtée" in visitor.sees("duel-left")
        visitor.press("verdict-left")
        assert "Vote enregistré" in visitor.sees("duel-status")
        visitor.close()
        hand.close()


def services_side(name: str):  # type: ignore[no-untyped-def]
    from medinject_demo.duel import Side

    return Side(name)


def test_25_visitors_at_once_get_their_own_answers_and_every_vote_is_there(tmp_path: Path) -> None:
    with served(tmp_path, ScriptedEngine(lambda r: f"({r.messages[-1]['content']})")) as (url, services):

        def visit(number: int) -> int:
            visitor, votes = Visitor(url, f"visitor {number}"), 0
            for turn in range(2):
                question = f"Question {number}-{turn} ?"
                asked(visitor, question)
                for side in ("left", "right"):
                    assert f"({question})" in visitor.sees(f"duel-{side}")
                visitor.press("verdict-left")
                votes += "Vote enregistré" in visitor.sees("duel-status")
                visitor.press("duel-next")
            visitor.close()
            return votes

        with ThreadPoolExecutor(25) as pool:
            acknowledged = sum(pool.map(visit, range(25)))
        assert acknowledged == 50 == services.store.counts().votes
        assert services.store.counts().voters == 25


def test_before_the_vote_no_byte_tells_an_arm(tmp_path: Path) -> None:
    """The same words from every arm: then all that a browser is sent is the same whichever arms were drawn."""
    sent, arms = set(), set()
    for seed in range(6):
        with served(tmp_path / str(seed), seed=seed) as (url, services):
            visitor = Visitor(url, "blind")
            asked(visitor)
            visitor.write("duel-message", "Et chez l'enfant ?")
            visitor.press("duel-send")
            visitor.press("duel-regenerate")
            heard = b"\n".join(visitor.heard)
            for mixture in MIXTURES:
                assert f"scripted-{mixture}".encode() not in heard
            duels = b"\n".join(visitor.heard[2:])
            for mixture in MIXTURES[1:]:
                assert not re.search(rb'"%s"' % mixture.slug.encode(), duels)
            sent.add(normalised(heard))
            visitor.press("verdict-left")
            drawn = services.store.battle(services.store.live_votes()[0].vote.battle).arms  # type: ignore[union-attr]
            arms.add(drawn)
            shown = re.findall(r"<code>(.*?)</code>", visitor.sees("duel-revealed"))
            assert shown == [f"scripted-{arm}"[:16] for arm in drawn]
            visitor.close()
    assert len(arms) > 3
    assert len(sent) == 1


def normalised(heard: bytes) -> bytes:
    """What was heard without what differs between any two runs: times, ports, sessions, events and heartbeats."""
    text = heard.decode()
    text = re.sub(r'data: \{"msg":"heartbeat"\}\n*', "", text)
    text = re.sub(
        r'"(event_id|app_id|session_hash|time_in_queue|duration|average_duration|rank_eta|eta|queue_eta|time|avg_event_process_time|avg_event_concurrent_process_time|queue_size|active_jobs|event_data|date|content-length)"(: ?|, )("[^"]*"|[-\d.e]+|null)',
        "",
        text,
    )
    return re.sub(r"127\.0\.0\.1:\d+|localhost:\d+", "", text).encode()
