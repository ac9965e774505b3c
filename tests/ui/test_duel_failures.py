"""The duel's tab where something breaks: an engine, a store, a visitor who leaves, too many of them."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from medinject_demo.domain import FinishReason
from medinject_demo.engine.base import Delta, Event, Finished, Request, ScriptedEngine
from medinject_demo.errors import ModelError, StoreError

from .test_duel import QUESTION, asked
from .visitor import Visitor, same_words, served


class HalfBroken(ScriptedEngine):
    """Its first row fails at once."""

    def stream(self, requests: Sequence[Request]) -> Iterator[Event]:
        yield Finished(0, FinishReason.ERROR, 0, 0.0, "boom in base")
        yield from (event for event in super().stream(requests) if event.row)


class Full(ScriptedEngine):
    """Takes nothing."""

    def stream(self, requests: Sequence[Request]) -> Iterator[Event]:
        raise ModelError("engine: expected at most 64 rows, got more. Wait.")


class Endless(ScriptedEngine):
    """Answers until its streams are closed, and knows how many are open."""

    def __init__(self) -> None:
        super().__init__(same_words)
        self.open = 0

    def stream(self, requests: Sequence[Request]) -> Iterator[Event]:
        return self._events(len(requests))

    def _events(self, rows: int) -> Iterator[Event]:
        self.open += 1
        try:
            while True:
                threading.Event().wait(0.02)
                yield from (Delta(row, "mot ") for row in range(rows))
        finally:
            self.open -= 1


def answering(visitor: Visitor) -> Iterator[str]:
    """Ask, and stop listening once both sides have begun."""
    visitor.write("duel-question", QUESTION)
    coming = visitor.pressing("duel-question", "submit")
    while not all("mot" in (visitor.value(f"duel-{side}") or "") for side in ("left", "right")):
        next(coming)
    return coming


def test_a_failing_side_leaves_the_other_readable_and_the_duel_does_not_count(tmp_path: Path) -> None:
    with served(tmp_path, HalfBroken(same_words)) as (url, services):
        visitor = asked(Visitor(url, "half"))
        assert "n’a pas pu être produite" in visitor.value("duel-left")
        assert "toux" in visitor.value("duel-right")
        assert "ne compte pas" in visitor.value("duel-status")
        assert not visitor.sees("ballot")
        assert visitor.sees("duel-regenerate")
        assert services.store.counts().kept == 0
        assert b"boom" not in b"".join(visitor.heard)
        visitor.close()


def test_a_full_queue_says_to_wait_and_the_question_stays(tmp_path: Path) -> None:
    with served(tmp_path, Full(same_words)) as (url, _):
        visitor = asked(Visitor(url, "full"))
        assert "Trop de réponses sont en attente" in visitor.value("duel-status")
        assert visitor.value("duel-question") == QUESTION
        visitor.close()


def test_a_follow_up_that_the_queue_refused_can_be_put_again(tmp_path: Path) -> None:
    class FullOnce(ScriptedEngine):
        calls = 0

        def stream(self, requests: Sequence[Request]) -> Iterator[Event]:
            self.calls += 1
            if self.calls == 2:
                raise ModelError("engine: expected at most 64 rows, got more. Wait.")
            return super().stream(requests)

    with served(tmp_path, FullOnce(same_words)) as (url, services):
        visitor = asked(Visitor(url, "once"))
        visitor.write("duel-message", "Et chez l'enfant ?")
        visitor.press("duel-send")
        assert "Trop de réponses sont en attente" in visitor.value("duel-status")
        assert visitor.sees("duel-regenerate")
        visitor.press("duel-regenerate")
        assert visitor.value("duel-left").count("toux") == 2
        visitor.press("verdict-left")
        assert services.store.counts().votes == 1
        visitor.close()


def test_nothing_else_can_be_asked_while_answers_come(tmp_path: Path) -> None:
    engine = Endless()
    with served(tmp_path, engine) as (url, services):
        visitor = Visitor(url, "twice")
        coming = answering(visitor)
        visitor.write("duel-question", "Autre chose ?")
        visitor.begin("duel-question", "submit")
        while "déjà en cours" not in visitor.value("duel-status"):
            next(coming)
        assert (engine.open, len(services.arena._duels)) == (1, 1)
        for side in ("left", "right"):
            visitor.begin(f"stop-{side}")
        for _ in coming:
            pass
        assert visitor.value("duel-question") == "Autre chose ?"
        visitor.close()


def test_a_vote_that_is_not_stored_is_not_shown_as_stored(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_given: object, **_named: object) -> None:
        raise StoreError("votes: expected a disk with room, got a full one.")

    with served(tmp_path) as (url, services):
        visitor = Visitor(url, "lost")
        with monkeypatch.context() as broken:
            for name in ("write", "check"):
                broken.setattr(services.store._database, name, fail)
            asked(visitor)
            assert "ne sont pas enregistrés" in visitor.value("duel-status")
            visitor.press("verdict-left")
            assert "n’a pas été enregistré" in visitor.value("duel-status")
            assert not visitor.sees("duel-revealed")
        visitor.press("verdict-left")
        assert "Vote enregistré" in visitor.value("duel-status")
        assert services.store.counts().votes == 1
        visitor.close()


def test_a_client_that_leaves_in_mid_answer_frees_its_rows(tmp_path: Path) -> None:
    engine = Endless()
    with served(tmp_path, engine) as (url, _):
        visitor = Visitor(url, "leaves")
        coming = answering(visitor)
        assert engine.open == 1
        coming.close()  # type: ignore[attr-defined]
        visitor.close()
        for _ in range(300):
            if not engine.open:
                break
            threading.Event().wait(0.05)
        assert engine.open == 0


def test_each_side_can_be_stopped_and_then_voted_on(tmp_path: Path) -> None:
    engine = Endless()
    with served(tmp_path, engine) as (url, services):
        visitor = Visitor(url, "stops")
        coming = answering(visitor)
        for side in ("left", "right"):
            visitor.begin(f"stop-{side}")
        for _ in coming:
            pass
        assert engine.open == 0
        assert all("Réponse arrêtée" in visitor.value(f"duel-{side}") for side in ("left", "right"))
        visitor.press("verdict-left")
        assert services.store.counts().votes == 1
        visitor.close()


def test_25_visitors_at_once_get_their_own_answers_and_every_acknowledged_vote_is_there(tmp_path: Path) -> None:
    with served(tmp_path, ScriptedEngine(lambda request: f"({request.messages[-1]['content']})")) as (url, services):

        def visit(number: int) -> int:
            visitor, stored = Visitor(url, f"visitor {number}"), 0
            for turn in range(2):
                question = f"Question {number}-{turn} ?"
                asked(visitor, question)
                assert all(f"({question})" in visitor.value(f"duel-{side}") for side in ("left", "right"))
                visitor.press("verdict-left")
                stored += "Vote enregistré" in visitor.value("duel-status")
                visitor.press("duel-next")
            visitor.close()
            return stored

        with ThreadPoolExecutor(25) as pool:
            acknowledged = sum(pool.map(visit, range(25)))
        counts = services.store.counts()
        assert (acknowledged, counts.votes, counts.voters) == (50, 50, 25)
