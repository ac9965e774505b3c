"""The board's figures for a paper or a slide: SVG whose text is text, or PNG. The page draws its own, in HTML.

With matplotlib's objects alone, never pyplot's state: several may be drawn at once.
"""

from __future__ import annotations

import html
import io
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, Final

from ..pairing import pairs
from ..stats.board import HOME, POINTS, Board, Standing
from ..stats.estimate import Estimate
from ..stats.provenance import Outcome, Provenances
from .board_effects import axis_of, label, sentence
from .board_parts import MARKS, short
from .board_ranking import axis_of as ranking_axis
from .measures import Axis, between, figure, signed
from .texts import name, number, say

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

TEAL, VIOLET, GREY, INK = "#0f766e", "#6d28d9", "#64748b", "#0f172a"
TINTS: Final = {
    Standing.AHEAD: "#99f6e4",
    Standing.BEHIND: "#ddd6fe",
    Standing.LEVEL: "#e2e8f0",
    Standing.TOO_FEW: "#ffffff",
}
LOOK: Final[dict[Any, Any]] = {
    "svg.fonttype": "none",
    "svg.hashsalt": "medinject",
    "font.family": "DejaVu Sans",
    "font.size": 9,
}
"""Text stays text; the same board gives the same file."""
LOOKS: Final[dict[str, dict[str, Any]]] = {
    "controlled": {"color": TEAL, "marker": "o", "markerfacecolor": TEAL},
    "raw": {"color": VIOLET, "marker": "D", "markerfacecolor": "white"},
}
_OFFSET: Final = 0.17


def ranking(lang: str, board: Board) -> Figure:
    """Strengths with their intervals, strongest first; the raw model's below the style-controlled one's."""
    drawn, axes = _figure(lang, say(lang, "board.figure_ranking"), board, height=5.0)
    axis = ranking_axis(board)
    met = [row for row in board.rows if row.tally.votes]
    rows = [(name(lang, row.arm), (row.controlled.points, row.raw.points)) for row in met]
    _forest(axes, axis, rows)
    _ticks(axes, axis, lambda each: figure(lang, each))
    axes.set_xlabel(say(lang, "board.figure_points", home=number(lang, HOME)))
    _legend(lang, axes)
    return drawn


def effects(lang: str, board: Board, found: Provenances) -> Figure:
    """What each provenance adds to the preference, and how they interact, from both models."""
    drawn, axes = _figure(lang, say(lang, "board.figure_effects"), board, height=4.6)
    controlled, raw = found.preference, found.raw_preference
    axis = axis_of(controlled, raw)
    rows = [
        (label(lang, one.provenances), (one.estimate.scaled(POINTS), other.estimate.scaled(POINTS)))
        for one, other in zip(controlled.effects, raw.effects, strict=True)
    ]
    _forest(axes, axis, rows)
    _ticks(axes, axis, lambda each: signed(lang, each))
    axes.set_xlabel(say(lang, "board.figure_effect"))
    _legend(lang, axes)
    return drawn


def matrix(lang: str, board: Board) -> Figure:
    """Wins and losses of each arm beside each other, tinted by what can be said."""
    drawn, axes = _figure(lang, say(lang, "board.figure_matrix"), board, height=5.6)
    arms = [row.arm for row in board.rows]
    for down, arm in enumerate(arms):
        for across, other in enumerate(arms):
            if arm != other:
                cell = board.cells[arm, other]
                axes.add_patch(_square(across, down, TINTS[cell.standing]))
                told = f"{number(lang, cell.tally.wins)}–{number(lang, cell.tally.losses)}\n{MARKS[cell.standing]}"
                axes.text(across, down, told, ha="center", va="center", color=INK, fontsize=8)
    axes.set(xlim=(-0.5, 7.5), ylim=(7.5, -0.5), xticks=range(8), yticks=range(8))
    axes.set_xticklabels([short(lang, arm) for arm in arms])
    axes.set_yticklabels([name(lang, arm) for arm in arms])
    axes.xaxis.tick_top()
    axes.tick_params(length=0)
    return drawn


def ranking_told(lang: str, board: Board) -> Iterator[str]:
    """The numbers of the ranking, a sentence for each arm."""
    for row in (row for row in board.rows if row.tally.votes):
        controlled, raw = (_told(lang, each.points, figure) for each in (row.controlled, row.raw))
        yield say(lang, "board.told_arm", arm=name(lang, row.arm), controlled=controlled, raw=raw)


def matrix_told(lang: str, board: Board) -> Iterator[str]:
    """The numbers of the matrix, a sentence for each of the 28 pairs."""
    for one, other in pairs():
        cell = board.cells[one, other]
        yield say(
            lang,
            "board.told_pair",
            arm=name(lang, one),
            other=name(lang, other),
            wins=number(lang, cell.tally.wins),
            losses=number(lang, cell.tally.losses),
            standing=say(lang, f"board.standing_{cell.standing}"),
        )


def effects_told(lang: str, found: Provenances) -> Iterator[str]:
    """The effects, a sentence for each."""
    return (sentence(lang, each, Outcome.PREFERENCE) for each in found.preference.effects)


def svg(drawn: Figure, board: Board, title: str, told: str) -> bytes:
    """A figure as SVG, with a title and a description for who cannot see it."""
    text = _saved(
        drawn, "svg", {"Title": title, "Date": board.as_of.isoformat(timespec="seconds"), "Description": told}
    )
    described = f"</title>\n <desc>{html.escape(told)}</desc>"
    return text.decode().replace("</title>", described, 1).replace("<svg ", '<svg role="img" ', 1).encode()


def png(drawn: Figure, board: Board, title: str, told: str) -> bytes:
    """A figure as PNG, the same texts in its metadata."""
    when = board.as_of.isoformat(timespec="seconds")
    return _saved(drawn, "png", {"Title": title, "Creation Time": when, "Description": told})


def _saved(drawn: Figure, form: str, metadata: dict[str, str]) -> bytes:
    from matplotlib import rcParams

    rcParams.update(LOOK)
    file = io.BytesIO()
    drawn.savefig(file, format=form, dpi=200, metadata=metadata)
    return file.getvalue()


def _figure(lang: str, title: str, board: Board, *, height: float) -> tuple[Figure, Axes]:
    """A sheet with its title, and a foot that says when and of what it is."""
    from matplotlib import rcParams
    from matplotlib.figure import Figure

    from .board_view import selected

    rcParams.update(LOOK)  # never taken back: nothing else here draws
    drawn = Figure(figsize=(7.2, height), layout="constrained", facecolor="white")
    axes = drawn.subplots()
    drawn.suptitle(title, x=0.01, ha="left", fontweight="bold", color=INK)
    counts = {"comparisons": number(lang, board.comparisons), "voters": number(lang, board.voters)}
    of = f"{say(lang, 'board.as_of', at=board.as_of)} · {selected(lang, board.selection)}"
    foot = f"{of}\n{say(lang, 'board.figure_foot', **counts)}"
    drawn.supxlabel(foot, x=0.01, ha="left", fontsize=7.5, color=GREY)
    for side in ("top", "right", "left", "bottom"):
        axes.spines[side].set_visible(False)
    return drawn, axes


def _forest(axes: Axes, axis: Axis, rows: Sequence[tuple[str, tuple[Estimate, Estimate]]]) -> None:
    """Two intervals a row, from top to bottom; one that leaves the axis ends in an arrow."""
    axes.axvline(axis.zero, color=GREY, linewidth=0.8, zorder=0)
    for place, (_, (controlled, raw)) in enumerate(rows):
        _interval(axes, axis, place - _OFFSET, controlled, LOOKS["controlled"])
        _interval(axes, axis, place + _OFFSET, raw, LOOKS["raw"])
    axes.set(ylim=(len(rows) - 0.5, -0.5), yticks=range(len(rows)), xlim=(axis.low, axis.high))
    axes.set_yticklabels([text for text, _ in rows])
    axes.tick_params(axis="y", length=0)
    axes.grid(axis="x", color="#e2e8f0", linewidth=0.6)
    axes.set_axisbelow(True)


def _interval(axes: Axes, axis: Axis, height: float, shown: Estimate, look: dict[str, Any]) -> None:
    color = look["color"]
    low, high = max(shown.low, axis.low), min(shown.high, axis.high)
    axes.plot([low, high], [height, height], color=color, linewidth=1.6, solid_capstyle="butt")
    for end, cut, arrow in ((low, shown.low < axis.low, "<"), (high, shown.high > axis.high, ">")):
        if cut:
            axes.plot([end], [height], marker=arrow, color=color, markersize=6, clip_on=False)
    if axis.low <= shown.value <= axis.high:
        axes.plot([shown.value], [height], linestyle="", markersize=5.5, **look)


def _ticks(axes: Axes, axis: Axis, write: Any) -> None:
    from matplotlib.ticker import FuncFormatter, MaxNLocator

    axes.xaxis.set_major_locator(MaxNLocator(7, steps=[1, 2, 2.5, 5, 10]))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: write(value)))
    axes.tick_params(axis="x", colors=INK)


def _legend(lang: str, axes: Axes) -> None:
    from matplotlib.lines import Line2D

    keys = [Line2D([], [], label=say(lang, f"board.legend_{key}"), **look) for key, look in LOOKS.items()]
    axes.legend(handles=keys, loc="lower left", bbox_to_anchor=(0, 1), ncols=2, frameon=False, borderaxespad=0)


def _told(lang: str, shown: Estimate, write: Callable[[str, float, int], str]) -> str:
    value = write(lang, shown.value, 0)
    return value if shown.low == shown.high else f"{value} ({between(lang, shown, write=write)})"


def _square(across: float, down: float, color: str) -> Any:
    from matplotlib.patches import Rectangle

    return Rectangle((across - 0.5, down - 0.5), 1, 1, facecolor=color, edgecolor="white", linewidth=1.5)
