"""The command line. Exit 0 done, 1 the work failed (one line on stderr), 2 wrong usage.

One module for each family of commands; what they share is in ``family``. Imports of heavy libraries are inside the
commands: ``--help`` answers at once.
"""

from __future__ import annotations

import sys

import click

from .. import __version__
from .adapting import adapters
from .board import board
from .comparing import compare
from .examining import doctor
from .family import FamilyGroup
from .measuring import BENCH_LINES, bench
from .measuring_statistics import bench_statistics
from .serving import serve
from .training import train

__all__ = ["BENCH_LINES", "bench", "bench_statistics", "cli", "main"]


@click.group(cls=FamilyGroup, context_settings={"max_content_width": 100})
@click.version_option(__version__, prog_name="medinject-demo")
def cli() -> None:
    """Playground for the eight configurations of the MedInjection-FR study."""


for command in (adapters, bench, board, compare, doctor, serve, train):
    cli.add_command(command)


def main() -> None:
    """Entry point."""
    if hasattr(sys.stdout, "reconfigure"):
        sys.stdout.reconfigure(encoding="utf-8")
    cli(prog_name="python -m medinject_demo")
