"""Logistic regression of shares with a Gaussian prior, and a covariance that holds for votes that come in clusters.

Own Newton steps: statsmodels' GLM has no clustered covariance of a penalised fit. It is the oracle of the tests, which
hold the two together where there is no prior. Knows nothing of votes, arms or frames.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit, stdtrit

from .estimate import CONFIDENCE

Floats = NDArray[np.float64]
Codes = NDArray[np.integer[Any]]

STEPS: Final = 60
NEAR: Final = 1e-10
"""A largest step, in logits, after which no other is taken."""
LONG: Final = 1.0
"""A largest step, in logits, beyond which it is checked that it climbs."""
LEAST: Final = 0.25
"""Of the variance for independent rows: what scores vary by at least, for less is hardly anything but luck."""
MANY: Final = 50_000
"""Rows of the part from which a fit of many more is begun."""
HEAVY: Final = 0.005
"""Leverage of a cluster from which its scores are corrected: below, the correction is less than half a per cent."""


@dataclass(frozen=True)
class Logistic:
    """A fit: k coefficients, their k x k covariance, and on how many clusters of equal weight these rest."""

    coefficients: Floats
    covariance: Floats
    clusters: int
    degrees: float
    """Of freedom, of Student's t."""

    @property
    def quantile(self) -> float:
        """From a standard error to half an interval."""
        return student(self.degrees + 1)


def logistic(
    design: Floats, share: Floats, weight: Floats, cluster: Codes, precision: Floats, group: Codes | None = None
) -> Logistic:
    """Fit P(share) = expit(design @ coefficients).

    Args:
        design: n x k.
        share: n numbers from 0 to 1, a half for a tie.
        weight: n numbers above 0.
        cluster: n codes from 0; rows of one code may depend on each other in any way.
        precision: k x k, of the Gaussian prior of mean 0. Where it is 0, ``design`` must have full rank.
        group: n codes from 0 of a second sort of clusters, crossed with the first; none where it is not given.

    The covariance is A^-1 (B + precision) A^-1 with A the curvature of the penalised likelihood and B the sum of the
    outer products of the clusters' scores, each as it would be without the cluster's own pull on the fit (the jackknife
    of Bell and McCaffrey, 2002). With one cluster, B is the likelihood's curvature: rows count as independent.
    Where rows are fitted nearly without error, as where one side always wins, scores hardly vary and B would vanish: in
    no direction is it less than ``LEAST`` of what it is for independent rows.
    Clusters of different sizes count as fewer: the degrees of freedom are those of as many equal ones.
    With groups, B also has what the rows of a group have in common over clusters (the two-way covariance of Cameron,
    Gelbach and Miller, 2011), and the degrees of freedom are those of whichever are fewer.
    """
    coefficients = _newton(design, share, weight, precision)
    fitted = expit(design @ coefficients)
    mass = weight * fitted * (1 - fitted)
    curvature = (design * mass[:, None]).T @ design + precision
    clusters = int(cluster.max()) + 1 if len(cluster) else 0
    if clusters < 2:
        middle = curvature - precision
    else:
        rows = design * (weight * (share - fitted))[:, None]
        model = _spared(share, weight, mass) * (curvature - precision)
        middle = _unpulled(_summed(rows, cluster, clusters), design, mass, cluster, curvature)
        middle = _floored(middle if group is None else middle + _crossed(rows, cluster, group), model)
    inverse = np.linalg.inv(curvature)
    many = min(effective(np.bincount(each, mass)) for each in (cluster, group) if each is not None)
    return Logistic(coefficients, inverse @ (middle + precision) @ inverse, clusters, max(many - 1, 1.0))


def renumbered(codes: Codes) -> Codes:
    """Codes of the same order without gaps, from 0."""
    used = np.bincount(codes) > 0
    return (np.cumsum(used) - 1)[codes]


def effective(sizes: NDArray[Any]) -> float:
    """How many equal clusters would weigh as these: the square of their sum over the sum of their squares."""
    return float(sizes.sum() ** 2 / (sizes**2).sum()) if sizes.any() else 0.0


def student(clusters: float) -> float:
    """The quantile of Student's t for an interval, with one degree of freedom less than clusters, and one at least."""
    return float(stdtrit(max(clusters - 1, 1), (1 + CONFIDENCE) / 2))


def _newton(design: Floats, share: Floats, weight: Floats, precision: Floats) -> Floats:
    """The maximum of the penalised likelihood, which is concave: Newton's steps, a long one halved until it climbs.

    Many rows are begun from the maximum for a part of them, which saves most of the steps.
    """
    part = len(design) // MANY
    here = np.zeros(design.shape[1])
    if part > 1:
        here += _newton(design[::part], share[::part], weight[::part], precision)
    for _ in range(STEPS):
        fitted = expit(design @ here)
        mass = weight * fitted * (1 - fitted)
        slope = design.T @ (weight * (share - fitted)) - precision @ here
        step = np.linalg.solve((design * mass[:, None]).T @ design + precision, slope)
        if abs(step).max() > LONG:
            step = _climbing(step, here, lambda at: _height(at, design, share, weight, precision))
        here = here + step
        if abs(step).max() < NEAR:
            break
    return here


def _climbing(step: Floats, here: Floats, height: Callable[[Floats], float]) -> Floats:
    """The step, halved until it leads no lower than here."""
    low = height(here)
    while height(here + step) < low and abs(step).max() > NEAR:
        step = step / 2
    return step


def _height(at: Floats, design: Floats, share: Floats, weight: Floats, precision: Floats) -> float:
    """The penalised log likelihood."""
    logit = design @ at
    return float(weight @ (share * logit - np.logaddexp(0, logit)) - at @ precision @ at / 2)


def _summed(rows: Floats, cluster: Codes, clusters: int) -> Floats:
    """The rows of each cluster summed: clusters x k."""
    return np.stack([np.bincount(cluster, column, clusters) for column in rows.T], axis=1)


def _unpulled(scores: Floats, design: Floats, mass: Floats, cluster: Codes, curvature: Floats) -> Floats:
    """The outer products of the scores, those of heavy clusters as they would be in a fit without the cluster.

    With M the cluster's share of the curvature A, its score s becomes (1 - M A^-1)^-1 s = A (A - M)^-1 s.
    """
    clusters = len(scores)
    pull = np.bincount(cluster, mass * ((design @ np.linalg.inv(curvature)) * design).sum(axis=1), clusters)
    heavy = np.flatnonzero(pull > HEAVY)
    rows = np.flatnonzero((pull > HEAVY)[cluster])
    rows = rows[np.argsort(cluster[rows], kind="stable")]
    starts, ends = (np.searchsorted(cluster[rows], heavy, side=side) for side in ("left", "right"))
    for each, start, end in zip(heavy, starts, ends, strict=True):
        mine = rows[start:end]
        own = (design[mine] * mass[mine, None]).T @ design[mine]
        scores[each] = curvature @ np.linalg.solve(curvature - own, scores[each])
    return scores.T @ scores * (clusters - 1) / clusters


def _crossed(rows: Floats, cluster: Codes, group: Codes) -> Floats:
    """The outer products of the groups' scores, less those of each cluster's part of a group, which clusters hold."""
    code = cluster.astype(np.int64) * (int(group.max()) + 1) + group
    _, first, cell = np.unique(code, return_index=True, return_inverse=True)
    several = np.bincount(group[first])[group] > 1
    if not several.any():
        return np.zeros((rows.shape[1],) * 2)
    own, whole = renumbered(cell[several]), renumbered(group[several])
    parts, sums = (_summed(rows[several], each, int(each.max()) + 1) for each in (own, whole))
    return sums.T @ sums - parts.T @ parts


def _spared(share: Floats, weight: Floats, mass: Floats) -> float:
    """The part of the model's variance that ties leave: a half varies less than a win or a loss."""
    whole = float(mass.sum())
    return max(1 - float(weight @ (share * (1 - share))) / whole, 0.0) if whole else 0.0


def _floored(middle: Floats, model: Floats) -> Floats:
    """``middle``, in each direction at least ``LEAST`` of ``model``: both k x k, the eigenvalues of their ratio."""
    values, vectors = np.linalg.eigh(model)
    seen = values > values.max() * 1e-12
    if not seen.any():
        return middle
    root = vectors[:, seen] * np.sqrt(values[seen])
    back = vectors[:, seen] / np.sqrt(values[seen])
    ratios, turned = np.linalg.eigh(back.T @ middle @ back)
    lacking: Floats = root @ (turned * np.maximum(LEAST - ratios, 0)) @ turned.T @ root.T
    return middle + lacking
