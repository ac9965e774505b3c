"""The board in a real browser, on plausible votes, and through a client of its API."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from random import Random

import pytest
from gradio_client import Client

from medinject_demo.arena import Arena
from medinject_demo.boards import Boards
from medinject_demo.domain import MIXTURES
from medinject_demo.engine.base import ScriptedEngine
from medinject_demo.errors import StoreError
from medinject_demo.prompts import load_prompts
from medinject_demo.serving import opened
from medinject_demo.ui.frame import Playground
from tests.votes.generated import fill, plausible

from .conftest import Picture, Visitor
from .visits import SIZES, Visit, cut, open_tab, overflow, settle, small, violations

pytestmark = pytest.mark.browser


@pytest.fixture
def voted(tmp_path: Path) -> Iterator[Playground]:
    """A playground without votes, on a scripted engine, whose boards need no pause."""
    from medinject_demo.votes.database import Database
    from medinject_demo.votes.store import VoteStore

    store = VoteStore(Database(f"sqlite:///{tmp_path}/votes.db"))
    store.check()
    engine = ScriptedEngine(lambda request: "Oui.", MIXTURES)
    arena = Arena(engine, store, secret="sel", generator=Random(1))
    with closing(store), closing(Boards(store, pause=0.0)) as boards:
        yield Playground(engine, arena, store, load_prompts(), "qwen3-4b", "Qwen3-4B", boards=boards)


@pytest.fixture
def url(voted: Playground) -> Iterator[str]:
    with opened(voted) as address:
        yield address


def vote(voted: Playground, votes: int, *, seed: int = 7) -> None:
    fill(voted.store._database, plausible(votes, seed=seed))


def figures(here: Visit) -> list[str]:
    """The figures above the board, once it is shown."""
    here.page.locator("#board dd.figure").first.wait_for()
    settle(here.page)
    return here.page.locator("#board .tiles dd.figure").all_inner_texts()


def seen(here: Visit) -> Visit:
    """The same visit with the board in sight."""
    open_tab(here.page, "board")
    figures(here)
    return here


@pytest.mark.parametrize(
    ("votes", "size"),
    [
        *((votes, size) for votes in (0, 5, 50, 500) for size in SIZES),
        pytest.param(50_000, "phone", marks=pytest.mark.slow),
    ],
)
def test_the_board_is_readable_at_any_number_of_votes(
    visit: Visitor, voted: Playground, url: str, votes: int, size: str
) -> None:
    vote(voted, votes)
    here = seen(visit(size=size, url=url))
    assert overflow(here.page) == 0
    assert clipped(here) == []
    assert here.complaints == []
    assert (here.page.locator("#board table").count() > 3) is (votes > 0)


def clipped(here: Visit) -> list[str]:
    """Texts of the board that do not fit where they stand, or whose cell lies outside what can be scrolled to."""
    return list(
        here.page.evaluate(
            """() => [...document.querySelectorAll("#board td, #board th, #board dd, #board dt, #board p, #board li")]
                .filter((each) => each.checkVisibility() && !each.closest(".unseen"))
                .filter((each) => getComputedStyle(each).clipPath === "none")
                .filter((each) => each.scrollWidth > each.clientWidth + 1 && each.clientWidth > 0)
                .map((each) => each.className + " " + each.innerText)"""
        )
    )


@pytest.mark.parametrize("size", SIZES)
def test_of_the_boards_tables_only_a_square_one_must_be_scrolled_on_a_phone(
    visit: Visitor, voted: Playground, url: str, size: str
) -> None:
    vote(voted, 200)
    here = seen(visit(size=size, url=url))
    for details in here.page.locator("#board details").all():
        details.evaluate("(each) => { each.open = true; }")
    settle(here.page)
    assert cut(here.page) == (["Tableau des victoires par paire"] if size == "phone" else [])
    assert small(here.page) == [] or size == "desktop"


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("size", SIZES)
def test_axe_finds_nothing_serious_on_a_full_board(
    visit: Visitor, voted: Playground, url: str, picture: Picture, size: str, theme: str
) -> None:
    vote(voted, 500)
    here = seen(visit(size=size, theme=theme, url=url))
    picture(here.page, f"board-voted-{size}-{theme}")
    for details in here.page.locator("#board details").all():
        details.evaluate("(each) => { each.open = true; }")
    here.page.get_by_role("button", name="Préparer les fichiers").click()
    here.page.locator("#board-effects-png").wait_for()
    assert violations(here.page) == []


def test_the_board_is_that_of_now_when_its_tab_is_opened_and_when_it_is_refreshed(
    visit: Visitor, voted: Playground, url: str
) -> None:
    here = visit(url=url)
    vote(voted, 5)  # after the page was loaded, before the tab is opened
    assert int(figures(seen(here))[0]) <= 5
    voted.store.cast(*one_more())
    before = figures(here)[0]
    here.page.get_by_role("button", name="Actualiser").click()
    here.page.wait_for_function(
        "before => document.querySelector('#board .tiles dd.figure').innerText !== before", arg=before
    )
    assert int(figures(here)[0]) == int(before) + 1
    assert here.complaints == []


def one_more() -> tuple[object, ...]:
    from medinject_demo.domain import Verdict
    from tests.votes.samples import ballot, battle

    return battle("one more"), "somebody", ballot(Verdict.LEFT)


def test_the_board_follows_the_language_without_being_read_again(visit: Visitor, voted: Playground, url: str) -> None:
    vote(voted, 50)
    here = seen(visit(url=url))
    before = figures(here)
    voted.store.cast(*one_more())
    here.page.get_by_label("English").check()
    here.page.get_by_role("heading", name="What the data add").wait_for()
    assert figures(here)[0] == before[0]


def test_a_filter_shows_a_part_of_the_votes_and_says_which(visit: Visitor, voted: Playground, url: str) -> None:
    vote(voted, 200)
    here = seen(visit(url=url))
    whole = int(figures(here)[0])
    here.page.get_by_label("Type de question").last.click()
    here.page.get_by_role("option", name="Question ouverte").click()
    here.page.get_by_text("Votes retenus : Question ouverte").wait_for()
    assert 0 < int(figures(here)[0]) < whole


def test_a_wide_table_scrolls_in_its_own_region_by_keyboard(visit: Visitor, voted: Playground, url: str) -> None:
    vote(voted, 30)
    page = seen(visit(size="phone", url=url)).page
    region = page.get_by_role("region", name="Tableau des victoires par paire")
    region.focus()
    page.keyboard.press("ArrowRight")
    settle(page)
    page.wait_for_function("document.activeElement.scrollLeft > 0")


def test_a_narrow_page_tells_a_screen_reader_the_same_table(visit: Visitor, voted: Playground, url: str) -> None:
    vote(voted, 200)
    for size in SIZES:
        page = seen(visit(size=size, url=url)).page
        table = page.get_by_role("region", name="Tableau des forces des huit modèles").get_by_role("table")
        assert table.get_by_role("row").count() == 9
        assert table.get_by_role("rowheader").count() == 8


def test_the_bars_of_an_arm_have_colours_of_their_own(visit: Visitor, voted: Playground, url: str) -> None:
    vote(voted, 200)
    page = seen(visit(url=url)).page
    colours = [
        page.locator(f"#board .ranking .bar.{kind} > span").first.evaluate(
            "(each) => getComputedStyle(each).backgroundColor"
        )
        for kind in ("controlled", "raw")
    ]
    assert colours == ["rgb(15, 118, 110)", "rgb(109, 40, 217)"]


def test_the_files_are_made_when_asked_for_and_can_be_kept(visit: Visitor, voted: Playground, url: str) -> None:
    vote(voted, 50)
    page = seen(visit(url=url)).page
    page.get_by_role("button", name="Préparer les fichiers").click()
    with page.expect_download() as kept:
        page.locator("#board-table-csv").click()
    assert kept.value.suggested_filename.startswith("classement-medinjection-")
    with Path(kept.value.path()).open(encoding="utf-8-sig", newline="") as file:
        lines = list(csv.DictReader(file))
    assert len(lines) == 8
    assert lines[0]["only_kind"] == "any"
    assert page.locator("#board-links a").count() == 8


def test_a_store_that_cannot_be_read_is_one_sentence(
    visit: Visitor, voted: Playground, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail() -> None:
        raise StoreError("votes in /hidden/place: expected a database that answers, got none.")

    vote(voted, 5)
    monkeypatch.setattr(voted.store, "mark", fail)
    page = visit(url=url).page
    open_tab(page, "board")
    page.get_by_text("Les votes ne peuvent pas être lus à présent. Réessayez").wait_for()
    assert "hidden/place" not in page.content()
    monkeypatch.undo()
    page.get_by_role("button", name="Actualiser").click()
    page.locator("#board dd.figure").first.wait_for()


def test_a_client_reads_the_board_and_a_part_of_it(voted: Playground, url: str) -> None:
    vote(voted, 60)
    client = Client(url, verbose=False)
    said = client.predict(api_name="/board")
    assert (said["votes"], len(said["pairs"]), len(said["board"]["rows"])) == (60, 28, 8)
    assert said["counted"] + said["after_reveal"] + said["suspect"] == 60
    assert said["battles"] == said["counted"] == said["board"]["comparisons"]
    part = client.predict("oeq", api_name="/board")
    assert 0 < part["board"]["comparisons"] < said["board"]["comparisons"]
