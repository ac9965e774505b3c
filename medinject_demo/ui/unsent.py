"""A question that was written and not sent stays in its browser's tab; ``assets/unsent.js`` keeps it there alone.

Nothing of it passes here: the script is told, in the browser, which text is on its way.
"""

from __future__ import annotations

from typing import Any

import gradio as gr


def forget_when_sent(triggers: list[Any], question: gr.Textbox) -> None:
    """Tell the script that these events send the text of a box: once its answers are there it is not kept any more."""
    gr.on(triggers, None, question, None, js=f"text => void window.medinjectAsked('{question.elem_id}', text)")
