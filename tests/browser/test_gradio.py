"""What the page relies upon of Gradio's own markup is there: where an update changes it, this says what."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

import pytest

from medinject_demo.ui.look import ASSETS

from .conftest import Visitor
from .test_connection import lose
from .visits import NAMES, open_tab, settle

if TYPE_CHECKING:
    from playwright.sync_api import Page

CLASS: Final = r"\.([a-z][\w-]*)"
GRADIOS: Final = """() => {
    const ours = window.gradio_config.components.flatMap((each) => each.props.elem_classes ?? []);
    const made = [...document.querySelectorAll("[class*=svelte-]")].flatMap((each) => [...each.classList]);
    return [...new Set(made)].filter((each) => !ours.includes(each) && !each.startsWith("svelte-"));
}"""
"""Classes that Gradio gave to what it drew."""

pytestmark = pytest.mark.browser


def found(page: Page) -> set[str]:
    """The names of the selectors that something on the page is found by."""
    there = "Object.entries(window.medinjectGradio).filter(([, each]) => document.querySelector(each))"
    return set(page.evaluate(f"{there}.map(([name]) => name)"))


def test_gradios_markup_is_as_the_page_expects_it(visit: Visitor) -> None:
    page = visit(size="phone").page
    selectors = page.evaluate("window.medinjectGradio")
    seen: set[str] = set()
    for name in NAMES:
        open_tab(page, name)
        for fold in page.locator(".gr-accordion > button:visible").all():
            fold.click()
        settle(page)
        seen |= found(page)
    open_tab(page, "duel")
    with lose(page):
        page.locator("#duel-question textarea").fill("Perdue ?")
        page.keyboard.press("Enter")
    seen |= found(page)
    for name, selector in selectors.items():
        assert name in seen, f"Gradio changed: nothing is {selector} any more ({name}, in ui/assets/gradio.js)"


def test_every_class_of_gradios_that_a_style_sheet_names_is_in_the_one_list(visit: Visitor) -> None:
    page = visit().page
    gradios: set[str] = set()
    for name in NAMES:
        open_tab(page, name)
        gradios |= set(page.evaluate(GRADIOS))
    sheets = "".join(path.read_text(encoding="utf-8") for path in sorted(ASSETS.glob("*.css")))
    selectors = re.sub(r"/\*.*?\*/|(?<=\{)[^{}]*(?=\})", "", sheets, flags=re.DOTALL)
    listed = set(re.findall(CLASS, " ".join(page.evaluate("Object.values(window.medinjectGradio)"))))
    assert set(re.findall(CLASS, selectors)) & gradios - listed == set()
