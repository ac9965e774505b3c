"""A comparison as documents to keep: JSON for a machine, Markdown for a person. Pure.

They are links that hold their document, made for the visitor's browser: no answer is written to the server's disk.
"""

from __future__ import annotations

import html
import json
import re
import urllib.parse
from dataclasses import asdict
from typing import Any

from ..prompts import layout, row_of
from .compare_view import drawn, facts, provenances
from .comparison import Card, Comparison
from .letters import Letters
from .texts import name, say


def record(lang: str, comparison: Comparison, letters: Letters | None = None) -> dict[str, Any]:
    """Everything that is known of a comparison, as JSON takes it; the letters' probabilities where there are any."""
    weights = letters.weights if letters and letters.prompt == comparison.prompt else None
    said: dict[str, Any] = {
        "notice": say(lang, "compare.document_notice"),
        "asked": comparison.asked,
        "model": comparison.model,
        "question": layout(comparison.prompt),
        "prompt": row_of(comparison.prompt),
        "sampling": asdict(comparison.sampling),
        "answers": [_answer(card) for card in comparison.cards],
    }
    if letters and weights:
        shares = {arm.slug: dict(zip(comparison.prompt.letters, each, strict=True)) for arm, each in weights.items()}
        said["letters"] = {"orders": letters.orders, "probabilities": shares}
    return said


def markdown(lang: str, comparison: Comparison) -> str:
    """The same for a person to read. Texts stand in fences, so that they are read as they were written."""
    asked = comparison.asked.replace("T", " ").replace("+00:00", " UTC")
    parts = [
        f"# {say(lang, 'compare.document')}",
        f"_{say(lang, 'compare.document_notice')}_",
        say(lang, "compare.document_model", model=comparison.model, asked=asked),
        say(lang, "compare.document_sampling", drawn=drawn(lang, comparison.sampling)),
        f"## {say(lang, 'compare.document_question')}",
        _fenced(layout(comparison.prompt)),
    ]
    for card in comparison.cards:
        known = " · ".join([*provenances(lang, card.mixture), *facts(lang, card)])
        printed = say(lang, "compare.fingerprint", print=card.fingerprint)
        text = say(lang, "compare.failed") if card.failed else _fenced(card.text)
        parts += [f"## {name(lang, card.mixture)}", f"{known} · {printed}", text]
    return "\n\n".join(parts) + "\n"


def links(lang: str, comparison: Comparison | None, letters: Letters | None = None) -> str:
    """Copy all, and the documents as links that hold them; nothing before all answers have ended."""
    if comparison is None or comparison.live:
        return ""
    written = json.dumps(record(lang, comparison, letters), ensure_ascii=False, indent=2)
    stem = f"{say(lang, 'compare.file')}-{re.sub('[^0-9T]', '', comparison.asked[:19])}"
    return (
        f'<div class="documents"><button type="button" data-act="copy-all" data-done="{say(lang, "compare.copied")}" '
        f'data-failed="{say(lang, "compare.not_copied")}">{say(lang, "compare.copy_all")}</button>'
        f"{_link('json', f'{stem}.json', 'application/json', written, say(lang, 'compare.json'))}"
        f"{_link('markdown', f'{stem}.md', 'text/markdown', markdown(lang, comparison), say(lang, 'compare.markdown'))}"
        "</div>"
    )


def _answer(card: Card) -> dict[str, Any]:
    return {
        "mixture": card.mixture.slug,
        "provenances": [str(each) for each in card.mixture.provenances],
        "fingerprint": card.fingerprint,
        "text": card.text,
        "finish_reason": str(card.reason),
        "words": card.words,
        "tokens": card.tokens,
        "seconds": card.seconds,
    }


def _fenced(text: str) -> str:
    """A text in a fence that is longer than any run of backquotes inside."""
    longest = max((len(run) for run in re.findall("`+", text)), default=0)
    fence = "`" * max(3, longest + 1)
    return f"{fence}text\n{text}\n{fence}"


def _link(kind: str, file: str, media: str, text: str, label: str) -> str:
    held = f"data:{media};charset=utf-8," + urllib.parse.quote(text, errors="replace")
    return f'<a id="compare-{kind}" download="{html.escape(file)}" href="{html.escape(held)}">{label}</a>'
