from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from medinject_demo.ui.differences import differing

TEXTS = st.lists(st.sampled_from(["le", "Le", "coeur,", "coeur", "\n", " ", "-", "💪", "fièvre"])).map(" ".join)


@given(TEXTS, TEXTS)
def test_the_runs_concatenate_to_the_text(reference: str, text: str) -> None:
    assert "".join(run for run, _ in differing(reference, text)) == text


@given(TEXTS)
def test_a_text_differs_from_itself_in_nothing(text: str) -> None:
    assert not any(apart for _, apart in differing(text, text))


def test_an_arm_that_repeats_itself_equals_one_that_does_the_same() -> None:
    assert differing("et le " * 400, "et le " * 400) == [("et le " * 400, False)]


@pytest.mark.parametrize("other", ["La Fièvre , haute", "« la fièvre haute »", "la  fièvre\nhaute."])
def test_case_spaces_and_punctuation_make_no_difference(other: str) -> None:
    apart = [run.strip() for run, differs in differing("La fièvre haute", other) if differs]
    assert all(not any(map(str.isalnum, run)) for run in apart)


def test_the_words_that_differ_are_found() -> None:
    runs = differing("Un souffle systolique au foyer aortique", "Un souffle diastolique au foyer mitral.")
    assert [run.strip() for run, apart in runs if apart] == ["diastolique", "mitral."]


def test_nothing_said_before_makes_every_word_differ() -> None:
    assert differing("", "Deux mots") == [("Deux mots", True)]
    assert differing("Deux mots", "") == []
