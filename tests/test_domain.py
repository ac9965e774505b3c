from __future__ import annotations

import itertools
from dataclasses import FrozenInstanceError, replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from medinject_demo.domain import (
    ARMS,
    BASE,
    LETTERS,
    MIXTURES,
    Answer,
    Battle,
    FinishReason,
    Kind,
    Mixture,
    Prompt,
    Provenance,
    Sampling,
    Turn,
    Verdict,
)
from medinject_demo.errors import InvalidValue

RANGES = {
    "max_new_tokens": (1, 8192),
    "temperature": (0, 5),
    "top_p": (1e-6, 1),
    "top_k": (0, 1_000_000),
    "min_p": (0, 1),
    "repetition_penalty": (0.1, 10),
    "seed": (0, 2**63 - 1),
}
WHOLE = {"max_new_tokens", "top_k", "seed"}
PROMPT = Prompt(Kind.MCQ, "Lesquels ?", options=("un", "deux", "trois"), reference="A, C")


def answer(text: str) -> Answer:
    return Answer(BASE, "0" * 16, text, FinishReason.STOP, 1, 0.1)


def test_the_slugs_are_those_of_the_study_in_its_order() -> None:
    assert [str(each) for each in MIXTURES] == ["base", "nat", "trad", "syn", "nat-trad", "nat-syn", "trad-syn", "all"]


def test_the_mixtures_are_the_complete_factorial() -> None:
    assert {each.levels for each in MIXTURES} == set(itertools.product((0, 1), repeat=3))


def test_the_base_is_no_arm() -> None:
    assert BASE.provenances == ()
    assert (BASE, *ARMS) == MIXTURES


@pytest.mark.parametrize("mixture", MIXTURES, ids=str)
def test_a_slug_reads_back(mixture: Mixture) -> None:
    assert Mixture.parse(mixture.slug) == mixture


@given(st.sets(st.sampled_from(Provenance)))
def test_a_mixture_is_its_set_of_provenances(provenances: set[Provenance]) -> None:
    assert set(Mixture.of(provenances).provenances) == provenances


@pytest.mark.parametrize("slug", ["", "ALL", "trad-nat", "nat-trad-syn"])
def test_an_unknown_slug_is_refused_with_the_known_ones(slug: str) -> None:
    with pytest.raises(InvalidValue, match=r"mixture: expected one of base, nat, .*, all, got") as refused:
        Mixture.parse(slug)
    assert repr(slug) in str(refused.value)


def test_the_serialised_names_do_not_change() -> None:
    assert [*Verdict] == ["left", "right", "both_good", "both_bad", "unsure"]
    assert [*Kind] == ["mcqu", "mcq", "oeq"]
    assert [*Provenance] == ["nat", "trad", "syn"]


def test_the_id_of_a_prompt_is_the_same_on_every_machine() -> None:
    assert Prompt(Kind.OEQ, "Qu'est-ce que la fièvre ?").id == "8df068b15a648f42"


def test_the_id_is_that_of_what_is_asked_not_of_where_it_comes_from() -> None:
    assert PROMPT.id == replace(PROMPT, reference="B", specialty="ailleurs", origin="nat").id


@pytest.mark.parametrize(
    "change",
    [{"kind": Kind.MCQU}, {"question": "Lequel ?"}, {"context": "Un cas."}, {"options": ("un", "trois", "deux")}],
    ids=lambda change: next(iter(change)),
)
def test_whatever_the_arms_see_is_in_the_id(change: dict[str, object]) -> None:
    assert PROMPT.id != replace(PROMPT, **change).id  # type: ignore[arg-type]


def test_letters_name_the_options_in_order() -> None:
    assert PROMPT.letters == "ABC"
    assert PROMPT.right_letters == {"A", "C"}


def test_an_open_question_has_no_letters() -> None:
    question = Prompt(Kind.OEQ, "Pourquoi ?", reference="A cause de cela.")
    assert question.letters == ""
    assert question.right_letters == frozenset()


def test_a_question_without_reference_has_no_right_letter() -> None:
    assert replace(PROMPT, reference="").right_letters == frozenset()


def test_the_default_sampling_is_the_studys() -> None:
    assert Sampling().greedy
    assert Sampling().max_new_tokens == 512
    assert not Sampling(temperature=0.7).greedy


@given(st.data())
def test_a_sampling_inside_its_ranges_is_accepted(data: st.DataObject) -> None:
    drawn: dict[str, Any] = {
        name: data.draw(st.integers(int(low), int(high)) if name in WHOLE else st.floats(low, high))
        for name, (low, high) in RANGES.items()
    }
    assert all(getattr(Sampling(**drawn), name) == value for name, value in drawn.items())


@pytest.mark.parametrize("name", RANGES)
@pytest.mark.parametrize("side", ["below", "above"])
def test_a_sampling_outside_its_range_is_refused_by_name(name: str, side: str) -> None:
    low, high = RANGES[name]
    value = low - 1 if side == "below" else high + 1
    with pytest.raises(InvalidValue, match=rf"^{name}: expected a number from .* to .*, got {value}"):
        Sampling(**{name: value})  # type: ignore[arg-type]


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf")])
def test_a_sampling_takes_no_number_that_is_not_finite(value: float) -> None:
    with pytest.raises(InvalidValue, match=r"temperature"):
        Sampling(temperature=value)


@pytest.mark.parametrize("value", [10**400, "0.5", None, 1.5], ids=["huge", "text", "none", "fraction"])
def test_a_sampling_takes_no_value_of_another_nature(value: object) -> None:
    with pytest.raises(InvalidValue, match=r"max_new_tokens"):
        Sampling(max_new_tokens=value)  # type: ignore[arg-type]


def test_markdown_and_emoji_are_counted() -> None:
    text = "## Titre\n\n**Gras** et **gras**.\n\n- un\n* deux\n1. trois\n2) quatre\n\n✅ 🩺"
    assert answer(text).style == {"headers": 1, "bold": 2, "lists": 4, "emoji": 2}


def test_plain_text_has_no_style() -> None:
    assert set(answer("Étiologies : tabac, 2 * 3 - 1 = 5, œdème #1.").style.values()) == {0}


@given(st.lists(st.text("aéœ7", min_size=1)))
def test_words_are_counted(words: list[str]) -> None:
    assert answer("  ".join(words)).words == len(words)


def test_a_battle_is_its_answers_in_display_order() -> None:
    answers = (answer("une"), answer("autre"))
    assert tuple(Battle("id", PROMPT, Sampling(), answers)) == answers


def test_the_turns_of_a_battle_are_the_first_and_those_after() -> None:
    after = Turn("Et après ?", Sampling(seed=1), (answer("trois"), answer("quatre")))
    battle = Battle("id", PROMPT, Sampling(), (answer("une"), answer("deux")), follow_ups=(after,))
    assert battle.turns == (Turn("", Sampling(), battle.answers), after)
    assert battle.arms == (BASE, BASE)


@pytest.mark.parametrize("value", [BASE, PROMPT, Sampling(), answer("x")], ids=lambda value: type(value).__name__)
def test_values_are_frozen(value: object) -> None:
    with pytest.raises(FrozenInstanceError):
        value.anything = 1  # type: ignore[attr-defined]


def test_there_are_letters_for_ten_options() -> None:
    assert LETTERS == "ABCDEFGHIJ"
