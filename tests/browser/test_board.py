"""The board in a real browser, on votes made by hand, and through a client of its API."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from random import Random

import pytest
from gradio_client import Client

from medinject_demo.arena import Arena
from medinject_demo.domain import MIXTURES, Verdict
from medinject_demo.engine.base import ScriptedEngine
from medinject_demo.errors import StoreError
from medinject_demo.prompts import load_prompts
from medinject_demo.serving import opened
from medinject_demo.ui.frame import Playground
from tests.duels import store_at
from tests.votes.samples import ballot, battle

from .conftest import Picture, Visitor
from .visits import open_tab, overflow, settle

pytestmark = pytest.mark.browser
VERDICTS = [Verdict.LEFT, Verdict.LEFT, Verdict.RIGHT, Verdict.BOTH_GOOD, Verdict.BOTH_BAD, Verdict.UNSURE]


@pytest.fixture
def voted(tmp_path: Path) -> Playground:
    """A playground without votes, on a scripted engine."""
    store = store_at(tmp_path)
    engine = ScriptedEngine(lambda request: "Oui.", MIXTURES)
    arena = Arena(engine, store, secret="sel", generator=Random(1))
    return Playground(engine, arena, store, load_prompts(), "mini", "Miniature")


@pytest.fixture
def url(voted: Playground) -> Iterator[str]:
    with opened(voted) as address:
        yield address


def vote(voted: Playground, votes: int) -> None:
    chance = Random(2)
    for each in range(votes):
        left, right = chance.sample(MIXTURES, 2)
        voted.store.cast(battle(f"duel {each}", left, right), f"voter {each % 9}", ballot(chance.choice(VERDICTS)))


def test_the_board_is_read_when_its_tab_is_opened_and_anew_when_refreshed(
    visit: Visitor, voted: Playground, url: str, picture: Picture
) -> None:
    here = visit(url=url)
    vote(voted, 3)  # after the page was loaded, before the tab is opened
    open_tab(here.page, "board")
    figures = here.page.locator("#board dd.figure")
    assert figures.all_inner_texts()[:3] == ["3", "3", "3"]
    assert "Pas assez de votes" in here.page.locator("#board .said").inner_text()
    vote(voted, 80)
    here.page.get_by_role("button", name="Actualiser").click()
    here.page.get_by_text("80", exact=True).first.wait_for()
    assert figures.all_inner_texts()[:3] == ["80", "80", "9"]
    picture(here.page, "board-voted")
    assert here.complaints == []


def test_the_board_follows_the_language_without_being_read_again(visit: Visitor, voted: Playground, url: str) -> None:
    page = visit(url=url).page
    vote(voted, 3)
    open_tab(page, "board")
    vote(voted, 5)
    page.get_by_label("English").check()
    page.get_by_role("heading", name="Coverage of the 28 pairs").wait_for()
    assert page.locator("#board dd.figure").first.inner_text() == "3"


def test_a_wide_table_scrolls_in_its_own_region_by_keyboard(visit: Visitor, voted: Playground, url: str) -> None:
    vote(voted, 30)
    page = visit(size="phone", url=url).page
    open_tab(page, "board")
    assert overflow(page) == 0
    region = page.get_by_role("region", name="Tableau des verdicts par paire")
    region.focus()
    page.keyboard.press("ArrowRight")
    settle(page)
    page.wait_for_function("document.activeElement.scrollLeft > 0")


def test_a_store_that_cannot_be_read_is_one_sentence(
    visit: Visitor, voted: Playground, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail() -> None:
        raise StoreError("votes in /hidden/place: expected a database that answers, got none.")

    monkeypatch.setattr(voted.store, "counts", fail)
    page = visit(url=url).page
    open_tab(page, "board")
    said = page.locator("#board").inner_text().strip()
    assert said.startswith("Les votes ne peuvent pas être lus à présent.")
    assert "hidden/place" not in page.content()
    monkeypatch.undo()
    page.get_by_role("button", name="Actualiser").click()
    page.locator("#board dd.figure").first.wait_for()


def test_a_client_reads_the_counts(voted: Playground, url: str) -> None:
    vote(voted, 12)
    counts = Client(url, verbose=False).predict(api_name="/board")
    assert (counts["battles"], counts["votes"], len(counts["pairs"])) == (12, 12, 28)
    assert sum(each["battles"] for each in counts["pairs"]) == 12
