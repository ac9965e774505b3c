"""Votes out of a database and into another: read as records, merged so that none is lost and none doubled.

A vote is known by its id, a battle by its own. What was erased stays erased on both sides, whichever was read first.
Rows are only ever changed here where another instance erased their text or forgot their voter, or where two instances
counted the versions of the same voter's votes apart.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import Connection, exists, select, update

from ..prompts import load_prompts
from .agreement import require_same_battle, require_same_vote
from .forgetting import call_in, is_erased, mark_stale, settle
from .owed import owe_examination, owe_scrub
from .schema import answers, battles, suspicions, votes
from .sheet import Record
from .suspects import CLEARED
from .voters import Names, count_anew, is_nobody

CHUNK: Final = 500
"""Votes read or merged with one round of queries."""


@dataclass(frozen=True)
class Merged:
    """What became of the votes of another place."""

    new: int = 0
    known: int = 0
    erased: int = 0
    """Of the known ones: those whose text was erased there and not here, until now."""
    behind: int = 0
    """Those whose text was erased here, and is whole there, or that were cleared or forgotten here only."""

    def __add__(self, other: Merged) -> Merged:
        return Merged(*(one + two for one, two in zip(vars(self).values(), vars(other).values(), strict=True)))


def records(connection: Connection, ids: Sequence[str] | None = None) -> Iterator[Record]:
    """Votes with their battles, every version, in the order of their time; all, or those named."""
    query = select(votes, _LATEST.label("latest")).order_by(votes.c.at, votes.c.id)
    if ids is None:
        rows: Iterable[Any] = connection.execute(query).mappings()
    else:
        parts = [query.where(votes.c.id.in_(part)) for part in _chunks(ids)]
        rows = itertools.chain.from_iterable(connection.execute(part).mappings() for part in parts)
    for chunk in _chunks(rows):
        yield from _with_battles(connection, chunk)


def live_records(connection: Connection) -> Iterator[Record]:
    """The live votes: the latest of each voter on each battle, unless it is a withdrawal."""
    for record in records(connection):
        said = record.vote["verdict"] is not None or record.vote.get("ranking") is not None
        if record.latest and said:
            yield record


def bundled_ids() -> frozenset[str]:
    """The prompts that come with the program, which nobody typed."""
    return frozenset(prompt.id for prompt in load_prompts())


def merge(
    connection: Connection,
    given: Iterable[Record],
    *,
    erase: bool = True,
    bundled: Callable[[], Collection[str]] = bundled_ids,
) -> Merged:
    """Add what is not here yet, within the caller's transaction; an examination of who voted is owed after it.

    Args:
        erase: erase here what was erased there, and forget here who was forgotten there, in all their rows; else it is
            counted, and stays.
        bundled: ids of the prompts that nobody typed, called where a voter is forgotten.

    Raises:
        InvalidData: a vote or a battle is here already and says something else, or a vote is new of a voter who has
            another name here, and nothing is to be erased; the sentence names its file and line.
    """
    merged, names = Merged(), Names()
    for chunk in _chunks(given):
        merged += _merge_chunk(connection, chunk, erase, names)
    if not erase:
        names.require_no_second()
        return merged
    gone = settle(connection, names.same, bundled)
    return merged + Merged(behind=names.how_many(gone))


def level(vote: Mapping[str, Any]) -> int:
    """How much of a row was erased: nothing, its text, or its text and the hash of its voter."""
    return int(bool(vote["erased"])) + int(is_nobody(vote["voter"]))


def _merge_chunk(connection: Connection, chunk: Sequence[Record], erase: bool, names: Names) -> Merged:
    behind = _merge_battles(connection, chunk, erase, names)
    here = _by_id(connection, votes, [record.vote["id"] for record in chunk])
    new, known = dict[str, Record](), Merged(behind=behind)
    for record in chunk:
        name = record.vote["id"]
        if name in here:
            known += _meet(connection, here[name], record, erase)
            names.meet(here[name]["voter"], record.vote["voter"], level(record.vote) >= level(here[name]))
        elif name in new:
            require_same_vote(new[name].vote, record)
            known += Merged(known=1)
        else:
            names.add(record.vote["voter"], record.where)
            new[name] = record
    _insert(connection, [record.vote for record in new.values()])
    owe_examination(connection, (record.vote["voter"] for record in new.values()))
    return known + Merged(new=len(new), behind=_merge_doubts(connection, chunk))


def _meet(connection: Connection, ours: Mapping[str, Any], record: Record, erase: bool) -> Merged:
    """A vote that both have: the one of which more was erased is right. Its voter's name is settled at the end."""
    theirs = record.vote
    require_same_vote(ours, record)
    if level(theirs) > level(ours):
        if erase:
            mark_stale(connection, votes.c.id == ours["id"])
            erased = {name: theirs[name] for name in ("comment", "erased")}
            connection.execute(update(votes).where(votes.c.id == ours["id"]).values(erased))
            owe_scrub(connection)
        return Merged(known=1, erased=1)
    return Merged(known=1, behind=int(level(theirs) < level(ours)))


def _merge_doubts(connection: Connection, chunk: Sequence[Record]) -> int:
    """Add the doubts that are not here yet; how many votes were cleared here and not there comes back."""
    here = _doubts(connection, [record.vote["id"] for record in chunk])
    cleared = sum(CLEARED in here.get(record.vote["id"], ()) and CLEARED not in record.doubts for record in chunk)
    theirs = {(record.vote["id"], reason): record.vote["at"] for record in chunk for reason in record.doubts}
    new = [
        {"vote": vote, "reason": reason, "at": at}  # when the doubt arose is not told; the vote was there by then
        for (vote, reason), at in theirs.items()
        if reason not in here.get(vote, ())
    ]
    if new:
        connection.execute(suspicions.insert(), new)
    return cleared


def _merge_battles(connection: Connection, chunk: Sequence[Record], erase: bool, names: Names) -> int:
    """Store new battles; of how many known ones the text was erased here, and is whole there, comes back."""
    behind = 0
    here = dict(_by_id(connection, battles, [record.battle["id"] for record in chunk]))
    sides = _answers(connection, here)
    new: list[Record] = []
    for record in chunk:
        theirs = record.battle
        if theirs["id"] not in here:
            here[theirs["id"]], sides[theirs["id"]] = theirs, record.answers
            names.add(theirs["voter"], record.where)
            new.append(record)
            continue
        ours = here[theirs["id"]]
        require_same_battle(ours, sides[theirs["id"]], record)
        names.meet(ours["voter"], theirs["voter"], level(theirs) >= level(ours))
        if erase and _erasure(theirs) > _erasure(ours):
            _erase_battle(connection, record)
            here[theirs["id"]], sides[theirs["id"]] = theirs, record.answers
        behind += _erasure(theirs) < _erasure(ours)
    if new:
        connection.execute(battles.insert(), [dict(record.battle) for record in new])
        connection.execute(answers.insert(), [dict(each) for record in new for each in record.answers])
    return behind


def _erasure(battle: Mapping[str, Any]) -> tuple[int, int, tuple[int, ...]]:
    """The greater is right: that of which more was erased; of two whose typed prompt was, the lesser of its names."""
    name = str(battle["prompt"])
    erased = is_erased(name)
    return level(battle), int(erased), tuple(-ord(letter) for letter in name) if erased else ()


def _erase_battle(connection: Connection, record: Record) -> None:
    """Take over what another instance left of a battle; an erased text is never put back."""
    name = record.battle["id"]
    call_in(connection, select(battles.c.id).where(battles.c.id == name))
    owe_scrub(connection)
    connection.execute(update(battles).where(battles.c.id == name).values(dict(record.battle)))
    for each in record.answers:
        place = (answers.c.battle == name, answers.c.turn == each["turn"], answers.c.place == each["place"])
        connection.execute(update(answers).where(*place).values(text=each["text"], message=each["message"]))


def _insert(connection: Connection, rows: Sequence[Mapping[str, Any]]) -> None:
    """Store new votes; where a version is taken, all of that voter's on that battle are counted anew by their time."""
    taken = _versions(connection, {str(row["battle"]) for row in rows})
    again: set[tuple[str, str]] = set()
    stored = []
    for number, row in enumerate(rows, start=1):
        key, version = (row["battle"], row["voter"]), row["version"]
        if (*key, version) in taken:
            again.add(key)
            version = -number  # free: those stored are above zero
        taken.add((*key, version))
        stored.append({**row, "version": version})
    if stored:
        connection.execute(votes.insert(), stored)
    for battle, voter in sorted(again):
        count_anew(connection, battle, voter)


def _versions(connection: Connection, names: Iterable[str]) -> set[tuple[str, str, int]]:
    query = select(votes.c.battle, votes.c.voter, votes.c.version).where(votes.c.battle.in_(sorted(names)))
    return {(row.battle, row.voter, row.version) for row in connection.execute(query)}


def _with_battles(connection: Connection, chunk: Sequence[Mapping[str, Any]]) -> Iterator[Record]:
    names = sorted({row["battle"] for row in chunk})
    heads, given = _by_id(connection, battles, names), _answers(connection, names)
    doubts = _doubts(connection, [row["id"] for row in chunk])
    for each in chunk:
        vote = {name: value for name, value in each.items() if name != "latest"}
        latest, reasons = bool(each["latest"]), tuple(doubts.get(each["id"], ()))
        yield Record(vote, heads[each["battle"]], given[each["battle"]], latest=latest, doubts=reasons)


def _answers(connection: Connection, names: Collection[str]) -> dict[str, tuple[Mapping[str, Any], ...]]:
    """The answers of battles, by turn and place."""
    given: dict[str, list[Mapping[str, Any]]] = {name: [] for name in names}
    query = select(answers).where(answers.c.battle.in_(sorted(names))).order_by(*answers.primary_key.columns)
    for row in connection.execute(query).mappings():
        given[row["battle"]].append(dict(row))
    return {name: tuple(sides) for name, sides in given.items()}


def _doubts(connection: Connection, names: Collection[str]) -> dict[str, list[str]]:
    """The reasons beside votes, in their order."""
    found: dict[str, list[str]] = {}
    for row in connection.execute(select(suspicions).where(suspicions.c.vote.in_(names))):
        found.setdefault(row.vote, []).append(row.reason)
    return {vote: sorted(reasons) for vote, reasons in found.items()}


def _by_id(connection: Connection, table: Any, names: Iterable[str]) -> dict[str, Mapping[str, Any]]:
    query = select(table).where(table.c.id.in_(sorted(set(names))))
    return {row["id"]: dict(row) for row in connection.execute(query).mappings()}


def _chunks(given: Iterable[Any]) -> Iterator[list[Any]]:
    rest = iter(given)
    while chunk := list(itertools.islice(rest, CHUNK)):
        yield chunk


_later = votes.alias("later")
_LATEST: Final = ~exists().where(
    _later.c.battle == votes.c.battle, _later.c.voter == votes.c.voter, _later.c.version > votes.c.version
)
