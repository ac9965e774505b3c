"""The generated parts of README.md: help of every command, and the settings. ``--check`` fails where they are stale."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import click

from .cli import cli
from .documents import put
from .errors import InvalidData
from .settings import as_markdown

README = Path(__file__).parent.parent / "README.md"


def helps(command: click.Command, context: click.Context) -> Iterator[str]:
    """The help of a command and of those below it."""
    yield f"```text\n{command.get_help(context)}\n```"
    if isinstance(command, click.Group):
        for name in command.list_commands(context):
            below = command.commands[name]
            inner = click.Context(below, info_name=name, parent=context, max_content_width=100, terminal_width=100)
            yield from helps(below, inner)


def generated() -> dict[str, str]:
    """Each generated part by the name in its markers."""
    context = click.Context(cli, info_name="python -m medinject_demo", max_content_width=100, terminal_width=100)
    return {"commands": "\n\n".join(helps(cli, context)), "settings": as_markdown()}


def refreshed(text: str) -> str:
    """The text with every generated part renewed between its markers."""
    for name, part in generated().items():
        text = put(text, name, part, where="README.md")
    return text


def main() -> None:
    """Write README.md, or with ``--check`` say whether it is up to date."""
    text = README.read_text(encoding="utf-8")
    try:
        fresh = refreshed(text)
    except InvalidData as error:
        raise SystemExit(str(error)) from error
    if "--check" in sys.argv:
        if fresh != text:
            raise SystemExit("README.md: its generated parts are stale. Run `make docs` and commit the result.")
    else:
        README.write_text(fresh, encoding="utf-8")


if __name__ == "__main__":
    main()
