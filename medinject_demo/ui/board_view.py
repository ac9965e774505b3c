"""The board as HTML: figures, what can be said of them, coverage of the pairs, verdicts by pair. Pure.

Knows neither components nor the store. Every number is a text in a table; colour only repeats it.
"""

from __future__ import annotations

import html
import math
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime
from typing import Final

from ..domain import BASE, MIXTURES, Mixture
from ..pairing import Pair, pair_of
from ..votes.records import Counts, PairCount
from .texts import name, number, say

ENOUGH: Final = 10
"""Decisive votes below which nothing is said of a pair: with fewer, hardly a split differs from a fair coin's."""
SHADES: Final = 4
"""Shades of the map above none, in equal steps up to the pair with the most battles."""


def board(lang: str, counts: Counts) -> str:
    """The whole board."""
    parts = [_figures(lang, counts), _verdict(lang, counts), _map(lang, counts.pairs)]
    if counts.votes:
        parts.append(_wins(lang, counts.pairs))
    return "".join(parts)


def as_of(lang: str, at: datetime) -> str:
    """When the counts were read; a screen reader says it after a refresh."""
    moment = at.astimezone(UTC)
    said = say(lang, "board.as_of", at=moment)
    return f'<p role="status"><time datetime="{moment.isoformat(timespec="seconds")}">{said}</time></p>'


def enough(count: PairCount) -> bool:
    """True where something can be said of a pair."""
    return count.decisive >= ENOUGH


def shade(battles: int, most: int) -> int:
    """0 for none, then 1 to ``SHADES`` in equal steps up to ``most``."""
    return math.ceil(SHADES * battles / most) if battles else 0


def _figures(lang: str, counts: Counts) -> str:
    met = sum(bool(each.battles) for each in counts.pairs.values())
    figures = (
        ("battles", number(lang, counts.battles)),
        ("votes", number(lang, counts.votes)),
        ("voters", number(lang, counts.voters)),
        ("after_reveal", number(lang, counts.after_reveal)),
        ("coverage", say(lang, "board.coverage_value", met=met, all=len(counts.pairs))),
    )
    notes = {key: f"<dd>{say(lang, f'board.{key}_note')}</dd>" for key in ("voters", "after_reveal")}
    tiles = (
        f'<div><dt>{say(lang, f"board.{key}")}</dt><dd class="figure">{value}</dd>{notes.get(key, "")}</div>'
        for key, value in figures
    )
    return f'<dl class="figures">{"".join(tiles)}</dl>'


def _verdict(lang: str, counts: Counts) -> str:
    """Whether anything can be said, and by which rule."""
    rule = f"<p>{say(lang, 'board.rule', least=ENOUGH)}</p>"
    if not counts.votes:
        return _notice(say(lang, "board.not_enough"), f"<p>{say(lang, 'board.none')}</p>{rule}")
    ready = sum(map(enough, counts.pairs.values()))
    if ready == len(counts.pairs):
        return _notice(say(lang, "board.enough"), f"<p>{say(lang, 'board.enough_text')}</p>{rule}")
    text = say(lang, "board.not_enough_text", enough=ready, all=len(counts.pairs))
    return _notice(say(lang, "board.not_enough"), f"<p>{text}</p>{rule}")


def _notice(title: str, text: str) -> str:
    return f'<div class="said"><p><strong>{title}</strong></p>{text}</div>'


def _map(lang: str, pairs: Mapping[Pair, PairCount]) -> str:
    """The lower triangle: a row for each arm but the first, a column for each but the last."""
    most = max((each.battles for each in pairs.values()), default=0)
    columns = "".join(_arm_head(lang, mixture, "col") for mixture in MIXTURES[:-1])
    rows = "".join(
        f"<tr>{_arm_head(lang, mixture, 'row')}{''.join(_cells(lang, mixture, pairs, most))}</tr>"
        for mixture in MIXTURES[1:]
    )
    corner = f'<th scope="col">{say(lang, "board.arm")}</th>'
    return _section(lang, "map", f"<thead><tr>{corner}{columns}</tr></thead><tbody>{rows}</tbody>")


def _cells(lang: str, row: Mixture, pairs: Mapping[Pair, PairCount], most: int) -> Iterator[str]:
    for column in MIXTURES[:-1]:
        if MIXTURES.index(column) >= MIXTURES.index(row):
            yield '<td class="none"></td>'
        else:
            count = pairs[pair_of(column, row)].battles
            yield f'<td class="shade-{shade(count, most)}">{number(lang, count)}</td>'


def _arm_head(lang: str, mixture: Mixture, scope: str) -> str:
    """The head of a row or column: short for the eye, in full for a screen reader and under the pointer."""
    full = html.escape(name(lang, mixture))
    short = say(lang, "board.base") if mixture == BASE else "+".join(each[0].upper() for each in mixture.provenances)
    shown = f'<span aria-hidden="true">{short}</span><span class="unseen">{full}</span>'
    return f'<th scope="{scope}" title="{full}">{shown}</th>'


def _wins(lang: str, pairs: Mapping[Pair, PairCount]) -> str:
    heads = ("pair", "column_battles", "first_wins", "second_wins", "both_good", "both_bad", "unsure", "said")
    head = "".join(f'<th scope="col">{say(lang, f"board.{key}")}</th>' for key in heads)
    met = {pair: count for pair, count in pairs.items() if count.battles}
    rows = "".join(_row(lang, pair, count) for pair, count in met.items())
    unmet = len(pairs) - len(met)
    note = f'<p class="note">{say(lang, "board.unmet", count=unmet)}</p>' if unmet else ""
    return _section(lang, "wins", f"<thead><tr>{head}</tr></thead><tbody>{rows}</tbody>") + note


def _row(lang: str, pair: Pair, count: PairCount) -> str:
    first, second = (html.escape(name(lang, each)) for each in pair)
    numbers = (count.battles, *count.wins, count.both_good, count.both_bad, count.unsure)
    cells = "".join(f"<td>{number(lang, each)}</td>" for each in numbers)
    key = "decisive" if enough(count) else "too_few"
    said = say(lang, f"board.{key}", decisive=number(lang, count.decisive), least=ENOUGH)
    both = say(lang, "board.pair_of", first=f"<b>{first}</b>", second=f"<b>{second}</b>")
    return f'<tr><th scope="row">{both}</th>{cells}<td class="{key}">{said}</td></tr>'


def _section(lang: str, key: str, table: Iterable[str]) -> str:
    """A table under its title; where it is wider than the page it scrolls alone, by keyboard too."""
    return (
        f"<h3>{say(lang, f'board.{key}_title')}</h3>"
        f'<p class="note" id="board-{key}-note">{say(lang, f"board.{key}_caption")}</p>'
        f'<div class="wide" role="region" tabindex="0" aria-label="{html.escape(say(lang, f"board.{key}_region"))}">'
        f'<table class="{key}" aria-describedby="board-{key}-note">{"".join(table)}</table></div>'
    )
