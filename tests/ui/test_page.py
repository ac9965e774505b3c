from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import gradio as gr
import pytest
from gradio_client import Client

from medinject_demo.domain import MIXTURES, Mixture
from medinject_demo.engine.base import Event, Request, ScriptedEngine
from medinject_demo.errors import ModelError
from medinject_demo.prompts import load_prompts
from medinject_demo.ui import texts
from medinject_demo.ui.page import MOST_CHARACTERS, build, compared


def echo(request: Request) -> str:
    return f"{request.mixture}: {request.messages[-1]['content']}"


@contextmanager
def served(mixtures: Sequence[Mixture]) -> Iterator[Client]:
    page = build(ScriptedEngine(echo, mixtures), load_prompts(), "Notice de la miniature.")
    _, url, _ = page.launch(prevent_thread_lock=True, quiet=True)
    client = Client(url, verbose=False)
    yield client
    client.close()
    page.close()


@pytest.fixture(scope="module")
def client() -> Iterator[Client]:
    with served(MIXTURES) as client:
        yield client


def test_a_base_without_arms_answers_alone() -> None:
    with served(MIXTURES[:1]) as client:
        assert client.predict("Bonjour", api_name="/compare") == "base: Bonjour"


def test_every_arm_answers_once_in_the_order_of_the_study(client: Client) -> None:
    answers = client.predict("Bonjour", api_name="/compare")
    assert list(answers) == [f"{mixture}: Bonjour" for mixture in MIXTURES]


def test_answers_grow_together() -> None:
    steps = list(compared(ScriptedEngine(echo), "  Bonjour à tous ", clock=itertools.count().__next__))
    assert steps[0] == [texts.WAITING] * 8
    assert sum(text != texts.WAITING for text in steps[8]) == 8  # a word of each before a second of any
    assert steps[8][0] == "base:"
    assert steps[-1] == [f"{mixture}: Bonjour à tous" for mixture in MIXTURES]


def test_answers_are_not_redrawn_at_every_token() -> None:
    assert len(list(compared(ScriptedEngine(echo), "mot " * 100, clock=lambda: 0.0))) == 2


def test_a_row_that_fails_says_so_and_the_others_answer() -> None:
    def failing(request: Request) -> str:
        if request.mixture == MIXTURES[2]:
            raise RuntimeError("out of memory")
        return "oui"

    *_, shown = compared(ScriptedEngine(failing), "Bonjour")
    assert shown[2] == texts.FAILED
    assert {*shown[:2], *shown[3:]} == {"oui"}


def test_an_answer_cut_at_its_length_says_so() -> None:
    *_, shown = compared(ScriptedEngine(lambda request: "mot " * 1000, MIXTURES[:1]), "Bonjour")
    assert shown[0].endswith(texts.CUT)


def test_a_full_queue_is_said_in_a_sentence() -> None:
    class Full(ScriptedEngine):
        def stream(self, requests: Sequence[Request]) -> Iterator[Event]:
            raise ModelError("full")

    with pytest.raises(gr.Error, match="Réessayez dans un instant"):
        list(compared(Full(echo), "Bonjour"))


@pytest.mark.parametrize("question", ["", "   \n"])
def test_an_empty_question_is_refused_in_a_sentence(question: str) -> None:
    with pytest.raises(gr.Error, match="Écrivez une question"):
        next(compared(ScriptedEngine(echo), question))


def test_a_question_that_is_too_long_is_refused_with_both_numbers() -> None:
    with pytest.raises(gr.Error, match=rf"{MOST_CHARACTERS + 1} caractères\\u202f; {MOST_CHARACTERS} au plus"):
        next(compared(ScriptedEngine(echo), "x" * (MOST_CHARACTERS + 1)))


def test_every_arm_has_a_french_name() -> None:
    assert set(texts.NAMES) == {mixture.slug for mixture in MIXTURES}
