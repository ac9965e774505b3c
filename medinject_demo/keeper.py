"""The last result of a slow computation for each question, and the one thread that computes newer ones.

Whoever looks is answered at once from what is there; nobody waits for the thread, and all who ask the same share one
computation. Knows neither votes nor pages.
"""

from __future__ import annotations

import functools
import logging
import math
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Hashable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import Final, Generic, TypeVar

from .errors import MedInjectError

PAUSE: Final = 3.0
"""Seconds between two computations of the same question, at least; a computation that took longer waits as long."""
MOST_KEPT: Final = 64
"""Questions whose last result is kept; beyond, the one not looked at for longest is forgotten."""
MOST_WAITING: Final = 8
"""Questions that wait for the thread; beyond, another is not taken."""

Key = TypeVar("Key", bound=Hashable)
Value = TypeVar("Value")
_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Look(Generic[Value]):
    """What there is at one moment."""

    value: Value | None = None
    """The last result; None where there is none."""
    computing: bool = False
    """True where a newer one is on its way."""
    failed: bool = False
    """True where the last attempt failed; ``value`` is from before it."""
    full: bool = False
    """True where a newer one is due, and too many other questions wait."""


@dataclass(frozen=True)
class _Kept(Generic[Value]):
    value: Value | None = None
    failed: bool = False
    due: float = -math.inf


class Keeper(Generic[Key, Value]):
    """Results by question.

    ``compute(question, last)`` runs in the keeper's thread alone, one question at a time; where nothing changed it may
    give the last result back.
    """

    def __init__(
        self,
        compute: Callable[[Key, Value | None], Value],
        *,
        pause: float = PAUSE,
        most_kept: int = MOST_KEPT,
        most_waiting: int = MOST_WAITING,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._compute, self._pause, self._clock = compute, pause, clock
        self._most_kept, self._most_waiting = most_kept, most_waiting
        self._kept: OrderedDict[Key, _Kept[Value]] = OrderedDict()
        self._waiting: set[Key] = set()
        self._lock = threading.RLock()
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="keeper")

    def look(self, question: Key, *, begin: bool = True) -> Look[Value]:
        """The last result of a question; a newer one is begun where it is due, unless ``begin`` says otherwise."""
        with self._lock:
            if question in self._kept:
                self._kept.move_to_end(question)
            due = begin and question not in self._waiting and self._clock() >= self._last(question).due
            full = due and len(self._waiting) >= self._most_waiting
            if due and not full:
                self._begin(question)
            last = self._last(question)  # a quick one may have ended meanwhile
            return Look(last.value, question in self._waiting, last.failed, full)

    def close(self) -> None:
        """End the thread once it has done what it is at; nothing is begun any more."""
        self._thread.shutdown(wait=True, cancel_futures=True)

    def _last(self, question: Key) -> _Kept[Value]:
        with self._lock:
            return self._kept.get(question) or _Kept()

    def _begin(self, question: Key) -> None:
        self._waiting.add(question)
        self._thread.submit(self._timed, question).add_done_callback(functools.partial(self._end, question))

    def _timed(self, question: Key) -> tuple[Value, float]:
        begun = self._clock()
        return self._compute(question, self._last(question).value), self._clock() - begun

    def _end(self, question: Key, done: Future[tuple[Value, float]]) -> None:
        """Keep what came of it. What the computation raised is in the log, and its question is asked again later."""
        if done.cancelled():
            return
        error = done.exception()
        if error is not None:
            unknown = None if isinstance(error, MedInjectError) else error
            _log.warning("%s could not be computed: %s", question, error, exc_info=unknown)
        with self._lock:
            value, took = (self._last(question).value, 0.0) if error else done.result()
            self._kept[question] = _Kept(value, error is not None, self._clock() + max(self._pause, took))
            self._kept.move_to_end(question)
            self._waiting.discard(question)
            while len(self._kept) > self._most_kept:
                self._kept.popitem(last=False)
