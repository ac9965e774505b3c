"""A question that was written and not sent: still there after a reload, in this tab alone, and forgotten once sent."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from . import test_ranking
from .conftest import Visitor
from .test_connection import lose, regain
from .visits import arrived, open_tab, settle

if TYPE_CHECKING:
    from playwright.sync_api import Page

QUESTION = "Quels sont les signes\nde la grippe ?"

pytestmark = pytest.mark.browser


def written(page: Page, name: str) -> str:
    page.locator(f"#{name}-question textarea").wait_for()
    settle(page)
    return page.locator(f"#{name}-question textarea").input_value()


def kept(page: Page) -> str:
    """All that the tab and the browser keep, as text."""
    return str(page.evaluate("JSON.stringify([{ ...sessionStorage }, { ...localStorage }])"))


def again(page: Page) -> None:
    page.reload()
    arrived(page)


def test_a_question_of_each_way_to_ask_outlives_a_reload(visit: Visitor) -> None:
    page = visit().page
    page.locator("#duel-question textarea").fill(QUESTION)
    page.locator("#blind-mode input[value=ranking]").check()
    written(page, "ranking")
    page.locator("#ranking-question textarea").fill("À classer")
    open_tab(page, "compare")
    page.locator("#compare-question textarea").fill("À comparer")
    again(page)
    assert written(page, "duel") == QUESTION
    page.locator("#blind-mode input[value=ranking]").check()
    assert written(page, "ranking") == "À classer"
    open_tab(page, "compare")
    assert written(page, "compare") == "À comparer"


def test_once_a_question_is_sent_the_browser_keeps_nothing_of_it(visit: Visitor) -> None:
    here = visit()
    page = here.page
    page.locator("#duel-question textarea").fill("grippe duel")
    assert "grippe duel" in kept(page)
    page.keyboard.press("Enter")
    page.locator("#verdict-left").wait_for()
    test_ranking.asked(here)
    open_tab(page, "compare")
    page.locator("#compare-question textarea").fill("grippe comparée")
    page.locator("#compare-ask").click()
    page.locator("#compare-json").wait_for()
    settle(page)
    assert "grippe" not in kept(page)
    again(page)
    assert "grippe" not in kept(page)
    page.locator("#blind-mode input[value=duel]").check()
    assert written(page, "duel") == ""


def test_a_question_that_was_emptied_or_refused_is_as_the_visitor_left_it(visit: Visitor) -> None:
    page = visit().page
    page.locator("#duel-question textarea").fill("à retirer")
    page.locator("#duel-question textarea").fill("")
    assert "à retirer" not in kept(page)
    page.locator("#duel-question textarea").fill("Jean Martin, né le 03/04/1961, tousse")
    page.keyboard.press("Enter")
    page.locator("#duel-status [role=alert]").wait_for()
    again(page)
    assert written(page, "duel") == "Jean Martin, né le 03/04/1961, tousse"


def test_another_tab_has_none_of_it(visit: Visitor, url: str) -> None:
    page = visit().page
    page.locator("#duel-question textarea").fill("à moi")
    other = page.context.new_page()
    other.goto(url)
    arrived(other)
    assert written(other, "duel") == ""
    assert "à moi" not in kept(other)


def test_a_question_that_was_sent_into_a_lost_connection_is_there_when_it_is_back(visit: Visitor) -> None:
    page = visit().page
    page.locator("#duel-question textarea").fill(QUESTION)
    with lose(page):
        page.keyboard.press("Enter")
    regain(page)
    assert written(page, "duel") == QUESTION
