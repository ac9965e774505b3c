"""One request of one visitor on its way through a fleet: in parts of a few rows, each on one replica.

A replica that is lost takes no answer with it in silence: rows that had said nothing yet are asked anew of another, and
those that had end with an error, for what they said cannot be continued exactly. Knows rows and messages, no Ray.
"""

from __future__ import annotations

import logging
import queue
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future
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

    open: set[int]
    """Rows without an end."""
    taken: Future[None] = field(default_factory=Future)
    """Done when a replica has taken the rows, or none does."""
    spoken: dict[int, int] = field(default_factory=dict)
    """Pieces said by row; rows that said nothing are not in it."""
    prints: dict[int, str] = field(default_factory=dict)
    """What answers for each row."""


class Call:
    """The parts of a request, each followed by a thread, and the events that come of them."""

    def __init__(self, send: Send, requests: Sequence[Request], clock: Callable[[], float]) -> None:
        self._send, self._requests = send, requests
        self._clock, self._started = clock, clock()
        self._events: queue.SimpleQueue[Event | None] = queue.SimpleQueue()
        self._answering: set[Answering] = set()
        self._lock = threading.Lock()
        self.closed = False

    def begin(self, patience: float = PATIENCE) -> None:
        """Send every part, and wait until all are taken; where one is not, none is.

        Raises:
            MedInjectError: as the engine's ``stream``, or no replica answers.
        """
        numbers = range(len(self._requests))
        parts = [Part(set(numbers[start : start + ROWS])) for start in range(0, len(numbers), ROWS)]
        for part in parts:
            threading.Thread(target=self._follow, args=(part,), name="fleet", daemon=True).start()
        try:
            for part in parts:
                part.taken.result(patience)
        except TimeoutError as error:
            self.close()
            raise unreachable(f"none within {patience:g} s") from error
        except BaseException:
            self.close()
            raise

    def next_event(self) -> Event | None:
        """The next event, waited for; None once closed."""
        return self._events.get()

    def close(self) -> None:
        """Cancel what is not finished."""
        with self._lock:
            self.closed, answering = True, tuple(self._answering)
        for each in answering:
            each.cancel()
        self._events.put(None)

    def _follow(self, part: Part) -> None:
        """A part to its end; whatever ends it, nobody is left waiting."""
        why = "a fault of the fleet's own"
        try:
            self._tries(part)
        except MedInjectError as error:
            why = str(error)
            if not part.taken.done():
                part.taken.set_exception(error)
        finally:
            if not part.taken.done():
                part.taken.set_exception(unreachable(why))
            self._fail(part, sorted(part.open), why)

    def _tries(self, part: Part) -> None:
        """Ask until every row has its end, or too often."""
        for _ in range(MOST_TRIES):
            try:
                return self._try(part)
            except Lost as lost:
                if self.closed:
                    return
                why = str(lost)
                self._fail(part, sorted(part.open & part.spoken.keys()), f"{why} Ask again.")
                if part.open:
                    _log.warning("%s %d rows are asked anew.", why, len(part.open))
        if part.open:
            raise unreachable(why)

    def _try(self, part: Part) -> None:
        """Have the rows without an end answered by one replica."""
        rows = sorted(part.open)
        if not rows:
            return
        with self._held(self._send([self._requests[row] for row in rows])) as answering:
            for message in answering:
                self._take(part, rows, message)
        if part.open and not self.closed:
            raise Lost("A replica ended before its answers.")

    @contextmanager
    def _held(self, answering: Answering) -> Iterator[Answering]:
        """An answer that closing the call cancels."""
        with self._lock:
            self._answering.add(answering)
            closed = self.closed
        if closed:
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
            self._pass(part, replace(event, row=rows[event.row]))

    def _pass(self, part: Part, event: Event) -> None:
        if isinstance(event, Delta):
            part.spoken[event.row] = part.spoken.get(event.row, 0) + 1
            self._events.put(event)
        else:
            part.open.discard(event.row)
            self._events.put(replace(event, seconds=self._clock() - self._started))

    def _fail(self, part: Part, rows: Sequence[int], why: str) -> None:
        """End rows with an error; their tokens are the pieces that they said, at least."""
        for row in rows:
            self._pass(part, Finished(row, FinishReason.ERROR, part.spoken.get(row, 0), 0.0, why))


class FleetEvents(Iterator[Event]):
    """The events of a call; closing it, or dropping it, frees its rows on every replica."""

    def __init__(self, call: Call, rows: int) -> None:
        self._call, self._open = call, rows

    def __next__(self) -> Event:
        event = None if not self._open or self._call.closed else self._call.next_event()
        if event is None:
            raise StopIteration
        self._open -= isinstance(event, Finished)
        return event

    def close(self) -> None:
        """Cancel what is not finished."""
        if self._open and not self._call.closed:
            self._call.close()

    def __del__(self) -> None:
        self.close()


def unreachable(got: str) -> ModelError:
    """The refusal where no replica answers."""
    remedy = "A lost replica is started again: try again in a moment."
    return ModelError.of("fleet", expected="a replica that answers", got=got.rstrip("."), remedy=remedy)
