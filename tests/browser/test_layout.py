"""Nothing is cut off or too small to touch: every tab, on a phone of 390 pixels and on a screen of 1280."""

from __future__ import annotations

import pytest

from medinject_demo.prompts import layout

from . import test_compare, test_duel, test_ranking
from .conftest import Visitor
from .visits import NAMES, SIZES, cut, faint, open_tab, overflow, settle, small

pytestmark = pytest.mark.browser


def test_what_is_touched_on_a_phone_is_large_enough_for_a_finger(visit: Visitor) -> None:
    here = visit(size="phone")
    found = {}
    for name in NAMES:
        open_tab(here.page, name)
        for each in here.page.locator(".gr-accordion > button:visible").all():
            each.click()
        settle(here.page)
        found[name] = small(here.page)
    assert found == {name: [] for name in NAMES}


def test_what_is_touched_in_a_duel_a_ranking_and_a_comparison_is_too(visit: Visitor) -> None:
    here = test_duel.asked(visit(size="phone"))
    asked = small(here.page)
    here.page.locator("#verdict-left").click()
    here.page.locator("#duel-share").click()
    here.page.locator("#duel-link-field").wait_for()
    settle(here.page)
    shared = small(here.page)
    test_ranking.asked(here, 8)
    ranked = small(here.page)
    test_compare.compared(here, layout(test_compare.CHOICES))
    assert [asked, shared, ranked, small(here.page)] == [[], [], [], []]


@pytest.mark.parametrize("size", SIZES)
def test_no_table_of_the_study_or_of_who_was_who_must_be_scrolled(visit: Visitor, size: str) -> None:
    here = visit(size=size)
    open_tab(here.page, "study")
    assert cut(here.page) == []
    open_tab(here.page, "duel")
    test_ranking.asked(here, 8)
    test_ranking.act(here, "B", "up")
    here.page.locator("#ranking-submit").click()
    here.page.locator("#ranking-reveal-title").wait_for()
    settle(here.page)
    assert cut(here.page) == []
    assert overflow(here.page) == 0


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_a_box_is_seen_whether_it_is_ticked_or_not(visit: Visitor, theme: str) -> None:
    here = test_duel.asked(visit(theme=theme))
    here.page.locator("#duel-reasons > button").click()
    settle(here.page)
    duel = faint(here.page)
    open_tab(here.page, "compare")
    assert [duel, faint(here.page)] == [[], []]
