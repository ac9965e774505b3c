"""The tab that compares: its API over HTTP, as a program calls it, and what its buttons do."""

from __future__ import annotations

import itertools
import re
import time
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import replace
from pathlib import Path
from random import Random
from typing import Any

import pytest
from gradio_client import Client
from gradio_client.exceptions import AppError

from medinject_demo.domain import ARMS, MIXTURES, FinishReason, Kind, Prompt, Sampling
from medinject_demo.engine.base import Event, Request, ScriptedEngine
from medinject_demo.errors import ModelError
from medinject_demo.prompts import layout
from medinject_demo.ui import compare
from medinject_demo.ui.compare_form import GRID
from medinject_demo.ui.comparison import BOUNDS, Comparison
from medinject_demo.ui.frame import Playground
from medinject_demo.ui.page import build
from tests.duels import arena_at

ALL = [arm.slug for arm in MIXTURES]
CHOICES = Prompt(Kind.MCQU, "Laquelle ?", options=("une", "deux"), reference="B", specialty="cardiologie")
PROMPTS = (CHOICES, Prompt(Kind.OEQ, "Quoi ?", reference="Cela.", specialty="urologie"))
SETTINGS = [getattr(Sampling(), bound.setting) for bound in BOUNDS]


def answer(request: Request) -> str:
    question = request.messages[-1]["content"]
    if "panne" in question and request.mixture.slug == "nat":
        raise RuntimeError("un détail de la machine")
    return f"{request.mixture} : " + "mot " * 12 + question


class Paced(ScriptedEngine):
    """Answers at the pace of a model, so that a stream is seen to grow; knows how many streams are open."""

    pace = 0.0
    open = 0
    refusing = False

    def stream(self, requests: Sequence[Request]) -> Iterator[Event]:
        if self.refusing:
            raise ModelError("rows: expected room, got none.")
        return self._paced(super().stream(requests))

    def _paced(self, events: Iterator[Event]) -> Iterator[Event]:
        self.open += 1
        try:
            for event in events:
                time.sleep(self.pace)
                yield event
        finally:
            self.open -= 1


@contextmanager
def behind(folder: Path, engine: Paced) -> Iterator[Playground]:
    arena = arena_at(folder, engine=engine)
    with closing(arena._store):
        yield Playground(engine, arena, arena._store, PROMPTS, "mini", "Miniature", Sampling(), Random(1))


@pytest.fixture(scope="module")
def engine() -> Paced:
    return Paced(answer)


@pytest.fixture(scope="module")
def playground(engine: Paced, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Playground]:
    with behind(tmp_path_factory.mktemp("votes"), engine) as services:
        yield services


@pytest.fixture(scope="module")
def client(playground: Playground) -> Iterator[Client]:
    page = build(playground)
    _, url, _ = page.launch(prevent_thread_lock=True, quiet=True, ssr_mode=False)
    client = Client(url, verbose=False)
    yield client
    client.close()
    page.close()


@pytest.fixture(autouse=True)
def usual_pace(engine: Paced) -> Iterator[None]:
    engine.pace, engine.refusing = 0.0, False
    yield
    engine.pace, engine.refusing = 0.0, False


@pytest.mark.parametrize("arms", [["nat", "base"], ALL], ids=["two", "eight"])
def test_a_program_gets_the_answer_of_each_arm(client: Client, arms: list[str]) -> None:
    said = client.predict("Bonjour ?", arms, api_name="/compare")
    assert said == {slug: f"{slug} : " + "mot " * 12 + "Bonjour ?" for slug in arms}
    assert list(said) == arms


def test_a_programs_stream_grows(client: Client, engine: Paced) -> None:
    engine.pace = 0.02
    states = list(client.submit("Bonjour ?", ["base", "all"], api_name="/compare"))
    assert len(states) > 3
    assert all(after["all"].startswith(before["all"]) for before, after in itertools.pairwise(states))


def test_an_arm_that_fails_is_null_and_the_others_answer(client: Client) -> None:
    said = client.predict("Une panne", ["base", "nat"], api_name="/compare")
    assert said["nat"] is None
    assert said["base"].endswith("Une panne")


def test_sampling_is_the_programs_where_it_says_so(client: Client) -> None:
    said = client.predict("Bonjour ?", ["base", "nat"], max_new_tokens=2, temperature=0.7, seed=3, api_name="/compare")
    assert said == {"base": "base :", "nat": "nat :"}


@pytest.mark.parametrize(
    ("question", "arms", "more", "sentence"),
    [
        ("Bonjour ?", ["nat", "quatre"], {}, "mixture: expected one of base"),
        ("Bonjour ?", ["nat"], {}, "arms: expected two to eight"),
        ("Bonjour ?", [], {}, "arms: expected two to eight"),
        ("Bonjour ?", ["nat", "nat"], {}, "arms: expected two to eight"),
        ("Bonjour ?", "nat", {}, "arms: expected a list"),
        ("Bonjour ?", None, {}, "arms: expected a list"),
        (None, ["nat", "base"], {}, "question: expected a text"),
        ("", ["nat", "base"], {}, "got nothing"),
        ("  \n ", ["nat", "base"], {}, "got nothing"),
        ("x" * 100_000, ["nat", "base"], {}, "1 to 8000 characters"),
        ("Appelez le 06 12 34 56 78", ["nat", "base"], {}, "a phone number"),
        ("un\x00deux", ["nat", "base"], {}, "control characters"),
        ("Bonjour ?", ["nat", "base"], {"temperature": 99}, "temperature: expected a number from 0 to 2"),
        ("Bonjour ?", ["nat", "base"], {"max_new_tokens": 10**9}, "max_new_tokens: expected a whole number"),
        ("Bonjour ?", ["nat", "base"], {"seed": "x"}, "seed: expected a whole number"),
    ],
)
def test_bad_input_is_answered_by_one_sentence(
    client: Client, question: Any, arms: Any, more: dict[str, Any], sentence: str
) -> None:
    with pytest.raises(AppError, match=re.escape(sentence)) as refusal:
        client.predict(question, arms, **more, api_name="/compare")
    assert "Traceback" not in str(refusal.value)


def test_an_arm_that_is_not_installed_is_refused_by_its_name(tmp_path: Path) -> None:
    from medinject_demo.ui.compare_api import endpoint

    with behind(tmp_path, Paced(answer, MIXTURES[:2])) as services, pytest.raises(Exception, match="arm all"):
        next(endpoint(services)(None, "Bonjour ?", ["base", "all"]))


def test_a_program_that_leaves_frees_its_rows(client: Client, engine: Paced) -> None:
    engine.pace = 0.05
    job = client.submit("Bonjour ?", ALL, api_name="/compare")
    next(iter(job))
    assert engine.open == 1
    job.cancel()
    deadline = time.monotonic() + 30
    while engine.open and time.monotonic() < deadline:
        time.sleep(0.02)
    assert engine.open == 0


def test_only_what_is_stable_is_open_to_programs(client: Client) -> None:
    named = client.view_api(return_format="dict", print_info=False)["named_endpoints"]  # type: ignore[index, call-overload]
    parameters = [each["parameter_name"] for each in named["/compare"]["parameters"]]
    assert parameters[:5] == ["question", "arms", "max_new_tokens", "temperature", "seed"]
    assert not [each for each in named if each.startswith(("/_", "/lambda"))]


def asked(
    services: Playground, text: str | None = "Bonjour ?", slugs: Sequence[str] = ("base", "nat"), *settings: Any
) -> Iterator[list[Any]]:
    return compare._ask(services, "fr", text, slugs, True, *(settings or SETTINGS))


def last_comparison(drawings: list[list[Any]]) -> Comparison:
    return next(each for drawing in reversed(drawings) for each in drawing if isinstance(each, Comparison))


def test_asking_draws_every_arm_until_all_have_ended(playground: Playground) -> None:
    drawings = list(asked(playground, slugs=ALL))
    ended = last_comparison(drawings)
    assert not ended.live
    assert [card.mixture.slug for card in ended.cards] == ALL
    shown = compare._end("fr", ended, None)
    assert "8 sur 8." in shown[1]
    assert 'id="compare-json"' in shown[3]


@pytest.mark.parametrize(
    ("text", "slugs", "settings", "sentence"),
    [
        ("", ALL, [], "Écrivez une question"),
        (None, ALL, [], "Écrivez une question"),
        ("x" * 100_000, ALL, [], "trop long"),
        ("a\x07b", ALL, [], "caractères de contrôle"),
        ("Mon adresse : a.b@exemple.fr", ALL, [], "adresse électronique"),
        ("Bonjour ?", [], [], "au moins deux modèles"),
        ("Bonjour ?", ["nat"], [], "au moins deux modèles"),
        ("Bonjour ?", ALL, [512, 99, *SETTINGS[2:]], "Température"),
        ("Bonjour ?", ALL, [None, *SETTINGS[1:]], "Longueur maximale"),
        ("Bonjour ?", ALL, [*SETTINGS[:-1], -3], "Graine"),
    ],
)
def test_a_refusal_is_said_in_one_place_and_leaves_the_rest_as_it_was(
    playground: Playground, text: str | None, slugs: list[str], settings: list[Any], sentence: str
) -> None:
    ((alert, *others),) = asked(playground, text, slugs, *settings)
    assert sentence in alert
    assert 'role="alert"' in alert
    assert all(each == {"__type__": "update"} for each in others)


def test_an_engine_that_takes_no_request_is_said_in_the_visitors_words(playground: Playground, engine: Paced) -> None:
    engine.refusing = True
    ((alert, *_),) = asked(playground)
    assert "Réessayez" in alert


def test_an_arm_that_fails_leaves_the_others_readable(playground: Playground) -> None:
    ended = last_comparison(list(asked(playground, "Une panne")))
    assert [card.reason for card in ended.cards] == [FinishReason.STOP, FinishReason.ERROR]
    shown = "".join(compare._end("fr", ended, None)[1:])
    assert "Échecs : 1." in shown.replace("\u00a0", " ")
    assert "un détail de la machine" not in shown


def test_closing_the_event_frees_the_rows(playground: Playground, engine: Paced) -> None:
    engine.pace = 0.02
    drawing = asked(playground, slugs=ALL)
    for _ in range(3):
        next(drawing)
    drawing.close()  # type: ignore[attr-defined]
    assert engine.open == 0


def test_stopping_keeps_what_was_said_and_says_that_it_was_stopped(playground: Playground, engine: Paced) -> None:
    engine.pace = 0.02
    drawing = asked(playground)
    drawings = [next(drawing) for _ in range(4)]
    drawing.close()  # type: ignore[attr-defined]
    ended, status, cards, kept = compare._end("fr", last_comparison(drawings), None)
    assert {card.reason for card in ended.cards} == {FinishReason.CANCELLED}
    assert "mot" in cards
    assert "Arrêtées avant la fin" in status
    assert 'id="compare-markdown"' in kept


def test_the_letters_of_a_choice_are_weighed_once_its_answers_have_ended(playground: Playground) -> None:
    """As the boxes are by then; and once, also where the next question is refused."""
    drawings = list(asked(playground, layout(CHOICES)))
    assert not any("<table" in str(drawing[5]) for drawing in drawings)
    ended, weigh = last_comparison(drawings), compare._weighing_first(playground)
    letters, shown = weigh("fr", ended, None, True, True)
    assert letters.orders == 2
    assert shown.count("<table") == 2
    assert "✓" in shown
    assert [each["__type__"] for each in weigh("fr", ended, letters, False, False)] == ["update"] * 2
    other = replace(letters, weights=dict.fromkeys(ARMS[4:6], (1.0, 0.0)))
    assert weigh("fr", ended, other, False, True)[0].orders == 1
    again, _ = compare._weigh_anew(playground, "en", ended, True, True)
    assert again == letters


def test_an_open_question_shows_its_reference_at_once_where_that_is_asked_for(playground: Playground) -> None:
    first, *_ = asked(playground, layout(PROMPTS[1]))
    assert first[2].weights is None
    assert "Cela." in first[5]
    weigh = compare._weighing_first(playground)
    assert [each["__type__"] for each in weigh("fr", first[1], first[2], False, True)] == ["update"] * 2


def test_nothing_is_drawn_anew_before_anything_was_asked(playground: Playground) -> None:
    skipped = {"__type__": "update"}
    assert all(each == skipped for each in compare._end("fr", None, None))
    assert all(each == skipped for each in compare._weigh_anew(playground, "fr", None, True, True))


def test_the_grid_has_a_place_for_each_arm() -> None:
    assert sorted(GRID) == sorted(ALL)
