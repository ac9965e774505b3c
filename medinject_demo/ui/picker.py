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

SHORT: Final = 100
"""Characters of a question in the list."""
QUICK: Final[dict[str, Any]] = {"queue": False, "show_progress": "hidden", "api_visibility": "private"}
"""An event of the page that asks nothing of the engine."""


class Picker:
    """Three lists and a button, folded."""

    def __init__(self, frame: Frame, prefix: str) -> None:
        self._prompts: Sequence[Prompt] = frame.behind.prompts
        self._chance: random.Random = frame.behind.chance
        make = frame.wording.make
        folded = make(gr.Accordion, {"label": "picker.bundled"}, open=False, elem_id=f"{prefix}-bundled")
        with folded, gr.Row():
            self.specialty = make(
                gr.Dropdown,
                {"label": "picker.specialty", "choices": lambda lang: specialties(lang, self._prompts)},
                value="",
                elem_id=f"{prefix}-specialty",
                min_width=180,
            )
            self.kind = make(
                gr.Dropdown,
                {"label": "picker.kind", "choices": kinds},
                value="",
                elem_id=f"{prefix}-kind",
                min_width=180,
            )
            self.proposed = make(
                gr.Dropdown,
                {"label": "picker.proposed"},
                choices=self._listed("", ""),
                value=None,
                elem_id=f"{prefix}-proposed",
                scale=2,
                min_width=260,
            )
            self.random = make(
                gr.Button, {"value": "picker.random"}, elem_id=f"{prefix}-random", scale=0, min_width=120
            )

    @property
    def filters(self) -> list[gr.Dropdown]:
        """What narrows the list."""
        return [self.specialty, self.kind]

    def wire(self, box: gr.Textbox) -> None:
        """Let the lists fill a box."""
        for each in self.filters:
            each.input(
                lambda specialty, kind: gr.update(choices=self._listed(specialty, kind), value=None),
                self.filters,
                self.proposed,
                **QUICK,
            )
        self.proposed.input(self._text, self.proposed, box, **QUICK)
        self.random.click(self.drawn, self.filters, box, **QUICK)

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

    def _listed(self, specialty: str, kind: str) -> list[tuple[str, str]]:
        return [(_short(each), each.id) for each in self.matching(specialty, kind)]

    def _text(self, chosen: str | None) -> Any:
        return next((layout(each) for each in self._prompts if each.id == chosen), gr.skip())


def specialties(lang: str, prompts: Sequence[Prompt]) -> list[tuple[str, str]]:
    """Choices of a list: any, then each specialty that the prompts have."""
    known = sorted({each.specialty for each in prompts if each.specialty}, key=str.casefold)
    return [(say(lang, "picker.any_specialty"), ""), *((each.capitalize(), each) for each in known)]


def kinds(lang: str) -> list[tuple[str, str]]:
    """Choices of a list: any, then each kind of question."""
    return [
        (say(lang, "picker.any_kind"), ""),
        *((say(lang, f"picker.kind_{kind}"), kind.value) for kind in (Kind.OEQ, Kind.MCQU, Kind.MCQ)),
    ]


def _short(prompt: Prompt) -> str:
    """Its end, where it is long: a vignette ends with what is asked."""
    text = " ".join(f"{prompt.context} {prompt.question}".split())
    return text if len(text) <= SHORT else f"…{text[-SHORT:].lstrip()}"
