"""The board as documents to keep: JSON and CSV, each with its time and the part of the votes it is of. Pure."""

from __future__ import annotations

import csv
import dataclasses
import io
from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any, Final

from ..boards import Reading
from ..domain import Mixture
from ..stats.board import Board, Rating, Row
from ..stats.estimate import Estimate
from ..votes.records import Counts, PairCount

DECISIVE: Final = 10
"""Decisive votes from which ``enough`` is true of a pair's counts: a program may have relied on it."""


def record(reading: Reading) -> dict[str, Any]:
    """Everything, as JSON takes it: the counts of all votes, then the report of the part asked for."""
    report = reading.report
    shown = report.board
    return {
        **counted(reading.counts),
        "as_of": plain(shown.as_of),
        "selection": plain(shown.selection),
        "comparisons": shown.comparisons,
        "ballots": shown.ballots,
        "set_aside": plain(shown.set_aside),
        "rule": plain(shown.rule),
        "weighting": str(shown.weighting),
        "arms": [plain(row) for row in shown.rows],
        "beside": [{"arm": arm.slug, "other": other.slug, **plain(cell)} for (arm, other), cell in shown.cells.items()],
        "models": {"raw": plain(shown.raw), "controlled": plain(shown.controlled)},
        "provenances": plain(report.provenances),
        "bias": plain(report.bias),
    }


def counted(counts: Counts) -> dict[str, Any]:
    """The counts of the collection. ``pairs`` holds blind verdicts."""
    return {
        "battles": counts.battles,
        "votes": counts.votes,
        "voters": counts.voters,
        "after_reveal": counts.after_reveal,
        "suspect": counts.suspect,
        "coverage": counts.coverage,
        "least_decisive": DECISIVE,
        "pairs": [_pair(count, [arm.slug for arm in pair]) for pair, count in counts.pairs.items()],
    }


def plain(value: Any) -> Any:
    """A frozen value as JSON takes it: mixtures by their slugs, times as ISO 8601."""
    if isinstance(value, Mixture):
        return value.slug
    if isinstance(value, datetime):
        return value.isoformat(timespec="seconds")
    if dataclasses.is_dataclass(value):
        return {each.name: plain(getattr(value, each.name)) for each in dataclasses.fields(value)}
    if isinstance(value, Mapping):
        return {str(key): plain(each) for key, each in value.items()}
    if isinstance(value, tuple | list):
        return [plain(each) for each in value]
    return str(value) if isinstance(value, str) else value


def table(board: Board) -> str:
    """The arms as CSV, strongest first; every row says when and of what it is. Points and decimals as machines do."""
    rows = [dict(_cells(board, row)) for row in board.rows]
    text = io.StringIO()
    written = csv.DictWriter(text, rows[0], lineterminator="\r\n")
    written.writeheader()
    written.writerows(rows)
    return text.getvalue()


def _cells(board: Board, row: Row) -> Iterator[tuple[str, object]]:
    yield "arm", row.arm.slug
    for key, rating in (("controlled", row.controlled), ("raw", row.raw)):
        yield from _rating(key, rating)
    for field in ("wins", "losses", "both_good", "both_bad", "unsure"):
        yield field, getattr(row.tally, field)
    yield "voters", row.voters
    yield from _estimate("both_bad_share", row.failures, 4)
    yield "provisional", row.provisional
    yield "as_of", plain(board.as_of)
    for field in ("kind", "specialty", "profile"):
        yield f"only_{field}", getattr(board.selection, field) or "any"
    yield "not_blind_left_out", board.set_aside.not_blind
    yield "suspect_left_out", board.set_aside.suspect


def _rating(key: str, rating: Rating) -> Iterator[tuple[str, object]]:
    yield from _estimate(f"{key}_points", rating.points, 1)
    yield from zip((f"{key}_best_rank", f"{key}_worst_rank"), rating.ranks, strict=True)
    yield f"{key}_standing", rating.standing


def _estimate(key: str, estimate: Estimate | None, digits: int) -> Iterator[tuple[str, object]]:
    for suffix, field in (("", "value"), ("_low", "low"), ("_high", "high")):
        yield f"{key}{suffix}", "" if estimate is None else round(getattr(estimate, field), digits)


def _pair(count: PairCount, arms: list[str]) -> dict[str, Any]:
    return {
        "arms": arms,
        "battles": count.battles,
        "wins": list(count.wins),
        "both_good": count.both_good,
        "both_bad": count.both_bad,
        "unsure": count.unsure,
        "decisive": count.decisive,
        "enough": count.decisive >= DECISIVE,
    }
