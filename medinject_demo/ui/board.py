"""The tab of the board: the counts of the votes, read when the tab is opened and when they are refreshed.

Ratings come with the statistics; here nothing is computed from the votes but sums. ``board_view`` draws them.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import gradio as gr
from gradio.events import api

from ..errors import StoreError
from ..votes.records import Counts, PairCount
from ..votes.store import VoteStore
from . import board_view
from .frame import Frame
from .texts import Lang, say

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Seen:
    """What a visitor last saw of the votes; ``counts`` is None where they could not be read."""

    at: datetime
    counts: Counts | None


def build(frame: Frame) -> None:
    """Lay the tab out, and offer its counts to clients as ``board``."""
    store, wording = frame.behind.store, frame.wording
    with gr.Row(elem_id="board-head"):
        with gr.Column(elem_id="board-about", min_width=200):
            wording.make(gr.HTML, {"value": _head}, js_on_load=None)
            at = gr.HTML("", elem_id="board-at", js_on_load=None)
        refresh = wording.make(gr.Button, {"value": "board.refresh"}, elem_id="board-refresh", scale=0, min_width=120)
    shown = gr.HTML(say(Lang.FR, "board.waiting"), elem_id="board", js_on_load=None)
    seen: gr.State = gr.State(None)

    def fresh(lang: str) -> tuple[Seen, str, str]:
        now = look(store)
        return now, *drawn(lang, now)

    for event in (frame.tab.select, refresh.click):
        event(fresh, frame.language, [seen, at, shown], queue=False, show_progress="hidden", api_visibility="private")
    wording.redraw(drawn, [seen], [at, shown])
    api(_counts(store), api_name="board")


def look(store: VoteStore, now: Callable[[], datetime] = lambda: datetime.now(UTC)) -> Seen:
    """Read the counts; where they cannot be read, the reason goes to the log."""
    try:
        return Seen(now(), store.counts())
    except StoreError as error:
        _log.warning("the board cannot be shown: %s", error)
        return Seen(now(), None)


def drawn(lang: str, seen: Seen | None) -> tuple[str, str]:
    """The time and the board, in a language."""
    if seen is None:
        return "", say(lang, "board.waiting")
    if seen.counts is None:
        return "", f'<p class="failed" role="alert">{say(lang, "board.unreadable")}</p>'
    return board_view.as_of(lang, seen.at), board_view.board(lang, seen.counts)


def document(counts: Counts) -> dict[str, Any]:
    """The counts as JSON. ``decisive`` and ``enough`` are what the page says of a pair."""
    pairs = [_pair(count, [arm.slug for arm in pair]) for pair, count in counts.pairs.items()]
    return {
        "battles": counts.battles,
        "votes": counts.votes,
        "voters": counts.voters,
        "after_reveal": counts.after_reveal,
        "coverage": counts.coverage,
        "least_decisive": board_view.ENOUGH,
        "pairs": pairs,
    }


def _pair(count: PairCount, arms: list[str]) -> dict[str, Any]:
    return {
        "arms": arms,
        "battles": count.battles,
        "wins": list(count.wins),
        "both_good": count.both_good,
        "both_bad": count.both_bad,
        "unsure": count.unsure,
        "decisive": count.decisive,
        "enough": board_view.enough(count),
    }


def _counts(store: VoteStore) -> Callable[[], dict[str, Any]]:
    def board() -> dict[str, Any]:
        """Battles, votes, voters and the verdicts of the 28 pairs; ``wins`` in the order of ``arms``."""
        try:
            return document(store.counts())
        except StoreError as error:
            _log.warning("the board cannot be read: %s", error)
            raise gr.Error(say(Lang.EN, "board.unreadable"), print_exception=False) from error

    return board


def _head(lang: str) -> str:
    return f"<h2>{say(lang, 'board.title')}</h2><p>{say(lang, 'board.intro')}</p>"
