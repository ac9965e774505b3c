"""Rows to files and back: JSON Lines, CSV and Parquet, each without loss. Knows nothing of what a row means.

A cell of a CSV that a spreadsheet would take for a formula gets an apostrophe in front, and so does one that begins
with an apostrophe: what is read back is what was written.
"""

from __future__ import annotations

import csv
import json
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from ..errors import InvalidData, InvalidValue
from .schema import answers, votes
from .sheet import FIELDS, Row, SheetAnswer

if TYPE_CHECKING:
    import pyarrow as pa

FORMULA: Final = tuple("=+-@\t\r\n'＝＋－＠")
"""First characters of a cell that gets an apostrophe: those of a formula, also full width, and the apostrophe."""
ROWS: Final = 1_000
"""Rows of a group of a Parquet file."""

_JSON: Final = frozenset({"criteria", "equivalent", "options", "ranking", "doubts", "arms", "turns"})
_MAY_BE_NONE: Final = frozenset({"verdict", "ranking", "seconds"})

Writer = Callable[[Path, Iterable[Row]], None]


def write_lines(path: Path, rows: Iterable[Row]) -> None:
    """One JSON document a line."""
    with path.open("wb") as file:
        file.writelines(map(line_of, rows))


def line_of(row: Row) -> bytes:
    """A row as a line of JSON Lines."""
    return json.dumps(row, ensure_ascii=False).encode() + b"\n"


def write_csv(path: Path, rows: Iterable[Row]) -> None:
    """A table for a spreadsheet: lists as JSON, then each side's arm and first answer in columns of their own."""
    columns = [*FIELDS, "live", *(f"{name}_{place}" for place in range(1, 9) for name in ("arm", "answer"))]
    with path.open("w", encoding="utf-8-sig", newline="") as file:
        table = csv.DictWriter(file, columns, quoting=csv.QUOTE_ALL, restval="")
        table.writeheader()
        for row in rows:
            sides = enumerate(row["turns"][0]["answers"], start=1)
            shown = {
                f"{name}_{place}": each[of]
                for place, each in sides
                for name, of in (("arm", "mixture"), ("answer", "text"))
            }
            table.writerow({name: neutral(_cell(value)) for name, value in (row | shown).items()})


def write_parquet(path: Path, rows: Iterable[Row]) -> None:
    """A table with nested columns; the sampling of a turn is JSON."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    shape = _shape()
    with pq.ParquetWriter(path, shape) as file:
        group: list[Row] = []
        for row in rows:
            group.append(row | {"turns": [turn | {"sampling": json.dumps(turn["sampling"])} for turn in row["turns"]]})
            if len(group) == ROWS:
                file.write_table(pa.Table.from_pylist(group, schema=shape))
                group = []
        file.write_table(pa.Table.from_pylist(group, schema=shape))


WRITERS: Final[Mapping[str, Writer]] = {"csv": write_csv, "parquet": write_parquet, "jsonl": write_lines}


def read(path: Path) -> Iterator[tuple[str, Row]]:
    """The rows of a file, or of every file of a folder, each with its place.

    Raises:
        InvalidValue: the place is none, or of another kind.
        InvalidData: a line cannot be read.
    """
    if path.is_dir():
        files = sorted(each for each in path.rglob("*") if each.suffix[1:] in _READERS and each.is_file())
        if not files:
            raise InvalidValue.of(str(path), expected=f"a folder with a {_KINDS} file", got="none in it")
        for each in files:
            yield from read(each)
        return
    if path.suffix[1:] not in _READERS or not path.is_file():
        got = f"a file {path.suffix or 'without suffix'}" if path.is_file() else "nothing there"
        raise InvalidValue.of(str(path), expected=f"a {_KINDS} file, or a folder of them", got=got)
    try:
        yield from _READERS[path.suffix[1:]](path)
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise InvalidData.of(str(path), expected="a file that can be read", got=str(error)) from error


def rows_of_lines(text: bytes, where: str) -> Iterator[tuple[str, Row]]:
    """The rows of JSON Lines.

    Raises:
        InvalidData: a line is no JSON object.
    """
    for number, line in enumerate(text.splitlines(), start=1):
        place = f"{where}, line {number}"
        try:
            row = json.loads(line)
        except (ValueError, RecursionError) as error:
            raise InvalidData.of(place, expected="a JSON object", got=str(error)) from error
        if not isinstance(row, dict):
            raise InvalidData.of(place, expected="a JSON object", got=type(row).__name__)
        yield place, row


def neutral(cell: str) -> str:
    """The cell, with an apostrophe in front where a spreadsheet would run it."""
    return f"'{cell}" if cell.startswith(FORMULA) else cell


def restored(cell: str) -> str:
    """The cell as it was before ``neutral``."""
    return cell[1:] if cell.startswith("'") else cell


def _cell(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, str):
        return value
    return json.dumps(value, ensure_ascii=False)


def _read_lines(path: Path) -> Iterator[tuple[str, Row]]:
    return rows_of_lines(path.read_bytes(), str(path))


def _read_csv(path: Path) -> Iterator[tuple[str, Row]]:
    csv.field_size_limit(sys.maxsize)
    with path.open(encoding="utf-8-sig", newline="") as file:
        table = csv.DictReader(file)
        for given in table:
            place = f"{path}, line {table.line_num}"
            if None in given or None in given.values():
                raise InvalidData.of(place, expected="as many cells as the heading", got="another number")
            yield place, _row_of_cells({name: restored(cell) for name, cell in given.items()}, place)


def _row_of_cells(cells: Mapping[str, str], place: str) -> Row:
    row: Row = {}
    for name, cell in cells.items():
        if name not in FIELDS:
            continue
        try:
            row[name] = None if cell == "" and name in _MAY_BE_NONE else json.loads(cell) if name in _JSON else cell
        except (ValueError, RecursionError) as error:
            raise InvalidData.of(f"{place}, column {name}", expected="JSON", got=cell[:40] or "nothing") from error
    return row


def _read_parquet(path: Path) -> Iterator[tuple[str, Row]]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        number = 0
        with pq.ParquetFile(path) as file:
            for batch in file.iter_batches(ROWS):
                for row in batch.to_pylist():
                    number += 1
                    yield f"{path}, row {number}", row | _with_sampling(row)
    except (pa.ArrowException, ValueError, KeyError, TypeError, RecursionError) as error:
        got = (str(error).splitlines() or [type(error).__name__])[0]
        raise InvalidData.of(str(path), expected="a Parquet file of votes", got=got) from error


def _with_sampling(row: Row) -> Row:
    turns = row.get("turns")
    if not isinstance(turns, list):
        return {}
    return {"turns": [turn | {"sampling": json.loads(turn["sampling"])} for turn in turns]}


_READERS: Final = {"csv": _read_csv, "parquet": _read_parquet, "jsonl": _read_lines}
_KINDS: Final = "CSV, Parquet or JSON Lines (.csv, .parquet, .jsonl)"


def _shape() -> pa.Schema:
    """The columns of a Parquet file; a column that the tables do not have is left out."""
    import pyarrow as pa

    texts, numbers = pa.list_(pa.string()), {"version": pa.int32(), "seconds": pa.float64(), "propensity": pa.float64()}
    counted = {"tokens": pa.int32(), "seconds": pa.float64()} | dict.fromkeys(
        ("words", "headers", "bold", "lists", "emoji", "cached"), pa.int32()
    )
    names = [name for name in SheetAnswer.model_fields if name in answers.c]
    answer = pa.struct([(name, counted.get(name, pa.string())) for name in names])
    turn = pa.struct([("message", pa.string()), ("sampling", pa.string()), ("answers", pa.list_(answer))])
    kinds = numbers | dict.fromkeys(("blind", "erased", "battle_erased", "live"), pa.bool_())
    kinds |= {"criteria": pa.list_(texts), "equivalent": pa.list_(pa.bool_()), "ranking": pa.list_(pa.int32())}
    kinds |= {"options": texts, "arms": texts, "doubts": texts, "turns": pa.list_(turn)}
    columns = [name for name in (*FIELDS, "live") if name != "ranking" or "ranking" in votes.c]
    return pa.schema([(name, kinds.get(name, pa.string())) for name in columns])
