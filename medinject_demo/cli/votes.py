"""``votes``: given away, taken in, erased, and kept in step with a data set of the Hub."""

from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import closing, suppress
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypeVar

import click

from ..errors import InvalidValue, StoreError
from ..settings import MOST_DAYS, Settings
from .family import in_force, usage

if TYPE_CHECKING:
    from ..votes.keeping import Upkeep

F = TypeVar("F", bound=Callable[..., Any])
FORMS: Final = ("csv", "parquet", "jsonl", "dpo", "kto")
"""As in votes/giving.py, which a list of options must not import; a test holds the two together."""


def _common(command: F) -> F:
    """The options of every command of this family."""
    database = click.option("--database", metavar="URL", help="Where the votes are.  [default: MEDINJECT_DATABASE_URL]")
    return database(click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")(command))


_YES: Final = click.option("--yes", is_flag=True, help="Do it; without this, it is only said what would be done.")


@click.group()
def votes() -> None:
    """Give votes away, take others in, erase what a person typed, keep a data set of the Hub in step."""


@votes.command("export")
@click.argument("place", type=click.Path(path_type=Path, dir_okay=False))
@click.option(
    "--format",
    "form",
    type=click.Choice(FORMS),
    help="csv, parquet and jsonl can be imported; dpo and kto are for training (trl).  [default: by the suffix]",
)
@click.option(
    "--live",
    is_flag=True,
    help="Only live votes, no earlier versions or withdrawals; those that no board counts are in it.",
)
@click.option("--after-reveal", "revealed", is_flag=True, help="For dpo and kto, also votes that were not given blind.")
@click.option("--no-free-text", "hidden", is_flag=True, help="Without what visitors typed, and the answers to it.")
@click.option("--card", "with_card", is_flag=True, help="Also write README.md beside it: the card of a data set.")
@_common
def export_votes(
    place: Path,
    *,
    form: str | None,
    hidden: bool,
    with_card: bool,
    database: str | None,
    as_json: bool,
    **which: bool,
) -> None:
    """Write the votes to the file PLACE, each with its prompt, answers, arms, fingerprints, seeds and propensity."""
    from ..prompts import load_prompts
    from ..votes.database import Database
    from ..votes.giving import export, write_card

    with usage():
        chosen = form or _by_suffix(place)
    hide = frozenset(prompt.id for prompt in load_prompts()) if hidden else None
    with closing(Database.there(_settings(database).database_url)) as opened:
        rows = export(opened, chosen, place, hide=hide, **which)
    beside = write_card(place, chosen, rows) if with_card else None
    said = f"{rows} rows in {place}." + (f" Its card: {beside}." if beside else "")
    _tell(said, {"rows": rows, "file": str(place), "card": str(beside) if beside else None}, as_json)


@votes.command("import")
@click.argument("source")
@click.option("--erase", is_flag=True, help="Erase here too what was erased there.")
@_common
def import_votes(source: str, *, erase: bool, database: str | None, as_json: bool) -> None:
    """Merge the votes of SOURCE: a file or folder as exported, or the URL of a database. All of them, or none.

    Twice is as once. A database of an earlier version is brought up to this program's.
    """
    from ..votes.database import Database
    from ..votes.giving import import_from

    with closing(Database(_settings(database).database_url)) as opened:
        merged = import_from(opened, source, erase=erase)
    said = f"{merged.new} votes new, {merged.known} known."
    if merged.erased:
        done = "are erased here too" if erase else "stay whole here; --erase erases them too"
        said += f" {merged.erased} were erased there and {done}."
    _tell(said, asdict(merged), as_json)


@votes.command()
@click.argument("voter")
@_YES
@_common
def forget(voter: str, *, yes: bool, database: str | None, as_json: bool) -> None:
    """Erase what a person typed, and their hash: VOTER, or at least its first 8 characters.

    Their votes still count and point to nobody. What they typed goes with the answers to it, here and in the Hub data
    set and its history; bundled questions stay. Files that were exported, and backups, are yours to erase.
    """
    settings, upkeep, close = _upkeep(database, pulls=True)
    with closing(close):
        with suppress(StoreError):  # who is forgotten may have voted elsewhere; what fails here is said below
            upkeep.synchronise()
        erased = upkeep.forget(voter, dry=not yes)
        _tell_erased(erased, settings, upkeep, yes=yes, as_json=as_json)


@votes.command()
@click.option(
    "--days", type=click.IntRange(1, MOST_DAYS), help="Keep this many days.  [default: MEDINJECT_RETENTION_DAYS]"
)
@_YES
@_common
def prune(*, days: int | None, yes: bool, database: str | None, as_json: bool) -> None:
    """Erase what visitors typed before a day that lies some days back; a page with a retention does so by itself."""
    settings, upkeep, close = _upkeep(database)
    with closing(close):
        kept = days or settings.retention_days
        if not kept:
            raise click.UsageError("Give --days, or set MEDINJECT_RETENTION_DAYS.")
        _tell_erased(upkeep.prune(kept, dry=not yes), settings, upkeep, yes=yes, as_json=as_json)


@votes.command()
@_common
def sync(*, database: str | None, as_json: bool) -> None:
    """Pull from the Hub data set of MEDINJECT_VOTES_DATASET and push to it, once and now."""
    _, upkeep, close = _upkeep(database, pulls=True)
    with closing(close):
        try:
            outcome = upkeep.synchronise()
        finally:
            upkeep.scrub()
    if outcome is None:
        remedy = "Set it to a data set such as group/votes."
        raise InvalidValue.of("MEDINJECT_VOTES_DATASET", expected="a data set", got="none", remedy=remedy)
    _tell(outcome.sentence, asdict(outcome), as_json)


@votes.command()
@_common
def stats(*, database: str | None, as_json: bool) -> None:
    """Count the votes, their voters, battles and pairs as the board does, those that do not count, those that wait."""
    from ..votes.database import Database
    from ..votes.shelf import Shelf
    from ..votes.store import VoteStore

    settings = _settings(database)
    with closing(Database.there(settings.database_url)) as opened:
        counts = VoteStore(opened).counts()
        waiting = Shelf(opened, settings.votes_dataset).how_many_wait() if settings.votes_dataset else None
    names = ("kept", "battles", "votes", "counted", "voters", "after_reveal", "suspect", "coverage")
    said: dict[str, Any] = {name: getattr(counts, name) for name in names}
    sentence = (
        f"{counts.counted} votes by {counts.voters} voters on {counts.battles} battles count, "
        f"{counts.after_reveal} not given blind and {counts.suspect} suspect do not; "
        f"{counts.met} of {len(counts.pairs)} pairs met. {counts.kept} battles were voted on in all."
    )
    if waiting is not None:
        sentence += f" {waiting} rows wait for {settings.votes_dataset}."
    _tell(sentence, said | {"waiting": waiting}, as_json)


def _by_suffix(place: Path) -> str:
    if (suffix := place.suffix[1:]) not in ("csv", "parquet", "jsonl"):
        raise InvalidValue.of("PLACE", expected="a .csv, .parquet or .jsonl file, or --format", got=str(place))
    return suffix


def _settings(database: str | None) -> Settings:
    settings = in_force()
    return replace(settings, database_url=database) if database else settings


def _upkeep(database: str | None, *, pulls: bool = False) -> tuple[Settings, Upkeep, Any]:
    """The settings, what is to be done to the votes, and the database to close.

    It has to be there, but for who ``pulls`` from a data set first: a new one is filled from it.
    """
    from ..votes.database import Database
    from ..votes.keeping import upkeep_of

    settings = _settings(database)
    filled = pulls and settings.votes_dataset
    opened = Database(settings.database_url) if filled else Database.there(settings.database_url)
    return settings, upkeep_of(settings, opened), opened


def _tell_erased(erased: Any, settings: Settings, upkeep: Upkeep, *, yes: bool, as_json: bool) -> None:
    """Say what was erased, or would be; what was erased here is then written out of the data set."""
    from ..votes.keeping import sentence_of

    said = sentence_of(erased, done=yes)
    try:
        outcome = upkeep.synchronise() if yes else None
    except StoreError as error:
        raise StoreError(f"{said} In the Hub data set it is not yet: run `votes sync` until it is. {error}") from error
    finally:
        if yes:
            said += _scrubbed(upkeep, said)
    if outcome is not None:
        said += f" {settings.votes_dataset}: {outcome.sentence}"
    _tell(said, asdict(erased) | {"done": yes, "hub": asdict(outcome) if outcome else None}, as_json)


def _scrubbed(upkeep: Upkeep, said: str) -> str:
    try:
        return f" {upkeep.left_behind}" if upkeep.scrub() else ""
    except StoreError as error:
        raise StoreError(f"{said} {error}") from error


def _tell(sentence: str, said: dict[str, Any], as_json: bool) -> None:
    click.echo(json.dumps(said, ensure_ascii=False, indent=2) if as_json else sentence)
