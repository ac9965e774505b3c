"""Write what ``make test-vllm`` found as Markdown: ``python tests/vllm/report.py junit.xml VENV OUTPUT``."""

from __future__ import annotations

import platform
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from xml.etree import ElementTree

VERSIONS = "from importlib.metadata import version; print(*map(version, ('vllm', 'torch', 'transformers')))"


def lines(cases: list[ElementTree.Element], versions: list[str]) -> Iterator[str]:
    """The page: what ran, and each law with its outcome and figures."""
    vllm, torch, transformers = versions
    yield from ("# The remote engine against a real vLLM", "")
    yield "Written by `make test-vllm REPORT=docs/remote-vllm.md`; change nothing by hand."
    yield f"vLLM {vllm}, torch {torch}, transformers {transformers}, Python {platform.python_version()}, in fp32 on a"
    yield "processor: the miniature's base, and its arms nat and syn converted to plain LoRA of rank 256."
    yield from ("", "| law | outcome | figure |", "|---|---|---|")
    for case in cases:
        figures = [f"{each.get('name')}: {each.get('value')}" for each in case.iter("property")]
        name = str(case.get("name")).removeprefix("test_").replace("_", " ").replace("|", "\\|")
        yield f"| {name} | {outcome(case)} | {', '.join(figures)} |"


def outcome(case: ElementTree.Element) -> str:
    """What became of a test."""
    if case.find("failure") is not None or case.find("error") is not None:
        return "**failed**"
    return "held" if case.find("skipped") is None else "skipped"


def main(junit: str, venv: str, output: str) -> None:
    """Read a report of pytest and write the page."""
    python = Path(venv) / "bin/python"
    said = subprocess.run([python, "-c", VERSIONS], capture_output=True, text=True, check=True).stdout
    cases = list(ElementTree.parse(junit).iter("testcase"))
    Path(output).write_text("\n".join([*lines(cases, said.split()), ""]), encoding="utf-8")


if __name__ == "__main__":
    main(*sys.argv[1:])
