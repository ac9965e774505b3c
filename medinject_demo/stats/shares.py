"""Shares with intervals: of votes, of answers, arm by arm.

A share is the one observed, 2 of 3 are two thirds. Its interval is by the same regression as the strengths: what the
votes of one voter, and those on one prompt, have in common counts, and the weak prior of ``logistic`` gives a width to
0 of 5 too, which is not 0 for sure.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np

from ..domain import MIXTURES, Mixture
from .comparisons import ARMS, Truths
from .estimate import Estimate, interval
from .logistic import Codes, Floats, logistic, renumbered

RIDGE: Final = 0.1
"""Precision of the prior on the logit of each share."""


@dataclass(frozen=True)
class ArmShares:
    """The share of each arm: as observed, and as a logit that the prior keeps finite, with their joint covariance."""

    observed: tuple[float, ...]
    """From 0 to 1; 0 for an arm without units."""
    logits: Floats
    covariance: Floats
    quantile: float
    counts: tuple[int, ...]
    clusters: int

    @property
    def estimates(self) -> dict[Mixture, Estimate | None]:
        """Each arm's share as observed, from 0 to 1, in an interval that holds it; None where the arm has no unit."""
        shares = zip(MIXTURES, self.counts, self.observed, self._fitted, strict=True)
        return {arm: _around(seen, fitted) if count else None for arm, count, seen, fitted in shares}

    @property
    def _fitted(self) -> list[Estimate]:
        """Each arm's share by the regression, nearer to a half than the one observed; without units, the prior's."""
        logits = zip(self.logits.tolist(), self.covariance.diagonal().tolist(), strict=True)
        return [interval(logit, variance, self.quantile, 1 / RIDGE).chance for logit, variance in logits]

    def contrast(self, weights: Sequence[float]) -> Estimate:
        """A sum of shares with weights that sum to 0, its error by the delta method; no end beyond what is possible.

        It is estimated, of shares as fitted: centred on those observed, the interval of a step from 0.97 to 0.97 on 76
        prompts held 0 in 91 %, where this one does in 95 %. Its ends are recovered from those of each arm's own
        interval, which near 0 and 1 reaches farther to the one side (MOVER, Zou and Donner, 2008, with the covariance
        of the logits for their correlation). The delta method's held the truth in 80 % for shares of 0.99 and 0.93 of
        20 answers.
        """
        shares, row = self._fitted, np.array(weights)
        value, low, high = (np.array([getattr(each, end) for each in shares]) for end in ("value", "low", "high"))
        scale = row / np.sqrt(self.covariance.diagonal())
        slope = row * value * (1 - value)

        def reach(down: Floats, up: Floats) -> float:
            """How far the sum goes where each share goes to that end which moves it so."""
            ends = scale * np.where(row > 0, down, up)
            return math.sqrt(max(float(ends @ self.covariance @ ends), 0.0))

        middle, widest = float(row @ value), float(np.abs(row).sum()) / 2
        below, above = reach(value - low, high - value), reach(high - value, value - low)
        error = float(np.sqrt(slope @ self.covariance @ slope))
        return Estimate(middle, error, max(middle - below, -widest), min(middle + above, widest))


def share(yes: Truths, cluster: Codes, group: Codes | None = None) -> Estimate | None:
    """The share of the units that are ``yes``; None without units."""
    arm = np.zeros(len(yes), np.int64)
    return arm_shares(arm, yes, cluster, group).estimates[MIXTURES[0]]


def arm_shares(arm: Codes, yes: Truths | Floats, cluster: Codes, group: Codes | None = None) -> ArmShares:
    """The shares of the arms, from n units: the arm's place in ``MIXTURES``, how far yes, and what they depend on.

    Args:
        group: a second sort of clusters, crossed with the first, as in ``logistic``: votes have a voter and a prompt.
    """
    groups = np.zeros(len(arm), np.int64) if group is None else group.astype(np.int64)
    wide = int(groups.max()) + 1 if len(groups) else 1
    place, cell = np.unique((cluster.astype(np.int64) * wide + groups) * ARMS + arm, return_inverse=True)
    units = np.bincount(cell, minlength=len(place)).astype(float)
    design = np.eye(ARMS)[place % ARMS]
    own, crossed = renumbered(place // ARMS // wide), renumbered(place // ARMS % wide)
    mean = np.bincount(cell, yes, len(place)) / units
    fitted = logistic(design, mean, units, own, RIDGE * np.eye(ARMS), None if group is None else crossed)
    counts = np.bincount(arm, minlength=ARMS)
    observed = np.bincount(arm, yes, ARMS) / np.maximum(counts, 1)
    return ArmShares(
        tuple(observed.tolist()),
        fitted.coefficients,
        fitted.covariance,
        fitted.quantile,
        tuple(counts.tolist()),
        fitted.clusters,
    )


def _around(seen: float, fitted: Estimate) -> Estimate:
    """A share as observed, in the interval of the fitted one; the prior keeps that from 0 and 1, which were seen."""
    return replace(fitted, value=seen, low=min(fitted.low, seen), high=max(fitted.high, seen))
