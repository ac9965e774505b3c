"""``votes suspects``: the votes that a rule doubts, why, and taking a doubt back."""

from __future__ import annotations

import json
from collections.abc import Sequence
from contextlib import closing
from typing import TYPE_CHECKING, Any

import click

from .family import in_force, usage

if TYPE_CHECKING:
    from ..votes.suspects import Suspect, Suspicions


@click.command()
@click.option("--examine", is_flag=True, help="First apply the rules to every voter, as where they have changed.")
@click.option("--clear", "cleared", multiple=True, metavar="VOTE", help="Take back every doubt of a vote; repeatable.")
@click.option("--list", "as_list", is_flag=True, help="Also a line for each vote.")
@click.option("--database", metavar="URL", help="Where the votes are.  [default: MEDINJECT_DATABASE_URL]")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document, with each vote.")
def suspects(*, examine: bool, cleared: Sequence[str], as_list: bool, database: str | None, as_json: bool) -> None:
    """Count the votes that the board leaves out, by reason. No vote is deleted."""
    from ..votes.database import Database
    from ..votes.suspects import Suspicions

    with usage():
        opened = Database.there(database or in_force().database_url)
    with closing(opened):
        suspicions = Suspicions(opened)
        if examine:
            new = suspicions.sweep()
            click.echo(f"{new} new reasons.", err=True)
        for vote in cleared:
            suspicions.clear(vote)
        _tell(suspicions, as_list, as_json)


def _tell(suspicions: Suspicions, as_list: bool, as_json: bool) -> None:
    from ..votes.suspects import left_out

    found = suspicions.suspects()
    counts = {str(doubt): count for doubt, count in left_out(found).items()}
    document = {
        "left_out": sum(each.left_out for each in found),
        "reasons": counts,
        "cleared": sum(each.cleared for each in found),
    }
    if as_json:
        votes = [_document(each) for each in found]
        click.echo(json.dumps(document | {"votes": votes}, ensure_ascii=False, indent=2))
        return
    reasons = ", ".join(f"{count} {reason}" for reason, count in counts.items())
    click.echo(f"{document['left_out']} votes left out of the board: {reasons}; {document['cleared']} cleared.")
    for each in found if as_list else ():
        state = "cleared" if each.cleared else "left out" if each.left_out else "changed since"
        click.echo(f"{each.vote} {each.at} {','.join(sorted(each.reasons))} {state}")


def _document(each: Suspect) -> dict[str, Any]:
    return {
        "vote": each.vote,
        "battle": each.battle,
        "voter": each.voter,
        "at": each.at,
        "reasons": sorted(each.reasons),
        "cleared": each.cleared,
        "live": each.live,
    }
