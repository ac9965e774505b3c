"""One request of one visitor on its way through a fleet: in parts of a few rows, each on one replica.

A replica that is lost takes no answer with it in silence: rows that had said nothing yet are asked anew of another, and
those that had end with an error, for what they said cannot be continued exactly. Knows rows and messages, no Ray.
"""

from __future__ import annotations

import logging
import queue
import threading
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_EXCEPTION, Future, wait
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Final, Protocol

from ...domain import FinishReason
from ...errors import MedInjectError, ModelError
from ..base import Delta, Event, Finished, Request
from .plan import ROWS
from .wire import Accepted, Message, Refused

MOST_TRIES: Final = 2
"""Times that a row is asked at most: one that ends replica after replica must not end them all."""
PATIENCE: Final = 120.0
"""Seconds in which a replica has taken a request, or it is refused."""

_log = logging.getLogger(__name__)


class Lost(Exception):
    """The replica that answered is gone, or cannot be reached."""


class Answering(Protocol):
    """A replica's messages."""

    def __iter__(self) -> Iterator[Message]:
        """The messages as they come.

        Raises:
            Lost: the replica is gone.
            ModelError: no replica takes more, or this one failed.
        """

    def cancel(self) -> None:
        """Have the replica stop; whoever waits for a message is told that it is lost."""


Send = Callable[[Sequence[Request]], Answering]


@dataclass(eq=False)
class Part:
    """The rows of a call that go to one replica together, by their numbers in the call."""

    rows: Sequence[int]
    taken: Future[None] = field(default_factory=Future)
    """Done when a replica has taken the rows, or none does."""
    prints: dict[int, str] = field(default_factory=dict)
    """What answers for each row."""


class Call:
    """The parts of a request, each followed by a thread, and the events that come of them."""

    def __init__(self, send: Send, requests: Sequence[Request], clock: Callable[[], float]) -> None:
        self._send, self._requests = send, requests
        self._clock, self._started = clock, clock()
        self._events: queue.SimpleQueue[Event] = queue.SimpleQueue()
        self._lock = threading.RLock()  # reentrant: a collection in the midst of an event may drop and so cancel a call
        self._open = set(range(len(requests)))
        """Rows without an end."""
        self._spoken: Counter[int] = Counter()
        """Pieces said by row."""
        self._answering: set[Answering] = set()
        self._threads: list[threading.Thread] = []
        self._cancelled = False

    def begin(self, patience: float = PATIENCE) -> None:
        """Send every part, and wait until all are taken; where one is not, none is.

        Raises:
            MedInjectError: as the engine's ``stream``, or no replica answers.
        """
        numbers = range(len(self._requests))
        parts = [Part(numbers[start : start + ROWS]) for start in range(0, len(numbers), ROWS)]
        self._threads = [threading.Thread(target=self._follow, args=(part,), daemon=True) for part in parts]
        for thread in self._threads:
            thread.start()
        try:
            done, waiting = wait([part.taken for part in parts], patience, FIRST_EXCEPTION)
            for each in done:
                each.result()
            if waiting:
                raise unreachable(f"none within {patience:g} s")
        except BaseException:
            self.cancel()
            raise

    def next_event(self) -> Event:
        """The next event, waited for."""
        return self._events.get()

    def cancel(self) -> None:
        """End the rows where they are, and have the replicas stop."""
        with self._lock:
            self._cancelled, answering = True, tuple(self._answering) if self._open else ()
            self._end(sorted(self._open), FinishReason.CANCELLED)
        for each in answering:
            each.cancel()

    def join(self, patience: float) -> None:
        """Wait for the threads of a call that was cancelled."""
        for thread in self._threads:
            thread.join(patience)

    def _follow(self, part: Part) -> None:
        """A part to its end; whatever ends it, nobody is left waiting."""
        why = "a fault of the fleet's own"
        try:
            self._tries(part)
            why = "a call that was cancelled"
        except MedInjectError as error:
            why = str(error)
            if not part.taken.done():
                part.taken.set_exception(error)
        finally:
            if not part.taken.done():
                part.taken.set_exception(unreachable(why))
            self._end(part.rows, FinishReason.ERROR, why)

    def _tries(self, part: Part) -> None:
        """Ask until every row has its end, or too often."""
        for left in reversed(range(MOST_TRIES)):
            try:
                return self._try(part)
            except Lost as lost:
                self._end([row for row in part.rows if self._spoken[row]], FinishReason.ERROR, f"{lost} Ask again.")
                unsaid = self._rows(part)
                if unsaid and not left:
                    raise unreachable(str(lost)) from lost
                if unsaid:
                    _log.warning("%s %d rows are asked anew.", lost, len(unsaid))

    def _try(self, part: Part) -> None:
        """Have the rows without an end answered by one replica."""
        rows = self._rows(part)
        if not rows:
            return
        with self._held(self._send([self._requests[row] for row in rows])) as answering:
            for message in answering:
                self._take(part, rows, message)
        if self._rows(part):
            raise Lost("A replica ended before its answers.")

    def _rows(self, part: Part) -> list[int]:
        """Those without an end."""
        with self._lock:
            return [row for row in part.rows if row in self._open]

    @contextmanager
    def _held(self, answering: Answering) -> Iterator[Answering]:
        """An answer that cancelling the call cancels."""
        with self._lock:
            self._answering.add(answering)
            cancelled = self._cancelled
        if cancelled:
            answering.cancel()
        try:
            yield answering
        except BaseException:
            answering.cancel()  # one that is refused by us, for its arm was swapped
            raise
        finally:
            with self._lock:
                self._answering.discard(answering)

    def _take(self, part: Part, rows: Sequence[int], message: Message) -> None:
        if isinstance(message, Refused):
            raise message.error
        if isinstance(message, Accepted):
            prints = dict(zip(rows, message.fingerprints, strict=True))
            if part.prints and any(part.prints[row] != prints[row] for row in rows):
                remedy = "Ask again."
                raise ModelError.of(
                    "answer", expected="the arm that was asked", got="another, swapped in", remedy=remedy
                )
            part.prints |= prints
            if not part.taken.done():
                part.taken.set_result(None)
            return
        for event in message:
            self._pass(replace(event, row=rows[event.row]))

    def _pass(self, event: Event) -> None:
        """Pass an event on, unless its row has ended: a call may be cancelled from another thread at any moment."""
        with self._lock:
            if event.row not in self._open:
                return
            if isinstance(event, Delta):
                self._spoken[event.row] += 1
            else:
                self._open.discard(event.row)
                event = replace(event, seconds=self._clock() - self._started)
            self._events.put(event)

    def _end(self, rows: Sequence[int], reason: FinishReason, why: str = "") -> None:
        """End rows that have not; their tokens are the pieces that they said, at least."""
        for row in rows:
            self._pass(Finished(row, reason, self._spoken[row], 0.0, why))


def unreachable(got: str) -> ModelError:
    """The refusal where no replica answers."""
    remedy = "They may be busy, and one that was lost is started again: try again in a moment."
    return ModelError.of("fleet", expected="a replica that answers", got=got.rstrip("."), remedy=remedy)
