"""Figures with their intervals as texts and as bars, in a language. Pure; knows no votes and no component.

A bar is drawn by the style sheet from positions in per cent; it repeats what is written beside it, so a screen reader
is not told it.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Final

from ..stats.estimate import Estimate
from .texts import number, say

WIDEST: Final = 800.0
"""Points on each side of the reference beyond which a bar is cut: the first votes leave intervals of thousands."""

ROOM: Final = 25
"""Per cent of an axis that the figure at an end needs beside that of the line."""
FINE: Final = 0.02
"""Half width of a share's interval below which it is written with a decimal."""
NONE: Final = "–"
"""In the place of a figure that there is not."""


@dataclass(frozen=True)
class Axis:
    """What a bar is drawn on: its two ends, and the value of its line."""

    low: float
    high: float
    zero: float

    @classmethod
    def around(cls, estimates: Iterable[Estimate], *, zero: float, step: float, widest: float) -> Axis:
        """The shortest that holds all estimates in whole steps, and goes at most ``widest`` away from ``zero``."""
        ends = [end for each in estimates for end in (each.low, each.high)]
        low, high = min(ends, default=zero), max(ends, default=zero)
        least = max(1, math.ceil(min(zero - low, widest) / step))
        most = max(1, math.ceil(min(high - zero, widest) / step))
        return cls(zero - least * step, zero + most * step, zero)

    def at(self, value: float) -> float:
        """Where a value lies, in per cent of the length; what is outside is at the end."""
        return 100 * (min(max(value, self.low), self.high) - self.low) / (self.high - self.low)


def signed(lang: str, value: float, digits: int = 0) -> str:
    """A difference: always with its sign, a true minus; zero has none."""
    rounded = round(value, digits) + 0.0
    return f"{'+' if rounded > 0 else ''}{figure(lang, rounded, digits)}"


def figure(lang: str, value: float, digits: int = 0) -> str:
    """A number with a true minus."""
    return number(lang, round(value, digits) + 0.0, digits).replace("-", "\u2212")


def with_interval(
    lang: str, estimate: Estimate, digits: int = 0, *, write: Callable[[str, float, int], str] = figure
) -> str:
    """A value in bold and its interval, which one without width does not have."""
    value = f"<b>{write(lang, estimate.value, digits)}</b>"
    return (
        value
        if estimate.low == estimate.high
        else f'{value} <span class="interval">{between(lang, estimate, digits, write=write)}</span>'
    )


def between(lang: str, estimate: Estimate, digits: int = 0, *, write: Callable[[str, float, int], str] = figure) -> str:
    """``de 12 à 34``."""
    low, high = write(lang, estimate.low, digits), write(lang, estimate.high, digits)
    return say(lang, "board.interval", low=low, high=high)


def percent(lang: str, estimate: Estimate | None) -> str:
    """A share with its interval, in per cent; a dash where there is none."""
    return with_interval(lang, estimate.scaled(100), fine(estimate), write=in_percent) if estimate else NONE


def fine(share: Estimate) -> int:
    """Decimals of a share in per cent: none where its interval is wider than they would tell."""
    return int(share.half_width < FINE)


def in_percent(lang: str, value: float, digits: int = 0) -> str:
    """A number of per cent."""
    return say(lang, "board.percent", value=figure(lang, value, digits))


def bar(axis: Axis, estimate: Estimate, kind: str) -> str:
    """An interval and its value on an axis; an end that the axis cuts is open."""
    cut = ("cut-low" if estimate.low < axis.low else "", "cut-high" if estimate.high > axis.high else "")
    names = " ".join(("bar", kind, *filter(None, cut)))
    low, value, high = (axis.at(each) for each in (estimate.low, estimate.value, estimate.high))
    return (
        f'<span class="{names}" style="--low:{low:.2f}%;--value:{value:.2f}%;--high:{high:.2f}%">'
        "<span></span><span></span></span>"
    )


def track(axis: Axis, bars: Iterable[str]) -> str:
    """Bars above each other on one axis, and its line."""
    zero = f"--zero:{axis.at(axis.zero):.2f}%"
    return f'<span class="track" style="{zero}" aria-hidden="true">{"".join(bars)}</span>'


def scale(lang: str, axis: Axis, write: Callable[[str, float, int], str] = figure) -> str:
    """The line of an axis and its ends, as figures above the bars; an end too near the line has none."""
    zero = axis.at(axis.zero)
    places = {"low": (axis.low, zero >= ROOM), "zero": (axis.zero, True), "high": (axis.high, zero <= 100 - ROOM)}
    shown = (
        f'<span class="{name}" style="--value:{axis.at(value):.2f}%">{write(lang, value, 0)}</span>'
        for name, (value, fits) in places.items()
        if fits
    )
    return f'<span class="axis" aria-hidden="true">{"".join(shown)}</span>'
