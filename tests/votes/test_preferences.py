"""Votes as trl's rows: what was preferred, what was good and bad, and nothing that cannot be trained on."""

from __future__ import annotations

import itertools
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from medinject_demo.domain import MIXTURES, Verdict
from medinject_demo.prompts import messages
from medinject_demo.votes.preferences import dpo_rows, kto_rows
from medinject_demo.votes.sheet import Row

from .samples import PROMPT

TEXTS = ("réponse un", "réponse deux", "réponse trois", "réponse quatre")


def side(place: int, text: str, reason: str = "stop") -> Row:
    return {"mixture": MIXTURES[place].slug, "fingerprint": f"f{place}", "text": text, "finish_reason": reason}


def row(verdict: str | None = "left", sides: int = 2, **changed: Any) -> Row:
    answers = [side(place, text) for place, text in enumerate(TEXTS[:sides])]
    turn = {"message": "", "sampling": {"seed": 7}, "answers": answers}
    names = ("vote", "battle", "voter", "specialty", "profile", "propensity")
    told = {"kind": "mcq", "question": PROMPT.question, "context": PROMPT.context, "options": list(PROMPT.options)}
    said = {"verdict": verdict, "ranking": None, "criteria": [["clarity"], []], "equivalent": [True, None]}
    return dict.fromkeys(names, "x") | {"prompt": PROMPT.id, "turns": [turn]} | told | said | changed


def said(text: str) -> list[dict[str, str]]:
    return [{"role": "assistant", "content": text}]


@pytest.mark.parametrize(("verdict", "chosen", "rejected"), [("left", 0, 1), ("right", 1, 0)])
def test_what_was_preferred_is_chosen(verdict: str, chosen: int, rejected: int) -> None:
    (made,) = dpo_rows(row(verdict))
    assert made["prompt"] == messages(PROMPT)
    assert (made["chosen"], made["rejected"]) == (said(TEXTS[chosen]), said(TEXTS[rejected]))
    assert (made["chosen_arm"], made["rejected_fingerprint"]) == (MIXTURES[chosen].slug, f"f{rejected}")
    assert (made["seeds"], made["turns"], made["prompt_id"]) == ([7], 1, PROMPT.id)


def test_the_reasons_and_the_equivalence_go_with_their_answer() -> None:
    (made,) = dpo_rows(row("right"))
    assert (made["rejected_criteria"], made["chosen_criteria"]) == (["clarity"], [])
    assert (made["rejected_equivalent"], made["chosen_equivalent"]) == (True, None)


@pytest.mark.parametrize("verdict", ["both_good", "both_bad", "unsure", None])
def test_without_a_preference_there_is_no_pair(verdict: str | None) -> None:
    assert list(dpo_rows(row(verdict))) == []


@pytest.mark.parametrize(
    ("verdict", "labels"),
    [
        ("left", [True, False]),
        ("right", [False, True]),
        ("both_good", [True, True]),
        ("both_bad", [False, False]),
        ("unsure", []),
        (None, []),
    ],
)
def test_a_label_says_whether_an_answer_was_good(verdict: str | None, labels: list[bool]) -> None:
    made = list(kto_rows(row(verdict)))
    assert [each["label"] for each in made] == labels
    assert [each["completion"] for each in made] == [said(text) for text in TEXTS[: len(labels)]]


def test_every_verdict_has_its_rule() -> None:
    counted = {verdict: len(list(kto_rows(row(verdict)))) for verdict in Verdict}
    assert counted == dict.fromkeys(Verdict, 2) | {Verdict.UNSURE: 0}


@given(st.lists(st.integers(1, 4), min_size=3, max_size=4))
def test_a_ranking_gives_a_pair_for_every_two_that_are_not_tied(ranks: list[int]) -> None:
    ballot = row(None, len(ranks), ranking=ranks, criteria=[], equivalent=[])
    pairs = {(each["chosen_arm"], each["rejected_arm"]) for each in dpo_rows(ballot)}
    places = itertools.permutations(range(len(ranks)), 2)
    assert pairs == {(MIXTURES[a].slug, MIXTURES[b].slug) for a, b in places if ranks[a] < ranks[b]}


def test_of_a_ranking_the_first_are_good_and_the_last_are_bad() -> None:
    made = list(kto_rows(row(None, 4, ranking=[2, 1, 3, 1], criteria=[], equivalent=[])))
    assert [(each["arm"], each["label"]) for each in made] == [("nat", True), ("trad", False), ("syn", True)]


def test_a_ranking_of_equals_says_nothing() -> None:
    assert list(kto_rows(row(None, 3, ranking=[1, 1, 1]))) == []


@pytest.mark.parametrize("spoilt", [side(1, "  "), side(1, "à moitié", "error")])
def test_an_answer_that_failed_gives_no_row(spoilt: Row) -> None:
    ballot = row("left")
    ballot["turns"][0]["answers"][1] = spoilt
    assert list(dpo_rows(ballot)) == []
    assert [each["arm"] for each in kto_rows(ballot)] == ["base"]


def test_two_answers_with_the_same_words_are_no_pair() -> None:
    ballot = row("left")
    ballot["turns"][0]["answers"][1] = side(1, TEXTS[0])
    assert list(dpo_rows(ballot)) == []


def test_an_erased_question_gives_no_row() -> None:
    assert list(dpo_rows(row("left", question=""))) + list(kto_rows(row("left", question=""))) == []


def test_later_turns_are_part_of_what_was_preferred() -> None:
    ballot = row("right")
    later = {"message": "Et chez l'enfant ?", "sampling": {"seed": 8}, "answers": [side(0, "moins"), side(1, "plus")]}
    ballot["turns"].append(later)
    (made,) = dpo_rows(ballot)
    assert made["chosen"] == [*said(TEXTS[1]), {"role": "user", "content": "Et chez l'enfant ?"}, *said("plus")]
    assert (made["turns"], made["seeds"]) == (2, [7, 8])
