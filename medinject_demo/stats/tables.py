"""A report as text, Markdown, CSV or a document for a machine. In English, arms by their slugs; knows no terminal."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import fields, is_dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any, Final

from ..domain import Mixture
from .board import Board, Rating, Row
from .estimate import Estimate
from .provenance import Conclusion
from .report import Report

HEAD: Final = (
    *("arm", "controlled", "95 %", "ranks", "standing", "raw", "95 %", "standing"),
    *("won", "lost", "both good", "both bad", "tied in rankings", "unsure", "votes", "voters", "prompts", "failures"),
)
FIGURES: Final = (
    *("arm", "provisional", "wins", "losses", "both_good", "both_bad", "unsure", "alike", "votes", "battles", "voters"),
    "prompts",
    *("failures", "failures_low", "failures_high"),
    *(
        f"{model}_{name}"
        for model in ("controlled", "raw")
        for name in ("points", "low", "high", "best_rank", "worst_rank", "standing")
    ),
)

CONCLUSIONS: Final = {
    Conclusion.ADDS: "above 0",
    Conclusion.TAKES: "below 0",
    Conclusion.NONE: "none that matters",
    Conclusion.UNKNOWN: "the data cannot tell",
}


def as_text(report: Report) -> str:
    """Columns in line, figures to the right, and what they mean; one line where no vote counts yet."""
    if not report.board.comparisons:
        return f"{next(iter(_notes(report)))} Nothing is to be said of the arms yet."
    rows = [HEAD, *map(_cells, report.board.rows)]
    first, *others = (max(map(len, column)) for column in zip(*rows, strict=True))
    table = ["  ".join([row[0].ljust(first), *map(str.rjust, row[1:], others)]).rstrip() for row in rows]
    return "\n".join([*table, "", *_notes(report)])


def as_markdown(report: Report) -> str:
    """A table, and what it means, as a document."""
    rows = "\n".join(f"| {' | '.join(_cells(row))} |" for row in report.board.rows)
    notes = "\n".join(f"- {note}" for note in _notes(report))
    return f"# Board\n\n| {' | '.join(HEAD)} |\n|{'---|' * len(HEAD)}\n{rows}\n\n{notes}\n"


def as_csv(report: Report) -> str:
    """One line for each arm, unrounded; no cell begins as a formula would, for none holds a voter's words."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(FIGURES)
    writer.writerows(_figures(row) for row in report.board.rows)
    return text.getvalue()


def as_document(value: object) -> Any:
    """Any result as JSON holds it: arms by slug, pairs joined by +, dates in ISO 8601."""
    if isinstance(value, Mixture):
        return value.slug
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, Mapping):
        return {"+".join(map(str, key)): as_document(each) for key, each in value.items()}
    if is_dataclass(value):
        return {field.name: as_document(getattr(value, field.name)) for field in fields(value)}
    if isinstance(value, StrEnum):
        return str(value)
    return [as_document(each) for each in value] if isinstance(value, tuple) else value


def _cells(row: Row) -> tuple[str, ...]:
    tally = row.tally
    counts = (tally.wins, tally.losses, tally.both_good, tally.both_bad, tally.alike)
    rest = (tally.unsure, tally.votes, row.voters, row.prompts)
    controlled, raw = _rated(row.controlled), _rated(row.raw)
    name = f"{row.arm}{' *' if row.provisional else ''}"
    failures = "-" if row.failures is None else _percent(row.failures)
    return (name, *controlled, *raw[:2], raw[3], *map(str, (*counts, *rest)), failures)


def _rated(rating: Rating) -> tuple[str, str, str, str]:
    best, worst = rating.ranks
    points = rating.points
    between = "" if points.low == points.high else f"{points.low:.0f} to {points.high:.0f}"
    return f"{points.value:.0f}", between, f"{best}-{worst}", rating.standing.replace("_", " ")


def _figures(row: Row) -> Iterator[object]:
    tally, failures = row.tally, row.failures
    yield from (row.arm.slug, int(row.provisional), tally.wins, tally.losses, tally.both_good, tally.both_bad)
    yield from (tally.unsure, tally.alike, tally.votes, row.battles, row.voters, row.prompts)
    yield from ("", "", "") if failures is None else (failures.value, failures.low, failures.high)
    for rating in (row.controlled, row.raw):
        yield from (rating.points.value, rating.points.low, rating.points.high, *rating.ranks, str(rating.standing))


def _notes(report: Report) -> Iterator[str]:
    board, rule = report.board, report.board.rule
    yield f"As of {board.as_of.isoformat(timespec='seconds')}; {_counted(board)}"
    yield (
        f"Points: the base at {rule.reference_points}, 400 for odds of ten to one; intervals are those of the "
        "difference from it, each for itself, for other voters and other prompts like those asked. Controlled: with "
        "length and markdown held equal. Ties are half wins."
    )
    yield (
        "Ahead or behind: sure at 95 %, the seven differences from the base told together (Holm); ranks are of all "
        "pairs together. Nothing corrects for looking again and again as votes come: a standing may appear by chance "
        f"and go. Level: the whole interval is within {rule.level_within:.0f} points of the base. Too few: neither, "
        f"or fewer than {rule.least_votes} battles, {rule.least_voters} voters or {rule.least_prompts} prompts "
        "(a ranking is one battle, and a duel is one however many vote on it)."
    )
    yield (
        f"*: provisional, fewer than {rule.settled_votes} battles, {rule.settled_voters} voters or "
        f"{rule.settled_prompts} prompts. Failures: share of the votes on an arm's duels that call both answers bad, "
        "as observed, and its 95 % interval."
    )
    if board.apart is not None and not board.overlaps:
        yield (
            f"The base and length cannot be told apart: in {board.apart:.0%} of the base's comparisons it is the same "
            "of the two that writes more. Controlled differences from it extend what votes say of length elsewhere."
        )
    yield from _effects(report)


def _counted(board: Board) -> str:
    asked = [f"{name} {value}" for name, value in vars(board.selection).items() if value is not None]
    by = f"{board.voters} voters on {board.prompts} prompts"
    counted = f"{board.comparisons} comparisons of {board.ballots} votes by {by} count"
    aside = f"{board.set_aside.not_blind} not given blind and {board.set_aside.suspect} suspect do not"
    return f"{', '.join(asked) or 'all votes'}: {counted}, {aside}; {board.met} of 28 pairs met."


def _effects(report: Report) -> Iterator[str]:
    left = report.bias.position.left_wins
    yield f"Estimated: the left is preferred {_percent(left)} of the time, where nothing else differs."
    for effect in report.provenances.preference.effects:
        names = " x ".join(each.name.lower() for each in effect.provenances) or "fine-tuning, whatever the data,"
        estimate = effect.estimate
        figure = f"{estimate.value:+.2f} logits, 95 % from {estimate.low:+.2f} to {estimate.high:+.2f}"
        yield f"Effect of {names} on preference, style controlled: {figure}: {CONCLUSIONS[effect.conclusion]}."


def _percent(share: Estimate) -> str:
    return f"{share.value:.0%} ({share.low:.0%}-{share.high:.0%})"


def written(report: Report, suffix: str) -> str:
    """The report in the format of a file's ending: ``.md`` or ``.csv``."""
    return {".md": as_markdown, ".csv": as_csv}[suffix](report)


SUFFIXES: Final[Sequence[str]] = (".md", ".csv")
