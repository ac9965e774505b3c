"""A figure with its interval. Knows nothing of votes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

CONFIDENCE: Final = 0.95
"""Of every interval: 19 in 20 hold the truth. Each stands for itself: of 28 at once, one or two miss it."""


@dataclass(frozen=True)
class Estimate:
    """A value, its standard error, and the two ends of its interval; always finite."""

    value: float
    error: float
    low: float
    high: float

    @property
    def half_width(self) -> float:
        """Half of the interval's length."""
        return (self.high - self.low) / 2

    def sign(self, zero: float = 0.0) -> int:
        """1 where the whole interval is above ``zero``, -1 where it is below, 0 where it holds it."""
        return int(self.low > zero) - int(self.high < zero)

    def scaled(self, factor: float, shift: float = 0.0) -> Estimate:
        """The same on another scale: ``shift + factor * value``, for a factor above 0."""
        low, high = shift + factor * self.low, shift + factor * self.high
        return Estimate(shift + factor * self.value, factor * self.error, low, high)

    def mapped(self, way: Callable[[float], float], slope: float) -> Estimate:
        """The same through an increasing function, whose slope at the value gives the error."""
        return Estimate(way(self.value), self.error * slope, way(self.low), way(self.high))
