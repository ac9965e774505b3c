"""The rows of one visitor's request at remote servers, and the events that come of them.

A call is one task of the event loop in which its rows run side by side; the visitor waits in a thread of its own.
"""

from __future__ import annotations

import queue
import threading
from collections.abc import AsyncGenerator, Callable
from concurrent.futures import Future
from contextlib import aclosing
from typing import Any

import anyio
from anyio.from_thread import BlockingPortal

from ...domain import FinishReason
from ..base import Delta, Event, Finished
from ..endpoint import place
from .link import Link
from .wire import DONE, REASONS, Chunk, Fault, Whole, chunk, short


class Row:
    """One answer in flight: where it is asked for, and what has come of it."""

    def __init__(self, number: int, url: str, body: dict[str, Any], put: Callable[[Event], None]) -> None:
        self.number = number
        self._url, self._body, self._put = url, body, put
        self._whole, self._said = Whole(), False
        self._pieces = self._tokens = 0
        self._reason: str | None = None

    async def answer(self, link: Link, since: Callable[[], float]) -> None:
        """Stream the answer until it ends, however it ends; ``since`` tells the seconds from the request."""
        reason, error = FinishReason.CANCELLED, ""
        try:
            await link.persist(lambda: self._read(link), link.rows, begun=lambda: self._said)
            reason = REASONS[self._reason or ""]
        except Fault as fault:
            reason, error = FinishReason.ERROR, str(fault)
        except Exception as fault:  # the law: whatever fails finishes its row, and the others go on
            reason, error = FinishReason.ERROR, f"{type(fault).__name__}: {fault}"
        finally:
            self.end(reason, since(), error)

    def end(self, reason: FinishReason, seconds: float, error: str = "") -> None:
        """Say that the row is over; its tokens are those that the server counted, else the pieces it sent."""
        self._put(Finished(self.number, reason, self._tokens or self._pieces, seconds, error))

    async def _read(self, link: Link) -> None:
        """One attempt.

        Raises:
            Fault: it broke before the server said how the answer ended, or ended in no way that is an answer.
        """
        self._whole = Whole()
        try:
            async with link.events(self._url, self._body) as events, aclosing(events):
                while (event := await self._next(events, link)) is not None:
                    self._take(event)
        except Fault:
            if self._reason is None:
                raise
        if self._reason not in REASONS:
            got = "without a finish_reason" if self._reason is None else f"by finish_reason {self._reason!r}"
            raise Fault(f"{place(self._url)} ended the answer {got}", again=self._reason is None)

    async def _next(self, events: AsyncGenerator[str, None], link: Link) -> Chunk | None:
        """The next event; None at the end."""
        limit = link.patience.between if self._said else link.patience.first
        try:
            with anyio.fail_after(limit):
                data = await anext(events, DONE)
        except TimeoutError as error:
            raise Fault(f"{place(self._url)}: no token within {limit:g} s") from error
        try:
            return None if data == DONE else chunk(data or "{}")  # httpx2 passes events on that have no data
        except ValueError as error:
            got = f"an event that cannot be read ({error}): {short(data)!r}"
            raise Fault(f"{place(self._url)} sent {got}") from error

    def _take(self, event: Chunk) -> None:
        if event.fault:
            raise Fault(f"{place(self._url)}: {event.fault}")
        if text := self._whole.add(event.text):
            self._said, self._pieces = True, self._pieces + 1
            self._put(Delta(self.number, text))
        self._reason = event.reason or self._reason
        self._tokens = event.tokens or self._tokens


class Call:
    """The rows of one request."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock, self._started = clock, clock()
        self._events: queue.SimpleQueue[Event] = queue.SimpleQueue()
        self._task: Future[None] | None = None
        self._lock = threading.RLock()  # reentrant: a collection in the midst of a put may drop and so cancel a call
        self._ended: set[int] = set()
        self.rows: list[Row] = []

    def add(self, url: str, body: dict[str, Any]) -> None:
        """One more row."""
        self.rows.append(Row(len(self.rows), url, body, self._put))

    @property
    def open(self) -> int:
        """Rows that have not ended."""
        return len(self.rows) - len(self._ended)

    def start(self, portal: BlockingPortal, link: Link) -> None:
        """Have the rows answered; where the task ends, or never began, every row has ended."""
        self._task = portal.start_task_soon(self._serve, link)
        self._task.add_done_callback(self._over)

    def cancel(self) -> None:
        """End the rows where they are; their connections are closed."""
        if self._task is not None:
            self._task.cancel()

    async def _serve(self, link: Link) -> None:
        async with anyio.create_task_group() as group:
            for row in self.rows:
                group.start_soon(row.answer, link, self._since)

    def _over(self, _: Future[None]) -> None:
        for row in self.rows:
            row.end(FinishReason.CANCELLED, self._since())

    def next_event(self) -> Event:
        """The next event, waited for."""
        return self._events.get()

    def _put(self, event: Event) -> None:
        """Pass an event on, unless its row has ended: a call may be cancelled from another thread at any moment."""
        with self._lock:
            if event.row not in self._ended:
                self._events.put(event)
                if isinstance(event, Finished):
                    self._ended.add(event.row)

    def _since(self) -> float:
        return self._clock() - self._started
