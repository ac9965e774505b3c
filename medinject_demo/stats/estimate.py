"""A figure with its interval. Knows nothing of votes."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

CONFIDENCE: Final = 0.95
"""Of every interval: 19 in 20 hold the truth. Each stands for itself: of 28 at once, one or two miss it."""
NORMAL: Final = 1.959963984540054
"""Half the length of a normal distribution's 95 % interval, in standard deviations."""


@dataclass(frozen=True)
class Estimate:
    """A value, its standard error, and the two ends of its interval; always finite.

    The value of a share of votes or answers is the one observed; all others are estimated.
    """

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

    def within(self, margin: float) -> bool:
        """Whether the whole interval is between ``-margin`` and ``margin``."""
        return -margin <= self.low and self.high <= margin

    def scaled(self, factor: float, shift: float = 0.0) -> Estimate:
        """The same on another scale: ``shift + factor * value``, for a factor above 0."""
        low, high = shift + factor * self.low, shift + factor * self.high
        return Estimate(shift + factor * self.value, factor * self.error, low, high)

    @property
    def chance(self) -> Estimate:
        """A logit as the probability that it stands for; the error by the slope there."""
        value, low, high = (_expit(each) for each in (self.value, self.low, self.high))
        return Estimate(value, self.error * value * (1 - value), low, high)


def interval(value: float, variance: float, quantile: float, prior: float | None = None) -> Estimate:
    """A value and ``quantile`` standard errors to each side, but no wider than the 95 % of a prior of this variance."""
    error = variance**0.5
    half = quantile * error if prior is None else min(quantile * error, NORMAL * prior**0.5)
    return Estimate(value, error, value - half, value + half)


def _expit(logit: float) -> float:
    return 1 / (1 + math.exp(-logit)) if logit > 0 else math.exp(logit) / (1 + math.exp(logit))
