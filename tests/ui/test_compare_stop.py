"""The button that stops a comparison, pressed over HTTP as a browser presses it."""

from __future__ import annotations

from .visitor import Visitor


def test_nothing_can_be_stopped_but_answers_under_way(visitor: Visitor) -> None:
    stop = visitor.props[visitor.ids["compare-stop"]]
    assert not stop["interactive"]
    for question in ("Quels sont les signes de la grippe ?", ""):
        visitor.write("compare-question", question)
        assert True in [stop["interactive"] for _ in visitor.pressing("compare-ask")]
        visitor.press_through("compare-ask")
        assert not stop["interactive"]
