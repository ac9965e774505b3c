"""The tab: what a look gives, and what is shown of it. What a board looks like is tested beside each section."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import gradio as gr
import pytest

from medinject_demo.boards import Boards, Reading
from medinject_demo.domain import BASE, MIXTURES, Verdict
from medinject_demo.errors import StoreError
from medinject_demo.keeper import Look
from medinject_demo.stats.report import Report
from medinject_demo.stats.report import report as computed
from medinject_demo.stats.selection import Selection
from medinject_demo.ui import board
from medinject_demo.ui.board import Seen, chosen, drawn
from medinject_demo.votes.store import VoteStore
from tests.votes.samples import ballot, battle

from .reports import report
from .test_duel import asked
from .visitor import Visitor, served

PATIENCE = 20.0


@pytest.fixture
def reading() -> Reading:
    return Reading(report(), 1)


class Slow(Boards):
    """Boards whose computation waits until it is let go."""

    def __init__(self, store: VoteStore) -> None:
        self.begun, self.let_go, self.asked = threading.Event(), threading.Event(), 0
        super().__init__(store, pause=600.0, compute=self._held)

    def _held(self, frame: Any, selection: Selection, **named: Any) -> Report:
        self.asked += 1
        self.begun.set()
        assert self.let_go.wait(PATIENCE)
        return computed(frame, selection, **named)


@pytest.fixture
def slow(tmp_path: Path) -> Iterator[tuple[str, Slow]]:
    """A page whose board is slow."""
    made: list[Slow] = []

    def boards(store: VoteStore) -> Boards:
        made.append(Slow(store))
        return made[0]

    with served(tmp_path, boards=boards) as (url, _):
        yield url, made[0]
        made[0].let_go.set()
        made[0].close()


def test_nothing_is_shown_before_the_tab_is_opened() -> None:
    assert drawn("fr", None)[0] == ""
    assert "Lecture des votes…" in drawn("fr", None)[1]


def test_the_first_result_is_waited_for_with_a_sentence() -> None:
    assert "Lecture des votes…" in drawn("fr", Seen(computing=True))[1]
    assert "Beaucoup de classements" in drawn("fr", Seen(full=True))[1]


def test_the_last_result_is_shown_with_its_time_while_a_newer_one_is_computed(reading: Reading) -> None:
    at, shown = drawn("fr", Seen(reading=reading, computing=True))
    assert "État au 06/03/2026" in at
    assert "Un classement plus récent se calcule" in at
    assert "Les huit modèles" in shown
    assert "plus récent" not in drawn("fr", Seen(reading=reading))[0]


def test_votes_that_cannot_be_read_leave_the_last_board_with_a_sentence(reading: Reading) -> None:
    at, shown = drawn("fr", Seen(reading=reading, failed=True))
    assert "Les votes ne peuvent pas être lus à présent\u00a0: voici le dernier classement calculé" in at
    assert 'role="alert"' in at
    assert "État au 06/03/2026" in at
    assert "Les huit modèles" in shown


def test_votes_that_could_never_be_read_are_one_sentence() -> None:
    at, shown = drawn("fr", Seen(failed=True))
    assert at == ""
    assert "Les votes ne peuvent pas être lus à présent. Réessayez" in shown


def test_what_was_seen_is_drawn_again_in_another_language_without_a_look(reading: Reading) -> None:
    assert "The eight models" in drawn("en", Seen(reading=reading))[1]


def test_empty_filters_are_any() -> None:
    assert chosen("", None, "") == Selection()
    assert chosen("oeq", "cardiologie", "physician") == Selection("oeq", "cardiologie", "physician")


class Given(Boards):
    """Boards that say what a test says, and keep how they were looked at."""

    def __init__(self, look: Look[Reading]) -> None:
        self.said, self.begun = look, list[bool]()

    def look(self, selection: Selection = Selection(), *, begin: bool = True) -> Look[Reading]:
        self.begun.append(begin)
        return self.said


def test_the_board_is_sent_again_only_where_it_is_another(reading: Reading) -> None:
    look = board._looks(Given(Look(reading, computing=True)), False)
    seen, _, shown, clock = look("fr", None, "", "", "")
    assert "Les huit modèles" in shown
    assert clock.active
    assert look("fr", seen, "", "", "")[2] == gr.skip()


@pytest.mark.parametrize(
    ("look", "waits"),
    [(Look(), False), (Look(computing=True), True), (Look(full=True), True), (Look(failed=True), False)],
)
def test_the_page_looks_again_only_while_a_result_is_on_its_way(look: Look[Reading], waits: bool) -> None:
    assert Seen.of(Selection(), look).waits is waits
    assert board._looks(Given(look), False)("fr", None, "", "", "")[3].active is waits


def test_looking_again_begins_nothing_unless_there_was_no_room(reading: Reading) -> None:
    boards = Given(Look(reading))
    again = board._looks_again(boards, False)
    again("fr", Seen(computing=True), "", "", "")
    again("fr", Seen(full=True), "", "", "")
    assert boards.begun == [False, True]


def test_a_look_that_was_on_its_way_when_the_filters_changed_tells_nothing(reading: Reading) -> None:
    boards = Given(Look(reading))
    again = board._looks_again(boards, False)
    assert again("fr", Seen(Selection("oeq"), computing=True), "", "", "") == [gr.skip()] * 4
    assert boards.begun == []


def test_a_duel_is_voted_on_while_a_board_is_computed(slow: tuple[str, Slow]) -> None:
    url, boards = slow
    with closing(Visitor(url, "looks")) as looks, closing(Visitor(url, "votes")) as votes:
        looks.press("tab-board", "select")
        assert boards.begun.wait(PATIENCE)
        asked(votes)
        votes.press("verdict-left")
        assert "Lecture des votes…" in looks.value("board")
        assert not boards.let_go.is_set()
        assert boards._store.counts().votes == 1


def test_two_visitors_share_one_computation(slow: tuple[str, Slow]) -> None:
    url, boards = slow
    with closing(Visitor(url, "one")) as one, closing(Visitor(url, "two")) as two:
        for each in (one, two):
            each.press("tab-board", "select")
        boards.let_go.set()
        while boards.look().computing:
            time.sleep(0.005)
        for each in (one, two):
            each.press("board-refresh")
            assert "Aucun vote" in each.value("board")
        assert boards.asked == 1


def test_a_store_that_fails_later_leaves_the_board_on_the_page(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail() -> None:
        raise StoreError("votes in /hidden/place: expected a database that answers, got none.")

    def boards(store: VoteStore) -> Boards:
        store.cast(battle("one", MIXTURES[1], BASE), "me", ballot(Verdict.LEFT))
        return Boards(store, pause=0.0)

    with served(tmp_path, boards=boards) as (url, services), closing(Visitor(url, "me")) as visitor:
        assert services.boards is not None
        while services.boards.look().value is None:
            time.sleep(0.005)
        monkeypatch.setattr(services.store, "mark", fail)
        while not services.boards.look().failed:
            time.sleep(0.005)
        visitor.press("tab-board", "select")
        assert "voici le dernier classement calculé" in visitor.value("board-at")
        assert "Les huit modèles" in visitor.value("board")
        assert b"hidden/place" not in b"".join(visitor.heard)
        services.boards.close()
