"""The board as documents to keep: JSON and CSV, each with its time and the part of the votes it is of. Pure."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from typing import Any

from ..boards import Reading
from ..stats.board import Board, Rule
from ..stats.report import Report
from ..stats.tables import as_csv, as_document
from ..votes.records import Counts, PairCount


def record(reading: Reading) -> dict[str, Any]:
    """Everything, as JSON takes it: the counts of all votes, then the report of the part asked for."""
    return {**counted(reading.counts, reading.report.board.rule), **as_document(reading.report)}


def table(report: Report) -> str:
    """The arms as CSV, strongest first; every line says when and of what it is. Figures as machines write them."""
    head, *lines = csv.reader(io.StringIO(as_csv(report)))
    more = dict(_of(report.board))
    text = io.StringIO()
    written = csv.writer(text, lineterminator="\r\n")
    written.writerow([*head, *more])
    written.writerows([*line, *more.values()] for line in lines)
    return text.getvalue()


def counted(counts: Counts, rule: Rule) -> dict[str, Any]:
    """The counts of the collection. ``pairs`` holds the verdicts that count, ``enough`` of them by the board's rule."""
    return {
        "battles": counts.battles,
        "votes": counts.votes,
        "voters": counts.voters,
        "after_reveal": counts.after_reveal,
        "suspect": counts.suspect,
        "coverage": counts.coverage,
        "least_decisive": rule.least_votes,
        "pairs": [_pair(count, [arm.slug for arm in pair], rule) for pair, count in counts.pairs.items()],
    }


def _of(board: Board) -> Iterator[tuple[str, object]]:
    """When, of which votes, and how many of them are left out."""
    yield "as_of", board.as_of.isoformat(timespec="seconds")
    for name, value in vars(board.selection).items():
        yield f"only_{name}", value or "any"
    yield "left_out_not_blind", board.set_aside.not_blind
    yield "left_out_suspect", board.set_aside.suspect


def _pair(count: PairCount, arms: list[str], rule: Rule) -> dict[str, Any]:
    return {
        "arms": arms,
        "battles": count.battles,
        "wins": list(count.wins),
        "both_good": count.both_good,
        "both_bad": count.both_bad,
        "unsure": count.unsure,
        "alike": count.alike,
        "decisive": count.decisive,
        "enough": count.decisive >= rule.least_votes,
    }
