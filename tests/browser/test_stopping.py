"""Answers that would go on are stopped by their buttons, in a real browser."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from medinject_demo.engine.base import Delta, Event, Request, ScriptedEngine
from tests.ui.visitor import served

from .conftest import Visitor
from .visits import open_tab

pytestmark = pytest.mark.browser


class Endless(ScriptedEngine):
    """Goes on until it is stopped."""

    def _events(self, requests: Sequence[Request], started: float) -> Iterator[Event]:
        while True:
            for row in range(len(requests)):
                time.sleep(0.02)
                yield Delta(row, " encore")


@pytest.fixture
def url(tmp_path: Path) -> Iterator[str]:
    with served(tmp_path, Endless(lambda request: "")) as (address, _):
        yield f"{address}/"


def test_a_comparison_can_be_stopped_while_its_answers_come(visit: Visitor, url: str) -> None:
    page = visit(url=url).page
    open_tab(page, "compare")
    page.locator("#compare-question textarea").fill("Sans fin ?")
    page.locator("#compare-ask").click()
    page.locator("#compare-cards .answer").get_by_text("encore").first.wait_for()
    page.locator("#compare-stop").click(timeout=5000)
    page.get_by_text("Arrêtées avant la fin").wait_for()
    page.locator("#compare-stop[disabled]").wait_for()


def test_each_side_of_a_duel_can_be_stopped_and_then_it_is_for_the_visitor_to_vote(visit: Visitor, url: str) -> None:
    page = visit(url=url).page
    page.locator("#duel-question textarea").fill("Sans fin ?")
    page.keyboard.press("Enter")
    page.locator("#stop-left").click()
    page.locator("#duel-status").get_by_text("Réponse arrêtée").wait_for()
    page.locator("#stop-right").click()
    page.locator("#duel-status").get_by_text("à vous de voter").wait_for()
    page.locator("#verdict-left").click()
    page.locator("#reveal-title").wait_for()
