"""What is known of the arms when a pair is drawn: battles by pair that tell, and how strong each arm has been found.

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
"""Seconds after which all votes are read anew, for strengths, which move slowly, and for battles that tell nothing."""
MANY: Final = 5_000
"""Battles beyond which nobody waits for that: a visitor's pair is drawn by the strengths that are known."""

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Known:
    """What pairs are drawn by."""

    battles: Mapping[Pair, int] = field(default_factory=dict)
    """Those with a vote that counts: one that was withdrawn, doubted or not blind tells nothing of a difference."""
    strengths: Mapping[Mixture, float] = field(default_factory=dict)
    """In logits; empty before the first votes were read."""


class Matchmaker:
    """Reads the store for ``pairing.draw``; for several threads at once."""

    def __init__(self, store: VoteStore, clock: Callable[[], float]) -> None:
        self._store, self._clock = store, clock
        self._strengths: Mapping[Mixture, float] = {}
        self._idle: Mapping[Pair, int] = {}
        self._learned = -REFRESH
        self._learning = threading.Lock()

    def known(self) -> Known:
        """The battles of this moment that tell something, and strengths.

        The strengths, and which battles tell nothing, are at most ``REFRESH`` seconds old; a newer one is held to tell.
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
        idle = self._idle
        telling = {pair: max(count - idle.get(pair, 0), 0) for pair, count in battles.items()}
        return Known(telling, self._strengths)

    def _learn(self) -> None:
        """Learn the strengths and the battles that tell nothing, and give back the lock that the caller took."""
        try:
            self._idle = self._store.idle_by_pair()
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
