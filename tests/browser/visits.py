"""What the tests of the page in a real browser share: a visit that remembers complaints, tabs, axe."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import parse_qsl, urlsplit

from medinject_demo.ui.page import TABS

if TYPE_CHECKING:
    from playwright.sync_api import Page

SCREENSHOTS: Final = Path(__file__).parents[2] / "docs/screenshots"
NAMES: Final = [name for name, _ in TABS]
SIZES: Final = {"desktop": {"width": 1280, "height": 900}, "phone": {"width": 375, "height": 812}}
LOCALES: Final = {"fr": "fr-FR", "en": "en-GB"}
PATIENCE: Final = 60_000
"""Milliseconds to wait for what a visitor would see at once: the machine may be very busy."""
UNACCEPTED: Final = ("serious", "critical")
TOUCHED: Final = "button, summary, a[href], select, [role=tab], label:has(> input), #duel-link-field"
SMALL: Final = f"""() => [...document.querySelectorAll("{TOUCHED}")]
    .filter((each) => each.checkVisibility() && !each.closest(".visually-hidden"))
    .filter((each) => !each.closest("p, li") && !each.matches(".icon-button"))
    .map((each) => [each, each.getBoundingClientRect()])
    .filter(([, box]) => box.height && (box.height < 43.5 || box.width < 43.5))
    .map(([each, box]) => `${{each.id || each.className}} ${{each.innerText}} ${{box.width}} x ${{box.height}}`)"""
"""What a finger cannot hit; links inside sentences are left, and a small button whose target is around it."""
CUT: Final = """() => [...document.querySelectorAll(".wide")]
    .filter((each) => each.checkVisibility() && each.scrollWidth > each.clientWidth + 1)
    .map((each) => each.getAttribute("aria-label"))"""

FAINT: Final = """() => {
    const parts = (colour) => colour.match(/[\\d.]+/g).map(Number);
    const linear = (part) => (part / 255 <= 0.04045 ? part / 255 / 12.92 : ((part / 255 + 0.055) / 1.055) ** 2.4);
    const light = (colour) => {
        const [red, green, blue] = parts(colour).map(linear);
        return 0.2126 * red + 0.7152 * green + 0.0722 * blue + 0.05;
    };
    const behind = (element) => {
        const colour = getComputedStyle(element).backgroundColor;
        return (parts(colour)[3] ?? 1) > 0 ? colour : behind(element.parentElement);
    };
    const contrast = (one, other) => Math.max(one / other, other / one);
    return [...document.querySelectorAll("input:is([type=checkbox], [type=radio])")]
        .filter((each) => each.checkVisibility())
        .map((each) => [each, getComputedStyle(each).borderTopColor, behind(each.parentElement)])
        .filter(([, border, ground]) => contrast(light(border), light(ground)) < 3)
        .map(([each, border, ground]) => `${each.value} ${each.checked} ${border} on ${ground}`);
}"""
"""Boxes whose border is below 3 to 1 with what is behind it (WCAG 2.2, 1.4.11), which axe does not look at."""


@dataclass
class Visit:
    """A page, and everything that a visitor should never see: errors of scripts, requests to other hosts."""

    page: Page
    url: str
    complaints: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.page.set_default_timeout(PATIENCE)
        self.page.on("console", lambda said: self.complain(said.text) if said.type == "error" else None)
        self.page.on("pageerror", lambda error: self.complain(str(error)))
        self.page.on("request", lambda request: self._watch(request.url))

    def complain(self, text: str) -> None:
        self.complaints.append(text)

    def _watch(self, url: str) -> None:
        if not url.startswith((self.url, self.url.replace("http", "ws", 1), "data:", "blob:")):
            self.complain(f"request to {url}")


def arrived(page: Page) -> None:
    """Wait until the page is laid out in the visitor's language, and has given the visitor a token to vote with."""
    page.locator("#language input:checked").wait_for()
    page.locator("[role=tab][aria-selected=true]").wait_for()
    page.wait_for_function("localStorage.getItem('medinject-voter') !== null")
    settle(page)


def open_tab(page: Page, name: str) -> None:
    """Open a tab by its name; on a narrow page it may be behind the button with three dots."""
    button = page.locator(f"#tab-{name}-button")
    if not button.is_visible():
        page.locator(".overflow-menu > button").click()
        page.locator(".overflow-dropdown button").nth(_place_among_hidden(page, name)).click()
    else:
        button.click()
    page.locator(f"#tab-{name}").wait_for(state="visible")
    settle(page)


def _place_among_hidden(page: Page, name: str) -> int:
    hidden = [each for each in NAMES if not page.locator(f"#tab-{each}-button").is_visible()]
    return hidden.index(name)


def duel_of(url: str) -> str:
    """The duel that an address names; empty where it names none."""
    return dict(parse_qsl(urlsplit(url).query)).get("duel", "")


def shown_duel(page: Page) -> str:
    """The duel or the ranking that is in sight; empty where there is none."""
    shown = page.locator("[data-battle]").locator("visible=true")
    return str(shown.get_attribute("data-battle")) if shown.count() else ""


def settle(page: Page) -> None:
    """Wait until nothing on the page has changed for a quarter of a second."""
    page.evaluate(
        """() => new Promise((done) => {
            let timer = setTimeout(done, 250);
            const watch = new MutationObserver(() => { clearTimeout(timer); timer = setTimeout(end, 250); });
            const end = () => { watch.disconnect(); done(); };
            watch.observe(document.body, { subtree: true, childList: true, characterData: true });
            setTimeout(end, 5000);
        })"""
    )


def overflow(page: Page) -> int:
    """Pixels by which the page is wider than the window."""
    return int(page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth"))


def small(page: Page) -> list[str]:
    """What is in sight to touch, and too small for it."""
    return list(page.evaluate(SMALL))


def faint(page: Page) -> list[str]:
    """Boxes in sight that are hard to see."""
    return list(page.evaluate(FAINT))


def cut(page: Page) -> list[str]:
    """Tables in sight of which a part must be scrolled to."""
    return list(page.evaluate(CUT))


def violations(page: Page) -> list[str]:
    """What axe-core finds serious or critical, with the elements concerned."""
    from axe_playwright_python.sync_playwright import Axe

    found: list[dict[str, Any]] = Axe().run(page).response["violations"]
    return [
        f"{each['id']} ({each['impact']}): {node['html'][:160]}"
        for each in found
        if each["impact"] in UNACCEPTED
        for node in each["nodes"]
    ]
