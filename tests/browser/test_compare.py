"""Eight arms side by side in a real browser: streaming, one enlarged, letters, marks."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from medinject_demo.domain import MIXTURES
from medinject_demo.prompts import layout, load_prompts

from .conftest import Picture, Visitor
from .visits import Visit, open_tab, overflow, settle, violations

CHOICES = next(each for each in load_prompts() if each.options)

pytestmark = pytest.mark.browser


def compared(here: Visit, question: str) -> Visit:
    """All eight arms answer a question; waits until they have."""
    page = here.page
    open_tab(page, "compare")
    page.locator("#compare-all").click()
    page.locator("#compare-question textarea").fill(question)
    page.locator("#compare-ask").click()
    page.locator("#compare-json").wait_for()
    settle(page)
    return here


@pytest.mark.parametrize("size", ["desktop", "phone"])
def test_eight_arms_answer_side_by_side_and_one_can_be_enlarged(visit: Visitor, picture: Picture, size: str) -> None:
    here = compared(visit(size=size), "Quels sont les signes de la grippe ?")
    page = here.page
    cards = page.locator("#compare-cards .card[data-arm]")
    assert {cards.nth(n).get_attribute("data-arm") for n in range(8)} == {mixture.slug for mixture in MIXTURES}
    picture(page, f"compare-{size}")
    assert overflow(page) == 0
    page.locator(".card[data-arm=nat] [data-act=enlarge]").click()
    assert [cards.nth(n).is_visible() for n in range(8)].count(True) == 1
    page.keyboard.press("Escape")
    assert [cards.nth(n).is_visible() for n in range(8)].count(True) == 8
    assert here.complaints == []


def test_words_that_differ_are_marked_and_the_answers_can_be_taken_away(visit: Visitor, tmp_path: Path) -> None:
    here = compared(visit(), "Quels sont les signes de la grippe ?")
    page = here.page
    page.locator("#compare-view [value=marked]").check()
    page.locator("#compare-cards mark:visible").first.wait_for()
    with page.expect_download() as given:
        page.locator("#compare-json").click()
    given.value.save_as(tmp_path / "answers.json")
    assert len(json.loads((tmp_path / "answers.json").read_text(encoding="utf-8"))["answers"]) == 8


def test_a_multiple_choice_prompt_shows_how_the_arms_weigh_its_letters(visit: Visitor, picture: Picture) -> None:
    here = compared(visit(), layout(CHOICES))
    here.page.locator("#compare-letters table").first.wait_for()
    here.page.locator("#compare-right input").check()
    settle(here.page)
    picture(here.page, "compare-letters-desktop")
    assert here.complaints == []


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_axe_finds_nothing_serious_beside_eight_answers(visit: Visitor, theme: str) -> None:
    assert violations(compared(visit(theme=theme), layout(CHOICES)).page) == []
