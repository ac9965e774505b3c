"""A connection that is lost and comes back: said in the page's language, and the duel is still there."""

from __future__ import annotations

import pytest

from medinject_demo.ui.texts import say

from . import test_duel
from .conftest import Visitor
from .visits import arrived, settle

pytestmark = pytest.mark.browser


def test_a_lost_connection_is_said_in_the_visitors_language_and_the_duel_outlives_it(visit: Visitor) -> None:
    page = test_duel.asked(visit()).page
    said = page.locator("#duel-left .answer").inner_text()
    page.context.set_offline(True)
    page.locator("#verdict-left").click()
    toast = page.locator("[data-testid=toast-text]").filter(has_text=say("fr", "page.foreign_lost"))
    toast.wait_for()
    assert page.locator(".toast-title").inner_text().strip() == say("fr", "page.foreign_lost_title")
    with page.expect_navigation():
        page.context.set_offline(False)
    arrived(page)
    page.locator("#verdict-left").wait_for()
    settle(page)
    assert page.locator("#duel-left .answer").inner_text() == said
    page.locator("#verdict-left").click()
    page.locator("#reveal-title").wait_for()
