"""The words of components: built in French, changed in place when the visitor changes the language."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

import gradio as gr
from gradio.blocks import Block

from .texts import Lang, say

Words = Mapping[str, str | Callable[[str], Any]]
"""Property of a component to the key of its text, or to a function of the language."""
Made = TypeVar("Made", bound=Block)


class Wording:
    """Which words each component shows, and what must be drawn anew when the language changes."""

    def __init__(self) -> None:
        self._worded: list[tuple[Block, Words]] = []
        self._redrawn: list[tuple[Callable[..., Any], list[Block], list[Block]]] = []

    def make(self, kind: Callable[..., Made], words: Words, **properties: Any) -> Made:
        """A component with its words in French, which follow the language from now on."""
        made = kind(**_said(Lang.FR, words), **properties)
        self._worded.append((made, words))
        return made

    def redraw(self, draw: Callable[..., Any], inputs: Sequence[Block], outputs: Sequence[Block]) -> None:
        """Call ``draw(lang, *inputs)`` for ``outputs`` when the language changes: for what depends on a state."""
        self._redrawn.append((draw, list(inputs), list(outputs)))

    def follow(self, language: gr.Radio) -> None:
        """Change everything when this choice changes."""
        components = [made for made, _ in self._worded]
        language.change(
            lambda lang: [gr.update(**_said(lang, words)) for _, words in self._worded],
            language,
            components,
            show_progress="hidden",
            api_visibility="private",
            queue=False,
        )
        for draw, inputs, outputs in self._redrawn:
            language.change(
                draw, [language, *inputs], outputs, show_progress="hidden", api_visibility="private", queue=False
            )


def _said(lang: str, words: Words) -> dict[str, Any]:
    return {each: text(lang) if callable(text) else say(lang, text) for each, text in words.items()}
