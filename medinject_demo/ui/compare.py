"""The tab."""

from __future__ import annotations

import gradio as gr

from .frame import Frame


def build(frame: Frame) -> None:
    """Lay the tab out."""
    gr.HTML("…", js_on_load=None)
