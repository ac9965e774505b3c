"""One model of a vote: who is preferred, from the arms' strengths, the side and the style.

::

    logit P(left preferred) = strength[left] - strength[right] + position + sum over styles of
                              coefficient * (style[left] - style[right]) / their root mean square

A tie, good or bad, is half a win of each side; an unsure vote says nothing. A weak Gaussian prior of mean 0 on every
coefficient keeps an arm that never won finite. The covariance is robust to what the votes of one voter have in common,
and those on the answers to one prompt, which are the same texts again and again. So an interval is for other voters and
for other prompts like those asked. Knows no board and no scale for display: everything is in logits.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Final

import numpy as np
from scipy.special import stdtr

from ..domain import MIXTURES, Mixture
from .comparisons import ARMS, Comparisons
from .estimate import Estimate, interval
from .logistic import Codes, Floats, Logistic, logistic

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
    """By the inverse of the probability with which the pair was drawn, of mean 1: as if pairs were drawn uniformly
    among those that their voter could be shown blind."""


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
    """Those that say something of preference: unsure votes are not among them."""
    battles: int
    """Of those comparisons: a ranking is one, and so is a duel whatever the number of its votes."""
    voters: int
    prompts: int
    """Of those comparisons."""
    quantile: float
    """Of Student's t with one degree of freedom less than ``effective`` voters, or prompts where those are fewer: from
    error to half an interval."""
    degrees: float
    """Of freedom, of that Student's t."""
    ridge: float

    def contrast(self, weights: Mapping[Mixture, float]) -> Estimate:
        """A sum of strengths with weights that sum to 0, and its interval from their joint covariance.

        The interval is never wider than the prior's own, to which it falls back where there are no votes.
        """
        row = np.array([weights.get(mixture, 0.0) for mixture in MIXTURES])
        variance = float(row @ np.array(self.covariance) @ row)
        prior = float(row @ row) / self.ridge if self.ridge else None
        return interval(float(row @ self.strengths), variance, self.quantile, prior)

    def difference(self, one: Mixture, other: Mixture) -> Estimate:
        """How much stronger ``one`` is than ``other``, in logits."""
        return self.contrast({one: 1.0, other: -1.0}) if one != other else Estimate(0.0, 0.0, 0.0, 0.0)

    def doubt(self, one: Mixture, other: Mixture) -> float:
        """The probability of a difference as far from 0 as theirs or farther, were they equal: two-sided."""
        difference = self.difference(one, other)
        return 2 * float(stdtr(self.degrees, -abs(difference.value) / difference.error)) if difference.error else 1.0

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
    """Fit the model to a frame of votes (``votes.frame``). No votes at all give the prior.

    ``ridge`` may be 0 where the arms that met are all eight, connected, and none has won or lost everything.
    """
    said = Comparisons.of(frame)
    frame, kept = frame[said.said], said.kept(said.said)
    differences, scales = _styles(frame, styles)
    fitted = logistic(
        design(kept.left, kept.right, differences),
        kept.share,
        _weights(frame, weighting),
        kept.voter,
        precision(ridge, ARMS, 1 + len(scales)),
        kept.prompt,
    )
    return _preference(fitted, scales, kept, ridge)


def design(left: Codes, right: Codes, styles: Floats, arms: int = ARMS) -> Floats:
    """One row for each comparison: 1 for the left's arm, -1 for the right's, 1 for the position, then the styles."""
    rows = np.zeros((len(left), arms + 1 + styles.shape[1]), order="F")
    places = np.arange(len(left))
    rows[places, left] = 1
    rows[places, right] -= 1
    rows[:, arms] = 1
    rows[:, arms + 1 :] = styles
    return rows


def precision(ridge: float, arms: int, others: int) -> Floats:
    """The prior's: ``ridge`` on each coefficient, and 1 on the sum of the strengths, of which votes say nothing."""
    prior = ridge * np.eye(arms + others)
    prior[:arms, :arms] += 1
    return prior


def _styles(frame: pd.DataFrame, names: tuple[str, ...]) -> tuple[Floats, dict[str, float]]:
    """The differences in logarithms by their root mean square, and that for each name; those that never differ go."""
    columns, scales = [], {}
    for name in names:
        left, right = (frame[f"{name}_{side}"].to_numpy(np.float64) for side in ("left", "right"))
        difference = np.log1p(left) - np.log1p(right)
        if difference.any():
            scales[name] = float(np.sqrt((difference**2).mean()))
            columns.append(difference / scales[name])
    return (np.stack(columns, axis=1) if columns else np.zeros((len(frame), 0))), scales


def _weights(frame: pd.DataFrame, weighting: Weighting) -> Floats:
    weights = frame["weight"].to_numpy(np.float64)
    if weighting is Weighting.PROPENSITY and len(frame):
        drawn = weights / frame["propensity"].to_numpy(np.float64)
        weights = drawn * (weights.sum() / drawn.sum())
    return weights


def _preference(fitted: Logistic, scales: Mapping[str, float], said: Comparisons, ridge: float) -> Preference:
    values, covariance = fitted.coefficients, fitted.covariance
    others = [
        interval(float(values[place]), float(covariance[place, place]), fitted.quantile, 1 / ridge if ridge else None)
        for place in range(ARMS, len(values))
    ]
    return Preference(
        strengths=tuple(values[:ARMS].tolist()),
        covariance=tuple(map(tuple, covariance[:ARMS, :ARMS].tolist())),
        position=others[0],
        styles=tuple(Term(name, term, scales[name]) for name, term in zip(scales, others[1:], strict=True)),
        comparisons=len(said.left),
        battles=len(np.unique(said.battle)),
        voters=fitted.clusters,
        prompts=said.prompts,
        quantile=fitted.quantile,
        degrees=fitted.degrees,
        ridge=ridge,
    )
