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
from dataclasses import dataclass, field
from typing import Any, Final, TypeVar

import torch
from torch import Tensor

from ..domain import FinishReason
from ..errors import ModelError
from .bank import AdapterBank
from .base import Delta, Event, Finished
from .cache import RowCache, Span
from .decode import Draw, Transcript, next_tokens

CHUNK: Final = 512
"""Prompt tokens, of all rows together, that one step feeds at most."""
MOST_WAITING: Final = 1024
"""Rows that may wait for a place; beyond, a call is refused."""

T = TypeVar("T")


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

    def say(self, row: Row, text: str) -> None:
        """A piece of a row's text."""
        if text:
            self._events.put(Delta(row.number, text))

    def finish(self, row: Row, reason: FinishReason, error: str = "") -> None:
        """The end of a row."""
        row.leave()
        seconds = self._clock() - self._started
        self._events.put(Finished(row.number, reason, len(row.tokens), seconds, error))

    def events(self) -> Iterator[Event]:
        """Events until every row has finished; leaving early cancels the rest."""
        ended = 0
        try:
            while ended < len(self.rows):
                event = self._events.get()
                ended += isinstance(event, Finished)
                yield event
        finally:
            self.cancelled = True


class Batcher:
    """The thread that owns a model, its cache and its rows."""

    def __init__(
        self,
        model: Any,
        bank: AdapterBank,
        stops: frozenset[int],
        *,
        most_rows: int,
        context: int,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._model, self._bank, self._stops, self._clock = model, bank, stops, clock
        self._most_rows, self._context = most_rows, context
        self._cache = RowCache(most_rows, context)
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
        with torch.inference_mode():
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
        self._forward(lines, [chunk + [0] * (size - len(chunk)) for chunk in chunks], rows)
        for row, chunk in zip(rows, chunks, strict=True):
            row.fed += len(chunk)

    def _decode(self) -> None:
        """Feed one token of every row and draw its next; a row still in its prompt only keeps its place."""
        if not self._rows:
            return
        pairs = list(self._rows)
        logits = self._forward(range(len(pairs)), [[row.pending] for _, row in pairs], [row for _, row in pairs])
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

    def _forward(self, lines: Sequence[int], tokens: Sequence[Sequence[int]], rows: Sequence[Row]) -> Tensor:
        """Logits after the last of the tokens, (rows, vocabulary); keys and values go to the rows' lines."""
        device = self._model.device
        ids = torch.tensor(tokens, device=device)
        starts = torch.tensor([row.fed for row in rows], device=device)
        positions = starts[:, None] + torch.arange(ids.shape[1], device=device)
        together = list(lines) == list(range(lines[0], lines[0] + len(lines)))
        which = slice(lines[0], lines[0] + len(lines)) if together else torch.tensor(list(lines), device=device)
        span = Span(which, positions, max(row.fed for row in rows) + ids.shape[1])
        slots = [row.slot for row in rows]
        self._bank.use(torch.tensor(slots, device=device) if any(slots) else None)
        output = self._model(
            input_ids=ids,
            attention_mask=span.mask(self._model.dtype),
            position_ids=positions,
            past_key_values=self._cache.at(span),
            use_cache=True,
            logits_to_keep=1,
        )
        logits: Tensor = output.logits[:, -1]
        return logits

    def _leave(self, call: Call, row: Row, reason: FinishReason, error: str = "") -> None:
        """Take a row out; the last one takes its line."""
        line = next(place for place, (_, each) in enumerate(self._rows) if each is row)
        last = len(self._rows) - 1
        if line != last:
            self._cache.move(last, line)
            self._rows[line] = self._rows[last]
        self._rows.pop()
        call.finish(row, reason, error)
