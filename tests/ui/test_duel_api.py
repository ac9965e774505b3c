"""``/battle`` and ``/vote`` as a program calls them, honest or not."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from gradio_client import Client
from gradio_client.exceptions import AppError

from medinject_demo.domain import Kind
from medinject_demo.engine.base import ScriptedEngine
from medinject_demo.prompts import layout
from medinject_demo.ui.frame import Playground

from .test_duel import CHOICES, QUESTION
from .visitor import same_words, served

ME = "a token of mine"


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Client, Playground]]:
    with served(tmp_path_factory.mktemp("votes"), ScriptedEngine(same_words)) as (url, services):
        client = Client(url, verbose=False)
        yield client, services
        client.close()


def fought(client: Client, question: str = QUESTION, session: str = ME) -> dict[str, Any]:
    """The last state of a battle."""
    job = client.submit(question, session, api_name="/battle")
    states = list(job)
    job.result()  # where the battle was refused there is no state, and this raises
    return dict(states[-1])


def test_a_battle_streams_two_sides_and_names_no_arm(place: tuple[Client, Playground]) -> None:
    states = list(place[0].submit(QUESTION, ME, api_name="/battle"))
    assert len(states) > 2
    assert set(states[-1]) == {"battle", "stage", "left", "right", "ended"}
    assert states[-1]["stage"] == "answered"
    assert states[-1]["left"] == states[-1]["right"] == same_words(None)


def test_a_vote_is_stored_and_tells_who_was_who(place: tuple[Client, Playground]) -> None:
    client, services = place
    battle = fought(client)["battle"]
    told = client.predict(battle, ME, "left", api_name="/vote")
    stored = services.store.battle(battle)
    assert stored is not None
    assert [told[side]["mixture"] for side in ("left", "right")] == [arm.slug for arm in stored.arms]
    assert [told[side]["fingerprint"] for side in ("left", "right")] == [f"scripted-{arm}" for arm in stored.arms]


def test_a_program_is_told_whether_its_vote_is_blind(place: tuple[Client, Playground]) -> None:
    """Eight arms make four duels of which none was told before; the fifth on the same question has one that was."""
    client, _ = place
    mine, question = "one program", "Toujours la même ?"
    duels = (fought(client, question, mine)["battle"] for _ in range(5))
    told = [client.predict(each, mine, "left", api_name="/vote") for each in duels]
    assert [each["blind"] for each in told] == [True] * 4 + [False]
    three = dict(list(client.submit(question, mine, 3, api_name="/ranking"))[-1])
    assert not client.predict(three["battle"], mine, [1, 2, 3], api_name="/ranking_vote")["blind"]


def test_a_bundled_prompt_gives_its_reference_with_the_vote(place: tuple[Client, Playground]) -> None:
    client, services = place
    battle = fought(client, layout(CHOICES))["battle"]
    told = client.predict(battle, ME, "unsure", equivalent_left=True, api_name="/vote")
    assert told["reference"] == CHOICES.reference
    (vote,) = [live.vote for live in services.store.live_votes() if live.vote.battle == battle]
    assert vote.equivalent == (True, None)
    assert vote.blind


def test_options_of_ones_own_make_a_multiple_choice_prompt_in_a_duel_too(place: tuple[Client, Playground]) -> None:
    client, services = place
    battle = fought(client, "Laquelle ?\nChoix de réponses :\n(A) une\n(B) deux")["battle"]
    client.predict(battle, ME, "left", api_name="/vote")
    stored = services.store.battle(battle)
    assert stored is not None
    assert (stored.prompt.kind, stored.prompt.options, stored.prompt.reference) == (Kind.MCQ, ("une", "deux"), "")


def test_the_same_vote_twice_is_one_vote(place: tuple[Client, Playground]) -> None:
    client, services = place
    battle = fought(client)["battle"]
    before = services.store.counts().votes
    first, second = (client.predict(battle, ME, "left", api_name="/vote") for _ in range(2))
    assert first == second
    assert services.store.counts().votes == before + 1


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"session": "somebody else"}, "got an unknown one"),
        ({"battle": "forged"}, "unknown"),
        ({"verdict": "base"}, "expected one of left, right"),
        ({"reasons_left": ["beautiful"]}, "criterion"),
        ({"profile": "king"}, "profile"),
        ({"comment": "a" * 3000}, "comment"),
        ({"session": " "}, "session"),
        ({"equivalent_left": "yes"}, "equivalence"),
    ],
    ids=["foreign", "unknown", "verdict", "criterion", "profile", "comment", "no session", "equivalence"],
)
def test_a_forged_vote_is_refused_with_one_sentence_and_nothing_is_stored(
    place: tuple[Client, Playground], changes: dict[str, Any], sentence: str
) -> None:
    client, services = place
    battle = fought(client)["battle"]
    before = services.store.counts()
    with pytest.raises(AppError, match=sentence):
        client.predict(**({"battle": battle, "session": ME, "verdict": "left"} | changes), api_name="/vote")
    assert services.store.counts() == before


@pytest.mark.parametrize(
    ("question", "sentence"),
    [("", "nothing"), ("a" * 100_000, "8000"), ("Tél. 06 12 34 56 78 ?", "phone"), ("a\x00b", "control")],
    ids=["empty", "huge", "phone", "control"],
)
def test_a_question_that_is_held_back_says_why(place: tuple[Client, Playground], question: str, sentence: str) -> None:
    with pytest.raises(AppError, match=sentence):
        fought(place[0], question)


def test_the_public_interface_has_the_stable_names(place: tuple[Client, Playground]) -> None:
    names = place[0].view_api(return_format="dict")["named_endpoints"]
    assert set(names) == {"/battle", "/vote", "/ranking", "/ranking_vote", "/compare", "/board"}
