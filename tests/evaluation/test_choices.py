from __future__ import annotations

import pytest

from medinject_demo.domain import BASE, MIXTURES, Kind, Prompt
from medinject_demo.engine.base import ChoiceRequest, ScriptedEngine
from medinject_demo.errors import InvalidValue
from medinject_demo.evaluation.choices import option_weights, rotations

PROMPT = Prompt(Kind.MCQU, "Laquelle ?", options=("une", "deux", "trois", "quatre"), reference="B")


def knows(request: ChoiceRequest) -> list[float]:
    """Prefers the option "deux", wherever it stands."""
    lines = request.messages[-1]["content"].splitlines()[2:]
    return [7.0 if line.endswith("deux") else 1.0 for line in lines]


def likes_the_first(request: ChoiceRequest) -> list[float]:
    return [5.0] + [1.0] * (len(request.letters) - 1)


def test_an_arm_that_knows_is_weighed_alike_in_every_order() -> None:
    engine = ScriptedEngine(lambda request: "", weigh=knows)
    for orders in (None, [(3, 2, 1, 0)], rotations(4)):
        weights = option_weights(engine, PROMPT, MIXTURES, orders)
        assert list(weights) == list(MIXTURES)
        assert weights[BASE] == pytest.approx((0.1, 0.7, 0.1, 0.1))


def test_over_the_rotations_a_love_of_one_letter_goes_away() -> None:
    engine = ScriptedEngine(lambda request: "", weigh=likes_the_first)
    assert option_weights(engine, PROMPT, [BASE])[BASE] == pytest.approx((0.625, 0.125, 0.125, 0.125))
    assert option_weights(engine, PROMPT, [BASE], rotations(4))[BASE] == pytest.approx((0.25,) * 4)


def test_each_option_takes_each_place_once() -> None:
    assert sorted(zip(*rotations(3), strict=True)) == [(0, 1, 2), (1, 2, 0), (2, 0, 1)]


def test_the_right_letter_follows_its_option() -> None:
    turned = PROMPT.reordered((3, 1, 0, 2))
    assert turned.options == ("quatre", "deux", "une", "trois")
    assert turned.reference == "B"
    several = Prompt(Kind.MCQ, "Lesquelles ?", options=("a", "b", "c"), reference="A, C").reordered((2, 1, 0))
    assert several.reference == "A, C"
    assert PROMPT.reordered((1, 0, 2, 3)).reference == "A"


@pytest.mark.parametrize("order", [(0, 1, 2), (0, 0, 1, 2), (1, 2, 3, 4)])
def test_an_order_of_other_options_is_refused(order: tuple[int, ...]) -> None:
    with pytest.raises(InvalidValue, match="expected each place from 0 to 3 once"):
        PROMPT.reordered(order)


def test_an_open_question_has_nothing_to_weigh() -> None:
    with pytest.raises(InvalidValue, match="expected a multiple-choice one"):
        option_weights(ScriptedEngine(lambda request: ""), Prompt(Kind.OEQ, "Quoi ?"), MIXTURES)
