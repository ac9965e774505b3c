"""The board as documents to keep: JSON and CSV, each with its time and the part of the votes it is of. Pure."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from typing import Any

from ..boards import Reading
from ..pairing import pairs
from ..stats.board import Board, Cell
from ..stats.report import Report
from ..stats.tables import as_csv, as_document


def record(reading: Reading) -> dict[str, Any]:
    """Everything, as JSON takes it: counts, then the report, all of the part of the votes that was asked for."""
    return {**counted(reading.report.board), **as_document(reading.report)}


def table(report: Report) -> str:
    """The arms as CSV, strongest first; every line says when and of what it is. Figures as machines write them."""
    head, *lines = csv.reader(io.StringIO(as_csv(report)))
    more = dict(_of(report.board))
    text = io.StringIO()
    written = csv.writer(text, lineterminator="\r\n")
    written.writerow([*head, *more])
    written.writerows([*line, *more.values()] for line in lines)
    return text.getvalue()


def counted(board: Board) -> dict[str, Any]:
    """The counts of a board, by the definitions of ``votes.records.Counts``.

    ``pairs`` holds the verdicts that count; ``enough`` is whether a pair has as many that prefer one of the two as the
    board's rule asks battles of an arm. What can be said of the pair is the ``standing`` of its cell.
    """
    least, aside = board.rule.least_votes, board.set_aside
    return {
        "battles": board.battles,
        "votes": board.ballots + aside.not_blind + aside.suspect,
        "counted": board.ballots,
        "voters": board.voters,
        "after_reveal": aside.not_blind,
        "suspect": aside.suspect,
        "coverage": board.coverage,
        "least_decisive": least,
        "pairs": [_pair([arm.slug for arm in pair], board.cells[pair], least) for pair in pairs()],
    }


def _of(board: Board) -> Iterator[tuple[str, object]]:
    """When, of which votes, and how many of them are left out."""
    yield "as_of", board.as_of.isoformat(timespec="seconds")
    for name, value in vars(board.selection).items():
        yield f"only_{name}", value or "any"
    yield "left_out_not_blind", board.set_aside.not_blind
    yield "left_out_suspect", board.set_aside.suspect


def _pair(arms: list[str], cell: Cell, least: int) -> dict[str, Any]:
    said = cell.tally
    decisive = said.wins + said.losses
    return {
        "arms": arms,
        "battles": cell.battles,
        "wins": [said.wins, said.losses],
        "both_good": said.both_good,
        "both_bad": said.both_bad,
        "unsure": said.unsure,
        "alike": said.alike,
        "decisive": decisive,
        "enough": decisive >= least,
    }
