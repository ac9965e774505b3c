"""The page as a visitor meets it: every tab, both languages, light and dark, on a desk and on a phone."""

from __future__ import annotations

import pytest

from medinject_demo.ui.texts import Lang, say

from .conftest import Picture, Visitor
from .visits import NAMES, SIZES, arrived, open_tab, overflow, settle, violations

pytestmark = pytest.mark.browser


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("lang", list(Lang))
def test_every_tab_opens_without_complaint_and_without_sideways_scroll(visit: Visitor, size: str, lang: str) -> None:
    here = visit(size=size, lang=lang)
    wide = {}
    for name in NAMES:
        open_tab(here.page, name)
        wide[name] = overflow(here.page)
    assert wide == dict.fromkeys(NAMES, 0)
    assert here.complaints == []


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("size", SIZES)
def test_axe_finds_nothing_serious_on_any_tab(visit: Visitor, picture: Picture, size: str, theme: str) -> None:
    here = visit(size=size, theme=theme)
    found = {}
    for name in NAMES:
        open_tab(here.page, name)
        picture(here.page, f"{name}-{size}-{theme}")
        found[name] = violations(here.page)
    assert {name: each for name, each in found.items() if each} == {}


@pytest.mark.parametrize(("locale", "lang"), [("fr-FR", "fr"), ("en-GB", "en"), ("de-DE", "fr")])
def test_a_visitor_arrives_in_the_language_of_the_browser_or_in_french(visit: Visitor, locale: str, lang: str) -> None:
    page = visit(lang=locale).page
    page.locator(f"#language input[value={lang}]:checked").wait_for()
    page.get_by_role("heading", level=1, name=say(lang, "page.title")).wait_for()
    settle(page)
    assert page.locator("html").get_attribute("lang") == lang


@pytest.mark.parametrize("size", SIZES)
def test_the_switch_to_english_changes_the_labels_and_stays_after_a_reload(visit: Visitor, size: str) -> None:
    page = visit(size=size).page
    page.get_by_label("English").check()
    for again in (False, True):
        if again:
            page.reload()
            arrived(page)
        page.locator("#language input[value=en]:checked").wait_for()
        page.get_by_role("heading", level=1, name=say("en", "page.title")).wait_for()
        settle(page)
        assert [page.locator(f"#tab-{name}-button").inner_text() for name in NAMES] == [
            say("en", f"page.tab_{name}") for name in NAMES
        ]
        assert page.locator("html").get_attribute("lang") == "en"


def test_the_warnings_are_in_sight_on_every_tab(visit: Visitor) -> None:
    page = visit(size="phone").page
    for name in NAMES:
        open_tab(page, name)
        assert "le\u00a015 ou le\u00a0112" in page.get_by_role("note").inner_text()


def test_a_tab_is_reached_and_opened_by_keyboard(visit: Visitor) -> None:
    page = visit().page
    page.locator("#tab-duel-button").focus()
    page.keyboard.press("Tab")
    while page.evaluate("document.activeElement.id") != "tab-board-button":
        page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    page.locator("#tab-board").wait_for(state="visible")


def test_what_gradio_says_of_its_own_follows_the_language_of_the_page(visit: Visitor) -> None:
    page = visit(lang="en").page
    for lang, name in (("fr", "Français"), ("en", "English")):
        page.get_by_label(name).check()
        page.get_by_role("heading", level=1, name=say(lang, "page.title")).wait_for()
        open_tab(page, "study")
        assert page.title() == say(lang, "page.title")
        assert page.locator("footer .show-api").inner_text().strip() == say(lang, "page.foreign_api")
        assert page.locator("footer .settings").inner_text().strip() == say(lang, "page.foreign_settings")
        for field in ("#voter", "#citation"):
            assert page.locator(f"{field} .icon-button").get_attribute("aria-label") == say(lang, "page.foreign_copy")


def test_no_box_is_titled_with_the_value_it_stands_for(visit: Visitor) -> None:
    page = visit().page
    open_tab(page, "compare")
    assert page.locator("#compare-arms input").count() == 8
    assert page.locator("input[type=checkbox][title], input[type=radio][title]").count() == 0
