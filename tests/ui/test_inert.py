"""What a model or a visitor wrote does nothing in the page."""

from __future__ import annotations

from html.parser import HTMLParser

import pytest
from hypothesis import given
from hypothesis import strategies as st

from medinject_demo.ui.inert import markdown, plain, visible

HARMLESS = {
    *("div", "p", "br", "hr", "em", "strong", "ul", "ol", "li", "blockquote", "code", "pre"),
    *("h4", "h5", "h6", "table", "thead", "tbody", "tr", "th", "td"),
}
ATTRIBUTES = {"class", "dir", "start", "style"}
ATTACKS = [
    "<script>alert(1)</script>",
    "<img src=x onerror=alert(1)>",
    "[cliquez](javascript:alert(1))",
    "[ici](https://exemple.org) ![vu](https://exemple.org/pixel.png)",
    "<https://exemple.org>",
    "[a]: https://exemple.org\n\n[a]",
    '"><svg onload=alert(1)>',
    "```html\n<script>alert(1)</script>\n```",
    "```js onload=alert(1)\nx\n```",
    "{{constructor.constructor('alert(1)')()}} ${alert(1)} `${alert(1)}`",
    "&lt;script&gt;&#60;b&#62;",
    "# Titre\n\n<details open ontoggle=alert(1)>",
    "> " * 40 + "fin",
    "- " * 40 + "fin",
    "|a|b|\n|-|-|\n|<b>x</b>|[y](z)|",
    "\u202egauche\u202c \u2066x\u2069 \u061cy",
]


class Tags(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.attributes: set[str] = set()
        self.text = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.attributes |= {name for name, _ in attrs}

    def handle_data(self, data: str) -> None:
        self.text += data


def read(html: str) -> Tags:
    tags = Tags()
    tags.feed(html)
    return tags


@pytest.mark.parametrize("text", ATTACKS)
@pytest.mark.parametrize("render", [plain, markdown])
def test_only_harmless_tags_and_attributes_are_made(render, text: str) -> None:  # type: ignore[no-untyped-def]
    tags = read(render(text))
    assert tags.tags <= HARMLESS
    assert tags.attributes <= ATTRIBUTES


@given(st.text(alphabet="<>&[]()!`*_#|\"'/= \n-abimgscriptonsrchref:~\\", max_size=80))
def test_no_text_whatever_makes_another_tag(text: str) -> None:
    for render in (plain, markdown):
        assert read(render(text)).tags <= HARMLESS


def test_a_link_is_shown_as_it_was_written() -> None:
    assert "[ici](https://exemple.org)" in read(markdown("[ici](https://exemple.org)")).text


def test_emphasis_lists_headings_and_tables_are_kept() -> None:
    tags = read(markdown("# Un\n\n**gras** et *italique*\n\n- a\n- b\n\n|x|y|\n|-|-|\n|1|2|")).tags
    assert {"h4", "strong", "em", "ul", "li", "table"} <= tags
    assert not {"h1", "h2", "h3"} & tags


def test_marks_of_direction_and_control_characters_are_taken_out() -> None:
    assert visible("a\u202eb\x00c\x07\td\ne\ud800") == "abc\td\ne"


def test_plain_text_keeps_its_markdown_and_lines() -> None:
    assert read(plain("**a**\n- b")).text == "**a**\n- b"


def test_a_huge_text_is_rendered_in_one_piece() -> None:
    assert len(markdown("mot **gras** " * 10_000)) > 100_000
