"""What a ranking shows, as HTML: cards, the list that is ordered, who was who. Pure; before the vote it has no arm."""

from __future__ import annotations

import html
import re
from typing import Final

from ..domain import LETTERS, Answer, Battle
from ..duel import Shown, Stage
from ..votes.rankings import Ranking
from . import duel_view, inert
from .order import written
from .seat import Seat
from .stacks import Row, stacked
from .texts import say

SHORT: Final = 70
"""Characters of an answer in the list."""
_MARKS: Final = re.compile(r"^#+ |\*\*", re.MULTILINE)
WORDS: Final = ("rank", "tied", "up", "down", "tie", "moved")
"""Words that the script of the list says, as ``data-`` attributes of it."""


def cards(lang: str, shown: Shown | None, *, plain: bool) -> str:
    """Every answer as far as it is there, in display order."""
    if shown is None:
        return ""
    places = range(len(shown.turns[-1].texts))
    made = "".join(_card(lang, shown, place, plain=plain) for place in places)
    return f'<div class="ranked-cards" data-count="{len(places)}">{made}</div>'


def _card(lang: str, shown: Shown, place: int, *, plain: bool) -> str:
    letter = LETTERS[place]
    title = say(lang, "ranking.answer_of", letter=letter)
    return duel_view.card(lang, shown, place, name=f"answer-{letter}", title=title, plain=plain)


def items(lang: str, shown: Shown | None) -> str:
    """The list to order, once all answers are there, all tied: the script of the page moves and ranks them."""
    if shown is None or shown.stage is not Stage.ANSWERED:
        return ""
    said = " ".join(f'data-{word}="{html.escape(say(lang, f"ranking.item_{word}"))}"' for word in WORDS)
    made = "".join(_item(lang, letter, text) for letter, text in zip(LETTERS, shown.turns[-1].texts, strict=False))
    return (
        f'<ol id="ranking-items" aria-label="{say(lang, "ranking.order")}" {said}>{made}</ol>'
        '<p id="ranking-moved" class="unseen" role="status"></p>'
    )


def _item(lang: str, letter: str, text: str) -> str:
    start = " ".join(_MARKS.sub("", inert.visible(text)).split())
    start = start if len(start) <= SHORT else f"{start[:SHORT].rstrip()}…"
    acts = "".join(
        f'<button type="button" data-move="{act}"{pressed} aria-label="{say(lang, f"ranking.item_{act}")} {letter}">'
        f"{sign}</button>"
        for act, sign, pressed in (("up", "▲", ""), ("down", "▼", ""), ("tie", "=", ' aria-pressed="true"'))
    )
    return (
        f'<li data-letter="{letter}" class="tied{" first" if letter == LETTERS[0] else ""}">'
        f'<span class="grip" aria-hidden="true">⠿</span><span class="rank">1 ({say(lang, "ranking.item_tied")})</span>'
        f'<span class="what"><b>{letter}</b> <span dir="auto">{html.escape(start)}</span></span>'
        f'<span class="acts">{acts}</span></li>'
    )


def reveal(lang: str, battle: Battle, ranking: Ranking) -> str:
    """Who was who, the best first, and the order as it was given."""
    places = sorted(range(len(battle.answers)), key=lambda place: (ranking[place] if ranking else 0, place))
    sides = tuple(zip(*(turn.answers for turn in battle.turns), strict=True))
    heads = {each: _head(lang, each) for each in ("rank", "answer", *duel_view.FEATURES)}
    rows = [_row(lang, place, sides[place], ranking) for place in places]
    told = say(lang, "ranking.chose", order=written(ranking)) if ranking else say(lang, "ranking.said_withdrawn")
    title = say(lang, "duel.revealed")
    return (
        f'<h3 id="ranking-reveal-title" tabindex="-1">{title}</h3><p>{html.escape(told)}</p>'
        f"{stacked(lang, 'reveal ranked', heads, rows, region=title)}"
    )


def _head(lang: str, name: str) -> str:
    return say(lang, f"duel.{name}" if name in duel_view.FEATURES else f"ranking.{name}")


def _row(lang: str, place: int, said: tuple[Answer, ...], ranking: Ranking) -> Row:
    rank = str(ranking[place]) if ranking else ""
    return Row("", (rank, LETTERS[place], *(tell(lang, said) for tell in duel_view.FEATURES.values())))


def told(lang: str, before: Seat, seat: Seat) -> str:
    """What an order did to the vote, and what takes the focus then."""
    if not seat.ranking:
        return duel_view.status(say(lang, "ranking.said_withdrawn"), focus="#ranking-submit")
    said = say(lang, "ranking.said_voted", order=written(seat.ranking))
    return duel_view.status(said + duel_view.not_blind(lang, before, seat), focus="#ranking-reveal-title")
