"""The answers side by side as HTML. Pure: from a ``Comparison`` to text; knows no component.

Every card holds its answer twice, formatted and plain; the style sheet shows one of them by the choice of display, so
that the choice also acts on answers that are still growing.
"""

from __future__ import annotations

import html
from collections.abc import Sequence
from typing import Final

from ..domain import MIXTURES, FinishReason, Mixture, Sampling
from . import inert
from .comparison import Bound, Card, Comparison
from .differences import differing
from .texts import Lang, name, number, say

SHORT_PRINT: Final = 8
"""Digits of a fingerprint that a card shows; the documents hold it whole."""
ACROSS: Final = ("none", "nat", "trad", "both")
"""Heads of the grid's columns: native by translated."""


def grid(mixtures: tuple[Mixture, ...], lang: str) -> str:
    """Heads of the grid of arms, and a place for each arm that is not installed."""
    across = "".join(f"<span>{say(lang, f'compare.across_{head}')}</span>" for head in ACROSS)
    down = "".join(f"<span>{say(lang, f'compare.down_{head}')}</span>" for head in ("without", "with"))
    absent = [mixture for mixture in MIXTURES if mixture not in mixtures]
    places = "".join(
        f'<span class="absent arm-{mixture}">{name(lang, mixture)} <em>{say(lang, "compare.absent")}</em></span>'
        for mixture in absent
    )
    said = say(lang, "compare.absent_arms", arms=", ".join(name(lang, each) for each in absent)) if absent else ""
    return (
        f'<div class="across" aria-hidden="true">{across}</div><div class="down" aria-hidden="true">{down}</div>'
        f'<div class="places" aria-hidden="true">{places}</div><p class="unseen">{said}</p>'
    )


def chosen(lang: str, slugs: Sequence[str]) -> str:
    """How many arms are chosen, and which is the reference of differences."""
    if len(slugs) < 2:
        text = say(lang, "compare.chosen_one" if slugs else "compare.chosen_none")
    else:
        text = say(lang, "compare.chosen", count=len(slugs), first=name(lang, Mixture.parse(slugs[0])))
    return f'<p role="status" class="hint">{text}</p>'


def alert(text: str = "") -> str:
    """A refusal or a fault, said to whoever cannot see it too; empty where there is none."""
    return f'<div role="alert" class="compare-alert">{html.escape(text)}</div>'


def outside(lang: str, bound: Bound) -> str:
    """What a setting takes."""
    key = "compare.out_of_bounds_whole" if bound.whole else "compare.out_of_bounds"
    least, most = number(lang, bound.least), f"{bound.most:.0f}" if bound.whole else number(lang, bound.most)
    return say(lang, key, setting=say(lang, f"compare.{bound.setting}"), least=least, most=most)


def status(lang: str, comparison: Comparison | None) -> str:
    """How many answers have ended, and how they were drawn."""
    if comparison is None:
        return '<p role="status"></p>'
    key = "compare.status_live" if comparison.live else "compare.status_ended"
    counted = say(lang, key, ended=comparison.ended, all=len(comparison.cards))
    for reason in (FinishReason.CANCELLED, FinishReason.ERROR):
        if count := sum(card.reason is reason for card in comparison.cards):
            counted += " " + say(lang, f"compare.status_{reason}", count=count)
    live = ' class="live"' if comparison.live else ""
    return (
        f'<p role="status"{live}>{counted}</p>'
        f'<p class="hint">{html.escape(comparison.model)} · {drawn(lang, comparison.sampling)}</p>'
    )


def drawn(lang: str, sampling: Sampling) -> str:
    """How tokens are drawn, in a few words."""
    way = say(lang, "compare.greedy")
    if not sampling.greedy:
        way = say(lang, "compare.drawn", temperature=number(lang, sampling.temperature), seed=sampling.seed)
    return f"{way}, {say(lang, 'compare.at_most', tokens=sampling.max_new_tokens)}"


def cards(lang: str, comparison: Comparison | None) -> str:
    """Every answer so far; words that differ from the first are marked once all have ended."""
    if comparison is None:
        return ""
    first = comparison.cards[0]
    marks = say(lang, "compare.marks", first=name(lang, first.mixture))
    reference = None if comparison.live or first.failed else first
    shown = "".join(_card(lang, card, None if card is first else reference) for card in comparison.cards)
    told = f'data-count="{len(comparison.cards)}" data-asked="{html.escape(comparison.asked)}"'
    return f'<p class="marks hint">{marks}</p><div class="cards" {told}>{shown}</div>'


def provenances(lang: str, mixture: Mixture) -> list[str]:
    """The provenances of an arm's data, in words; the base has none."""
    said = [say(lang, f"compare.provenance_{each}") for each in mixture.provenances]
    return said or [say(lang, "compare.untuned")]


def facts(lang: str, card: Card) -> list[str]:
    """Lengths, seconds and how the answer ended, as far as they are known."""
    known = [] if card.failed else [_counted(lang, "words", card.words)]
    if card.tokens is not None and not card.failed:
        known.append(_counted(lang, "tokens", card.tokens))
    if card.seconds is not None:
        known.append(say(lang, "compare.seconds", count=number(lang, card.seconds, 1)))
    known.append(say(lang, f"compare.end_{card.reason}" if card.reason else "compare.answering"))
    return known


def _counted(lang: str, what: str, count: int) -> str:
    """``1 mot``, ``2 mots``; zero is singular in French, plural in English."""
    single = count < 2 if lang == Lang.FR else count == 1
    return say(lang, f"compare.{what}_one" if single else f"compare.{what}", count=count)


def _card(lang: str, card: Card, reference: Card | None) -> str:
    """One arm's card; ``reference`` is what its words are marked against."""
    arm, slug = name(lang, card.mixture), card.mixture.slug
    chips = "".join(f"<li>{each}</li>" for each in provenances(lang, card.mixture))
    state = "busy" if card.reason is None else str(card.reason)
    printed = say(lang, "compare.fingerprint", print=html.escape(card.fingerprint[:SHORT_PRINT]))
    return (
        f'<article class="card" data-arm="{slug}" data-state="{state}" aria-labelledby="compare-arm-{slug}">'
        f'<header><h3 id="compare-arm-{slug}">{arm}</h3>'
        f'<ul class="chips" aria-label="{say(lang, "compare.provenances")}">{chips}</ul></header>'
        f'<div class="answer" tabindex="0" role="group" aria-label="{say(lang, "compare.answer_of", arm=arm)}">'
        f"{_answer(lang, card, reference)}</div>"
        f'<footer><p class="facts">{" · ".join(facts(lang, card))} · '
        f'<span title="{html.escape(card.fingerprint)}">{printed}</span></p>'
        f'<div class="acts">{_acts(lang, arm)}</div></footer></article>'
    )


def _answer(lang: str, card: Card, reference: Card | None) -> str:
    """What a person reads: the text twice, or what there is in its place."""
    if card.failed:
        return f'<p class="fault">{say(lang, "compare.failed")}</p>'
    if not card.text.strip():
        return f'<p class="hint">{say(lang, "compare.no_text" if card.reason else "compare.waiting")}</p>'
    return inert.markdown(card.text) + (_marked(lang, card, reference) if reference else inert.plain(card.text))


def _marked(lang: str, card: Card, reference: Card) -> str:
    """The plain text, words that differ from the reference marked."""
    differs = f'<span class="unseen">{say(lang, "compare.differs")}</span>'
    runs = []
    for text, apart in differing(inert.visible(reference.text), inert.visible(card.text)):
        lead = text[: len(text) - len(text.lstrip())]
        shown = html.escape(text.lstrip())
        runs.append(f"{lead}<mark>{differs}{shown}</mark>" if apart and shown else lead + shown)
    return f'<div class="plain" dir="auto">{"".join(runs)}</div>'


def _acts(lang: str, arm: str) -> str:
    """Enlarge, go back, copy: done by the page's script, which finds them by ``data-act``."""
    copying = f'data-done="{say(lang, "compare.copied")}" data-failed="{say(lang, "compare.not_copied")}"'
    return "".join(
        f'<button type="button" data-act="{act}" {more} aria-label="{say(lang, f"compare.{act}")} – {arm}">'
        f"{say(lang, f'compare.{act}')}</button>"
        for act, more in (("enlarge", ""), ("back", ""), ("copy", copying))
    )
