"""HTML read back: the texts of the cells of each table, the tags seen; tags that do not match are a failure."""

from __future__ import annotations

from html.parser import HTMLParser

VOID = ("br", "img", "input")


class Cells(HTMLParser):
    """The texts of the cells of each table, row by row, and the attributes of the tags seen."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tables: list[list[list[str]]] = []
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag not in VOID:
            self.open.append(tag)
        self.tags.append((tag, dict(attrs)))
        if tag == "table":
            self.tables.append([])
        elif tag == "tr":
            self.tables[-1].append([])
        elif tag in ("td", "th"):
            self.tables[-1][-1].append("")

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if {"td", "th"} & set(self.open):
            self.tables[-1][-1][-1] += data

    def of(self, tag: str, name: str) -> list[dict[str, str | None]]:
        """Attributes of the tags with this class."""
        return [each for found, each in self.tags if found == tag and name in (each.get("class") or "").split()]
