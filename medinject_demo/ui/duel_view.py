"""What the duel's tab shows, as HTML: cards, reference, reveal. Pure; before the vote it is given no arm to show."""

from __future__ import annotations

import html
from collections.abc import Callable, Sequence

from ..domain import Answer, Battle, FinishReason, Mixture, Verdict
from ..duel import Shown, ShownTurn, Side, Stage
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


def asked(lang: str, shown: Shown | None) -> str:
    """The question that was put, as it was: the box above may hold another by now."""
    if shown is None:
        return ""
    put = f'<div class="put"><strong>{say(lang, "duel.asked")}</strong>{inert.plain(layout(shown.prompt))}</div>'
    return f'<h3 id="duel-answers" tabindex="-1" class="unseen">{say(lang, "duel.answers")}</h3>{put}'


def stopped(lang: str) -> str:
    """What is said of a side that was stopped; its button goes, so the focus does too."""
    return status(say(lang, "duel.ended_cancelled"), focus="#duel-answers")


def card(lang: str, shown: Shown | None, side: Side, *, plain: bool) -> str:
    """One side of a duel: its turns, and how the last one ended."""
    turns = shown.turns if shown else ()
    busy = shown is not None and shown.stage is Stage.ANSWERING and turns[-1].reasons[side] is None
    state = f' <span class="state">{say(lang, "duel.writing")}</span>' if busy else ""
    return (
        f'<section class="answer-card {side}" aria-labelledby="{side}-title" aria-busy="{str(busy).lower()}">'
        f'<h3 id="{side}-title">{say(lang, f"duel.answer_{side}")}{state}</h3>'
        f"{''.join(_turn(lang, turn, side, plain=plain) for turn in turns)}</section>"
    )


def _turn(lang: str, turn: ShownTurn, side: Side, *, plain: bool) -> str:
    asked = f"<strong>{say(lang, 'duel.you')}</strong> {inert.plain(turn.message)}" if turn.message else ""
    text, reason = turn.texts[side], turn.reasons[side]
    shown = (inert.plain if plain else inert.markdown)(text) if text else ""
    ended = "empty" if reason is FinishReason.STOP and not text.strip() else reason
    told = f'<p class="ended">{say(lang, f"duel.ended_{ended}")}</p>' if ended in _TOLD else ""
    return f'{f"<div class=asked>{asked}</div>" if asked else ""}<div class="answer">{shown}</div>{told}'


_TOLD = ("empty", FinishReason.CANCELLED, FinishReason.LENGTH, FinishReason.ERROR)


def reference(lang: str, text: str) -> str:
    """The prompt's reference, shown once the vote is stored."""
    return f'<h3 id="reference-title" tabindex="-1">{say(lang, "duel.reference")}</h3>{inert.plain(text)}'


def link(lang: str, duel: str) -> str:
    """A link to a duel, which the page completes with its own address, and a button that copies it."""
    told = f'data-done="{say(lang, "duel.copied")}" data-failed="{say(lang, "duel.not_copied")}"'
    return (
        f'<p>{say(lang, "duel.shared")}</p><div class="link">'
        f'<input id="duel-link-field" readonly data-duel="{html.escape(duel)}" aria-label="{say(lang, "duel.link")}">'
        f'<button type="button" data-copies="duel-link-field" data-told="duel-link-told" {told}>'
        f'{say(lang, "duel.copy_link")}</button></div><p id="duel-link-told" role="status"></p>'
    )


def reveal(lang: str, battle: Battle, verdict: Verdict | None) -> str:
    """Who was who: a table of both sides, over all turns, and what the voter chose."""
    rows: tuple[tuple[str, Callable[[Said], str]], ...] = (
        ("model", lambda said: f"<strong>{name(lang, said[0].mixture)}</strong>"),
        ("provenances", lambda said: _provenances(lang, said[0].mixture)),
        ("words", lambda said: str(sum(each.words for each in said))),
        ("style", lambda said: say(lang, "duel.style_counts", **_style(said))),
        ("seconds", lambda said: _seconds(lang, said)),
        ("fingerprint", lambda said: f"<code>{html.escape(said[-1].fingerprint[:16])}</code>"),
    )
    sides = tuple(zip(*(turn.answers for turn in battle.turns), strict=True))
    heads = "".join(f'<th scope="col" class="{side}">{say(lang, f"duel.answer_{side}")}</th>' for side in Side)
    body = "".join(
        f'<tr><th scope="row">{say(lang, f"duel.{row}")}</th>{"".join(f"<td>{cell(each)}</td>" for each in sides)}</tr>'
        for row, cell in rows
    )
    return (
        f'<h3 id="reveal-title" tabindex="-1">{say(lang, "duel.revealed")}</h3><p>{_chosen(lang, battle, verdict)}</p>'
        f'<table class="reveal"><thead><tr><td></td>{heads}</tr></thead><tbody>{body}</tbody></table>'
    )


def _chosen(lang: str, battle: Battle, verdict: Verdict | None) -> str:
    if verdict is None:
        return say(lang, "duel.said_withdrawn")
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


def arrived(lang: str, seat: Seat) -> str:
    """What is said to a visitor whom a link brought here."""
    return status(say(lang, "duel.said_guest" if seat.guest and seat.verdict is None else "duel.said_own"))


def told(lang: str, before: Seat, after: Seat) -> str:
    """What an order did to the vote, and what takes the focus then."""
    if after.verdict is None:
        return status(say(lang, "duel.said_withdrawn"), focus="#verdict-left")
    verdict = say(lang, f"duel.{after.verdict}")
    if not after.late:
        return status(say(lang, "duel.said_voted_reference", verdict=verdict), focus="#reference-title")
    said = say(lang, "duel.said_voted", verdict=verdict)
    changed = before.late and before.verdict is not after.verdict
    late = f" {say(lang, 'duel.said_after_reveal')}" if changed else ""
    return status(f"{said}{late}", focus="#reveal-title")


def ended(lang: str, view: Shown, warning: str) -> str:
    """What is said when the answers have ended."""
    if view.stage is Stage.FAILED:
        return status(say(lang, "duel.said_failed"), alert=True)
    done = say(lang, "duel.said_answered")
    return status(f"{warning} {done}".strip(), alert=bool(warning))
