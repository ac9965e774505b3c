"""Continuous batching: rows join between two steps and leave when finished, cancelled or failed.

One thread owns the model. A step first feeds a bounded chunk of the prompts that wait, then one token of every row in
flight. Waiting calls take turns, a row each. Knows nothing of adapters' files: a row carries the number of its slot.
"""

from __future__ import annotations

import queue
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import Any, Final, TypeVar

import torch
from torch import Tensor

from ..domain import FinishReason
from ..errors import ModelError
from .base import Delta, Event, Finished
from .decode import Draw, Transcript, next_tokens
from .steps import Forward

CHUNK: Final = 512
"""Prompt tokens, of all rows together, that one step feeds at most."""
MOST_WAITING: Final = 1024
"""Rows that may wait for a place; beyond, a call is refused."""

T = TypeVar("T")
Step = Callable[[Sequence[int], Sequence[int], Sequence[int]], Tensor]
"""Tokens, tokens fed so far and slots of the rows to logits (rows, vocabulary)."""


@dataclass(eq=False)
class Row:
    """One answer in flight."""

    number: int
    prompt: Sequence[int]
    slot: int
    draw: Draw
    transcript: Transcript
    most: int
    """New tokens at most."""
    leave: Callable[[], None]
    """Called once, when the row is over."""
    fed: int = 0
    """Tokens in the cache."""
    tokens: list[int] = field(default_factory=list)

    @property
    def prefilling(self) -> bool:
        """True while more than the last token of the prompt is still to be fed."""
        return self.fed < len(self.prompt) - 1

    @property
    def pending(self) -> int:
        """The token to feed next."""
        return self.tokens[-1] if self.tokens else self.prompt[-1]


class Call:
    """The rows of one visitor's request, and the events that come of them."""

    def __init__(self, rows: Sequence[Row], clock: Callable[[], float]) -> None:
        self.waiting = deque(rows)
        self.rows = tuple(rows)
        self.cancelled = False
        self._clock, self._started = clock, clock()
        self._events: queue.SimpleQueue[Event] = queue.SimpleQueue()

    def next_event(self) -> Event:
        """The next event, waited for."""
        return self._events.get()

    def say(self, row: Row, text: str) -> None:
        """A piece of a row's text."""
        if text:
            self._events.put(Delta(row.number, text))

    def finish(self, row: Row, reason: FinishReason, error: str = "") -> None:
        """The end of a row."""
        row.leave()
        seconds = self._clock() - self._started
        self._events.put(Finished(row.number, reason, len(row.tokens), seconds, error))

    def events(self) -> Events:
        """Events until every row has finished."""
        return Events(self)


class Events(Iterator[Event]):
    """The events of a call; closing it, or dropping it, frees its rows within a step, begun or not."""

    def __init__(self, call: Call) -> None:
        self._call, self._open = call, len(call.rows)

    def __next__(self) -> Event:
        if not self._open or self._call.cancelled:
            raise StopIteration
        event = self._call.next_event()
        self._open -= isinstance(event, Finished)
        return event

    def close(self) -> None:
        """Cancel what is not finished."""
        self._call.cancelled = True

    def __del__(self) -> None:
        self.close()


class Batcher:
    """The thread that owns a model, its cache and its rows."""

    def __init__(
        self,
        forward: Forward,
        stops: frozenset[int],
        *,
        most_rows: int,
        context: int,
        step: Step | None = None,
        no_gradients: Callable[[], AbstractContextManager[object]] = torch.inference_mode,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._forward, self._stops, self._clock = forward, stops, clock
        self._most_rows, self._context = most_rows, context
        self._step = forward.step if step is None else step
        self._no_gradients = no_gradients
        self._rows: list[tuple[Call, Row]] = []
        self._calls: deque[Call] = deque()
        self._jobs: deque[tuple[Callable[[], Any], Future[Any]]] = deque()
        self._news = threading.Condition()
        self._closed = False
        self._thread = threading.Thread(target=self._work, name="engine", daemon=True)
        self._thread.start()

    def submit(self, rows: Sequence[Row]) -> Call:
        """Queue rows for an answer.

        Raises:
            ModelError: too many rows wait already, or the engine is closed.
        """
        call = Call(rows, self._clock)
        with self._news:
            waiting = sum(len(each.waiting) for each in self._calls)
            if self._closed or waiting + len(rows) > MOST_WAITING:
                raise ModelError.of(
                    "engine",
                    expected=f"at most {MOST_WAITING} answers waiting",
                    got="a closed engine" if self._closed else str(waiting + len(rows)),
                    remedy="Try again in a moment.",
                )
            self._calls.append(call)
            self._news.notify()
        return call

    def between_steps(self, job: Callable[[], T]) -> T:
        """Run something on the thread that owns the model, and wait for its result."""
        future: Future[T] = Future()
        with self._news:
            if self._closed:
                raise ModelError.of("engine", expected="one that is open", got="a closed one", remedy="Load it again.")
            self._jobs.append((job, future))
            self._news.notify()
        return future.result()

    def close(self) -> None:
        """Stop after the present step; rows in flight finish as cancelled."""
        with self._news:
            self._closed = True
            self._news.notify()
        self._thread.join()

    def _work(self) -> None:
        with self._no_gradients():
            while self._wait():
                self._run_jobs()
                self._drop_cancelled()
                self._admit()
                self._guarded(self._prefill)
                self._guarded(self._decode)
        for call, row in self._rows:
            call.finish(row, FinishReason.CANCELLED)
        for waiting in self._calls:
            for row in waiting.waiting:
                waiting.finish(row, FinishReason.CANCELLED)

    def _wait(self) -> bool:
        """Sleep until there is something to do; False when closed."""
        with self._news:
            self._news.wait_for(lambda: self._closed or self._rows or self._calls or self._jobs)
            return not self._closed

    def _run_jobs(self) -> None:
        while self._jobs:
            job, future = self._jobs.popleft()
            try:
                future.set_result(job())
            except BaseException as error:  # whoever waits for it gets it
                future.set_exception(error)

    def _drop_cancelled(self) -> None:
        for call, row in [pair for pair in self._rows if pair[0].cancelled]:
            self._leave(call, row, FinishReason.CANCELLED)
        with self._news:
            for call in [call for call in self._calls if call.cancelled]:
                self._calls.remove(call)
                for row in call.waiting:
                    call.finish(row, FinishReason.CANCELLED)

    def _admit(self) -> None:
        """Waiting calls take turns, a row each, until the places are full."""
        with self._news:
            while self._calls and len(self._rows) < self._most_rows:
                call = self._calls.popleft()
                self._rows.append((call, call.waiting.popleft()))
                if call.waiting:
                    self._calls.append(call)

    def _guarded(self, step: Callable[[], None]) -> None:
        """Run a step; where it fails, its rows finish with the error and the engine goes on."""
        try:
            step()
        except (RuntimeError, ValueError, IndexError) as error:  # torch.OutOfMemoryError is a RuntimeError
            for call, row in list(self._rows):
                self._leave(call, row, FinishReason.ERROR, f"{type(error).__name__}: {error}")
            if torch.cuda.is_available():
                torch.cuda.empty_cache()

    def _prefill(self) -> None:
        """Feed a chunk of the prompts that are not in the cache yet, all but their last token."""
        lines = [line for line, (_, row) in enumerate(self._rows) if row.prefilling]
        if not lines:
            return
        lines = lines[:CHUNK]
        rows = [self._rows[line][1] for line in lines]
        size = min(max(1, CHUNK // len(rows)), max(len(row.prompt) - 1 - row.fed for row in rows))
        chunks = [list(row.prompt[row.fed : min(row.fed + size, len(row.prompt) - 1)]) for row in rows]
        padded = [chunk + [0] * (size - len(chunk)) for chunk in chunks]
        self._forward.chunk(lines, padded, [row.fed for row in rows], [row.slot for row in rows])
        for row, chunk in zip(rows, chunks, strict=True):
            row.fed += len(chunk)

    def _decode(self) -> None:
        """Feed one token of every row and draw its next; a row still in its prompt only keeps its place."""
        if not self._rows:
            return
        pairs = list(self._rows)
        rows = [row for _, row in pairs]
        logits = self._step([row.pending for row in rows], [row.fed for row in rows], [row.slot for row in rows])
        ready = [place for place, (_, row) in enumerate(pairs) if not row.prefilling]
        whole = torch.isfinite(logits[ready]).all(-1).tolist()
        drawn = next_tokens(logits[ready].nan_to_num(), [pairs[place][1].draw for place in ready])
        for place, token, finite in zip(ready, drawn, whole, strict=True):
            call, row = pairs[place]
            row.fed += 1
            if finite:
                self._take(call, row, token)
            else:
                self._leave(call, row, FinishReason.ERROR, "logits that are not finite")

    def _take(self, call: Call, row: Row, token: int) -> None:
        """A new token of a row: its end, or a piece of text."""
        if token in self._stops:
            return self._leave(call, row, FinishReason.STOP)
        row.tokens.append(token)
        row.draw.seen.add(token)
        call.say(row, row.transcript.add(token))
        if len(row.tokens) >= row.most or row.fed + 1 >= self._context:
            self._leave(call, row, FinishReason.LENGTH)

    def _leave(self, call: Call, row: Row, reason: FinishReason, error: str = "") -> None:
        """Take a row out; the last one takes its line."""
        line = next(place for place, (_, each) in enumerate(self._rows) if each is row)
        last = len(self._rows) - 1
        if line != last:
            self._forward.cache.move(last, line)
            self._rows[line] = self._rows[last]
        self._rows.pop()
        call.finish(row, reason, error)
