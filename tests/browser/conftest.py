"""The real page on the bundled miniature, and a headless Chromium to visit it with.

Skipped with a reason where playwright or Chromium is missing. Playwright keeps an event loop running in the thread
of the tests while it is open: it is closed with this folder, so that no other test meets it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import TYPE_CHECKING

import pytest

from medinject_demo.errors import MedInjectError
from medinject_demo.page_bench import browser as open_browser
from medinject_demo.serving import opened, playground
from medinject_demo.settings import Settings
from medinject_demo.ui.frame import Playground

from .visits import LOCALES, SCREENSHOTS, SIZES, Visit, arrived

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

Visitor = Callable[..., Visit]
Picture = Callable[["Page", str], None]


@pytest.fixture(scope="package")
def browser() -> Iterator[Browser]:
    with ExitStack() as stack:
        try:
            chromium = stack.enter_context(open_browser())
        except MedInjectError as error:
            pytest.skip(f"needs a headless Chromium: {error}")
        yield chromium


@pytest.fixture(scope="package")
def behind(browser: Browser, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Playground]:
    """The services behind the page; ``browser`` first, so that no model is loaded where there is none."""
    database = f"sqlite:///{tmp_path_factory.mktemp('votes')}/votes.db"
    with playground(Settings(model="mini", database_url=database, secret="sel")) as services:
        yield services


@pytest.fixture(scope="package")
def url(behind: Playground) -> Iterator[str]:
    with opened(behind) as address:
        yield address


@pytest.fixture
def visit(browser: Browser, url: str) -> Iterator[Visitor]:
    """Arrive as a new visitor: ``visit(size="phone", lang="en", theme="dark", url=...)``."""
    contexts = []

    def arrive(*, size: str = "desktop", lang: str = "fr", theme: str = "light", url: str = url) -> Visit:
        locale = LOCALES.get(lang, lang)
        context = browser.new_context(viewport=SIZES[size], locale=locale, color_scheme=theme, reduced_motion="reduce")
        contexts.append(context)
        here = Visit(context.new_page(), url)
        here.page.goto(f"{url}?__theme={theme}")
        arrived(here.page)
        return here

    yield arrive
    for context in contexts:
        context.close()


@pytest.fixture
def picture(pytestconfig: pytest.Config) -> Picture:
    """Take a picture for the documentation, ``picture(page, "duel-phone-dark")``, where --screenshots asks for it."""

    def take(page: Page, name: str) -> None:
        if pytestconfig.getoption("--screenshots"):
            SCREENSHOTS.mkdir(parents=True, exist_ok=True)
            page.mouse.move(0, 0)  # nothing is hovered
            page.screenshot(path=SCREENSHOTS / f"{name}.png", full_page=True)

    return take
