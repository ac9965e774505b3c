from __future__ import annotations

import base64
import json
import re

from medinject_demo.boards import Reading
from medinject_demo.stats.selection import Selection
from medinject_demo.ui.board_files import FIGURES, links

from .cells import Cells
from .reports import report


def reading(votes: int = 500, selection: Selection = Selection()) -> Reading:
    return Reading(report(votes, selection=selection), 1)


def files(text: str) -> dict[str, bytes]:
    """What each link holds, by the name under which it is kept."""
    return {
        each["download"]: base64.b64decode(each["href"].partition(";base64,")[2])
        for tag, each in Cells(text).tags
        if tag == "a"
    }


def test_the_table_and_every_figure_are_there_in_two_formats() -> None:
    held = files(links("fr", reading()))
    assert [name.rpartition(".")[2] for name in held] == ["csv", "json", *["svg", "png"] * len(FIGURES)]
    assert all(name.startswith("classement-medinjection-20260306T090507-") for name in held)
    starts = {"csv": b"\xef\xbb\xbfarm,", "json": b"{", "svg": b"<?xml", "png": b"\x89PNG"}
    for name, content in held.items():
        assert content.startswith(starts[name.rpartition(".")[2]])


def test_every_file_says_when_and_of_which_votes_it_is() -> None:
    held = files(links("en", reading(selection=Selection("mcqu"))))
    for name, content in held.items():
        if name.endswith("csv"):
            assert b"2026-03-06T09:05:07+00:00,mcqu,any,any" in content
        elif name.endswith("json"):
            assert json.loads(content)["board"]["selection"]["kind"] == "mcqu"
        else:
            assert b"As of 2026-03-06 09:05:07" in content
            assert b"Multiple choice, one right answer" in content


def test_the_links_say_of_when_they_are_and_how_large() -> None:
    text = links("fr", reading())
    assert "État au 06/03/2026" in text
    assert re.search(r"\(CSV, \d+\u00a0ko\)", text)


def test_without_votes_there_is_nothing_to_download() -> None:
    for nothing in (None, reading(0)):
        assert "Il n’y a rien à télécharger" in links("fr", nothing)
        assert files(links("fr", nothing)) == {}
