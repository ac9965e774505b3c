"""A whole duel in a real browser, by mouse and by keyboard alone, on a desktop and on a phone."""

from __future__ import annotations

import pytest

from medinject_demo.prompts import layout, load_prompts
from medinject_demo.ui.frame import Playground

from .conftest import Picture, Visitor
from .visits import SIZES, Visit, overflow, settle, violations

QUESTION = "Quels sont les signes de la grippe ?"
CHOICES = next(each for each in load_prompts() if each.options)

pytestmark = pytest.mark.browser


def asked(here: Visit, question: str = QUESTION) -> Visit:
    """Ask by keyboard, and wait until both have answered."""
    here.page.locator("#duel-question textarea").fill(question)
    here.page.keyboard.press("Enter")
    here.page.locator("#verdict-left").wait_for()
    settle(here.page)
    return here


def focused(here: Visit) -> str:
    return str(here.page.evaluate("document.activeElement.id || document.activeElement.closest('[id]').id"))


@pytest.mark.parametrize("size", ["desktop", "phone"])
def test_a_duel_is_played_voted_on_undone_and_followed_by_another(
    visit: Visitor, behind: Playground, picture: Picture, size: str
) -> None:
    here = asked(visit(size=size))
    page, before = here.page, behind.store.counts().votes
    assert len(page.locator("#duel-left .answer").inner_text()) > 10
    picture(page, f"duel-asked-{size}")
    page.locator("#verdict-both_good").click()
    page.locator("#reveal-title").wait_for()
    settle(page)
    battle = max(behind.store.live_votes(), key=lambda live: live.vote.at).vote.battle
    stored = behind.store.battle(battle)
    assert stored is not None
    prints = page.locator("#duel-revealed code").all_inner_texts()
    assert prints == [answer.fingerprint[:16] for answer in stored.answers]
    picture(page, f"duel-revealed-{size}")
    assert overflow(page) == 0
    page.locator("#duel-undo").click()
    page.get_by_text("Vote retiré").first.wait_for()
    assert behind.store.counts().votes == before
    page.locator("#duel-next").click()
    page.locator("#duel-area").wait_for(state="hidden")
    assert here.complaints == []


@pytest.mark.parametrize("size", ["desktop", "phone"])
def test_a_duel_needs_no_mouse(visit: Visitor, behind: Playground, size: str) -> None:
    here = asked(visit(size=size))
    assert focused(here) == "duel-answers"
    before = behind.store.counts().votes
    here.page.keyboard.press("2")
    here.page.locator("#reveal-title").wait_for()
    settle(here.page)
    assert focused(here) == "reveal-title"
    assert behind.store.counts().votes == before + 1
    here.page.keyboard.press("n")
    here.page.locator("#duel-area").wait_for(state="hidden")
    settle(here.page)
    assert focused(here) == "duel-question"


@pytest.mark.parametrize("size", ["desktop", "phone"])
def test_what_takes_the_focus_is_where_what_follows_it_can_be_read(visit: Visitor, size: str) -> None:
    here = asked(visit(size=size))
    assert here.page.locator("#duel-left .answer").bounding_box()["y"] < 0.6 * SIZES[size]["height"]
    here.page.locator("#verdict-left").click()
    here.page.locator("#reveal-title").wait_for()
    settle(here.page)
    assert 0 <= here.page.locator("#reveal-title").bounding_box()["y"] < 0.6 * SIZES[size]["height"]


def test_no_key_throws_answers_away_that_were_not_voted_on(visit: Visitor) -> None:
    here = asked(visit())
    here.page.keyboard.press("n")
    settle(here.page)
    assert here.page.locator("#duel-area").is_visible()
    here.page.locator("#duel-next").click()
    here.page.locator("#duel-area").wait_for(state="hidden")


def test_digits_do_nothing_once_the_models_are_revealed(visit: Visitor, behind: Playground) -> None:
    here = asked(visit())
    here.page.keyboard.press("1")
    here.page.locator("#reveal-title").wait_for()
    settle(here.page)
    for digit in "2145":
        here.page.keyboard.press(digit)
        settle(here.page)
    latest = max(behind.store.live_votes(), key=lambda live: live.vote.at)
    assert (latest.ballot.verdict, latest.vote.blind) == ("left", True)


@pytest.mark.parametrize("question", [QUESTION, layout(CHOICES)], ids=["revealed at once", "with a reference"])
def test_a_second_press_before_the_first_has_been_read_changes_nothing(
    visit: Visitor, behind: Playground, question: str
) -> None:
    here = asked(visit(), question)
    here.page.evaluate(
        """() => new MutationObserver(() => {
            const told = document.querySelector("#reveal-title, #reference-title");
            if (told) document.getElementById("verdict-right").click();
        }).observe(document.body, { subtree: true, childList: true })"""
    )
    for digit in "125":
        here.page.keyboard.press(digit)
    here.page.locator("#verdict-both_bad").evaluate("button => button.click()")
    here.page.locator("#reveal-title, #reference-title").first.wait_for()
    settle(here.page)
    latest = max(behind.store.live_votes(), key=lambda live: live.vote.at)
    assert (latest.ballot.verdict, latest.vote.blind) == ("left", True)
    assert here.page.locator("#duel-status [role=alert]").count() == 0
    assert "A est meilleure" in here.page.locator("#duel-status").inner_text()


def test_after_a_moment_a_verdict_can_be_changed_by_its_button(visit: Visitor, behind: Playground) -> None:
    here = asked(visit())
    here.page.keyboard.press("1")
    here.page.locator("#reveal-title").wait_for()
    here.page.wait_for_timeout(1000)
    here.page.locator("#verdict-right").click()
    here.page.get_by_text("ne compte pas comme aveugle").wait_for()
    latest = max(behind.store.live_votes(), key=lambda live: live.vote.at)
    assert (latest.ballot.verdict, latest.vote.blind) == ("right", False)


def test_digits_vote_on_a_french_keyboard_without_shift(visit: Visitor, behind: Playground) -> None:
    here = asked(visit())
    before = behind.store.counts().votes
    here.page.evaluate(
        "document.activeElement.dispatchEvent(new KeyboardEvent('keydown', {key: 'é', code: 'Digit2', bubbles: true}))"
    )
    here.page.locator("#reveal-title").wait_for()
    assert behind.store.counts().votes == before + 1


def test_keys_are_text_while_something_is_being_typed(visit: Visitor, behind: Playground) -> None:
    here = asked(visit())
    before = behind.store.counts().votes
    here.page.locator("#duel-message textarea").fill("")
    here.page.locator("#duel-message textarea").press_sequentially("1 n 5")
    settle(here.page)
    assert here.page.locator("#duel-message textarea").input_value() == "1 n 5"
    assert behind.store.counts().votes == before


def test_the_reference_is_judged_before_the_reveal(visit: Visitor, picture: Picture) -> None:
    here = asked(visit(), layout(CHOICES))
    page = here.page
    page.keyboard.press("1")
    page.locator("#reference-title").wait_for()
    settle(page)
    assert focused(here) == "reference-title"
    assert not page.locator("#reveal-title").is_visible()
    page.locator("#equivalent-left label").first.click()
    picture(page, "duel-reference-desktop")
    page.locator("#duel-reveal").click()
    page.locator("#reveal-title").wait_for()
    assert here.complaints == []


def test_a_question_that_is_held_back_is_said_and_can_be_edited(visit: Visitor) -> None:
    here = visit()
    box = here.page.locator("#duel-question textarea")
    box.fill("Jean Martin, né le 03/04/1961, tousse")
    box.press("Enter")
    here.page.locator("#duel-status [role=alert]").wait_for()
    settle(here.page)
    assert box.input_value() == "Jean Martin, né le 03/04/1961, tousse"
    assert focused(here) == "duel-question"


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("size", ["desktop", "phone"])
def test_axe_finds_nothing_serious_in_a_duel_that_was_revealed(visit: Visitor, size: str, theme: str) -> None:
    here = asked(visit(size=size, theme=theme))
    assert violations(here.page) == []
    here.page.locator("#duel-reasons button").first.click()
    here.page.locator("#verdict-left").click()
    here.page.locator("#reveal-title").wait_for()
    settle(here.page)
    assert violations(here.page) == []
    assert overflow(here.page) == 0


def test_answers_that_are_there_at_once_take_the_focus_and_say_they_were_prepared(
    visit: Visitor, behind: Playground
) -> None:
    behind.arena.warm([CHOICES], behind.sampling, lambda prompt: None)
    here = asked(visit(), layout(CHOICES))
    assert focused(here) == "duel-answers"
    here.page.keyboard.press("1")
    here.page.locator("#reference-title").wait_for()
    here.page.locator("#duel-reveal").click()
    here.page.locator("#reveal-title").wait_for()
    assert here.page.locator("#duel-revealed").inner_text().count("réponse préparée") == 2
    assert here.complaints == []
