"""The bundled questions of a tab, without a page around them."""

from __future__ import annotations

from pathlib import Path

import gradio as gr
import pytest

from medinject_demo.domain import Kind, Prompt, Verdict
from medinject_demo.engine.base import ScriptedEngine
from medinject_demo.prompts import layout, load_prompts
from medinject_demo.ui.frame import Frame, Playground
from medinject_demo.ui.picker import Picker, _short, specialties
from medinject_demo.ui.seat import Seat
from medinject_demo.ui.wording import Wording
from tests.duels import arena_at

from .visitor import Visitor, same_words

PROMPTS = load_prompts()
EMPTY = next(
    each.specialty
    for each in PROMPTS
    if not any(other.specialty == each.specialty and other.kind is Kind.MCQ for other in PROMPTS)
)
"""A specialty without a question that has several right answers."""


@pytest.fixture
def picker(tmp_path: Path) -> Picker:
    arena = arena_at(tmp_path)
    behind = Playground(ScriptedEngine(same_words), arena, arena._store, PROMPTS, "mini", "Miniature")
    with gr.Blocks(), gr.Tab() as tab:
        return Picker(Frame(behind, Wording(), gr.Radio(), gr.BrowserState(""), tab, []), "duel")


def test_the_list_is_narrowed_by_specialty_and_form(picker: Picker) -> None:
    specialty = PROMPTS[0].specialty
    assert picker.matching("", "") == PROMPTS
    assert {each.specialty for each in picker.matching(specialty, "")} == {specialty}
    assert {each.kind for each in picker.matching("", "mcqu")} == {Kind.MCQU}


def test_a_question_at_random_is_one_of_those_listed(picker: Picker) -> None:
    assert picker.drawn("", "mcq") in [layout(each) for each in PROMPTS if each.kind is Kind.MCQ]


def test_where_no_question_matches_it_is_said_and_none_is_drawn(picker: Picker) -> None:
    listed, button, told = picker._narrowed("fr", EMPTY, "mcq")
    assert (listed["choices"], listed["interactive"], button["interactive"]) == ([], False, False)
    assert "Aucune question" in told
    assert picker.drawn(EMPTY, "mcq") == ""
    assert picker.following(layout(PROMPTS[0]), EMPTY, "mcq") == ""
    listed, button, told = picker._narrowed("en", "", "")
    assert (len(listed["choices"]), listed["interactive"], button["interactive"]) == (len(PROMPTS), True, True)
    assert told == ""


def test_the_page_says_that_none_matches_and_what_was_written_stays(visitor: Visitor) -> None:
    visitor.write("duel-question", "Ma question ?")
    visitor.write("duel-specialty", EMPTY)
    visitor.write("duel-kind", "mcq")
    visitor.press("duel-kind", "input")
    assert "Aucune question" in visitor.value("duel-none")
    visitor.press("duel-random")
    assert visitor.value("duel-question") == "Ma question ?"
    visitor.write("duel-kind", "")
    visitor.press("duel-kind", "input")
    assert not visitor.value("duel-none")
    visitor.press("duel-random")
    assert visitor.value("duel-question") in [layout(each) for each in PROMPTS if each.specialty == EMPTY]


@pytest.mark.parametrize("prompt", PROMPTS, ids=lambda prompt: prompt.id[:8])
def test_a_question_in_the_list_is_cut_between_words(prompt: Prompt) -> None:
    text, short = " ".join(f"{prompt.context} {prompt.question}".split()), _short(prompt)
    assert len(short) <= 101
    assert text == short or text.endswith(f" {short.removeprefix('…')}")


def test_specialties_stand_in_the_order_of_a_french_dictionary() -> None:
    names = [name for name, _ in specialties("fr", PROMPTS)][1:]
    assert "ORL" in names
    assert "Médecine d'urgence" in names
    wanted = ["Endocrinologie", "Gériatrie", "Gynécologie-obstétrique", "Hématologie", "Hépato-gastro-entérologie"]
    assert [name for name in names if name in wanted] == wanted


def test_after_a_bundled_question_another_follows_and_after_ones_own_none(picker: Picker) -> None:
    first = layout(PROMPTS[0])
    assert all(picker.following(f" {first}\n", "", "") != first for _ in range(20))
    assert picker.following("Ma question à moi ?", "", "") == ""


def test_a_seat_is_late_once_the_arms_are_revealed() -> None:
    assert not Seat("duel", Verdict.LEFT, closed=True).late
