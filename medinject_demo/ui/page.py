"""The page: one question, eight answers. Knows the engine by what it is given, and no file or setting."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Final

import gradio as gr

from ..domain import Answer, FinishReason, Kind, Mixture, Prompt
from ..prompts import Message, layout
from . import texts

MOST_CHARACTERS: Final = 2000
MOST_TOKENS: Final = 192

Answering = Callable[[Mixture, Sequence[Sequence[Message]], int], list[Answer]]


def build(answer: Answering, mixtures: Sequence[Mixture], examples: Sequence[Prompt], notice: str) -> gr.Blocks:
    """Lay the page out around something that answers, the arms it has, examples and what to say of it."""
    page = gr.Blocks(title=texts.TITLE, analytics_enabled=False)
    with page:
        gr.Markdown(f"# {texts.TITLE}\n\n**{notice}** {texts.WARNING}")
        question = gr.Textbox(label=texts.QUESTION, placeholder=texts.PLACEHOLDER, lines=2, autofocus=True)
        ask = gr.Button(texts.ASK, variant="primary")
        cards = []
        for row in (mixtures[:4], mixtures[4:]):
            with gr.Row(equal_height=False):
                for mixture in row:
                    with gr.Column(min_width=240, variant="panel"):
                        gr.Markdown(f"### {texts.name(mixture)}")
                        cards.append(gr.Markdown("…", sanitize_html=True, elem_id=f"answer-{mixture}"))
        open_examples = [[layout(prompt)] for prompt in examples if prompt.kind is Kind.OEQ]
        gr.Examples(open_examples, inputs=question, label=texts.EXAMPLES, examples_per_page=8)

        def compare(text: str) -> Iterator[dict[gr.Markdown, str]]:
            for shown in compared(answer, mixtures, text):
                yield dict(zip(cards, shown, strict=True))  # a list would not do where there is one card

        gr.on([ask.click, question.submit], compare, inputs=question, outputs=cards, api_name="compare")
    return page


def compared(answer: Answering, mixtures: Sequence[Mixture], text: str) -> Iterator[list[str]]:
    """The answers to a question, one more at each step, in the order of ``mixtures``.

    Raises:
        gr.Error: the question is empty or too long; the page shows the sentence.
    """
    question = text.strip()
    if not question:
        raise gr.Error(texts.EMPTY, print_exception=False)
    if len(question) > MOST_CHARACTERS:
        raise gr.Error(texts.TOO_LONG.format(got=len(question), most=MOST_CHARACTERS), print_exception=False)
    shown = ["…"] * len(mixtures)
    for place, mixture in enumerate(mixtures):
        (given,) = answer(mixture, [[{"role": "user", "content": question}]], MOST_TOKENS)
        shown[place] = given.text + (texts.CUT if given.finish_reason is FinishReason.LENGTH else "")
        yield list(shown)
