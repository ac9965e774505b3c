"""What else than the arms decides votes, and who votes: one card for each figure. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from ..stats.bias import Bias, Spread
from ..stats.board import POINTS
from ..stats.estimate import Estimate
from .board_parts import section
from .measures import NONE, between, figure, fine, in_percent, percent, signed
from .texts import number, say


@dataclass(frozen=True)
class Card:
    """A figure, what it is of, and what is to be said of it."""

    key: str
    value: str
    said: tuple[str, ...] = ()


def panel(lang: str, bias: Bias) -> str:
    """Every card."""
    cards = "".join(_card(lang, each) for each in _cards(lang, bias))
    return section(lang, "bias", f'<dl class="figures">{cards}</dl>')


def _card(lang: str, card: Card) -> str:
    notes = "".join(f"<dd>{each}</dd>" for each in card.said)
    return f'<div><dt>{say(lang, f"board.bias_{card.key}")}</dt><dd class="figure">{card.value}</dd>{notes}</div>'


def _cards(lang: str, bias: Bias) -> Iterator[Card]:
    yield _position(lang, bias)
    yield _length(lang, bias)
    yield _styles(lang, bias)
    yield _share(lang, "both_bad", bias.both_bad)
    yield _share(lang, "ties", bias.ties)
    yield _share(lang, "unsure", bias.unsure)
    yield _seconds(lang, bias.seconds)
    yield _voters(lang, bias)
    yield _agreement(lang, bias)
    yield _equivalence(lang, bias)


def _position(lang: str, bias: Bias) -> Card:
    side = {1: "left", 0: "neither", -1: "right"}[bias.position.left_wins.sign(0.5)]
    said: tuple[str, ...] = (_interval(lang, bias.position.left_wins), say(lang, f"board.position_{side}"))
    if bias.position.observed:
        said += (say(lang, "board.position_observed", share=percent(lang, bias.position.observed)),)
    return Card("position", _value(lang, bias.position.left_wins), said)


def _length(lang: str, bias: Bias) -> Card:
    words = bias.length.words
    said = (say(lang, "board.length_words", **_quartiles(lang, words)),) if words else ()
    return _share(lang, "length", bias.length.longer_wins, *said)


def _styles(lang: str, bias: Bias) -> Card:
    """What a usual difference of each style is worth, in points."""
    lines = []
    for term in bias.styles:
        worth = term.coefficient.scaled(POINTS)
        said = f"{signed(lang, worth.value)} ({between(lang, worth, write=signed)})"
        lines.append(say(lang, "board.style_worth", style=say(lang, f"board.style_{term.name}"), worth=said))
    most = max((term.coefficient.value * POINTS for term in bias.styles), key=abs, default=None)
    return Card("styles", NONE if most is None else signed(lang, most), (say(lang, "board.styles_note"), *lines))


def _share(lang: str, key: str, share: Estimate | None, *more: str) -> Card:
    if share is None:
        return Card(key, NONE, (say(lang, "board.no_figure"), *more))
    return Card(key, _value(lang, share), (_interval(lang, share), say(lang, f"board.bias_{key}_note"), *more))


def _seconds(lang: str, seconds: Spread | None) -> Card:
    if seconds is None:
        return Card("seconds", NONE, (say(lang, "board.no_figure"),))
    value = say(lang, "board.seconds", seconds=figure(lang, seconds.median, 1))
    return Card("seconds", value, (say(lang, "board.seconds_half", **_quartiles(lang, seconds)),))


def _voters(lang: str, bias: Bias) -> Card:
    votes, voters = bias.voters.votes, bias.voters
    if votes is None:
        return Card("voters", NONE, (say(lang, "board.no_figure"),))
    most = say(lang, "board.voters_most", most=figure(lang, votes.most), share=figure(lang, 100 * voters.busiest_share))
    effective = say(lang, "board.voters_effective", count=figure(lang, voters.effective))
    return Card("voters", figure(lang, votes.median, 1 if votes.median % 1 else 0), (most, effective))


def _agreement(lang: str, bias: Bias) -> Card:
    agreement = bias.agreement
    cases = say(lang, "board.agreement_cases", cases=number(lang, agreement.cases), votes=number(lang, agreement.votes))
    if agreement.alpha is None:
        return Card("agreement", NONE, (say(lang, "board.agreement_none"), cases))
    return Card("agreement", figure(lang, agreement.alpha, 2), (say(lang, "board.agreement_note"), cases))


def _equivalence(lang: str, bias: Bias) -> Card:
    votes = say(lang, "board.equivalence_votes", votes=number(lang, bias.equivalence_votes))
    return _share(lang, "equivalence", bias.equivalence, votes)


def _value(lang: str, share: Estimate) -> str:
    return in_percent(lang, 100 * share.value, fine(share))


def _interval(lang: str, share: Estimate) -> str:
    return between(lang, share.scaled(100), fine(share), write=in_percent)


def _quartiles(lang: str, spread: Spread) -> dict[str, str]:
    return {
        "median": figure(lang, spread.median),
        "lower": figure(lang, spread.lower),
        "upper": figure(lang, spread.upper),
    }
