"""The figures for a paper: text is text, and each says when and of what it is."""

from __future__ import annotations

import re
import threading
from collections.abc import Callable
from dataclasses import replace
from xml.etree import ElementTree

import pytest

from medinject_demo.domain import MIXTURES
from medinject_demo.stats.board import Tally
from medinject_demo.stats.report import Report
from medinject_demo.stats.selection import Selection
from medinject_demo.ui import plots
from medinject_demo.ui.board_files import FIGURES, described
from medinject_demo.ui.texts import name, say

from .reports import report

SVG = "{http://www.w3.org/2000/svg}"
PNG = b"\x89PNG\r\n\x1a\n"


def svg(key: str, shown: Report, lang: str = "fr") -> ElementTree.Element:
    told = described(lang, key, shown)
    drawn = plots.svg(FIGURES[key](lang, shown), shown.board, say(lang, f"board.figure_{key}"), told)
    return ElementTree.fromstring(drawn)


def texts(picture: ElementTree.Element) -> str:
    return "\n".join("".join(each.itertext()) for each in picture.iter(f"{SVG}text"))


@pytest.mark.parametrize("key", FIGURES)
@pytest.mark.parametrize("lang", ["fr", "en"])
@pytest.mark.parametrize("shown", [report(5, 4.0), report(), report(50_000, 0.05)], ids=["5", "500", "50000"])
def test_a_figure_has_its_texts_as_text_and_its_time(key: str, lang: str, shown: Report) -> None:
    said = texts(svg(key, shown, lang))
    assert say(lang, f"board.figure_{key}") in said
    assert say(lang, "board.as_of", at=shown.board.as_of) in said
    assert say(lang, "board.selected_all") in said


@pytest.mark.parametrize("key", FIGURES)
def test_a_figure_says_of_which_votes_it_is(key: str) -> None:
    part = report(selection=Selection("oeq", None, "physician"))
    assert "Votes retenus\u00a0: Question ouverte, Médecin" in texts(svg(key, part))


@pytest.mark.parametrize("key", FIGURES)
def test_who_cannot_see_a_figure_is_told_its_numbers(key: str) -> None:
    shown = report()
    picture = svg(key, shown)
    assert picture.get("role") == "img"
    assert [each.tag for each in picture][:2] == [f"{SVG}title", f"{SVG}desc"]
    told = picture.findtext(f"{SVG}desc")
    assert told == described("fr", key, shown)
    assert len(re.findall(r"\d+", told)) > 20


def test_the_ranking_names_every_arm_and_the_effects_every_effect() -> None:
    shown = report()
    assert all(name("fr", arm) in texts(svg("ranking", shown)) for arm in MIXTURES)
    assert "Natif × traduit" in texts(svg("effects", shown))


def test_the_matrix_holds_the_wins_of_all_56_ordered_pairs() -> None:
    assert len(re.findall(r"^\d+–\d+$", texts(svg("matrix", report())), re.MULTILINE)) == 56


def test_an_arm_that_met_no_other_is_not_drawn() -> None:
    shown = report()
    first, *rest = shown.board.rows
    board = replace(shown.board, rows=(replace(first, tally=Tally()), *rest))
    assert name("fr", first.arm) not in texts(svg("ranking", replace(shown, board=board)))


def test_the_same_board_gives_the_same_file() -> None:
    shown = report()
    first, second = (plots.svg(FIGURES["ranking"]("fr", shown), shown.board, "a", "b") for _ in range(2))
    assert first == second


@pytest.mark.parametrize("key", FIGURES)
def test_a_figure_is_also_a_png(key: str) -> None:
    shown = report()
    drawn = plots.png(FIGURES[key]("fr", shown), shown.board, "titre", "dit")
    assert drawn.startswith(PNG)
    assert b"Creation Time" in drawn
    assert shown.board.as_of.isoformat().encode() in drawn


def test_figures_drawn_at_once_are_those_drawn_in_turn() -> None:
    boards = [report(votes, half) for votes, half in ((50, 1.5), (500, 0.3), (5_000, 0.1))]

    def draw(shown: Report) -> bytes:
        return plots.svg(FIGURES["ranking"]("fr", shown), shown.board, "a", "b")

    alone = [draw(each) for each in boards]
    together = dict[int, bytes]()

    def keep(place: int) -> Callable[[], None]:
        return lambda: together.update({place: draw(boards[place])})

    threads = [threading.Thread(target=keep(place)) for place in range(3)]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    assert [together[place] for place in range(3)] == alone
