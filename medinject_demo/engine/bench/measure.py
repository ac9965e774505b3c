"""Timing side by side, and the line of a table that comes of it. Standard library only; knows nothing of models."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from statistics import median
from typing import Generic, TypeVar

Clock = Callable[[], float]
"""Seconds from an arbitrary start."""

T = TypeVar("T")


@dataclass(frozen=True)
class Goal:
    """A limit that a figure shall not pass."""

    limit: float
    at_most: bool = True

    def met_by(self, measured: float) -> bool:
        """True where the figure is on the right side of the limit, or on it."""
        return measured <= self.limit if self.at_most else measured >= self.limit

    def __str__(self) -> str:
        return f"{'≤' if self.at_most else '≥'} {self.limit:g}"


@dataclass(frozen=True)
class Line:
    """One line of the table. ``measured`` None is a figure that could not be taken; ``note`` then says why."""

    name: str
    """What ``--only`` takes; several lines that come of one measurement share it."""
    what: str
    measured: float | None
    unit: str = ""
    goal: Goal | None = None
    note: str = ""
    samples: Mapping[str, Sequence[float]] = field(default_factory=dict)
    """Raw figures by variant, in the order they were taken."""

    @classmethod
    def not_run(cls, name: str, what: str, why: str) -> Line:
        """A line without a figure."""
        return cls(name, what, None, note=f"not run: {why}")

    @classmethod
    def ahead(cls, name: str, what: str) -> Line:
        """A line whose turn has not come: what a run that is ended before it leaves of it."""
        return cls(name, what, None, note="not run yet")

    @property
    def cells(self) -> tuple[str, str, str, str, str]:
        """Name, what, figure, goal, and whether it is met, as a table shows them."""
        met = {True: "yes", False: "no", None: ""}[self.met]
        shown = "—" if self.measured is None else figure(self.measured, self.unit)
        return self.name, self.what, shown, f"{self.goal} {self.unit}".rstrip() if self.goal else "", met

    def __str__(self) -> str:
        name, what, shown, goal, met = self.cells
        beside = f" (goal {goal}: {met})" if met else ""
        return f"{name}: {what}: {shown}{beside}" + (f"; {self.note}" if self.note else "")

    @property
    def met(self) -> bool | None:
        """Whether the goal is met; None where there is none, or no figure."""
        return None if self.goal is None or self.measured is None else self.goal.met_by(self.measured)


def figure(measured: float, unit: str = "") -> str:
    """Three digits that mean something, and the unit."""
    size = abs(measured)
    digits = 0 if measured == int(measured) or size >= 100 else 1 if size >= 10 else 2 if size >= 0.1 else 4
    return f"{measured:,.{digits}f} {unit}".rstrip()


@dataclass(frozen=True)
class Timings(Generic[T]):
    """Seconds of each variant, in the order they were taken, and what each gave back last."""

    seconds: Mapping[str, Sequence[float]]
    last: Mapping[str, T]

    def median(self, variant: str) -> float:
        """Median seconds of a variant."""
        return median(self.seconds[variant])

    def ratio(self, variant: str, other: str) -> float:
        """Median of one variant over the median of the other."""
        return self.median(variant) / self.median(other)


def side_by_side(variants: Mapping[str, Callable[[], T]], repeats: int, clock: Clock) -> Timings[T]:
    """Time the variants in turn, A B A B …, so that a drift of the machine hits all; each is run once before, untimed.

    A variant shall end with its results on the host, so that no work is left on a device when the clock is read.
    """
    last = {name: variant() for name, variant in variants.items()}
    seconds: dict[str, list[float]] = {name: [] for name in variants}
    for _ in range(repeats):
        for name, variant in variants.items():
            started = clock()
            last[name] = variant()
            seconds[name].append(clock() - started)
    return Timings(seconds, last)
