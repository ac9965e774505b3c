"""What a person wrote, taken out of the database again: on request, or once it is old.

The one exception to votes being append-only. A vote goes on counting; who gave it, and what was typed, is gone. What a
battle keeps: its arms, their fingerprints, seeds, lengths and markdown, and the text of a bundled prompt and of the
answers to it, for nobody typed those.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from sqlalchemy import ColumnElement, Connection, Select, Table, and_, delete, exists, func, or_, select, update

from ..errors import InvalidValue
from .moments import FORM, moment_of, text_of
from .owed import owe_examination, owe_scrub
from .schema import answers, battles, shards, shared, shared_battles, votes
from .voters import FORGOTTEN, Same, is_nobody, one_name_each, rename_voter

LEAST_PREFIX: Final = 8
"""Characters of a hash by which a voter can be named."""
ERASED_PROMPT: Final = "erased-"
"""How the id of a prompt begins whose text was erased: its hash would confirm a guess of the text."""


@dataclass(frozen=True)
class Erased:
    """How much was erased."""

    votes: int = 0
    """Rows whose voter was replaced."""
    comments: int = 0
    questions: int = 0
    """Typed questions, with their answers."""
    follow_ups: int = 0
    """Battles on a bundled prompt whose later messages were erased, with their answers."""

    @property
    def anything(self) -> bool:
        """False where there was nothing to erase."""
        return any(vars(self).values())


Erasure = Callable[[Connection], Erased]
"""Within the caller's transaction."""


def voter_named(connection: Connection, given: str) -> str:
    """The hash of a voter, whole, from the whole of it or from its beginning as a page or a file shows it.

    Raises:
        InvalidValue: no voter's begins so, more than one does, or too little of it was given.
    """
    said = given.strip().rstrip("….")
    if len(said) < LEAST_PREFIX:
        expected = f"{LEAST_PREFIX} or more characters of a voter's hash"
        raise InvalidValue.of("voter", expected=expected, got=f"{len(said)}")
    found: set[str] = set()
    for column in (votes.c.voter, battles.c.voter):
        begins = func.substr(column, 1, len(said)) == said
        found.update(connection.execute(select(column).where(begins).distinct()).scalars())
    if len(found) != 1:
        got = f"{len(found)} that begin so" if found else "one that is not here"
        remedy = "Give more of it." if found else "It stands in an export, as voter."
        raise InvalidValue.of(f"voter {said}", expected="the hash of one voter", got=got, remedy=remedy)
    return found.pop()


def forget(connection: Connection, voter: str, bundled: Collection[str], new_id: Callable[[], str]) -> Erased:
    """Erase what a voter wrote, and put a hash that points to nobody in the place of theirs.

    Args:
        bundled: ids of the prompts that come with the program, which nobody typed.
        new_id: for the hash, and for the prompts erased.
    """
    return forget_as(connection, voter, FORGOTTEN + new_id(), bundled, new_id)


def forget_as(
    connection: Connection, voter: str, nobody: str, bundled: Collection[str], new_id: Callable[[], str]
) -> Erased:
    """The same under a name that points to nobody, and that another instance may have given the voter already."""
    comments = _count(connection, votes.c.voter == voter, votes.c.comment != "")
    erased = _erase_battles(connection, battles.c.voter == voter, bundled, new_id)
    mark_stale(connection, votes.c.voter == voter)
    connection.execute(update(votes).where(votes.c.voter == voter).values(comment="", erased=1))
    gone = rename_voter(connection, voter, nobody)
    return _scrubbed(connection, Erased(gone, comments, *erased))


def settle(connection: Connection, same: Iterable[Same], bundled: Callable[[], Collection[str]]) -> set[str]:
    """Bring the rows of voters with two names under one; who is forgotten under one of them is so under all.

    The names that are nobody's any more come back.

    Args:
        bundled: as for ``forget``; called where somebody's text is to be erased.
    """
    rights = one_name_each(same)
    for old, right in rights.items():
        if not _known(connection, old):
            continue
        if is_nobody(old):
            theirs = select(battles.c.id).where(battles.c.voter == old)
            mark_stale(connection, or_(votes.c.voter == old, votes.c.battle.in_(theirs)))
            rename_voter(connection, old, right)
        else:
            forget_as(connection, old, right, bundled(), lambda: secrets.token_hex(12))
        owe_examination(connection, [right])
    return set(rights)


def _known(connection: Connection, voter: str) -> bool:
    there = select(votes.c.id).where(votes.c.voter == voter).union(select(battles.c.id).where(battles.c.voter == voter))
    return connection.execute(there.limit(1)).first() is not None


def prune(connection: Connection, before: datetime, bundled: Collection[str], new_id: Callable[[], str]) -> Erased:
    """Erase free text from before a time; voters stay as they are.

    Raises:
        InvalidValue: an earlier import has stored a time that names no moment; nothing is erased.
    """
    said, begun = (_earlier(connection, table, before) for table in (votes, battles))
    old = and_(said, votes.c.comment != "")
    comments = _count(connection, old)
    mark_stale(connection, old)
    connection.execute(update(votes).where(old).values(comment="", erased=1))
    later = exists().where(answers.c.battle == battles.c.id, answers.c.turn > 0)
    typed = battles.c.prompt.not_in(sorted(bundled))
    whole = and_(begun, battles.c.erased == 0, or_(typed, later))
    erased = _erase_battles(connection, whole, bundled, new_id)
    return _scrubbed(connection, Erased(0, comments, *erased))


def _earlier(connection: Connection, table: Table, before: datetime) -> ColumnElement[bool]:
    """Rows from before a time: by their texts, and of those of another form than the kept one by what they name."""
    odd = connection.execute(select(table.c.id, table.c.at).where(table.c.at.not_like(FORM)))
    old = [row.id for row in odd if moment_of(row.at, f"{table.name} {row.id}, at") < before]
    return or_(and_(table.c.at.like(FORM), table.c.at < text_of(before)), table.c.id.in_(old))


def tried(connection: Connection, work: Erasure) -> Erased:
    """What would be erased; nothing is."""
    with connection.begin_nested() as trial:
        erased = work(connection)
        trial.rollback()
    return erased


def call_in(connection: Connection, erased: Select[Any]) -> None:
    """Take the links to battles back, whose ids ``erased`` selects, and have the shards that hold them written anew."""
    connection.execute(delete(shared_battles).where(shared_battles.c.battle.in_(erased)))  # a link would show holes
    mark_stale(connection, votes.c.battle.in_(erased))


def mark_stale(connection: Connection, which: ColumnElement[bool]) -> None:
    """Have the shards that hold these votes written anew; before the rows change, for ``which`` may name the old."""
    held = exists().where(shared.c.dataset == shards.c.dataset, shared.c.shard == shards.c.name)
    held = held.where(shared.c.vote == votes.c.id).where(which)
    connection.execute(update(shards).where(held).values(stale=1))


def is_erased(prompt: str) -> bool:
    """True for the name of a prompt whose text was erased."""
    return prompt.startswith(ERASED_PROMPT)


def _scrubbed(connection: Connection, erased: Erased) -> Erased:
    if erased.anything:
        owe_scrub(connection)
    return erased


def _erase_battles(
    connection: Connection,
    which: ColumnElement[bool],
    bundled: Collection[str],
    new_id: Callable[[], str],
) -> tuple[int, int]:
    """Erase the text of battles; how many typed questions and how many follow-ups comes back."""
    heads = connection.execute(select(battles.c.id, battles.c.prompt).where(which)).all()
    typed = [row for row in heads if row.prompt not in bundled]
    others = [row.id for row in heads if row.prompt in bundled]
    call_in(connection, select(battles.c.id).where(which))
    connection.execute(update(battles).where(which).values(erased=1))
    followed = _erase_answers(connection, others, answers.c.turn > 0)
    _erase_answers(connection, [row.id for row in typed], answers.c.turn >= 0)
    names = {row.prompt: row.prompt if is_erased(row.prompt) else ERASED_PROMPT + new_id() for row in typed}
    for row in typed:
        gone = {"question": "", "context": "", "options": "[]", "reference": "", "prompt": names[row.prompt]}
        connection.execute(update(battles).where(battles.c.id == row.id).values(gone))
    return len(typed), followed


def _erase_answers(connection: Connection, names: Sequence[str], turns: ColumnElement[bool]) -> int:
    """Erase what was written and answered in some turns; in how many battles there was any comes back."""
    touched: set[str] = set()
    for name in names:
        mine = (answers.c.battle == name, turns)
        if connection.execute(update(answers).where(*mine).values(text="", message="")).rowcount:
            touched.add(name)
    return len(touched)


def _count(connection: Connection, *which: ColumnElement[bool]) -> int:
    return connection.scalar(select(func.count()).select_from(votes).where(*which)) or 0
