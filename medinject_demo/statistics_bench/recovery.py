"""Planted truths found again: bias, coverage of the intervals, and what a naive analysis makes of the same votes."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from ..domain import ARMS, BASE, MIXTURES, Provenance
from ..stats.estimate import Estimate
from ..stats.preference import STYLES, Preference, fit
from ..stats.provenance import weights
from .voters import Crowd, World, simulated

if TYPE_CHECKING:
    import pandas as pd

CROWDS: Final = (
    Crowd("200 voters, 2,000 votes", 2_000, 200),
    Crowd("20 voters, 600 votes", 600, 20),
    Crowd("150 unequal voters, 2,000 votes", 2_000, 150, unequal=1.2),
    Crowd("60 voters, 150 votes", 150, 60),
)
AGAIN: Final = (
    Crowd("150 voters, 3,000 votes on 76 prompts", 3_000, 150, prompts=76),
    Crowd("30 voters, 200 votes on 4 prompts", 200, 30, prompts=4),
)
"""As the bundled prompts, and as those of one specialty: each arm has one answer to each, that is judged again."""
COPIES: Final = Crowd("200 voters, each vote cast 5 times, 3,000 votes", 3_000, 200, copies=5)
CONTRASTS: Final = tuple(of for order in (0, 1, 2) for of in itertools.combinations(Provenance, order))
"""The effects looked for: of fine-tuning at all, of each provenance, of each two."""
LOW, HIGH = 0.93, 0.97
"""The share of the runs in which an interval of 95 % should hold the truth."""


@dataclass(frozen=True)
class Found:
    """What one model made of one planted number, over all runs."""

    name: str
    truth: float
    mean: float
    deviation: float
    """Of the estimates from run to run."""
    runs: int
    coverage: float
    """Share of the runs whose interval holds the truth."""
    wrong_sign: float
    """Share of the runs whose whole interval lies on the other side of 0."""

    @property
    def bias(self) -> float:
        """The mean less the truth."""
        return self.mean - self.truth

    @property
    def bias_error(self) -> float:
        """The Monte-Carlo standard error of the bias."""
        return self.deviation / math.sqrt(self.runs)


@dataclass(frozen=True)
class Recovery:
    """One crowd, fitted in one way."""

    crowd: str
    way: str
    """``controlled``, ``raw``, ``naive``: controlled, every vote for a voter and a prompt of its own, or ``by voter``:
    controlled, every vote for a prompt of its own."""
    found: tuple[Found, ...]

    @property
    def coverages(self) -> tuple[float, float, float]:
        """The least, the mean and the greatest."""
        each = [found.coverage for found in self.found]
        return min(each), sum(each) / len(each), max(each)

    @property
    def worst_bias(self) -> Found:
        """Where the bias is largest beside the spread of the estimates."""
        return max(self.found, key=lambda found: abs(found.bias) / found.deviation)


def recovered(crowd: Crowd, ways: tuple[str, ...], runs: int, seed: int, told: Callable[[int], None]) -> list[Recovery]:
    """Draw and fit so many times; ``told`` hears of each run done."""
    samples: dict[str, list[list[Estimate]]] = {way: [] for way in ways}
    for run in range(runs):
        votes = simulated(crowd, np.random.default_rng([seed, run]))
        for way, each in samples.items():
            each.append(list(_numbers(FITS[way](votes))))
        told(run + 1)
    truths = list(_truths(crowd.world))
    return [Recovery(crowd.name, way, _found(truths, each)) for way, each in samples.items()]


def _controlled(votes: pd.DataFrame) -> Preference:
    return fit(votes, styles=STYLES)


def _naive(votes: pd.DataFrame) -> Preference:
    own = np.arange(len(votes))
    return fit(votes.assign(cluster=own, prompt=own), styles=STYLES)


def _by_voter(votes: pd.DataFrame) -> Preference:
    return fit(votes.assign(prompt=np.arange(len(votes))), styles=STYLES)


FITS: Final[dict[str, Callable[[pd.DataFrame], Preference]]] = {
    "controlled": _controlled,
    "raw": fit,
    "naive": _naive,
    "by voter": _by_voter,
}
WAYS: Final = {
    **dict.fromkeys(CROWDS, ("controlled", "raw")),
    **dict.fromkeys(AGAIN, ("controlled", "by voter")),
    COPIES: ("controlled", "naive"),
}
"""What each crowd's votes are fitted with."""


def _truths(world: World) -> Iterator[tuple[str, float]]:
    strengths = dict(zip(MIXTURES, world.strengths.tolist(), strict=True))
    yield from ((f"{arm} less base", strengths[arm] - strengths[BASE]) for arm in ARMS)
    for of in CONTRASTS:
        name = " x ".join(each.name.lower() for each in of) or "fine-tuning"
        yield name, sum(weight * strengths[arm] for arm, weight in weights(of).items())
    yield "position", world.position
    yield "length", world.words


def _numbers(model: Preference) -> Iterator[Estimate]:
    """In the order of ``_truths``; the length is left out where the model has none."""
    yield from (model.difference(arm, BASE) for arm in ARMS)
    yield from (model.contrast(weights(of)) for of in CONTRASTS)
    yield model.position
    yield from (term.coefficient.scaled(1 / term.scale) for term in model.styles if term.name == "words")


def _found(truths: list[tuple[str, float]], samples: list[list[Estimate]]) -> tuple[Found, ...]:
    found = []
    for (name, truth), each in zip(truths, zip(*samples, strict=True), strict=False):
        values = np.array([estimate.value for estimate in each])
        held = np.mean([estimate.low <= truth <= estimate.high for estimate in each])
        wrong = np.mean([estimate.sign() * np.sign(truth) < 0 for estimate in each])
        found.append(
            Found(name, truth, float(values.mean()), float(values.std()), len(values), float(held), float(wrong))
        )
    return tuple(found)
