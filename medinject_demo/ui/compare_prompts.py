"""Bundled prompts, by specialty and kind or at random, into the box of the question. Knows no engine."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import gradio as gr

from ..domain import Kind, Prompt
from ..prompts import layout
from .frame import Frame
from .texts import say
from .wording import Words

SHOWN: Final = 110
"""Characters of a prompt in the list of prompts."""
QUICK: Final[dict[str, Any]] = {"queue": False, "show_progress": "hidden", "api_visibility": "private"}
"""An event of the page that asks nothing of the engine."""


def such(prompts: Sequence[Prompt], specialty: str | None, kind: str | None) -> list[Prompt]:
    """The prompts of a specialty and a kind; "" is any."""
    ours = [each for each in prompts if not specialty or each.specialty == specialty]
    return [each for each in ours if not kind or each.kind == kind]


def titles(prompts: Sequence[Prompt]) -> list[tuple[str, str]]:
    """Choices of a list: what a prompt asks, shortened, and its id."""
    return [(_short(f"{each.context} {each.question}".strip()), each.id) for each in prompts]


def lay_out(frame: Frame, question: gr.Textbox) -> None:
    """Filters, the list, and a draw, folded below the box."""
    with frame.wording.make(gr.Accordion, {"label": "compare.bundled"}, open=False, elem_id="compare-bundled"):
        with gr.Row():
            specialty, kind = _filters(frame)
        prompt = frame.wording.make(
            gr.Dropdown,
            {"label": "compare.prompt"},
            choices=titles(frame.behind.prompts),
            value=None,
            elem_id="compare-prompt",
            interactive=True,
        )
        chance = frame.wording.make(gr.Button, {"value": "compare.random"}, size="sm", elem_id="compare-random")
    _wire(frame, (specialty, kind), prompt, chance, question)


def _filters(frame: Frame) -> tuple[gr.Dropdown, gr.Dropdown]:
    """By specialty, by kind."""
    prompts = frame.behind.prompts
    usual: dict[str, Any] = {"value": "", "interactive": True, "min_width": 140}
    specialties: Words = {"label": "compare.specialty", "choices": lambda lang: _specialties(prompts, lang)}
    kinds: Words = {"label": "compare.kind", "choices": _kinds}
    return (
        frame.wording.make(gr.Dropdown, specialties, elem_id="compare-specialty", **usual),
        frame.wording.make(gr.Dropdown, kinds, elem_id="compare-kind", **usual),
    )


def _wire(
    frame: Frame,
    filters: tuple[gr.Dropdown, gr.Dropdown],
    prompt: gr.Dropdown,
    chance: gr.Button,
    question: gr.Textbox,
) -> None:
    """A filter narrows the list; what is chosen or drawn goes into the box."""
    prompts = frame.behind.prompts

    def narrow(specialty: str, kind: str) -> Any:
        return gr.update(choices=titles(such(prompts, specialty, kind)), value=None)

    def take(chosen: str | None) -> Any:
        return next((layout(each) for each in prompts if each.id == chosen), gr.skip())

    def draw(specialty: str, kind: str) -> tuple[Any, Any]:
        among = such(prompts, specialty, kind)
        drawn = frame.behind.chance.choice(among) if among else None
        return (drawn.id, layout(drawn)) if drawn else (gr.skip(), gr.skip())

    gr.on([each.input for each in filters], narrow, list(filters), prompt, **QUICK)
    prompt.input(take, prompt, question, **QUICK)
    chance.click(draw, list(filters), [prompt, question], **QUICK)


def _short(text: str) -> str:
    return text if len(text) <= SHOWN else "…" + text[-SHOWN:]  # a vignette ends with what is asked


def _specialties(prompts: Sequence[Prompt], lang: str) -> list[tuple[str, str]]:
    known = sorted({each.specialty for each in prompts if each.specialty}, key=str.casefold)
    return [(say(lang, "compare.any_specialty"), ""), *((each, each) for each in known)]


def _kinds(lang: str) -> list[tuple[str, str]]:
    return [(say(lang, "compare.kind_any"), ""), *((say(lang, f"compare.kind_{each}"), str(each)) for each in Kind)]
