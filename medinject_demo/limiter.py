"""How often a visitor may ask and vote: moving windows for each voter and for each address, in memory alone.

Where the limiter itself fails, the order goes through: an honest vote is worth more than a limit. Knows names of
visitors as hashes, and neither pages nor votes.
"""

from __future__ import annotations

import logging
import math
import threading
import time
from collections.abc import Mapping, Sequence
from enum import StrEnum
from typing import Final

from limits import RateLimitItem, parse_many
from limits.storage import MemoryStorage
from limits.strategies import MovingWindowRateLimiter

from .errors import InvalidValue, Refused
from .settings import Settings

_log = logging.getLogger(__name__)


class Act(StrEnum):
    """What is counted: what is asked for (a duel, a comparison, one more turn, a link's duel, the board), and votes."""

    ASK = "ask"
    VOTE = "vote"


class Whose(StrEnum):
    """Of whom it is counted."""

    VOTER = "voter"
    ADDRESS = "address"


Limits = Mapping[tuple[Act, Whose], Sequence[RateLimitItem]]
"""The windows of each count; a count without any has no limit."""
UNLIMITED: Final = "none"
OFTEN: Final = {Act.ASK: "asked_too_often", Act.VOTE: "voted_too_often"}
CROWDED: Final = "crowded_address"
CODES: Final = (*OFTEN.values(), CROWDED)
"""Why an order is refused, as a page's own words are named."""
TIDY: Final = 1_000
"""Orders after which names that were not seen within their windows are forgotten."""


def limits_of(settings: Settings) -> Limits:
    """The limits that the settings say.

    Raises:
        InvalidValue: one of them is no limit; the sentence names its variable.
    """
    return {
        (Act.ASK, Whose.VOTER): _windows("MEDINJECT_ASKS_PER_VOTER", settings.asks_per_voter),
        (Act.ASK, Whose.ADDRESS): _windows("MEDINJECT_ASKS_PER_ADDRESS", settings.asks_per_address),
        (Act.VOTE, Whose.VOTER): _windows("MEDINJECT_VOTES_PER_VOTER", settings.votes_per_voter),
        (Act.VOTE, Whose.ADDRESS): _windows("MEDINJECT_VOTES_PER_ADDRESS", settings.votes_per_address),
    }


def _windows(variable: str, text: str) -> Sequence[RateLimitItem]:
    """Several windows, such as ``20/minute; 300/hour``; none for ``none``."""
    if text.strip().lower() == UNLIMITED:
        return ()
    try:
        windows = tuple(parse_many(text))
    except ValueError:
        windows = ()
    if not windows or any(not window.amount for window in windows):
        form = "limits such as 20/minute; 300/hour, or none"
        raise InvalidValue.of(variable, expected=form, got=repr(text)[:60])
    return windows


class Limiter:
    """Counts orders. Names are hashes that the caller made; they are forgotten once their windows are over."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._storage = MemoryStorage()
        self._windows = MovingWindowRateLimiter(self._storage)
        self._lock = threading.Lock()
        self._orders = 0

    def admit(self, act: Act, names: Mapping[Whose, str]) -> None:
        """Count one order of these names; one that is refused is not counted, and lengthens no wait.

        Raises:
            Refused: too many within a window; its code says of whom, its fields how long to ``wait``.
        """
        try:
            full = self._taken(act, names)
        except Exception:  # of the library, its storage or its threads: nobody is turned away for that
            _log.exception("an order is not counted")
            return
        if full is not None:
            raise _refused(act, *full)

    def _taken(self, act: Act, names: Mapping[Whose, str]) -> tuple[Whose, RateLimitItem, float] | None:
        """Count an order, or tell the count that has no room and the seconds until it has: the longest wait."""
        counts = [(whose, each, name) for whose, name in names.items() for each in self._limits.get((act, whose), ())]
        with self._lock:
            self._tidy()
            full = [count for count in counts if not self._windows.test(count[1], act, count[0], count[2])]
            if not full:
                for whose, each, name in counts:
                    self._windows.hit(each, act, whose, name)
                return None
            waits = [self._windows.get_window_stats(each, act, whose, name).reset_time for whose, each, name in full]
        longest = max(range(len(full)), key=waits.__getitem__)
        return full[longest][0], full[longest][1], waits[longest] - time.time()

    def _tidy(self) -> None:
        """Forget names whose windows are over: the library empties their lists and keeps their keys."""
        self._orders += 1
        if self._orders % TIDY == 0:
            for key in [key for key, events in self._storage.events.items() if not events]:
                self._storage.clear(key)


def _refused(act: Act, whose: Whose, window: RateLimitItem, seconds: float) -> Refused:
    told, code = waiting(seconds), CROWDED if whose is Whose.ADDRESS else OFTEN[act]
    place = " of this address" if whose is Whose.ADDRESS else ""
    orders = "questions" if act is Act.ASK else "votes"
    span = window.GRANULARITY.name if window.multiples == 1 else f"{window.multiples} {window.GRANULARITY.name}s"
    sentence = f"{orders}{place}: expected at most {window.amount} per {span}, got one more. Try again in {told}."
    return Refused(sentence, code, wait=told)


def waiting(seconds: float) -> str:
    """A wait as French and English both write it, never said shorter than it is."""
    whole = max(1, math.ceil(seconds))
    return f"{whole} s" if whole <= 90 else f"{math.ceil(whole / 60)} min"
