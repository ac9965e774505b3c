"""The address in a real browser: it names the duel or the ranking that is shown, and none where none is."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from . import test_duel, test_ranking
from .conftest import Visitor
from .test_links import shared
from .visits import arrived, duel_of, open_tab, settle, shown_duel

if TYPE_CHECKING:
    from playwright.sync_api import Page

pytestmark = pytest.mark.browser


def left(page: Page) -> None:
    """Go on to the next duel."""
    page.locator("#duel-next").click()
    page.locator("#duel-area").wait_for(state="hidden")
    settle(page)


def test_the_address_names_the_duel_that_is_shown_and_none_once_it_is_gone(visit: Visitor) -> None:
    page = test_duel.asked(visit()).page
    assert duel_of(page.url) == shown_duel(page) != ""
    left(page)
    assert duel_of(page.url) == ""


def test_who_followed_a_link_and_went_on_is_not_led_back_to_it(visit: Visitor) -> None:
    link = shared(test_duel.asked(visit()))
    guest = visit()
    guest.page.goto(link)
    guest.page.locator("#verdict-left").wait_for()
    settle(guest.page)
    assert duel_of(guest.page.url) == duel_of(link)
    left(guest.page)
    test_duel.asked(guest)
    own = duel_of(guest.page.url)
    assert own == shown_duel(guest.page) != duel_of(link)
    guest.page.reload()
    arrived(guest.page)
    guest.page.locator("#verdict-left").wait_for()
    assert shown_duel(guest.page) == own


def test_the_address_follows_the_way_to_judge_and_keeps_to_it_on_other_tabs(visit: Visitor) -> None:
    here = test_duel.asked(visit())
    page, duel = here.page, duel_of(here.page.url)
    test_ranking.asked(here)
    ranking = duel_of(page.url)
    assert ranking == shown_duel(page) != duel
    open_tab(page, "study")
    assert duel_of(page.url) == ranking
    open_tab(page, "duel")
    page.locator("#blind-mode input[value=duel]").check()
    page.locator("#verdict-left").wait_for()
    settle(page)
    assert duel_of(page.url) == duel
