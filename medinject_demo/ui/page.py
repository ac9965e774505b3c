"""The page: one question, all arms, their answers side by side as they come. Knows the engine by its protocol alone."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Final

import gradio as gr

from ..domain import FinishReason, Kind, Prompt, Sampling
from ..engine.base import Delta, Engine, Event, Request
from ..errors import ModelError
from ..prompts import layout
from . import texts

MOST_CHARACTERS: Final = 2000
SAMPLING: Final = Sampling(max_new_tokens=192)
REFRESH: Final = 0.1
"""Seconds between two redrawings of the answers, at least."""


@dataclass
class Board:
    """What each card shows."""

    rows: int
    shown: list[str] = field(init=False)

    def __post_init__(self) -> None:
        self.shown = [texts.WAITING] * self.rows

    def take(self, event: Event) -> None:
        """Write an event into its card."""
        said = "" if self.shown[event.row] == texts.WAITING else self.shown[event.row]
        if isinstance(event, Delta):
            self.shown[event.row] = said + event.text
        elif event.reason is FinishReason.ERROR:
            self.shown[event.row] = f"{said}\n\n{texts.FAILED}".strip()
        elif event.reason is FinishReason.LENGTH:
            self.shown[event.row] = said + texts.CUT
        else:
            self.shown[event.row] = said


def build(engine: Engine, examples: Sequence[Prompt], notice: str) -> gr.Blocks:
    """Lay the page out around an engine, examples and what to say of it."""
    page = gr.Blocks(title=texts.TITLE, analytics_enabled=False)
    with page:
        gr.Markdown(f"# {texts.TITLE}\n\n**{notice}** {texts.WARNING}")
        question = gr.Textbox(label=texts.QUESTION, placeholder=texts.PLACEHOLDER, lines=2, autofocus=True)
        ask = gr.Button(texts.ASK, variant="primary")
        cards = []
        for row in (engine.mixtures[:4], engine.mixtures[4:]):
            with gr.Row(equal_height=False):
                for mixture in row:
                    with gr.Column(min_width=240, variant="panel"):
                        gr.Markdown(f"### {texts.name(mixture)}")
                        cards.append(gr.Markdown(texts.WAITING, sanitize_html=True, elem_id=f"answer-{mixture}"))
        open_examples = [[layout(prompt)] for prompt in examples if prompt.kind is Kind.OEQ]
        gr.Examples(open_examples, inputs=question, label=texts.EXAMPLES, examples_per_page=8)

        def compare(text: str) -> Iterator[dict[gr.Markdown, str]]:
            for shown in compared(engine, text):
                yield dict(zip(cards, shown, strict=True))  # a list would not do where there is one card

        gr.on([ask.click, question.submit], compare, inputs=question, outputs=cards, api_name="compare")
    return page


def compared(engine: Engine, text: str, *, clock: Callable[[], float] = time.monotonic) -> Iterator[list[str]]:
    """The answers of all arms to a question as they grow, in the order of the engine's arms; all in one stream.

    Raises:
        gr.Error: the question is empty or too long, or too many answers wait; the page shows the sentence.
    """
    question = text.strip()
    if not question:
        raise gr.Error(texts.EMPTY, print_exception=False)
    if len(question) > MOST_CHARACTERS:
        raise gr.Error(texts.TOO_LONG.format(got=len(question), most=MOST_CHARACTERS), print_exception=False)
    asked = ({"role": "user", "content": question},)
    board, drawn = Board(len(engine.mixtures)), clock()
    yield list(board.shown)
    try:
        events = engine.stream([Request(asked, mixture, SAMPLING) for mixture in engine.mixtures])
    except ModelError as error:
        raise gr.Error(texts.BUSY, print_exception=False) from error
    for event in events:
        board.take(event)
        if clock() - drawn >= REFRESH:
            drawn = clock()
            yield list(board.shown)
    yield list(board.shown)
