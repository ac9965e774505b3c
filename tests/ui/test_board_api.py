from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import gradio as gr
import pytest

from medinject_demo.boards import Boards
from medinject_demo.domain import BASE, MIXTURES, Verdict
from medinject_demo.errors import InvalidValue, StoreError
from medinject_demo.stats.report import Report, report
from medinject_demo.stats.selection import Selection
from medinject_demo.ui.board_api import asked, endpoint
from medinject_demo.ui.gate import Gate
from medinject_demo.votes.store import VoteStore
from tests.duels import store_at
from tests.votes.samples import PROMPT, ballot, battle

PATIENCE = 20.0


@pytest.fixture
def store(tmp_path: Path) -> VoteStore:
    store = store_at(tmp_path)
    store.cast(battle("one", MIXTURES[1], BASE), "me", ballot(Verdict.LEFT))
    return store


@pytest.fixture
def boards(store: VoteStore) -> Iterator[Boards]:
    with closing(Boards(store, pause=0.0)) as boards:
        yield boards


def called(boards: Boards, *given: str, patience: float = PATIENCE) -> dict[str, Any]:
    return asyncio.run(endpoint(boards, [PROMPT], Gate(), patience=patience)(None, *given))


def test_a_program_waits_for_the_first_result(boards: Boards) -> None:
    said = called(boards)
    assert (said["votes"], said["board"]["comparisons"], said["outdated"]) == (1, 1, False)


def test_a_program_asks_for_a_part_of_the_votes(boards: Boards) -> None:
    assert called(boards, "oeq")["board"]["comparisons"] == 0
    assert called(boards, "mcq", "cardiologie", "undeclared")["board"]["comparisons"] == 1


@pytest.mark.parametrize("wrong", [("poem",), ("", "astrologie"), ("", "", "robot")])
def test_a_part_that_there_is_not_is_refused_with_those_there_are(boards: Boards, wrong: tuple[str, ...]) -> None:
    with pytest.raises(gr.Error, match="expected one of"):
        called(boards, *wrong)


def test_empty_is_any() -> None:
    assert asked("", "", "", set()) == Selection()
    with pytest.raises(InvalidValue):
        asked("", "cardiologie", "", set())


def test_a_wait_holds_no_thread(store: VoteStore) -> None:
    """The same thread that waits can do something else meanwhile."""
    let_go = threading.Event()

    def held(frame: Any, selection: Selection, **named: Any) -> Report:
        assert let_go.wait(PATIENCE)
        return report(frame, selection, **named)

    async def both(boards: Boards) -> tuple[dict[str, Any], str]:
        async def other() -> str:
            await asyncio.sleep(0.2)  # after the wait has begun
            let_go.set()
            return "done meanwhile"

        return await asyncio.gather(endpoint(boards, [], Gate())(None), other())

    with closing(Boards(store, compute=held)) as boards:
        said, meanwhile = asyncio.run(both(boards))
    assert (said["votes"], meanwhile) == (1, "done meanwhile")


def test_a_first_result_that_does_not_come_is_one_sentence(store: VoteStore) -> None:
    let_go = threading.Event()

    def held(frame: Any, selection: Selection, **named: Any) -> Report:
        assert let_go.wait(PATIENCE)
        return report(frame, selection, **named)

    with closing(Boards(store, compute=held)) as boards:
        with pytest.raises(gr.Error, match="Reading the votes"):
            called(boards, patience=0.2)
        let_go.set()


def test_votes_that_cannot_be_read_are_one_sentence_and_an_older_board_is_told_as_such(
    store: VoteStore, boards: Boards, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail() -> None:
        raise StoreError("votes in /hidden/place: expected a database that answers, got none.")

    called(boards)
    monkeypatch.setattr(store, "mark", fail)
    with pytest.raises(gr.Error, match="cannot be read") as told:
        called(boards, "mcq")
    assert "hidden" not in str(told.value)
    while not (said := called(boards))["outdated"]:
        time.sleep(0.005)
    assert said["board"]["comparisons"] == 1
