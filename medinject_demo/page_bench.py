"""How long a visitor waits: from navigation to a usable page, from Enter to the first visible token of a duel.

Measured in a headless Chromium on the real page with the miniature, browser and server on one machine. Knows the page
by the ids of the duel's elements, and by what it keeps in the browser.
"""

from __future__ import annotations

import json
import shutil
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from .adapters.registry import MINIATURE
from .engine.bench.environment import Environment
from .errors import MedInjectError
from .serving import opened, playground
from .settings import Settings

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

BROWSERS: Final = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
QUESTION: Final = "Quels sont les symptômes de la grippe ?"
PATIENCE: Final = 60
"""Seconds after which a page that does not come, or an answer, is a failure."""
GOALS: Final = {"usable": 3.0, "first_token": 1.0}
"""Seconds, on two cores."""
MEANINGS: Final = {
    "usable": "from navigation to a question that can be asked, by a browser that has kept nothing",
    "first_token": "from Enter in the question to the first visible token of either answer",
}

_KNOWN: Final = "() => localStorage.getItem('medinject-voter') !== null"
_WATCH: Final = """() => {
    const said = () => [...document.querySelectorAll("#duel-left .answer, #duel-right .answer")];
    window.medinject = { enter: null, waited: null };
    document.querySelector("#duel-question textarea").addEventListener("keydown", (event) => {
        if (event.key === "Enter") window.medinject.enter = performance.now();
    }, true);
    const look = () => {
        const now = window.medinject;
        if (now.enter === null || now.waited !== null || !said().some((each) => each.innerText.trim())) return;
        requestAnimationFrame(() => { now.waited ??= (performance.now() - now.enter) / 1000; });
    };
    new MutationObserver(look).observe(document.body, { subtree: true, childList: true, characterData: true });
}"""
"""Taken in the page itself: what the driver adds on its way is not the visitor's."""


@dataclass(frozen=True)
class Waits:
    """Samples in seconds, by what they measure, and where they were taken."""

    samples: Mapping[str, Sequence[float]]
    environment: Environment
    chromium: str

    @property
    def medians(self) -> dict[str, float]:
        """The median of each."""
        return {name: statistics.median(each) for name, each in self.samples.items()}

    def as_text(self) -> str:
        """A line for each wait, then the machine."""
        lines = [
            f"{name:12} median {self.medians[name]:.2f} s ({min(each):.2f} to {max(each):.2f}, {len(each)} samples), "
            f"goal {GOALS[name]:g} s: {self._verdict(name)}; {MEANINGS[name]}"
            for name, each in self.samples.items()
        ]
        return "\n".join([*lines, f"{self.environment}; Chromium {self.chromium}"])

    def as_json(self) -> str:
        """Every sample, for a machine."""
        document = {
            "samples": {name: list(each) for name, each in self.samples.items()},
            "medians": self.medians,
            "goals": GOALS,
            "environment": self.environment.as_dict(),
            "chromium": self.chromium,
        }
        return json.dumps(document, ensure_ascii=False, indent=2)

    def as_markdown(self, command: str) -> str:
        """The document that is kept."""
        rows = "\n".join(
            f"| {MEANINGS[name]} | {self.medians[name]:.2f} s | {min(each):.2f} to {max(each):.2f} s | {len(each)} "
            f"| {GOALS[name]:g} s | {self._verdict(name)} |"
            for name, each in self.samples.items()
        )
        return (
            "# How long a visitor waits\n\n"
            f"Written by `{command}`: the real page with the miniature, visited by a headless Chromium "
            "on the same machine, which runs both. Each sample is a new visitor; one visit before them is not counted."
            "\n\n| wait | median | samples from, to | samples | goal | met |\n|---|---|---|---|---|---|\n"
            f"{rows}\n\nMachine: {self.environment}; Chromium {self.chromium}.\n"
        )

    def _verdict(self, name: str) -> str:
        return "met" if self.medians[name] <= GOALS[name] else "not met"


def measure(repeats: int, say: Callable[[str], None]) -> Waits:
    """Serve the page, visit it ``repeats`` times after one visit to warm up, and say each sample as it comes.

    Raises:
        MedInjectError: playwright or Chromium is missing, or the page does not become usable.
    """
    with browser() as chromium, tempfile.TemporaryDirectory() as folder:
        settings = Settings(model=MINIATURE, database_url=f"sqlite:///{folder}/votes.db", secret="bench")
        with playground(settings) as behind, opened(behind) as url:
            taken = [_visited(chromium, url) for _ in _counted(repeats + 1, say)][1:]
        samples = {"usable": [usable for usable, _ in taken], "first_token": [first for _, first in taken]}
        return Waits(samples, Environment.of("cpu"), chromium.version)


@contextmanager
def browser() -> Iterator[Browser]:
    """A headless Chromium of this machine.

    Raises:
        MedInjectError: playwright or Chromium is missing; the sentence says how to get it.
    """
    try:
        from playwright.sync_api import sync_playwright
    except ModuleNotFoundError as error:
        remedy = "Run: pip install -r requirements-dev.txt"
        raise MedInjectError.of("playwright", expected="the package", got="none", remedy=remedy) from error
    found = next(filter(None, map(shutil.which, BROWSERS)), None)
    if found is None:
        remedy = "On Debian, run: apt-get install chromium"
        raise MedInjectError.of("chromium", expected="a program of this name", got="none", remedy=remedy)
    with sync_playwright() as driver:
        chromium = driver.chromium.launch(executable_path=found, args=["--no-sandbox", "--disable-dev-shm-usage"])
        try:
            yield chromium
        finally:
            chromium.close()


def _visited(chromium: Browser, url: str) -> tuple[float, float]:
    """One visit: seconds until the page is usable, and until the first token."""
    from playwright.sync_api import Error

    context = chromium.new_context(locale="fr-FR", viewport={"width": 1280, "height": 900})
    try:
        page = context.new_page()
        page.set_default_timeout(PATIENCE * 1000)
        return _usable(page, url), _first_token(page)
    except Error as error:
        got = str(error).splitlines()[0].rstrip(".")
        raise MedInjectError.of("page", expected=f"an answer in {PATIENCE} s", got=got) from error
    finally:
        context.close()


def _usable(page: Page, url: str) -> float:
    """Seconds from navigation until the question takes text and the page has given the visitor a token to ask with."""
    begun = time.perf_counter()
    page.goto(url, wait_until="commit")
    page.locator("#duel-question textarea").fill(QUESTION)
    page.wait_for_function(_KNOWN, polling=10)
    return time.perf_counter() - begun


def _first_token(page: Page) -> float:
    """Seconds from Enter to the frame that shows the first token."""
    page.evaluate(_WATCH)
    page.locator("#duel-question textarea").press("Enter")
    page.wait_for_function("window.medinject.waited !== null", polling=50)
    return float(page.evaluate("window.medinject.waited"))


def _counted(visits: int, say: Callable[[str], None]) -> Iterator[int]:
    for visit in range(visits):
        say(f"visit {visit} of {visits - 1}" if visit else "a visit to warm up")
        yield visit
