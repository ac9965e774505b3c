"""Shares with intervals: of votes, of answers, arm by arm. By the same regression, so that each has a width.

A share of 0 in 5 is not 0 for sure: the weak prior of ``logistic`` keeps it inside, and the voters' dependence counts.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from scipy.special import expit

from ..domain import MIXTURES, Mixture
from .comparisons import ARMS, Truths
from .estimate import Estimate, interval
from .logistic import Codes, Floats, logistic, renumbered

RIDGE: Final = 0.1
"""Precision of the prior on the logit of each share."""


@dataclass(frozen=True)
class ArmShares:
    """The share of each arm, as a logit, with their joint covariance."""

    logits: Floats
    covariance: Floats
    quantile: float
    counts: tuple[int, ...]
    clusters: int

    @property
    def estimates(self) -> dict[Mixture, Estimate | None]:
        """Each arm's share, from 0 to 1; None where the arm has no unit."""
        return {
            arm: interval(float(logit), float(variance), self.quantile, 1 / RIDGE).chance if count else None
            for arm, count, logit, variance in zip(
                MIXTURES, self.counts, self.logits, self.covariance.diagonal(), strict=True
            )
        }

    def contrast(self, weights: Sequence[float]) -> Estimate:
        """A sum of shares with weights that sum to 0, by the delta method; neither end beyond what shares can reach."""
        fitted = expit(self.logits)
        row = np.array(weights)
        widest = float(np.abs(row).sum()) / 2
        slope = row * fitted * (1 - fitted)
        whole = interval(float(row @ fitted), float(slope @ self.covariance @ slope), self.quantile)
        return Estimate(whole.value, whole.error, max(whole.low, -widest), min(whole.high, widest))


def share(yes: Truths, cluster: Codes) -> Estimate | None:
    """The share of the units that are ``yes``; None without units."""
    arm = np.zeros(len(yes), np.int64)
    return arm_shares(arm, yes, cluster).estimates[MIXTURES[0]]


def arm_shares(arm: Codes, yes: Truths | Floats, cluster: Codes) -> ArmShares:
    """The shares of the arms, from n units: the arm's place in ``MIXTURES``, how far yes, and what they depend on."""
    clusters = int(cluster.max()) + 1 if len(cluster) else 0
    place = cluster * ARMS + arm
    units = np.bincount(place, minlength=clusters * ARMS)
    of_yes = np.bincount(place, yes, clusters * ARMS)
    met = np.flatnonzero(units)
    design = np.zeros((len(met), ARMS))
    design[np.arange(len(met)), met % ARMS] = 1
    own = renumbered(met // ARMS)
    fitted = logistic(design, of_yes[met] / units[met], units[met].astype(float), own, RIDGE * np.eye(ARMS))
    counts = tuple(np.bincount(arm, minlength=ARMS).tolist())
    return ArmShares(fitted.coefficients, fitted.covariance, fitted.quantile, counts, fitted.clusters)
