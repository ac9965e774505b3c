"""One model of a vote: who is preferred, from the arms' strengths, the side and the style.

::

    logit P(left preferred) = strength[left] - strength[right] + position + sum over styles of
                              coefficient * (style[left] - style[right]) / their root mean square

A tie, good or bad, is half a win of each side; an unsure vote says nothing. A weak Gaussian prior of mean 0 on every
coefficient keeps an arm that never won finite. The covariance is robust to what the votes of one voter have in common.
Knows no board and no scale for display: everything is in logits.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Final

from ..domain import MIXTURES, Mixture
from .estimate import Estimate

if TYPE_CHECKING:
    import pandas as pd

STYLES: Final = ("words", "headers", "bold", "lists", "emoji")
"""Columns ``<name>_left`` and ``<name>_right`` of the frame; each counts by the logarithm of one more than it is."""
RIDGE: Final = 0.1
"""Precision of the prior on each coefficient: a standard deviation of 3.2 logits, 96 wins in 100."""


class Weighting(StrEnum):
    """How comparisons weigh."""

    EQUAL = "equal"
    PROPENSITY = "propensity"
    """By the inverse of the probability with which the pair was drawn, of mean 1: as if pairs were drawn uniformly."""


@dataclass(frozen=True)
class Term:
    """What one style is worth: logits for one root mean square more of it on the left than on the right."""

    name: str
    coefficient: Estimate
    scale: float
    """The root mean square of the difference, in logarithms."""


@dataclass(frozen=True)
class Preference:
    """The model fitted. Strengths are in logits and sum to 0 over the eight arms; only differences have a meaning."""

    strengths: tuple[float, ...]
    """In the order of ``MIXTURES``."""
    covariance: tuple[tuple[float, ...], ...]
    """Of the strengths, 8 x 8; that of the prior where there are no votes."""
    position: Estimate
    """What the left gains from being the left, in logits."""
    styles: tuple[Term, ...]
    """Empty for the raw model; a style that never differs is left out."""
    comparisons: int
    voters: int
    quantile: float
    """Of Student's t with one degree of freedom less than voters: the factor from error to half an interval."""

    def contrast(self, weights: Mapping[Mixture, float]) -> Estimate:
        """A sum of strengths with weights that sum to 0, and its interval from their joint covariance."""
        raise NotImplementedError

    def difference(self, one: Mixture, other: Mixture) -> Estimate:
        """How much stronger ``one`` is than ``other``, in logits."""
        return self.contrast({one: 1.0, other: -1.0}) if one != other else Estimate(0.0, 0.0, 0.0, 0.0)

    def strength(self, arm: Mixture) -> float:
        """The strength of an arm, in logits."""
        return self.strengths[MIXTURES.index(arm)]


def fit(
    frame: pd.DataFrame,
    *,
    styles: tuple[str, ...] = (),
    weighting: Weighting = Weighting.EQUAL,
    ridge: float = RIDGE,
) -> Preference:
    """Fit the model to a frame of votes (``votes.frame``). No votes at all give the prior."""
    raise NotImplementedError
