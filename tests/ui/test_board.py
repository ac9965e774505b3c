"""The tab: what a look gives, and what is shown of it. What a board looks like is tested beside each section."""

from __future__ import annotations

import threading
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
from tests.duels import store_at
from tests.votes.samples import ballot, battle

from .reports import report
from .test_duel import asked
from .visitor import Visitor, served

PATIENCE = 20.0


@pytest.fixture
def reading(tmp_path: Path) -> Reading:
    return Reading(report(), store_at(tmp_path).counts(), 1)


class Slow(Boards):
    """Boards whose computation waits until it is let go."""

    def __init__(self, store: VoteStore) -> None:
        self.begun, self.let_go, self.asked = threading.Event(), threading.Event(), 0
        super().__init__(store, compute=self._held)

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
    at, shown = drawn("fr", Seen(reading, computing=True))
    assert "État au 06/03/2026" in at
    assert "Un classement plus récent se calcule" in at
    assert "Les huit modèles" in shown
    assert "plus récent" not in drawn("fr", Seen(reading))[0]


def test_votes_that_cannot_be_read_leave_the_last_board_with_a_sentence(reading: Reading) -> None:
    at, shown = drawn("fr", Seen(reading, failed=True))
    assert "Les votes ne peuvent pas être lus à présent\u00a0: voici le dernier classement calculé" in at
    assert 'role="alert"' in at
    assert "État au 06/03/2026" in at
    assert "Les huit modèles" in shown


def test_votes_that_could_never_be_read_are_one_sentence() -> None:
    at, shown = drawn("fr", Seen(failed=True))
    assert at == ""
    assert "Les votes ne peuvent pas être lus à présent. Réessayez" in shown


def test_what_was_seen_is_drawn_again_in_another_language_without_a_look(reading: Reading) -> None:
    assert "The eight models" in drawn("en", Seen(reading))[1]


def test_empty_filters_are_any() -> None:
    assert chosen("", None, "") == Selection()
    assert chosen("oeq", "cardiologie", "physician") == Selection("oeq", "cardiologie", "physician")


def test_the_board_is_sent_again_only_where_it_is_another(reading: Reading) -> None:
    class Same(Boards):
        def __init__(self) -> None:
            pass

        def look(self, selection: Selection = Selection()) -> Look[Reading]:
            return Look(reading, computing=True)

    look = board._looks(Same(), False)
    seen, _, shown, clock = look("fr", None, "", "", "")
    assert "Les huit modèles" in shown
    assert clock.active
    assert look("fr", seen, "", "", "")[2] == gr.skip()


def test_the_page_looks_again_only_while_a_result_is_on_its_way() -> None:
    assert [Seen.of(look).waits for look in (Look(), Look(computing=True), Look(full=True), Look(failed=True))] == [
        False,
        True,
        True,
        False,
    ]


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
            pass
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
            pass
        monkeypatch.setattr(services.store, "mark", fail)
        while not services.boards.look().failed:
            pass
        visitor.press("tab-board", "select")
        assert "voici le dernier classement calculé" in visitor.value("board-at")
        assert "Les huit modèles" in visitor.value("board")
        assert b"hidden/place" not in b"".join(visitor.heard)
        services.boards.close()
