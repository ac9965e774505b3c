"""What is refused far below the status is said in sight of whoever pressed, on a desk and on a phone."""

from __future__ import annotations

import pytest

from . import test_duel, test_ranking
from .conftest import Visitor
from .visits import SIZES, Visit, settle

PHONE = "Rappelez-moi au 06 12 34 56 78"

pytestmark = pytest.mark.browser

IN_SIGHT = """element => {
    const box = element.getBoundingClientRect();
    const top = document.elementFromPoint(box.x + box.width / 2, box.y + box.height / 2);
    return box.top >= 0 && box.bottom <= innerHeight && element.contains(top);
}"""


def said(here: Visit, name: str, words: str) -> bool:
    """Whether a refusal with these words is in sight, nothing before it, once the page is at rest."""
    alert = here.page.locator(f"#{name}-status [role=alert]").filter(has_text=words)
    alert.wait_for(state="attached")
    settle(here.page)
    return bool(alert.evaluate(IN_SIGHT))


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize(("comment", "words"), [(PHONE, "numéro de téléphone"), ("a" * 2500, "trop long")])
def test_a_verdict_that_is_refused_for_its_comment_says_so_in_sight(
    visit: Visitor, size: str, comment: str, words: str
) -> None:
    here = test_duel.asked(visit(size=size))
    here.page.locator("#duel-reasons > button").click()
    settle(here.page)  # a box that is still being drawn forgets what is written into it
    here.page.locator("#duel-comment textarea").fill(comment)
    settle(here.page)
    here.page.locator("#verdict-left").click()
    assert said(here, "duel", words)
    here.page.locator("#duel-next").scroll_into_view_if_needed()
    assert said(here, "duel", words)


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize(("question", "words"), [("", "Écrivez une question"), ("a" * 9000, "trop long")])
def test_a_question_that_is_refused_says_so_in_sight_of_the_button(
    visit: Visitor, size: str, question: str, words: str
) -> None:
    here = visit(size=size)
    here.page.set_viewport_size({"width": SIZES[size]["width"], "height": 640})
    here.page.locator("#duel-question textarea").fill(question)
    here.page.locator("#duel-start").click()
    assert said(here, "duel", words)


@pytest.mark.parametrize("size", SIZES)
def test_a_follow_up_that_is_held_back_says_so_in_sight(visit: Visitor, size: str) -> None:
    here = test_duel.asked(visit(size=size))
    here.page.locator("#duel-message textarea").fill(PHONE)
    here.page.locator("#duel-send").click()
    assert said(here, "duel", "numéro de téléphone")


@pytest.mark.parametrize("size", SIZES)
def test_an_order_that_cannot_be_read_is_refused_in_sight(visit: Visitor, size: str) -> None:
    here = test_ranking.asked(visit(size=size), 8)
    here.page.locator("#ranking-order textarea, #ranking-order input").first.fill("A > B")
    here.page.locator("#ranking-submit").click()
    assert said(here, "ranking", "chaque réponse une fois")
