"""Votes given away as files, and taken from files or from another database. Knows the forms, and no terminal."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Collection, Container, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Final

from ..errors import OutputError
from ..files import whole, write_whole
from .card import MADE_HERE, card
from .database import Database
from .exchange import Merged, live_records, merge, records
from .forgetting import ERASED_PROMPT, is_erased
from .formats import WRITERS, read, write_lines
from .owed import Owed
from .preferences import dpo_rows, kto_rows
from .sheet import Record, Row, record_of, row_of
from .suspects import Suspicions

_TRAINING: Final[Mapping[str, Callable[[Row], Iterator[Row]]]] = {"dpo": dpo_rows, "kto": kto_rows}
FORMS: Final = (*WRITERS, *_TRAINING)


def export(
    database: Database,
    form: str,
    place: Path,
    *,
    live: bool = False,
    revealed: bool = False,
    hide: Collection[str] | None = None,
) -> int:
    """Write votes to a file, whole or not at all; how many rows comes back.

    A form for training takes the votes that count on a board; ``revealed`` adds those not given blind.

    Args:
        live: only live votes, whether a board counts them or not: no earlier versions and no withdrawals.
        hide: ids of the bundled prompts, where whatever else was typed is to be left out.

    Raises:
        OutputError: the place cannot be written.
        StoreError: the votes cannot be read.
    """
    counted, write = 0, WRITERS.get(form, write_lines)
    found = live_records if live or form in _TRAINING else records
    hidden = _as_it_is if hide is None else _Hiding(hide)

    def counting(rows: Iterable[Row]) -> Iterator[Row]:
        nonlocal counted
        counted = 0
        for row in rows:
            counted += 1
            yield row

    doubted = {each.vote for each in Suspicions(database).suspects() if each.left_out} if form in _TRAINING else set()
    with whole(place) as partial:
        database.read(
            lambda connection: write(
                partial, counting(_formed(map(hidden, map(_row, found(connection))), form, revealed, doubted))
            )
        )
    return counted


def write_card(place: Path, form: str, rows: int) -> Path:
    """Put the card of a data set beside a file of it.

    Raises:
        OutputError: another README stands there, or the place cannot be written.
    """
    beside = place.with_name("README.md")
    if beside.exists() and MADE_HERE not in beside.read_text(encoding="utf-8", errors="replace"):
        expected, remedy = "a free place or an earlier card", "Export into a folder of its own."
        raise OutputError.of(str(beside), expected=expected, got="another README", remedy=remedy)
    write_whole(beside, card(form, place.name, rows))
    return beside


def import_from(database: Database, source: str, *, erase: bool = False) -> Merged:
    """Merge votes of a file, a folder or a database: all of them, or none where one does not hold together.

    Who voted is then examined by the rules of suspicion, as after a vote given here; where that fails, by the next
    import or the next round of a page.

    Args:
        erase: erase here too what was erased there.

    Raises:
        InvalidValue: the source is none.
        InvalidData: a row does not hold together, or disagrees with what is here; the sentence names it.
        StoreError: nothing was stored; or all was, and who voted is still to be examined, or copies to be removed.
    """
    given = _records_of(source)
    merged = database.write(lambda connection: merge(connection, given, erase=erase))
    due = Owed(database)
    try:
        due.examine(Suspicions(database).examine)
    finally:
        due.scrub()
    return merged


def _records_of(source: str) -> list[Record]:
    if "://" not in source:
        return [record_of(row, where) for where, row in read(Path(source))]
    other = Database.there(source)
    try:
        return other.read(lambda connection: [_checked(each) for each in records(connection)])
    finally:
        other.close()


def _checked(record: Record) -> Record:
    return record_of(row_of(record), f"vote {record.vote['id']}")


def _row(record: Record) -> Row:
    row = row_of(record)
    said = row["verdict"] is not None or row["ranking"] is not None
    return row | {"live": record.latest and said}


def _formed(rows: Iterable[Row], form: str, revealed: bool, doubted: Container[str]) -> Iterator[Row]:
    if form not in _TRAINING:
        return iter(rows)
    wanted = (row for row in rows if (row["blind"] or revealed) and row["vote"] not in doubted)
    return (made for row in wanted for made in _TRAINING[form](row))


def _as_it_is(row: Row) -> Row:
    return row


class _Hiding:
    """A row without what was typed, as forgetting leaves it; the same typed prompt gets the same new name."""

    def __init__(self, bundled: Collection[str]) -> None:
        self._bundled, self._names = bundled, dict[str, str]()

    def __call__(self, row: Row) -> Row:
        typed = row["prompt"] not in self._bundled
        first = 0 if typed else 1
        turns = [turn if number < first else _silent(turn) for number, turn in enumerate(row["turns"])]
        hidden = row | {"turns": turns, "battle_erased": row["battle_erased"] or typed or turns != row["turns"]}
        hidden |= {"comment": "", "erased": row["erased"] or bool(row["comment"])}
        if typed:
            name = self._names.setdefault(row["prompt"], ERASED_PROMPT + secrets.token_hex(12))
            name = row["prompt"] if is_erased(row["prompt"]) else name
            hidden |= {"prompt": name, "question": "", "context": "", "options": [], "reference": ""}
        return hidden


def _silent(turn: Row) -> Row:
    return turn | {"message": "", "answers": [answer | {"text": ""} for answer in turn["answers"]]}
