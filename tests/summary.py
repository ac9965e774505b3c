"""Print what a run of pytest did, from its junit XML: ``python tests/summary.py junit.xml``.

One line for each skipped test, with its reason; then, last, ``tests: N passed, N failed, N skipped``. Errors count as
failed. A report that is absent, cut short or without any test is a failure: the line says so, and the exit code is 1.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from xml.etree import ElementTree

NOTHING = {"passed": 0, "failed": 1, "skipped": 0}


def outcome(case: ElementTree.Element) -> str:
    """``passed``, ``failed`` or ``skipped``; a test that was skipped and then failed has failed."""
    if case.find("failure") is not None or case.find("error") is not None:
        return "failed"
    return "passed" if case.find("skipped") is None else "skipped"


def read(report: Path) -> list[ElementTree.Element]:
    """The test cases of a report; none where it is absent or is not XML."""
    try:
        return list(ElementTree.parse(report).iter("testcase"))
    except (OSError, ElementTree.ParseError):
        return []


def lines(cases: list[ElementTree.Element]) -> Iterator[str]:
    """The skipped tests with their reasons, then the count."""
    counts = dict.fromkeys(NOTHING, 0) if cases else NOTHING
    for case in cases:
        counts[outcome(case)] += 1
        if outcome(case) == "skipped":
            name = "::".join(part for part in (case.get("classname"), case.get("name")) if part)
            (skipped,) = case.findall("skipped")[:1]
            reason = " ".join((skipped.get("message") or skipped.text or "no reason given").split())
            yield f"skipped: {name}: {reason}"
    yield "tests: " + ", ".join(f"{count} {name}" for name, count in counts.items())


def main(arguments: list[str]) -> int:
    """Print the summary of the report named on the command line; 1 where there is nothing to summarise."""
    if len(arguments) != 1:
        print("usage: python tests/summary.py junit.xml", file=sys.stderr)
        return 2
    cases = read(Path(arguments[0]))
    print(*lines(cases), sep="\n")
    return 0 if cases else 1


if __name__ == "__main__":
    sys.stdout.reconfigure(encoding="utf-8")  # type: ignore[union-attr]
    sys.exit(main(sys.argv[1:]))
