"""How many votes the pairing saves: duels drawn by it or uniformly, until the widest interval is narrow enough."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from random import Random
from typing import Final

import numpy as np

from ..domain import MIXTURES
from ..pairing import Pair, pairs, probabilities, strengths
from ..stats.estimate import NORMAL
from ..stats.logistic import Floats, logistic
from ..stats.preference import RIDGE, precision

TARGET: Final = 0.5
"""Half of the widest of the 28 intervals, in logits, at which enough is known."""
CHECKED: Final = 25
"""Votes after which the interval is looked at, and the strengths are learned anew."""
VISITORS: Final = 5
"""Duels drawn on the same counts, as where so many visitors come at once."""
TIES: Final = 0.3
CLOSE: Final = (0.0, 0.1, 0.2, 0.1, 0.2, 0.3, 0.4)
SETTINGS: Final[Mapping[str, Sequence[float]]] = {
    "the base 2.5 logits below the seven others, which are close (the study's)": (-2.5, *CLOSE),
    "the base 2.5 logits above them": (2.5 + 0.2, *CLOSE),
    "the base 2 logits below them": (-2.0, *CLOSE),
    "eight arms evenly over 3 logits": tuple(3 * place / 7 for place in range(8)),
    "eight arms evenly over 1 logit": tuple(place / 7 for place in range(8)),
    "eight equal arms": (0.0,) * 8,
}
"""Planted strengths in logits; the first is the one that the goal is for."""
GOAL: Final = 0.25
"""Share of the votes to be saved in the first setting."""

_PAIRS: Final = pairs()
_ROWS: Final = np.array([[(arm == one) - (arm == other) for arm in MIXTURES] for one, other in _PAIRS], dtype=float)


@dataclass(frozen=True)
class Saved:
    """Votes needed in one setting, run by run."""

    setting: str
    uniform: tuple[int, ...]
    active: tuple[int, ...]
    goal: float | None = None

    @property
    def share(self) -> float:
        """How many votes fewer the pairing needs, as a share of those of uniform draws."""
        return 1 - sum(self.active) / sum(self.uniform)

    @property
    def error(self) -> float:
        """The Monte-Carlo standard error of the share."""
        ratio, uniform = 1 - self.share, np.array(self.uniform)
        return float((np.array(self.active) - ratio * uniform).std() / uniform.mean() / math.sqrt(len(uniform)))


def saved(runs: int, told: Callable[[str], None], target: float = TARGET) -> list[Saved]:
    """Every setting, so many runs of each way."""
    found = []
    for place, (setting, strong) in enumerate(SETTINGS.items()):
        told(setting)
        uniform, active = (
            tuple(needed(strong, Random(run), active=way, target=target) for run in range(runs))
            for way in (False, True)
        )
        found.append(Saved(setting, uniform, active, None if place else GOAL))
    return found


def needed(strong: Sequence[float], generator: Random, *, active: bool, target: float = TARGET) -> int:
    """Votes until the widest interval of the differences is at most ``target`` to each side."""
    chances = 1 / (1 + np.exp(-_ROWS @ np.array(strong)))
    met, won = np.zeros(len(_PAIRS)), np.zeros(len(_PAIRS))
    drawn = [1 / len(_PAIRS)] * len(_PAIRS)
    known: dict[Pair, tuple[float, float]] = {}
    for votes in range(1, 1_000_000):
        if active and votes % VISITORS == 1:
            drawn = _drawn(met, known)
        (pair,) = generator.choices(range(len(_PAIRS)), drawn)
        met[pair] += 1
        won[pair] += _share(float(chances[pair]), generator.random())
        if votes % CHECKED == 0:
            if widest(met, won) <= target:
                return votes
            known = {each: (won[place], met[place] - won[place]) for place, each in enumerate(_PAIRS)}
    raise AssertionError("a million votes narrow any interval")


def widest(met: Floats, won: Floats) -> float:
    """Half of the widest of the 28 intervals, from the counts by pair; votes are independent here."""
    fought = met > 0
    fitted = logistic(
        _ROWS[fought],
        won[fought] / met[fought],
        met[fought],
        np.zeros(int(fought.sum()), np.int64),
        precision(RIDGE, len(MIXTURES), 0),
    )
    return NORMAL * float(np.sqrt(np.einsum("ij,jk,ik->i", _ROWS, fitted.covariance, _ROWS).max()))


def _drawn(met: Floats, known: Mapping[Pair, tuple[float, float]]) -> list[float]:
    counts = {pair: int(count) for pair, count in zip(_PAIRS, met, strict=True)}
    return list(probabilities(MIXTURES, counts, strong=strengths(known)).values())


def _share(chance: float, draw: float) -> float:
    """1, a half or 0, of mean ``chance``."""
    tie = TIES * min(chance, 1 - chance)
    return 1.0 if draw < chance - tie / 2 else 0.5 if draw < chance + tie / 2 else 0.0
