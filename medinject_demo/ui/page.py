"""The page: a frame that is always visible, and its tabs. Knows the engine by its protocol alone."""

from __future__ import annotations

import html
import secrets
from typing import Any, Final

import gradio as gr

from . import blind, board, compare, study
from .frame import Frame, Playground
from .texts import Lang, accepted, say
from .wording import Wording

TABS: Final = (("duel", blind.build), ("compare", compare.build), ("board", board.build), ("study", study.build))
"""Name and builder of each tab, in order; a builder is called inside its tab."""
FOREIGN: Final = ("copy", "tabs", "api", "settings", "footer", "lost", "lost_title")
"""What Gradio says of its own."""
KEPT: Final = "medinject"
"""Key of what a browser keeps for itself; the same after a restart, so that a voter stays the same voter."""


def build(behind: Playground) -> gr.Blocks:
    """Lay the page out around the services behind it. Launch it with ``look()``."""
    page = gr.Blocks(title=say(Lang.FR, "page.title"), analytics_enabled=False, fill_width=True)
    with page:
        wording = Wording()
        with gr.Row(elem_id="masthead"):
            wording.make(gr.HTML, {"value": lambda lang: _masthead(lang, behind)}, elem_id="notice", js_on_load=None)
            language = wording.make(
                gr.Radio,
                {"label": "page.language"},
                choices=[("Français", "fr"), ("English", "en")],
                value="fr",
                elem_id="language",
                container=False,
                show_label=False,
                scale=0,
                min_width=220,
            )
        chosen = gr.BrowserState("", storage_key="medinject-language", secret=KEPT)
        session = gr.BrowserState("", storage_key="medinject-voter", secret=KEPT)
        arrivals: list[dict[str, Any]] = []
        with gr.Tabs(elem_id="tabs"):
            for name, tab in TABS:
                with wording.make(gr.Tab, {"label": f"page.tab_{name}"}, id=name, elem_id=f"tab-{name}") as opened:
                    tab(Frame(behind, wording, language, session, opened, arrivals))
        wording.follow(language)
        arrived = page.load(
            _arrive, [chosen, session], [language, session], show_progress="hidden", api_visibility="private"
        )
        for event in arrivals:
            arrived.then(**event)
        language.input(lambda lang: lang, language, chosen, api_visibility="private", queue=False)
    return page


def _arrive(chosen: str, session: str, request: gr.Request) -> tuple[str, str]:
    """The language of a visitor who arrives, and the token under which this browser votes."""
    header = str(request.headers.get("accept-language", "")) if request else ""
    language = chosen if chosen in list(Lang) else accepted(header)
    return language, session or secrets.token_urlsafe(24)


def _masthead(lang: str, behind: Playground) -> str:
    """Title, what answers here, and the warnings that are always visible."""
    title = html.escape(behind.title)
    answers = say(lang, "page.miniature") if behind.miniature else say(lang, "page.model", title=title)
    if behind.server:
        answers += f" {say(lang, 'page.server', server=html.escape(behind.server))}"
    if behind.replicas:
        answers += f" {say(lang, 'page.fleet', count=str(behind.replicas))}"
    return (
        f"<h1 {_foreign(lang)}>{say(lang, 'page.title')}</h1>"
        f'<p class="warning" role="note"><strong>{answers}</strong> {say(lang, "page.warning")}</p>'
    )


def _foreign(lang: str) -> str:
    """Words for what Gradio writes in the browser's language or in English alone; the script of the page puts them."""
    return " ".join(
        f'data-{each.replace("_", "-")}="{html.escape(say(lang, f"page.foreign_{each}"))}"' for each in FOREIGN
    )
