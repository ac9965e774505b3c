"""What all commands share: errors of the family in one line, wrong usage, the environment, common options."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import click
from click.core import ParameterSource

from ..errors import InvalidValue, MedInjectError
from ..settings import Settings

REGISTRY_FILE: Final = click.Path(exists=True, dir_okay=False, resolve_path=True, path_type=Path)


class _Device(click.ParamType[str]):
    """A device by its name; whether this machine has it is the command's to find out."""

    name = "device"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """The name as it is; anything else is wrong usage."""
        if not re.fullmatch(r"auto|cpu|cuda(:\d+)?", str(value)):
            self.fail(f"expected auto, cpu, cuda or cuda:<number>, got {value!r}.", param, ctx)
        return value


DEVICE: Final = click.option(
    "--device",
    type=_Device(),
    metavar="TEXT",
    default="auto",
    show_default=True,
    help="auto, cpu, cuda or cuda:<number>.",
)


class FamilyGroup(click.Group):
    """A group whose commands turn an error of the family into one line on stderr and exit code 1."""

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command; the library's own errors keep their trace, for they are faults of ours."""
        try:
            return super().invoke(ctx)
        except ModuleNotFoundError as error:
            needs = "requirements-train.txt" if ctx.invoked_subcommand == "train" else "requirements.txt"
            click.echo(f"error: {_missing(error)}. Run: pip install -r {needs}", err=True)
            ctx.exit(1)
        except MedInjectError as error:
            click.echo(f"error: {error}", err=True)
            ctx.exit(1)
        except KeyboardInterrupt:
            kept = ": what was finished is kept; the same command continues"
            click.echo(f"interrupted{kept if ctx.invoked_subcommand == 'train' else ''}.", err=True)
            ctx.exit(1)


def _missing(error: ModuleNotFoundError) -> str:
    """Which library is missing: by its name, or in the words of another library that looked for it."""
    said = f"{error.name} is missing" if error.name else str(error).strip().rstrip(".")
    return said or "a library is missing"


def environment() -> Mapping[str, str]:
    """The environment: the only place of the command line that reads it."""
    return os.environ


def in_force() -> Settings:
    """The settings of the environment.

    Raises:
        InvalidValue: one of them is wrong.
    """
    return Settings.from_env(environment())


def nothing_before(ctx: click.Context) -> None:
    """Refuse an option of a group that was given before one of its commands, which would not have it."""
    for option in ctx.command.params:
        if ctx.get_parameter_source(str(option.name)) is ParameterSource.COMMANDLINE:
            raise click.UsageError(
                f"Option '{option.opts[0]}' belongs after '{ctx.invoked_subcommand}', where it has it."
            )


@contextmanager
def usage() -> Iterator[None]:
    """A value that a person typed wrong is wrong usage."""
    try:
        yield
    except InvalidValue as error:
        raise click.UsageError(str(error)) from error
