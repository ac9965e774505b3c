"""The tab that compares: one question, two to eight arms, their answers side by side as they come.

Knows the engine by its protocol alone. What it shows is written in ``compare_view``, ``letters`` and
``compare_documents``; what is asked is laid out in ``compare_form``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

import gradio as gr
from gradio.events import api

from ..domain import FinishReason, Sampling
from ..errors import MedInjectError, Refused
from ..limiter import Act
from . import compare_documents as documents
from . import compare_view as view
from .asking import question_of
from .compare_api import endpoint
from .compare_form import Form, lay_out
from .comparison import BOUNDS, FEWEST, Comparison, follow, opened, out_of_bounds
from .frame import REFRESH, VISITORS, Frame, Playground, explained
from .letters import Letters, panel, weighed
from .picker import QUICK
from .texts import say
from .unsent import forget_when_sent
from .wording import Wording, Words

VIEWS: Final = ("prose", "plain", "marked")
"""How answers are shown; the style sheet does it, from the choice itself."""
STREAMED: Final[dict[str, Any]] = {
    "concurrency_limit": VISITORS,
    "show_progress": "hidden",
    "api_visibility": "private",
}


@dataclass(frozen=True)
class Results:
    """The components that show a comparison, and the states behind them."""

    comparison: gr.State
    letters: gr.State
    status: gr.HTML
    cards: gr.HTML
    bars: gr.HTML
    documents: gr.HTML
    right: gr.Checkbox
    average: gr.Checkbox


def build(frame: Frame) -> None:
    """Lay the tab out."""
    with gr.Column(elem_id="compare"):
        frame.wording.make(gr.HTML, {"value": lambda lang: _heading(lang, frame.behind)}, js_on_load=None)
        form = lay_out(frame)
        results = _results(frame.wording)
    _wire(frame, form, results)
    api(endpoint(frame.behind), api_name="compare", concurrency_limit=VISITORS)


def _heading(lang: str, behind: Playground) -> str:
    reminder = "compare.reminder_miniature" if behind.miniature else "compare.reminder"
    return f"<h2>{say(lang, 'compare.title')}</h2><p>{say(lang, 'compare.intro')} {say(lang, reminder)}</p>"


def _results(wording: Wording) -> Results:
    """Status, displays, cards, letters and documents, from top to bottom."""
    comparison, letters = gr.State(None), gr.State(None)
    status = gr.HTML(view.status("fr", None), elem_id="compare-status", js_on_load=None)
    with gr.Row(elem_id="compare-display"):
        right, average = _displays(wording)
    cards, bars, kept = (
        gr.HTML("", elem_id=f"compare-{part}", js_on_load=None) for part in ("cards", "letters", "documents")
    )
    gr.HTML('<p id="compare-said" role="status"></p>', js_on_load=None)
    return Results(comparison, letters, status, cards, bars, kept, right, average)


def _displays(wording: Wording) -> tuple[gr.Checkbox, gr.Checkbox]:
    """How answers are shown, which nothing here reads; the right answer; the mean over orders."""
    views: Words = {
        "label": "compare.view",
        "choices": lambda lang: [(say(lang, f"compare.view_{each}"), each) for each in VIEWS],
    }
    averages: Words = {"label": "compare.average", "info": "compare.average_why"}
    wording.make(gr.Radio, views, value=VIEWS[0], elem_id="compare-view", interactive=True)
    return (
        wording.make(gr.Checkbox, {"label": "compare.right"}, value=False, elem_id="compare-right", interactive=True),
        wording.make(gr.Checkbox, averages, value=False, elem_id="compare-average", interactive=True),
    )


def _wire(frame: Frame, form: Form, results: Results) -> None:
    """What asking, stopping and the displays do."""
    lang, behind = frame.language, frame.behind
    shown = [results.comparison, results.letters, results.status, results.cards, results.bars, results.documents]
    drawn = [results.comparison, results.status, results.cards, results.documents]
    asked = [lang, frame.session, form.question, form.arms, results.right, *form.settings]
    ask = [form.ask.click, form.question.submit]
    forget_when_sent(ask, form.question)
    # before what takes long: a browser begins the events of one press one after the other
    gr.on(ask, lambda: gr.update(interactive=True), None, form.stop, **QUICK)
    asking = gr.on(
        ask,
        _asking(behind),
        asked,
        [form.alert, *shown],
        trigger_mode="once",
        **STREAMED,
    )
    ends = [lang, results.comparison, results.letters]
    ended = asking.then(_end, ends, drawn, **QUICK)
    stopped = form.stop.click(_end, ends, drawn, cancels=[asking], **QUICK)
    stopped = stopped.then(_end, ends, drawn, **QUICK)  # a drawing that was on its way may have come in between
    for last in (ended, stopped):
        last.then(lambda: gr.update(interactive=False), None, form.stop, **QUICK)
        weighing = last.then(
            _weighing_first(behind),
            [*ends, results.average, results.right],
            [results.letters, results.bars],
            **STREAMED,
        )
        weighing.then(documents.links, ends, results.documents, **QUICK)
    results.average.input(
        _weighing(behind),
        [lang, frame.session, results.comparison, results.average, results.right],
        [results.letters, results.bars, form.alert],
        **STREAMED,
    )
    results.right.input(panel, [lang, results.letters, results.right], results.bars, **QUICK)
    frame.wording.redraw(panel, [results.letters, results.right], [results.bars])
    frame.wording.redraw(_redrawn, [results.comparison, results.letters], drawn[1:])
    frame.wording.redraw(lambda _: view.alert(), [], [form.alert])


def _asking(behind: Playground) -> Callable[..., Iterator[list[Any]]]:
    """What asking does: a function that Gradio hands the request to, as it does to no partial one."""

    def ask(lang: str, session: str, sent: gr.Request, *form: Any) -> Iterator[list[Any]]:
        def begun(comparison: Comparison) -> None:
            behind.arena.compared(comparison.prompt, session or "", comparison.arms)

        yield from _ask(behind, lang, *form, admit=lambda: behind.gate.admit(Act.ASK, sent, session or ""), begun=begun)

    return ask


def _ask(
    behind: Playground,
    lang: str,
    text: str | None,
    slugs: Sequence[str],
    right: bool,
    *settings: Any,
    admit: Callable[[], None] = lambda: None,
    begun: Callable[[Comparison], None] = lambda comparison: None,
) -> Iterator[list[Any]]:
    """The alert, both states, and what is shown of them, as the answers grow; a refusal leaves all else as it was."""
    try:
        comparison = _opened(behind, lang, text or "", slugs, settings)
        admit()
        stream = follow(behind.engine, comparison, refresh=REFRESH)
        comparison = next(stream)
    except (MedInjectError, _Unfit) as error:
        said = explained(lang, error) if isinstance(error, MedInjectError) else str(error)
        yield [view.alert(said), *[gr.skip()] * 6]
        return
    try:
        begun(comparison)
        letters = None if comparison.prompt.options else Letters(comparison.prompt)
        drawn = view.status(lang, comparison), view.cards(lang, comparison)
        yield [view.alert(), comparison, letters, *drawn, panel(lang, letters, right), ""]
        for comparison in stream:
            drawn = view.status(lang, comparison), view.cards(lang, comparison)
            yield [gr.skip(), comparison, gr.skip(), *drawn, gr.skip(), gr.skip()]
    finally:
        stream.close()


class _Unfit(Exception):
    """A sentence for the visitor, in their language."""


def _opened(behind: Playground, lang: str, text: str, slugs: Sequence[str], settings: Sequence[Any]) -> Comparison:
    """The comparison that a visitor asks for, before anything is said.

    Raises:
        Refused: the question may not be sent.
        ModelError: an arm is not installed.
        _Unfit: there are too few arms, or a setting is out of its bounds.
    """
    prompt = question_of(text, behind.prompts)
    if len(slugs) < FEWEST:
        raise _Unfit(say(lang, "compare.too_few"))
    values = dict(zip((bound.setting for bound in BOUNDS), settings, strict=True))
    if bound := out_of_bounds(values):
        raise _Unfit(view.outside(lang, bound))
    return opened(behind.engine, behind.title, prompt, slugs, Sampling(**values), datetime.now(UTC))


def _end(lang: str, comparison: Comparison | None, letters: Letters | None) -> list[Any]:
    """The last drawing, in the language of now: what had no end was stopped, marks and documents come."""
    if comparison is None:
        return [gr.skip()] * 4
    ended = comparison.halted(FinishReason.CANCELLED)
    return [ended, *_redrawn(lang, ended, letters)]


def _redrawn(lang: str, comparison: Comparison | None, letters: Letters | None) -> list[str]:
    """Status, cards and documents of a comparison."""
    return [view.status(lang, comparison), view.cards(lang, comparison), documents.links(lang, comparison, letters)]


def _weighing_first(behind: Playground) -> Callable[..., tuple[Any, Any]]:
    """What follows the answers: their letters, as the boxes are by then. Before, all places may be the answers'."""

    def weigh(
        lang: str, comparison: Comparison | None, letters: Letters | None, average: bool, right: bool
    ) -> tuple[Any, Any]:
        if comparison is not None and letters is not None and letters.of(comparison.prompt, comparison.arms):
            return gr.skip(), gr.skip()
        return _weigh_anew(behind, lang, comparison, average, right)

    return weigh


def _weighing(behind: Playground) -> Callable[..., tuple[Any, Any, str]]:
    """What the mean over orders does: it costs the engine as a question does, and counts as one."""

    def weigh(
        lang: str, session: str, sent: gr.Request, comparison: Comparison | None, average: bool, right: bool
    ) -> tuple[Any, Any, str]:
        try:
            if comparison is not None:
                behind.gate.admit(Act.ASK, sent, session or "")
        except Refused as error:
            return gr.skip(), gr.skip(), view.alert(explained(lang, error))
        return *_weigh_anew(behind, lang, comparison, average, right), view.alert()

    return weigh


def _weigh_anew(
    behind: Playground, lang: str, comparison: Comparison | None, average: bool, right: bool
) -> tuple[Any, Any]:
    """The letters in one order or averaged, for the question that was asked last."""
    if comparison is None:
        return gr.skip(), gr.skip()
    letters = weighed(behind.engine, comparison.prompt, comparison.arms, average=average)
    return letters, panel(lang, letters, right)
