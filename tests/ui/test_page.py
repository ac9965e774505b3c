from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import gradio as gr
import pytest
from gradio_client import Client

from medinject_demo.domain import MIXTURES, Answer, FinishReason, Mixture
from medinject_demo.prompts import Message, load_prompts
from medinject_demo.ui import texts
from medinject_demo.ui.page import MOST_CHARACTERS, build, compared


def echo(mixture: Mixture, conversations: Sequence[Sequence[Message]], most: int) -> list[Answer]:
    return [
        Answer(mixture, "", f"{mixture}: {each[-1]['content']}", FinishReason.STOP, 3, 0.1) for each in conversations
    ]


@contextmanager
def served(mixtures: Sequence[Mixture]) -> Iterator[Client]:
    page = build(echo, mixtures, load_prompts(), "Notice de la miniature.")
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


def test_answers_appear_one_after_the_other() -> None:
    steps = list(compared(echo, MIXTURES, "  Bonjour "))
    assert [step.count("…") for step in steps] == [7, 6, 5, 4, 3, 2, 1, 0]


@pytest.mark.parametrize("question", ["", "   \n"])
def test_an_empty_question_is_refused_in_a_sentence(question: str) -> None:
    with pytest.raises(gr.Error, match="Écrivez une question"):
        next(compared(echo, MIXTURES, question))


def test_a_question_that_is_too_long_is_refused_with_both_numbers() -> None:
    with pytest.raises(gr.Error, match=rf"{MOST_CHARACTERS + 1} caractères\\u202f; {MOST_CHARACTERS} au plus"):
        next(compared(echo, MIXTURES, "x" * (MOST_CHARACTERS + 1)))


def test_every_arm_has_a_french_name() -> None:
    assert set(texts.NAMES) == {mixture.slug for mixture in MIXTURES}
