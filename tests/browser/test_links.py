"""A link to a duel in a real browser: made and copied by its maker, followed by a guest."""

from __future__ import annotations

import pytest

from medinject_demo.ui.frame import Playground

from .conftest import Picture, Visitor
from .test_duel import asked
from .visits import Visit, arrived, overflow, settle, violations

pytestmark = pytest.mark.browser


def shared(here: Visit) -> str:
    """The link of a duel that was voted on, as the page shows it."""
    page = here.page
    page.locator("#verdict-left").click()
    page.locator("#duel-share").click()
    field = page.locator("#duel-link-field")
    field.wait_for()
    settle(page)
    return field.input_value()


def followed(here: Visit, link: str) -> Visit:
    here.page.goto(link)
    arrived(here.page)
    return here


@pytest.mark.parametrize("size", ["desktop", "phone"])
def test_a_link_is_copied_and_a_guest_votes_blind_by_it(
    visit: Visitor, behind: Playground, picture: Picture, url: str, size: str
) -> None:
    maker = asked(visit(size=size))
    link = shared(maker)
    assert link.startswith(f"{url.rstrip('/')}/?duel=")
    maker.page.get_by_role("button", name="Copier le lien").click()
    maker.page.get_by_text("Lien copié.").wait_for()
    picture(maker.page, f"duel-shared-{size}")
    assert overflow(maker.page) == 0
    assert violations(maker.page) == []
    guest = followed(visit(size=size), link)
    guest.page.locator("#verdict-right").wait_for()
    settle(guest.page)
    for card in ("#duel-left .answer", "#duel-right .answer"):
        assert guest.page.locator(card).inner_text() == maker.page.locator(card).inner_text()
    assert not guest.page.locator("#reveal-title").is_visible()
    assert not guest.page.locator("#duel-regenerate").is_visible()
    picture(guest.page, f"duel-guest-{size}")
    assert violations(guest.page) == []
    before = behind.store.counts()
    guest.page.keyboard.press("2")
    guest.page.locator("#reveal-title").wait_for()
    assert behind.store.counts().votes == before.votes + 1
    assert behind.store.counts().kept == before.kept
    assert maker.complaints == guest.complaints == []


def test_a_link_to_nothing_leaves_a_page_that_works(visit: Visitor, url: str) -> None:
    here = followed(visit(), f"{url.rstrip('/')}/?duel=perdu")
    here.page.get_by_text("Aucun duel n’est visible").wait_for()
    asked(here)
    assert here.complaints == []
