"""``board``: what the votes say, as a table, a document or a file."""

from __future__ import annotations

import json
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click

from ..domain import Kind
from ..errors import InvalidValue
from ..votes.records import Profile
from .family import in_force

if TYPE_CHECKING:
    import pandas as pd


@click.command()
@click.option("--kind", type=click.Choice([each.value for each in Kind]), help="Only votes on prompts of this kind.")
@click.option("--specialty", help="Only votes on prompts of this specialty.")
@click.option(
    "--profile",
    type=click.Choice([each.value for each in Profile]),
    help="Only votes of voters who declare this profile.",
)
@click.option(
    "--weighting",
    type=click.Choice(["equal", "propensity"]),
    default="equal",
    show_default=True,
    help="propensity: by the inverse of the probability with which a pair was drawn.",
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document: board, provenances and biases.")
@click.option("--output", type=click.Path(path_type=Path, dir_okay=False), help="Also write a .md or a .csv file.")
def board(
    *, kind: str | None, specialty: str | None, profile: str | None, weighting: str, as_json: bool, output: Path | None
) -> None:
    """Say what the votes say of the eight arms, with intervals: raw, and with length and markdown held equal.

    Votes that were not given blind do not count, nor do suspect ones. The votes are those of MEDINJECT_DATABASE_URL.
    """
    from ..files import require_writable, write_whole
    from ..stats import tables
    from ..stats.preference import Weighting
    from ..stats.report import report
    from ..stats.selection import Selection

    if output is not None:
        if output.suffix not in tables.SUFFIXES:
            raise click.UsageError(f"--output: expected a name that ends in .md or .csv, got {output.name}.")
        require_writable(output)
    votes = _votes()
    _require_known(specialty, votes)
    said = report(votes, Selection(kind, specialty, profile), as_of=datetime.now(UTC), weighting=Weighting(weighting))
    click.echo(json.dumps(tables.as_document(said), ensure_ascii=False, indent=2) if as_json else tables.as_text(said))
    if output is not None:
        write_whole(output, tables.written(said, output.suffix))


def _votes() -> pd.DataFrame:
    """The votes of the settings' database.

    Raises:
        StoreError: they cannot be read.
    """
    from ..votes.database import Database
    from ..votes.store import VoteStore

    with closing(VoteStore(Database.there(in_force().database_url))) as store:
        return store.frame()


def _require_known(specialty: str | None, votes: pd.DataFrame) -> None:
    """Raises InvalidValue where no vote has the specialty."""
    known = sorted(set(votes["specialty"]) - {""})
    if specialty is not None and specialty not in known:
        expected = f"one of {', '.join(known)}" if known else "one that was voted on, and there is none"
        raise InvalidValue.of("specialty", expected=expected, got=repr(specialty))
