"""The tab of the board: which votes it is of, the last result there is of them, and the newer one when it comes.

Nothing is computed here: ``boards`` does it in a thread of its own, and the page looks again until it has the result.
``board_view`` draws it, ``board_documents`` makes the files, ``board_api`` gives it to programs.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import gradio as gr
from gradio.events import api

from ..boards import Boards, Reading
from ..domain import Prompt
from ..keeper import Look
from ..stats.selection import Selection
from ..votes.records import Profile
from . import board_view
from .board_api import endpoint
from .board_files import lay_out as files
from .frame import Frame
from .picker import QUICK, kinds, specialties
from .texts import Lang, say
from .wording import Wording

LOOK_AGAIN: Final = 1.0
"""Seconds until the page looks again for a result that is on its way."""


@dataclass(frozen=True)
class Seen:
    """What a visitor last saw; ``reading`` is None where there was none."""

    selection: Selection = field(default_factory=Selection)
    reading: Reading | None = None
    computing: bool = False
    failed: bool = False
    full: bool = False

    @classmethod
    def of(cls, selection: Selection, look: Look[Reading]) -> Seen:
        """What there is at a look."""
        return cls(selection, look.value, look.computing, look.failed, look.full)

    @property
    def waits(self) -> bool:
        """True where it is worth looking again soon."""
        return self.computing or self.full


def build(frame: Frame) -> None:
    """Lay the tab out, and offer the board to programs as ``board``."""
    wording, miniature = frame.wording, frame.behind.miniature
    boards = frame.behind.boards or Boards(frame.behind.store)
    with gr.Column(elem_id="board-tab"):
        refresh = _top(wording)
        filters = _filters(wording, frame.behind.prompts)
        at = gr.HTML("", elem_id="board-at", js_on_load=None)
        shown = gr.HTML(say(Lang.FR, "board.waiting"), elem_id="board", js_on_load=None)
        seen: gr.State = gr.State(None)
        files(frame, seen)
    clock = gr.Timer(LOOK_AGAIN, active=False)
    given, outputs = [frame.language, seen, *filters], [seen, at, shown, clock]
    for event in (frame.tab.select, refresh.click, *(each.input for each in filters)):
        event(_looks(boards, miniature), given, outputs, **QUICK)
    clock.tick(_looks_again(boards, miniature), given, outputs, **QUICK)
    wording.redraw(lambda lang, each: drawn(lang, each, miniature=miniature), [seen], [at, shown])
    api(endpoint(boards, frame.behind.prompts, frame.behind.gate), api_name="board", concurrency_limit=None)


def _top(wording: Wording) -> gr.Button:
    """What the tab is, and the button that looks again."""
    with gr.Row(elem_id="board-head"):
        with gr.Column(elem_id="board-about", min_width=200):
            wording.make(gr.HTML, {"value": _head}, js_on_load=None)
        return wording.make(gr.Button, {"value": "board.refresh"}, elem_id="board-refresh", scale=0, min_width=120)


def chosen(kind: str | None, specialty: str | None, profile: str | None) -> Selection:
    """The part of the votes that the filters ask for; empty is any."""
    return Selection(kind or None, specialty or None, profile or None)


def drawn(lang: str, seen: Seen | None, *, miniature: bool = False) -> tuple[str, str]:
    """The time with what is to be said of it, and the board, in a language."""
    if seen is None or (seen.reading is None and not seen.failed):
        return "", f'<p class="waiting">{say(lang, "board.full" if seen and seen.full else "board.waiting")}</p>'
    if seen.reading is None:
        return "", f'<p class="failed" role="alert">{say(lang, "board.unreadable")}</p>'
    report = seen.reading.report
    return board_view.as_of(lang, report.board) + _beside(lang, seen), board_view.board(
        lang, report, miniature=miniature
    )


def _beside(lang: str, seen: Seen) -> str:
    """That a newer board is on its way, or cannot be had."""
    if seen.failed:
        return f'<p class="failed" role="alert">{say(lang, "board.outdated")}</p>'
    return f'<p class="note">{say(lang, "board.full" if seen.full else "board.computing")}</p>' if seen.waits else ""


def _looks(boards: Boards, miniature: bool) -> Callable[..., list[Any]]:
    def look(lang: str, before: Seen | None, *filters: str | None) -> list[Any]:
        """What there is of the part chosen; a newer result is begun where it is due."""
        selection = chosen(*filters)
        return _outputs(lang, before, Seen.of(selection, boards.look(selection)), miniature)

    return look


def _looks_again(boards: Boards, miniature: bool) -> Callable[..., list[Any]]:
    def look(lang: str, before: Seen | None, *filters: str | None) -> list[Any]:
        """What has become of what is awaited. A look that was on its way when the part changed tells nothing."""
        selection = chosen(*filters)
        if before is None or before.selection != selection:
            return [gr.skip()] * 4
        return _outputs(lang, before, Seen.of(selection, boards.look(selection, begin=before.full)), miniature)

    return look


def _outputs(lang: str, before: Seen | None, now: Seen, miniature: bool) -> list[Any]:
    """A look, drawn; the board itself is sent again only where it is another."""
    at, shown = drawn(lang, now, miniature=miniature)
    same = before is not None and now.reading is not None and now.reading is before.reading
    return [now, at, gr.skip() if same else shown, gr.Timer(active=now.waits)]


def _filters(wording: Wording, prompts: Sequence[Prompt]) -> list[gr.Dropdown]:
    """Kind, specialty, profile: empty is any."""
    choices: dict[str, Callable[[str], list[tuple[str, str]]]] = {
        "kind": kinds,
        "specialty": lambda lang: specialties(lang, prompts),
        "profile": _profiles,
    }
    with gr.Row(elem_id="board-filters"):
        return [
            wording.make(
                gr.Dropdown,
                {"label": f"board.filter_{name}", "choices": listed},
                value="",
                elem_id=f"board-{name}",
                min_width=180,
            )
            for name, listed in choices.items()
        ]


def _profiles(lang: str) -> list[tuple[str, str]]:
    return [
        (say(lang, "board.any_profile"), ""),
        *((say(lang, f"duel.profile_{each}"), each.value) for each in Profile),
    ]


def _head(lang: str) -> str:
    return f"<h2>{say(lang, 'board.title')}</h2><p>{say(lang, 'board.intro')}</p>"
