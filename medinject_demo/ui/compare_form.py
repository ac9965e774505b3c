"""What is asked of whom: the question, the arms by their place in the factorial, and how tokens are drawn.

Lays components out and wires what happens before anything is asked. Knows no engine.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import gradio as gr

from ..domain import Mixture, Sampling
from . import compare_view as view
from .comparison import BOUNDS, Bound
from .frame import Frame
from .picker import QUICK, Picker
from .texts import Lang, name, say

GRID: Final = ("base", "nat", "trad", "nat-trad", "syn", "nat-syn", "trad-syn", "all")
"""Slugs by their place: native by translated across, without and with synthetic down."""
FIRST: Final = ("base", "nat", "trad", "syn")
"""Chosen on arrival: the base and what each provenance alone makes of it."""


@dataclass(frozen=True)
class Form:
    """The components whose values make a comparison, and its buttons."""

    question: gr.Textbox
    arms: gr.CheckboxGroup
    settings: tuple[gr.Number, ...]
    alert: gr.HTML
    ask: gr.Button
    stop: gr.Button


def lay_out(frame: Frame) -> Form:
    """Question on the left, arms on the right, settings and buttons below."""
    wording = frame.wording
    with gr.Row(elem_id="compare-form"):
        with gr.Column(scale=5, min_width=300):
            _title(frame, "question_title")
            question = wording.make(
                gr.Textbox,
                {"label": "compare.question", "info": "compare.question_keys", "placeholder": "compare.placeholder"},
                lines=5,
                max_lines=12,
                elem_id="compare-question",
                interactive=True,
            )
            Picker(frame, "compare").wire(question)
        with gr.Column(scale=6, min_width=300):
            _title(frame, "arms_title")
            arms = _arms(frame)
    settings = _settings(frame)
    alert = gr.HTML(view.alert(), elem_id="compare-alert", js_on_load=None)
    with gr.Row(elem_id="compare-buttons"):
        ask = wording.make(gr.Button, {"value": "compare.ask"}, variant="primary", elem_id="compare-ask")
        stop = wording.make(
            gr.Button, {"value": "compare.stop"}, scale=0, min_width=160, elem_id="compare-stop", interactive=False
        )
    return Form(question, arms, settings, alert, ask, stop)


def _title(frame: Frame, key: str) -> None:
    frame.wording.make(gr.HTML, {"value": lambda lang: f"<h3>{say(lang, f'compare.{key}')}</h3>"}, js_on_load=None)


def _arms(frame: Frame) -> gr.CheckboxGroup:
    """The grid of arms: one box an arm, those that are not installed shown as missing."""
    wording, mixtures = frame.wording, frame.behind.engine.mixtures
    slugs = [slug for slug in GRID if Mixture.parse(slug) in mixtures]
    first = [slug for slug in FIRST if slug in slugs]
    with gr.Column(elem_id="compare-grid"):
        wording.make(
            gr.HTML, {"value": lambda lang: view.grid(mixtures, lang)}, elem_id="compare-heads", js_on_load=None
        )
        arms = wording.make(
            gr.CheckboxGroup,
            {
                "label": "compare.arms",
                "choices": lambda lang: [(name(lang, Mixture.parse(each)), each) for each in slugs],
            },
            value=first,
            elem_id="compare-arms",
            interactive=True,
            container=False,
        )
    with gr.Row(elem_id="compare-shortcuts"):
        every = wording.make(
            gr.Button, {"value": "compare.arms_all"}, size="sm", scale=0, min_width=90, elem_id="compare-all"
        )
        none = wording.make(
            gr.Button, {"value": "compare.arms_none"}, size="sm", scale=0, min_width=90, elem_id="compare-none"
        )
    counted = gr.HTML(view.chosen(Lang.FR, first), elem_id="compare-chosen", js_on_load=None)
    every.click(lambda: slugs, None, arms, **QUICK)
    none.click(lambda: [], None, arms, **QUICK)
    arms.change(view.chosen, [frame.language, arms], counted, **QUICK)
    wording.redraw(view.chosen, [arms], [counted])
    return arms


def _settings(frame: Frame) -> tuple[gr.Number, ...]:
    """How tokens are drawn: the study's, until a visitor says otherwise."""
    wording, study = frame.wording, frame.behind.sampling
    with wording.make(gr.Accordion, {"label": "compare.sampling"}, open=False, elem_id="compare-sampling"):
        with gr.Row():
            fields = tuple(_number(frame, bound, study) for bound in BOUNDS)
        back = wording.make(gr.Button, {"value": "compare.sampling_study"}, size="sm", elem_id="compare-study")
    back.click(lambda: [getattr(study, bound.setting) for bound in BOUNDS], None, list(fields), **QUICK)
    return fields


def _number(frame: Frame, bound: Bound, study: Sampling) -> gr.Number:
    """One setting. Its bounds are checked when it is asked: the component's own would speak English alone."""
    return frame.wording.make(
        gr.Number,
        {"label": f"compare.{bound.setting}"},
        value=getattr(study, bound.setting),
        precision=0 if bound.whole else None,
        step=1 if bound.whole else 0.05,
        elem_id=f"compare-{bound.setting.replace('_', '-')}",
        interactive=True,
        min_width=150,
    )
