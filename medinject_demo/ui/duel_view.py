"""What the duel's tab shows, as HTML: cards, reference, reveal. Pure; before the vote it is given no arm to show."""

from __future__ import annotations

import html
import re
from collections.abc import Callable, Iterable, Sequence
from typing import Final

from ..domain import Answer, Battle, FinishReason, Mixture, Verdict
from ..duel import MOST_TURNS, Shown, ShownTurn, Side, Stage
from ..prompts import layout
from . import inert
from .seat import Seat
from .texts import name, number, say

Said = Sequence[Answer]
"""What one side said, turn by turn."""


def status(text: str, *, alert: bool = False, focus: str = "") -> str:
    """A sentence that screen readers say; ``focus`` is a selector of what takes the focus then."""
    role, where = ("alert" if alert else "status"), (f' data-focus="{html.escape(focus)}"' if focus else "")
    kind = "said alert" if alert else "said"
    return f'<p class="{kind}" role="{role}"{where}>{html.escape(text)}</p>' if text else ""


def unfocused(told: str) -> str:
    """A status that leaves the focus where it is."""
    return re.sub(r' data-focus="[^"]*"', "", told)


def asked(lang: str, shown: Shown | None, name: str = "duel") -> str:
    """The question that was put, as it was: the box above may hold another by now."""
    if shown is None:
        return ""
    put = f'<div class="put"><strong>{say(lang, "duel.asked")}</strong>{inert.plain(layout(shown.prompt))}</div>'
    named = f'id="{name}-answers" data-battle="{html.escape(shown.id)}"'
    return f'<h3 {named} tabindex="-1" class="unseen">{say(lang, f"{name}.answers")}</h3>{put}'


def stopped(lang: str, view: Shown | None, name: str = "duel") -> str:
    """What is said of a side that was stopped, or of all once none goes on; its button goes, so the focus does too."""
    if view is None or view.stage is Stage.ANSWERING:
        return status(say(lang, "duel.ended_cancelled"), focus=f"#{name}-answers")
    return ended(lang, view, name, focus=f"#{name}-answers")


def card(lang: str, shown: Shown | None, place: int, *, name: str, title: str, plain: bool) -> str:
    """One answer: its turns, and how the last one ended. ``name`` is what its card is called in the document."""
    turns = shown.turns if shown else ()
    busy = shown is not None and shown.stage is Stage.ANSWERING and turns[-1].reasons[place] is None
    state = f' <span class="state">{say(lang, "duel.writing")}</span>' if busy else ""
    return (
        f'<section class="answer-card {name}" aria-labelledby="{name}-title" aria-busy="{str(busy).lower()}">'
        f'<h3 id="{name}-title">{title}{state}</h3>'
        f"{''.join(_turn(lang, turn, place, plain=plain) for turn in turns)}</section>"
    )


def _turn(lang: str, turn: ShownTurn, place: int, *, plain: bool) -> str:
    asked = f"<strong>{say(lang, 'duel.you')}</strong> {inert.plain(turn.message)}" if turn.message else ""
    text, reason = turn.texts[place], turn.reasons[place]
    shown = (inert.plain if plain else inert.markdown)(text) if text else ""
    ended = "empty" if reason is FinishReason.STOP and not text.strip() else reason
    told = f'<p class="ended">{say(lang, f"duel.ended_{ended}")}</p>' if ended in _TOLD else ""
    return f'{f"<div class=asked>{asked}</div>" if asked else ""}<div class="answer">{shown}</div>{told}'


_TOLD = ("empty", FinishReason.CANCELLED, FinishReason.LENGTH, FinishReason.ERROR)


def verdict_head(lang: str, seat: Seat, name: str = "duel") -> str:
    """How a vote is given, then how it is changed. Digits vote while the page's script finds ``duel-keys``."""
    state = "late" if seat.late else "stands" if seat.stands else "keys"
    return f'<h3>{say(lang, f"{name}.verdict")}</h3><p id="{name}-{state}">{say(lang, f"{name}.verdict_{state}")}</p>'


def reference(lang: str, text: str, name: str = "duel") -> str:
    """The prompt's reference, shown once the vote is stored."""
    return f'<h3 id="{_title(name, "reference")}" tabindex="-1">{say(lang, "duel.reference")}</h3>{inert.plain(text)}'


def link(lang: str, duel: str, name: str = "duel") -> str:
    """A link to a duel, which the page completes with its own address, and a button that copies it."""
    told = f'data-done="{say(lang, "duel.copied")}" data-failed="{say(lang, "duel.not_copied")}"'
    known = f'data-duel="{html.escape(duel)}" aria-label="{say(lang, f"{name}.link")}"'
    return (
        f'<p>{say(lang, "duel.shared")}</p><div class="link"><input id="{name}-link-field" readonly {known}>'
        f'<button type="button" data-copies="{name}-link-field" data-told="{name}-link-told" {told}>'
        f'{say(lang, "duel.copy_link")}</button></div><p id="{name}-link-told" role="status"></p>'
    )


def _title(name: str, what: str) -> str:
    """The id of a heading that takes the focus; that of a duel has no prefix."""
    return f"{what}-title" if name == "duel" else f"{name}-{what}-title"


def reveal(lang: str, battle: Battle, verdict: Verdict | None) -> str:
    """Who was who: a table of both sides, over all turns, and what the voter chose."""
    sides = tuple(zip(*(turn.answers for turn in battle.turns), strict=True))
    heads = "".join(f'<th scope="col" class="{side}">{say(lang, f"duel.answer_{side}")}</th>' for side in Side)
    body = "".join(
        f'<tr><th scope="row">{say(lang, f"duel.{row}")}</th>{_cells(tell(lang, each) for each in sides)}</tr>'
        for row, tell in FEATURES.items()
    )
    return (
        f'<h3 id="reveal-title" tabindex="-1">{say(lang, "duel.revealed")}</h3><p>{_chosen(lang, battle, verdict)}</p>'
        f'<table class="reveal"><thead><tr><td></td>{heads}</tr></thead><tbody>{body}</tbody></table>'
    )


def _cells(texts: Iterable[str]) -> str:
    return "".join(f"<td>{text}</td>" for text in texts)


def _chosen(lang: str, battle: Battle, verdict: Verdict | None) -> str:
    if verdict is None:
        return say(lang, "duel.said_withdrawn_late")
    if verdict in (Verdict.LEFT, Verdict.RIGHT):
        return say(lang, f"duel.chose_{verdict}", model=name(lang, battle.arms[verdict is Verdict.RIGHT]))
    return say(lang, f"duel.chose_{verdict}")


def _provenances(lang: str, mixture: Mixture) -> str:
    if not mixture.provenances:
        return say(lang, "duel.no_provenance")
    return " ".join(
        f'<span class="chip {each}">{name(lang, Mixture.of([each]))}</span>' for each in mixture.provenances
    )


def _style(said: Said) -> dict[str, int]:
    return {count: sum(each.style[count] for each in said) for count in said[0].style}


def _seconds(lang: str, said: Said) -> str:
    seconds = number(lang, sum(each.seconds for each in said), 1)
    told = say(lang, "duel.seconds_value", seconds=seconds, tokens=sum(each.tokens for each in said))
    return f"{told} ({say(lang, 'duel.prepared')})" if any(each.cached for each in said) else told


def arrived(lang: str, seat: Seat, name: str = "duel") -> str:
    """What is said to a visitor whom a link brought here."""
    known = "said_guest" if seat.guest and not seat.voted else "said_own"
    return status(say(lang, f"{name}.{known}"), focus=f"#{name}-answers")


FEATURES: Final[dict[str, Callable[[str, Said], str]]] = {
    "model": lambda lang, said: f"<strong>{name(lang, said[0].mixture)}</strong>",
    "provenances": lambda lang, said: _provenances(lang, said[0].mixture),
    "words": lambda lang, said: str(sum(each.words for each in said)),
    "style": lambda lang, said: say(lang, "duel.style_counts", **_style(said)),
    "seconds": _seconds,
    "fingerprint": lambda lang, said: f"<code>{html.escape(said[-1].fingerprint[:16])}</code>",
}
"""What the reveal tells of an answer, over all turns, by the word for it."""


def told(lang: str, before: Seat, after: Seat) -> str:
    """What an order did to the vote, and what takes the focus then."""
    if after.verdict is None:
        withdrawn = say(lang, "duel.said_withdrawn_late") if after.late else say(lang, "duel.said_withdrawn")
        return status(withdrawn, focus="#verdict-left")
    verdict = say(lang, f"duel.{after.verdict}")
    if not after.late:
        return status(say(lang, "duel.said_voted_reference", verdict=verdict), focus="#reference-title")
    said = say(lang, "duel.said_voted", verdict=verdict)
    return status(said + not_blind(lang, before, after), focus="#reveal-title")


def not_blind(lang: str, before: Seat, after: Seat) -> str:
    """That a vote does not count as blind and why, once the arms are told; nothing where it does or was said before."""
    changed = (before.verdict, before.ranking) != (after.verdict, after.ranking)
    if after.blind or (before.late and not changed):
        return ""
    return f" {say(lang, 'duel.said_after_reveal' if before.late else 'duel.said_seen')}"


def ended(lang: str, view: Shown, name: str = "duel", *, unstored: bool = False, focus: str = "") -> str:
    """What is said when the answers have ended, and whether votes could not be stored when they were asked for."""
    if view.stage is Stage.FAILED:
        return status(say(lang, f"{name}.said_failed"), alert=True, focus=focus)
    last = name == "duel" and len(view.turns) >= MOST_TURNS
    done = say(lang, "duel.said_answered_last") if last else say(lang, f"{name}.said_answered")
    warning = f"{say(lang, 'duel.said_not_stored')} " if unstored else ""
    return status(f"{warning}{done}", alert=unstored, focus=focus)
