"""What is known of the arms when a pair is drawn: battles by pair, and how strong each arm has been found.

Between the store and ``pairing``. A store that cannot be read holds up no duel: pairs are then drawn by what is known.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Final

from .domain import Mixture
from .errors import StoreError
from .pairing import Pair, strengths
from .votes.records import PairCount
from .votes.store import VoteStore

REFRESH: Final = 600.0
"""Seconds after which strengths are learned anew: they move slowly, and all votes are read for them."""
MANY: Final = 5_000
"""Battles beyond which nobody waits for that: a visitor's pair is drawn by the strengths that are known."""

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Known:
    """What pairs are drawn by."""

    battles: Mapping[Pair, int] = field(default_factory=dict)
    strengths: Mapping[Mixture, float] = field(default_factory=dict)
    """In logits; empty before the first votes were read."""


class Matchmaker:
    """Reads the store for ``pairing.draw``; for several threads at once."""

    def __init__(self, store: VoteStore, clock: Callable[[], float]) -> None:
        self._store, self._clock = store, clock
        self._strengths: Mapping[Mixture, float] = {}
        self._learned = -REFRESH
        self._learning = threading.Lock()

    def known(self) -> Known:
        """The battles of this moment, and strengths at most ``REFRESH`` seconds old.

        Where they cannot be read, all pairs or all arms count alike; the probability kept is still the true one.
        """
        try:
            battles = self._store.battles_by_pair()
        except StoreError as error:
            _log.warning("pairs are drawn without their counts: %s", error)
            return Known(strengths=self._strengths)
        if self._clock() - self._learned >= REFRESH and self._learning.acquire(blocking=False):
            if sum(battles.values()) > MANY:
                threading.Thread(target=self._learn, daemon=True).start()
            else:
                self._learn()
        return Known(battles, self._strengths)

    def _learn(self) -> None:
        """Learn the strengths, and give back the lock that the caller took."""
        try:
            self._strengths = strengths({pair: _score(count) for pair, count in self._store.counts().pairs.items()})
            self._learned = self._clock()
        except StoreError as error:
            _log.warning("pairs are drawn by strengths that are old: %s", error)
        finally:
            self._learning.release()


def _score(count: PairCount) -> tuple[float, float]:
    """What each of the two has won, ties being half wins."""
    half = (count.both_good + count.both_bad + count.alike) / 2
    first, second = count.wins
    return first + half, second + half
