"""The bundled questions of a tab: by specialty and form, from a list, or at random, into a box that can be edited."""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import Any, Final

import gradio as gr

from ..domain import Kind, Prompt
from ..prompts import layout
from .frame import Frame
from .texts import say

SHORT: Final = 90
"""Characters of a question in the list."""


class Picker:
    """Three lists and a button."""

    def __init__(self, frame: Frame, prefix: str) -> None:
        self._prompts: Sequence[Prompt] = frame.behind.prompts
        self._chance: random.Random = frame.behind.chance
        make = frame.wording.make
        with gr.Row(elem_classes="picker"):
            self.specialty = make(
                gr.Dropdown,
                {"label": "duel.specialty", "choices": self._specialties},
                value="",
                elem_id=f"{prefix}-specialty",
                min_width=180,
            )
            self.kind = make(
                gr.Dropdown,
                {"label": "duel.kind", "choices": _kinds},
                value="",
                elem_id=f"{prefix}-kind",
                min_width=180,
            )
            self.proposed = make(
                gr.Dropdown,
                {"label": "duel.proposed"},
                choices=self._listed("", ""),
                value=None,
                elem_id=f"{prefix}-proposed",
                scale=2,
                min_width=260,
            )
            self.random = make(gr.Button, {"value": "duel.random"}, elem_id=f"{prefix}-random", scale=0, min_width=120)

    @property
    def filters(self) -> list[gr.Dropdown]:
        """What narrows the list."""
        return [self.specialty, self.kind]

    def wire(self, frame: Frame, box: gr.Textbox) -> None:
        """Let the lists fill a box."""
        quiet: dict[str, Any] = {"show_progress": "hidden", "api_visibility": "private", "queue": False}
        for each in self.filters:
            each.input(
                lambda specialty, kind: gr.update(choices=self._listed(specialty, kind), value=None),
                self.filters,
                self.proposed,
                **quiet,
            )
        self.proposed.input(self._text, self.proposed, box, **quiet)
        self.random.click(self.drawn, self.filters, box, **quiet)

    def matching(self, specialty: str, kind: str) -> list[Prompt]:
        """The prompts of a specialty and a form; empty is any."""
        return [
            each
            for each in self._prompts
            if (not specialty or each.specialty == specialty) and (not kind or each.kind == kind)
        ]

    def drawn(self, specialty: str, kind: str, *, other_than: str = "") -> str:
        """The text of one of them at random; of any where none matches."""
        texts = [layout(each) for each in self.matching(specialty, kind) or self._prompts]
        return self._chance.choice([text for text in texts if text != other_than] or texts)

    def following(self, text: str, specialty: str, kind: str) -> str:
        """What to ask next: another bundled question after a bundled one, nothing after one's own."""
        asked = text.strip()
        if any(layout(each) == asked for each in self._prompts):
            return self.drawn(specialty, kind, other_than=asked)
        return ""

    def _specialties(self, lang: str) -> list[tuple[str, str]]:
        known = sorted({each.specialty for each in self._prompts if each.specialty})
        return [(say(lang, "duel.any_specialty"), ""), *((each.capitalize(), each) for each in known)]

    def _listed(self, specialty: str, kind: str) -> list[tuple[str, str]]:
        return [(_short(each), each.id) for each in self.matching(specialty, kind)]

    def _text(self, chosen: str | None) -> Any:
        return next((layout(each) for each in self._prompts if each.id == chosen), gr.skip())


def _kinds(lang: str) -> list[tuple[str, str]]:
    return [
        (say(lang, "duel.any_kind"), ""),
        *((say(lang, f"duel.kind_{kind}"), kind.value) for kind in (Kind.OEQ, Kind.MCQU, Kind.MCQ)),
    ]


def _short(prompt: Prompt) -> str:
    text = " ".join(f"{prompt.context} {prompt.question}".split())
    return text if len(text) <= SHORT else f"{text[: SHORT - 1].rstrip()}…"
