"""The bundled questions of a tab, without a page around them."""

from __future__ import annotations

from pathlib import Path

import gradio as gr
import pytest

from medinject_demo.domain import Kind, Verdict
from medinject_demo.engine.base import ScriptedEngine
from medinject_demo.prompts import layout, load_prompts
from medinject_demo.ui.frame import Frame, Playground
from medinject_demo.ui.picker import Picker
from medinject_demo.ui.seat import Seat
from medinject_demo.ui.wording import Wording
from tests.duels import arena_at

from .visitor import same_words

PROMPTS = load_prompts()


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


def test_after_a_bundled_question_another_follows_and_after_ones_own_none(picker: Picker) -> None:
    first = layout(PROMPTS[0])
    assert all(picker.following(f" {first}\n", "", "") != first for _ in range(20))
    assert picker.following("Ma question à moi ?", "", "") == ""


def test_a_seat_is_late_once_the_arms_are_revealed() -> None:
    assert not Seat("duel", Verdict.LEFT, closed=True).late
