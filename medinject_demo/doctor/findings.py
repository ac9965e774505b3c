"""What an examination found: values, and their two forms, for a person and for a machine. Looks at nothing itself."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Any


class Level(StrEnum):
    """How good a finding is: as it should be; lacking, but the page opens; in the way of the page."""

    OK = "ok"
    WARN = "warn"
    FAIL = "fail"


@dataclass(frozen=True)
class Finding:
    """One thing looked at. ``what`` has no full stop; ``remedy`` is a command or a sentence."""

    topic: str
    subject: str
    level: Level
    what: str
    remedy: str = ""

    @property
    def sentence(self) -> str:
        """The finding in one line."""
        return f"{self.subject}: {self.what}. {self.remedy}".rstrip()


@dataclass(frozen=True)
class Report:
    """Everything looked at, and what ``make run`` would do here."""

    findings: tuple[Finding, ...]
    verdict: str

    @property
    def faults(self) -> tuple[Finding, ...]:
        """What is in the way of the page."""
        return tuple(each for each in self.findings if each.level is Level.FAIL)

    @property
    def servable(self) -> bool:
        """True where nothing is in the way of the page."""
        return not self.faults

    def as_json(self) -> dict[str, Any]:
        """The report as a JSON document."""
        findings = [asdict(each) for each in self.findings]
        return {"servable": self.servable, "verdict": self.verdict, "findings": findings}

    def as_text(self, width: int | None = None) -> str:
        """The report for a person, wrapped at ``width`` columns; remedies stay whole, so that they can be copied."""
        return "\n".join([*self._lines(width), "", *_wrapped(self.verdict, width)])

    def _lines(self, width: int | None) -> Iterator[str]:
        topic = ""
        for each in self.findings:
            if each.topic != topic:
                yield from (["", each.topic] if topic else [each.topic])
                topic = each.topic
            yield from _wrapped(f"  {each.level:<5} {each.subject}: {each.what}", width, indent=8)
            if each.remedy:
                yield f"        -> {each.remedy}"


def _wrapped(text: str, width: int | None, indent: int = 0) -> list[str]:
    if width is None:
        return [text]
    return textwrap.wrap(
        text, max(width, 20), subsequent_indent=" " * indent, break_long_words=False, break_on_hyphens=False
    )
