"""``doctor``: what can run on this machine."""

from __future__ import annotations

import json
import shutil
import sys
from pathlib import Path

import click

from ..errors import MedInjectError
from .family import REGISTRY_FILE, environment


@click.command()
@click.option("--registry", type=REGISTRY_FILE, help="File of the profiles.  [default: adapters/registry.toml]")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
def doctor(registry: Path | None, as_json: bool) -> None:
    """Say what can run on this machine, and how to get what is missing."""
    from ..adapters.registry import REGISTRY
    from ..doctor import examine

    found = examine(environment(), registry=registry or REGISTRY)
    width = shutil.get_terminal_size().columns if sys.stdout.isatty() else None
    click.echo(json.dumps(found.as_json(), ensure_ascii=False, indent=2) if as_json else found.as_text(width))
    if not found.servable:
        raise MedInjectError(found.faults[0].sentence)
