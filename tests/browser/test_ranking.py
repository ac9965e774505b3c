"""A blind ranking in a real browser: ordered by keys, by buttons, by mouse and by finger, submitted, revealed."""

from __future__ import annotations

from typing import Any

import pytest

from medinject_demo.ui.frame import Playground

from .conftest import Picture, Visitor
from .visits import Visit, overflow, settle, violations

QUESTION = "Quels sont les signes de la grippe ?"

pytestmark = pytest.mark.browser


def asked(here: Visit, count: int = 4) -> Visit:
    """Change to rankings, ask, and wait until all have answered."""
    page = here.page
    page.locator("#blind-mode input[value=ranking]").check()
    page.locator("#ranking-question textarea").wait_for()
    page.locator(f"#ranking-count input[value='{count}']").check()
    page.locator("#ranking-question textarea").fill(QUESTION)
    page.keyboard.press("Enter")
    page.locator(f"#ranking-items li:nth-child({count})").wait_for()
    settle(page)
    return here


def order(here: Visit) -> str:
    """The order that would be submitted; the list shows the same."""
    text = here.page.locator("#ranking-order textarea, #ranking-order input").first.input_value()
    shown = here.page.locator("#ranking-items li").evaluate_all("all => all.map(each => each.dataset.letter)")
    assert [letter for letter in text if letter.isalpha()] == (shown if text else [])
    return text


def act(here: Visit, letter: str, what: str) -> None:
    here.page.locator(f"#ranking-items [data-letter={letter}] [data-move={what}]").click()


def middle(here: Visit, letter: str, part: str = "") -> tuple[float, float]:
    box = here.page.locator(f"#ranking-items [data-letter={letter}] {part}").bounding_box()
    assert box is not None
    return box["x"] + box["width"] / 2, box["y"] + box["height"] / 2


def drag(here: Visit, letter: str, onto: str, lower: bool) -> None:
    """Drag an item by the mouse to just above or below another's middle."""
    here.page.locator("#ranking-items").scroll_into_view_if_needed()
    x, y = middle(here, letter, ".grip")
    there = middle(here, onto)[1] + (4 if lower else -4)
    here.page.mouse.move(x, y)
    here.page.mouse.down()
    here.page.mouse.move(x, (y + there) / 2)
    here.page.mouse.move(x, there)
    here.page.mouse.up()


def submitted(here: Visit) -> None:
    here.page.locator("#ranking-submit").click()
    here.page.locator("#ranking-reveal-title").wait_for()
    settle(here.page)


@pytest.mark.parametrize("size", ["desktop", "phone"])
def test_answers_are_ordered_by_buttons_submitted_revealed_and_undone(
    visit: Visitor, behind: Playground, picture: Picture, size: str
) -> None:
    here = asked(visit(size=size))
    assert order(here) == ""
    assert here.page.locator("#ranking-items .rank").all_inner_texts() == ["1 (ex æquo)"] * 4
    act(here, "C", "up")
    assert order(here) == "C > A = B = D"
    act(here, "D", "down")
    assert order(here) == "C > A = B > D"
    act(here, "C", "down")
    assert order(here) == "A = B > C > D"
    act(here, "D", "tie")
    assert order(here) == "A = B > C = D"
    act(here, "D", "tie")
    assert order(here) == "A = B > C > D"
    picture(here.page, f"ranking-asked-{size}")
    assert overflow(here.page) == 0
    before = behind.store.counts().votes
    submitted(here)
    live = max(behind.store.live_votes(), key=lambda each: each.vote.at)
    assert live.ranking == (1, 1, 2, 3)
    stored = behind.store.battle(live.vote.battle)
    assert stored is not None
    prints = here.page.locator("#ranking-revealed code").all_inner_texts()
    assert prints == [answer.fingerprint[:16] for answer in stored.answers]
    picture(here.page, f"ranking-revealed-{size}")
    assert overflow(here.page) == 0
    assert order(here) == "A = B > C > D"
    here.page.locator("#ranking-undo").click()
    here.page.get_by_text("Classement retiré").first.wait_for()
    assert behind.store.counts().votes == before
    assert here.complaints == []


def test_a_ranking_needs_no_mouse(visit: Visitor, behind: Playground) -> None:
    here = asked(visit())
    page = here.page
    page.locator("#ranking-items [data-letter=B] [data-move=up]").focus()
    page.keyboard.press("ArrowUp")
    assert order(here) == "B > A = C = D"
    assert page.evaluate("document.activeElement.closest('li').dataset.letter") == "B"
    assert page.locator("#ranking-moved").inner_text() == "Réponse B, rang 1"
    page.keyboard.press("ArrowDown")
    page.keyboard.press("=")
    assert order(here) == "A = B = C = D"
    page.keyboard.press("ArrowDown")
    page.keyboard.press("ArrowUp")
    assert order(here) == "B > A = C = D"
    before = behind.store.counts().votes
    page.locator("#ranking-submit").focus()
    page.keyboard.press("Enter")
    page.locator("#ranking-reveal-title").wait_for()
    settle(page)
    assert page.evaluate("document.activeElement.id") == "ranking-reveal-title"
    assert behind.store.counts().votes == before + 1
    page.keyboard.press("n")
    page.locator("#ranking-area").wait_for(state="hidden")
    assert here.complaints == []


def test_answers_are_dragged_by_the_mouse_and_tied_where_they_are_let_go_among_tied_ones(visit: Visitor) -> None:
    here = asked(visit())
    drag(here, "D", "A", lower=False)
    assert order(here) == "D > A = B = C"
    drag(here, "C", "D", lower=False)
    assert order(here) == "C > D > A = B"
    drag(here, "C", "A", lower=True)
    assert order(here) == "D > A = B = C"
    drag(here, "D", "C", lower=True)
    assert order(here) == "A = B = C > D"
    assert here.complaints == []


def test_answers_are_dragged_by_a_finger_at_their_grip(visit: Visitor) -> None:
    here = asked(visit(size="phone"), 3)
    page: Any = here.page
    page.locator("#ranking-items").scroll_into_view_if_needed()
    touch = page.context.new_cdp_session(page)
    x, y = middle(here, "C", ".grip")
    there = middle(here, "A")[1] - 4
    for kind, points in (
        ("touchStart", [{"x": x, "y": y}]),
        ("touchMove", [{"x": x, "y": (y + there) / 2}]),
        ("touchMove", [{"x": x, "y": there}]),
        ("touchEnd", []),
    ):
        touch.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": points})
    page.wait_for_timeout(200)
    assert order(here) == "C > A = B"


def test_an_order_written_by_hand_moves_the_list(visit: Visitor, behind: Playground) -> None:
    here = asked(visit(), 3)
    box = here.page.locator("#ranking-order textarea, #ranking-order input").first
    box.fill("C > A = B")
    settle(here.page)
    assert order(here) == "C > A = B"
    here.page.get_by_label("English").check()
    here.page.get_by_role("button", name="Submit the ranking").wait_for()
    here.page.locator("#ranking-items").get_by_text("2 (tied)").first.wait_for()
    settle(here.page)
    assert order(here) == "C > A = B"
    submitted(here)
    assert max(behind.store.live_votes(), key=lambda each: each.vote.at).ranking == (2, 2, 1)


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("size", ["desktop", "phone"])
def test_axe_finds_nothing_serious_in_a_ranking_of_eight(
    visit: Visitor, picture: Picture, size: str, theme: str
) -> None:
    here = asked(visit(size=size, theme=theme), 8)
    act(here, "H", "up")
    picture(here.page, f"ranking-eight-{size}-{theme}")
    assert violations(here.page) == []
    assert overflow(here.page) == 0
    submitted(here)
    assert violations(here.page) == []
    assert overflow(here.page) == 0
