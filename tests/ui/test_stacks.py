"""Wide tables whose rows become cards: what a screen reader and the style sheet find of them."""

from __future__ import annotations

from medinject_demo.ui.stacks import FLOWS, Row, stacked

from .cells import Cells

HEADS = {"answer": "Réponse", "plot": "<b>axe</b>", "words": "Mots"}


def shown(**more: str) -> Cells:
    return Cells(stacked("fr", FLOWS, HEADS, [Row("base", ("B", "trait", "12"))], region="Qui « était » qui", **more))


def test_each_figure_carries_the_head_of_its_column_and_a_drawing_carries_none() -> None:
    labels = {each["class"]: each.get("data-label") for tag, each in shown().tags if each.get("role") == "cell"}
    assert labels == {"plot": None, "words": "Mots\u00a0:"}


def test_a_row_is_headed_by_what_it_is_of() -> None:
    (head,) = [each for tag, each in shown().tags if each.get("role") == "rowheader"]
    assert (head["class"], head["scope"]) == ("answer", "row")
    assert shown().tables == [[["Réponse", "axe", "Mots"], ["B", "trait", "12"]]]


def test_it_is_told_by_what_describes_it_where_there_is_such_a_thing() -> None:
    tables = [shown(**more).of("table", FLOWS)[0].get("aria-describedby") for more in ({}, {"described": "note"})]
    assert tables == [None, "note"]
