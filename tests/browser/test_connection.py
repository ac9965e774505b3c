"""A connection that is lost and comes back: said in the page's language, and the duel is still there."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest

from medinject_demo.ui.texts import say

from . import test_duel
from .conftest import Visitor
from .visits import arrived, duel_of, settle, shown_duel

if TYPE_CHECKING:
    from playwright.sync_api import Page

pytestmark = pytest.mark.browser


@contextmanager
def lose(page: Page) -> Iterator[None]:
    """Lose the connection; something is done without it, and then the page says so."""
    page.context.set_offline(True)
    yield
    page.locator("[data-testid=toast-text]").filter(has_text=say("fr", "page.foreign_lost")).wait_for()


def regain(page: Page) -> None:
    """Have it back, by which the page loads again."""
    with page.expect_navigation():
        page.context.set_offline(False)
    arrived(page)


def test_a_lost_connection_is_said_in_the_visitors_language_and_the_duel_outlives_it(visit: Visitor) -> None:
    page = test_duel.asked(visit()).page
    said, duel = page.locator("#duel-left .answer").inner_text(), shown_duel(page)
    with lose(page):
        page.locator("#verdict-left").click()
    assert page.locator(".toast-title").inner_text().strip() == say("fr", "page.foreign_lost_title")
    regain(page)
    page.locator("#verdict-left").wait_for()
    settle(page)
    assert page.locator("#duel-left .answer").inner_text() == said
    page.locator("#verdict-left").click()
    page.locator("#reveal-title").wait_for()
    assert duel_of(page.url) == duel
    page.locator("#duel-next").click()
    page.locator("#duel-area").wait_for(state="hidden")
    settle(page)
    assert duel_of(page.url) == ""
