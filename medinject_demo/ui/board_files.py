"""The board's files, made when a visitor asks for them: the table as CSV and JSON, the figures as SVG and PNG.

They are links that hold their file, made for the visitor's browser: nothing is written to the server's disk.
"""

from __future__ import annotations

import base64
import html
import json
from collections.abc import Callable, Iterator
from datetime import UTC
from typing import TYPE_CHECKING, Final

import gradio as gr

from ..boards import Reading
from . import plots
from .board_documents import record, table
from .board_view import selected
from .frame import Frame
from .texts import number, say

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from ..stats.report import Report

FIGURES: Final[dict[str, Callable[[str, Report], Figure]]] = {
    "ranking": lambda lang, report: plots.ranking(lang, report.board),
    "matrix": lambda lang, report: plots.matrix(lang, report.board),
    "effects": lambda lang, report: plots.effects(lang, report.board, report.provenances),
}

_EMPTY: Final = '<p role="status"></p>'


def lay_out(frame: Frame, seen: gr.State) -> None:
    """A button that makes the files of what is seen, and their links."""
    wording = frame.wording
    with gr.Column(elem_id="board-files"):
        wording.make(
            gr.HTML,
            {"value": lambda lang: f"<h3>{say(lang, 'board.files')}</h3><p>{say(lang, 'board.files_about')}</p>"},
            js_on_load=None,
        )
        make = wording.make(gr.Button, {"value": "board.files_make"}, elem_id="board-make", size="sm", scale=0)
        made = gr.HTML(_EMPTY, elem_id="board-links", js_on_load=None)
    make.click(
        lambda lang, seen: links(lang, seen.reading if seen else None),
        [frame.language, seen],
        made,
        concurrency_limit=1,
        show_progress="hidden",
        api_visibility="private",
    )


def links(lang: str, reading: Reading | None) -> str:
    """Every file of a reading as a link, and of when they are."""
    if reading is None or not reading.report.board.comparisons:
        return f'<p role="status">{say(lang, "board.files_none")}</p>'
    board = reading.report.board
    moment = board.as_of.astimezone(UTC)
    of = html.escape(selected(lang, board.selection))
    when = f'<p role="status">{say(lang, "board.as_of", at=moment)} · {of}</p>'
    stem = f"{say(lang, 'board.file')}-{moment:%Y%m%dT%H%M%S}"
    return when + f"<ul>{''.join(_links(lang, stem, reading))}</ul>"


def described(lang: str, key: str, report: Report) -> str:
    """A figure in words, for who cannot see it: of when and of what it is, then its numbers."""
    board = report.board
    told = {
        "ranking": lambda: plots.ranking_told(lang, board),
        "matrix": lambda: plots.matrix_told(lang, board),
        "effects": lambda: plots.effects_told(lang, report.provenances),
    }
    of = f"{say(lang, 'board.as_of', at=board.as_of)} · {selected(lang, board.selection)}."
    return " ".join((of, *told[key]()))


def _links(lang: str, stem: str, reading: Reading) -> Iterator[str]:
    document = json.dumps(record(reading), ensure_ascii=False, indent=2)
    yield _link(lang, "table", "csv", stem, "text/csv", table(reading.report).encode("utf-8-sig"))
    yield _link(lang, "table", "json", stem, "application/json", document.encode())
    for key, draw in FIGURES.items():
        figure, title = draw(lang, reading.report), say(lang, f"board.figure_{key}")
        told = described(lang, key, reading.report)
        for form, media, save in (("svg", "image/svg+xml", plots.svg), ("png", "image/png", plots.png)):
            yield _link(lang, key, form, stem, media, save(figure, reading.report.board, title, told))


def _link(lang: str, key: str, form: str, stem: str, media: str, held: bytes) -> str:
    file = f"{stem}-{say(lang, f'board.file_{key}')}.{form}"
    data = f"data:{media};base64,{base64.b64encode(held).decode()}"
    size = say(lang, "board.file_size", form=form.upper(), size=number(lang, max(1, round(len(held) / 1000))))
    label = f"{say(lang, f'board.files_{key}')} ({size})"
    return f'<li><a id="board-{key}-{form}" download="{html.escape(file)}" href="{data}">{label}</a></li>'
