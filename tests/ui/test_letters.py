from __future__ import annotations

import re

import pytest

from medinject_demo.domain import MIXTURES, Kind, Prompt
from medinject_demo.engine.base import ChoiceRequest, ScriptedEngine
from medinject_demo.errors import ModelError
from medinject_demo.ui.letters import Letters, panel, weighed

PROMPT = Prompt(Kind.MCQ, "Lesquelles ?", options=("<b>une</b>", "deux", "trois"), reference="A, C")
OPEN = Prompt(Kind.OEQ, "Quoi ?", reference="Ceci <script>")


def likes_the_first(request: ChoiceRequest) -> list[float]:
    return [8.0, 1.0, 1.0]


def failing(request: ChoiceRequest) -> list[float]:
    raise ModelError("engine: expected an answer, got none.")


def test_each_arm_has_a_bar_and_a_number_for_each_letter() -> None:
    letters = weighed(ScriptedEngine(lambda r: "", weigh=likes_the_first), PROMPT, MIXTURES[:2], average=False)
    shown = panel("fr", letters, right=False)
    assert re.findall(r'data-arm="([\w-]+)"', shown) == ["base", "nat"]
    assert re.findall(r"--share:([\d.]+)", shown) == ["0.8000", "0.1000", "0.1000"] * 2
    assert shown.count("80\u00a0%") == 2
    assert shown.count('<tr class="most">') == 2


def test_the_mean_over_rotations_takes_the_love_of_a_letter_away() -> None:
    engine = ScriptedEngine(lambda r: "", weigh=likes_the_first)
    letters = weighed(engine, PROMPT, MIXTURES[:1], average=True)
    assert letters.orders == 3
    assert letters.weights is not None
    assert letters.weights[MIXTURES[0]] == pytest.approx((1 / 3, 1 / 3, 1 / 3))
    assert "3 ordres" in panel("fr", letters, right=False)


def test_the_right_answer_is_marked_on_demand_alone() -> None:
    letters = weighed(ScriptedEngine(lambda r: ""), PROMPT, MIXTURES[:1], average=False)
    assert "✓" not in panel("fr", letters, right=False)
    marked = panel("fr", letters, right=True)
    assert re.findall(r'<th scope="row">(\w)<span class="tick">', marked) == ["A", "C"]


def test_a_right_answer_that_nobody_knows_is_said_to_be_unknown() -> None:
    unknown = Prompt(Kind.MCQ, "Lesquelles ?", options=("une", "deux"))
    assert "connue" in panel("fr", Letters(unknown, {MIXTURES[0]: (0.5, 0.5)}), right=True)
    assert "connue" in panel("fr", Letters(Prompt(Kind.OEQ, "Quoi ?")), right=True)


def test_an_open_question_has_no_bars_and_its_reference_on_demand() -> None:
    letters = weighed(ScriptedEngine(lambda r: ""), OPEN, MIXTURES, average=True)
    assert panel("fr", letters, right=False) == ""
    assert "Ceci &lt;script&gt;" in panel("fr", letters, right=True)


def test_options_that_could_not_be_weighed_are_said_to_be_so() -> None:
    letters = weighed(ScriptedEngine(lambda r: "", weigh=failing), PROMPT, MIXTURES, average=False)
    assert letters.weights is None
    assert "n’ont pas pu" in panel("fr", letters, right=False)


def test_options_are_inert() -> None:
    letters = weighed(ScriptedEngine(lambda r: ""), PROMPT, MIXTURES[:1], average=False)
    assert "&lt;b&gt;une&lt;/b&gt;" in panel("fr", letters, right=True)
    assert panel("fr", None, right=True) == ""
