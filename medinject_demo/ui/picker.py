"""The bundled questions of a tab: by specialty and form, from a list, or at random, into a box that can be edited."""

from __future__ import annotations

import random
import re
import unicodedata
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
                gr.Button, {"value": "picker.random"}, elem_id=f"{prefix}-random", scale=0, min_width=160
            )
        with folded:
            self.told = gr.HTML(
                "", elem_id=f"{prefix}-none", elem_classes="picker-told", js_on_load=None, padding=False
            )
        frame.wording.redraw(self._told, self.filters, [self.told])
        self._language = frame.language

    @property
    def filters(self) -> list[gr.Dropdown]:
        """What narrows the list."""
        return [self.specialty, self.kind]

    def wire(self, box: gr.Textbox) -> None:
        """Let the lists fill a box."""
        for each in self.filters:
            narrowed = [self.proposed, self.random, self.told]
            each.input(self._narrowed, [self._language, *self.filters], narrowed, **QUICK)
        self.proposed.input(self._text, self.proposed, box, **QUICK)
        self.random.click(lambda *filters: self.drawn(*filters) or gr.skip(), self.filters, box, **QUICK)

    def matching(self, specialty: str, kind: str) -> list[Prompt]:
        """The prompts of a specialty and a form; empty is any."""
        return [
            each
            for each in self._prompts
            if (not specialty or each.specialty == specialty) and (not kind or each.kind == kind)
        ]

    def drawn(self, specialty: str, kind: str, *, other_than: str = "") -> str:
        """The text of one of them at random; empty where none matches."""
        texts = [layout(each) for each in self.matching(specialty, kind)]
        return self._chance.choice([text for text in texts if text != other_than] or texts or [""])

    def following(self, text: str, specialty: str, kind: str) -> str:
        """What to ask next: another bundled question after a bundled one, nothing after one's own."""
        asked = text.strip()
        if any(layout(each) == asked for each in self._prompts):
            return self.drawn(specialty, kind, other_than=asked)
        return ""

    def _narrowed(self, lang: str, specialty: str, kind: str) -> tuple[Any, Any, str]:
        """The list, the button and what is said when the filters change."""
        listed = self._listed(specialty, kind)
        proposed = gr.update(choices=listed, value=None, interactive=bool(listed))
        return proposed, gr.update(interactive=bool(listed)), self._told(lang, specialty, kind)

    def _told(self, lang: str, specialty: str, kind: str) -> str:
        """A sentence where no question matches."""
        matching = self.matching(specialty, kind)
        return "" if matching else f'<p class="said" role="status">{say(lang, "picker.nothing")}</p>'

    def _listed(self, specialty: str, kind: str) -> list[tuple[str, str]]:
        return [(_short(each), each.id) for each in self.matching(specialty, kind)]

    def _text(self, chosen: str | None) -> Any:
        return next((layout(each) for each in self._prompts if each.id == chosen), gr.skip())


def specialties(lang: str, prompts: Sequence[Prompt]) -> list[tuple[str, str]]:
    """Choices of a list: any, then each specialty that the prompts have."""
    known = sorted({each.specialty for each in prompts if each.specialty}, key=_unaccented)
    return [(say(lang, "picker.any_specialty"), ""), *((titled(each), each) for each in known)]


def titled(specialty: str) -> str:
    """With a capital, and what has others keeps them: an acronym is one."""
    return specialty[:1].upper() + specialty[1:]


def _unaccented(text: str) -> str:
    """Text as a French dictionary sorts it."""
    return "".join(each for each in unicodedata.normalize("NFD", text.casefold()) if not unicodedata.combining(each))


def kinds(lang: str) -> list[tuple[str, str]]:
    """Choices of a list: any, then each kind of question."""
    return [
        (say(lang, "picker.any_kind"), ""),
        *((say(lang, f"picker.kind_{kind}"), kind.value) for kind in (Kind.OEQ, Kind.MCQU, Kind.MCQ)),
    ]


def _short(prompt: Prompt) -> str:
    """Its end from a whole word on, where it is long: a vignette ends with what is asked."""
    text = " ".join(f"{prompt.context} {prompt.question}".split())
    if len(text) <= SHORT:
        return text
    end = re.sub(r"^\S*\s+", "", text[-SHORT - 1 :])
    return f"…{end}"
