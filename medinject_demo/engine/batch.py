"""Continuous batching: rows join between two steps and leave when finished, cancelled or failed.

One thread owns the model. A step first feeds a bounded piece of the prompts that wait, then one token of every row in
flight. A free place goes to the waiting call that has the fewest rows in flight: places are shared between calls, each
one request of one visitor. Knows nothing of adapters' files: a row carries the number of its slot.
"""

from __future__ import annotations

import itertools
import threading
import time
from collections import Counter, deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from contextlib import AbstractContextManager
from typing import Any, Final, TypeVar

import torch

from ..domain import FinishReason
from ..errors import ModelError
from .base import closed
from .decode import next_tokens
from .device import is_out_of_memory
from .lines import Lines
from .pieces import MOST, Pieces
from .room import Room
from .rows import NO_MEMORY, NOT_FINITE, Call, Row, no_memory
from .steps import Forward, Steps

MOST_WAITING: Final = 1024
"""Rows that may wait for a place; beyond, a call is refused."""

T = TypeVar("T")


class Batcher:
    """The thread that owns a model, its cache and its rows."""

    def __init__(
        self,
        forward: Forward,
        stops: frozenset[int],
        *,
        room: Room,
        pieces: Pieces | None = None,
        steps: Steps | None = None,
        no_gradients: Callable[[], AbstractContextManager[object]] = torch.inference_mode,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._forward, self._stops, self._clock = forward, stops, clock
        self._most_rows, self._context = room.rows, room.context
        self.steps = forward if steps is None else steps
        self.pieces = Pieces(MOST, MOST) if pieces is None else pieces
        self._no_gradients = no_gradients
        # a captured step reads every adapter in any case: there, the order would only cost copies
        self._rows = Lines(forward.cache) if steps is None else Lines(forward.cache, lambda row: 0)
        self._calls: deque[Call] = deque()
        self._turns = itertools.count()
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
            self._require_open()
            waiting = sum(len(each.waiting) for each in self._calls)
            if waiting + len(rows) > MOST_WAITING:
                remedy = "Try again in a moment." if len(rows) <= MOST_WAITING else "Ask for fewer at once."
                expected, got = f"at most {MOST_WAITING} answers waiting", str(waiting + len(rows))
                raise ModelError.of("engine", expected=expected, got=got, remedy=remedy)
            if rows:
                self._calls.append(call)
            self._news.notify()
        return call

    def between_steps(self, job: Callable[[], T]) -> T:
        """Run something on the thread that owns the model, and wait for its result."""
        future: Future[T] = Future()
        with self._news:
            self._require_open()
            self._jobs.append((job, future))
            self._news.notify()
        return future.result()

    @property
    def is_open(self) -> bool:
        """False once closed, or ended by a fault."""
        return not self._closed

    def close(self) -> None:
        """Stop after the present step; rows in flight finish as cancelled."""
        with self._news:
            self._closed = True
            self._news.notify()
        self._thread.join()

    def _require_open(self) -> None:
        if self._closed:
            raise closed()

    def _work(self) -> None:
        """Steps until closed; whatever ends them, nobody is left waiting."""
        fault = ""
        try:
            device = self._forward.model.device
            if device.type == "cuda":
                torch.cuda.set_device(device)  # graphs are captured on the thread's present device
            with self._no_gradients():
                while self._wait():
                    self._run_job()
                    self._drop_cancelled()
                    self._admit()
                    self._guarded(self._prefill)
                    self._guarded(self._decode)
        except BaseException as error:
            fault = f"{type(error).__name__}: {error}"
            raise
        finally:
            self._end(fault)

    def _end(self, fault: str) -> None:
        """Finish every row, with the fault where there is one, and refuse every job."""
        with self._news:
            self._closed = True
            rows = self._rows.clear()
            waiting = [(call, row) for call in self._calls for row in call.waiting]
            self._calls.clear()
            jobs, self._jobs = self._jobs, deque()
        for call, row in [*rows, *waiting]:
            call.finish(row, FinishReason.ERROR if fault else FinishReason.CANCELLED, fault)
        for _, future in jobs:
            future.set_exception(closed())

    def _wait(self) -> bool:
        """Sleep until there is something to do; False when closed."""
        with self._news:
            self._news.wait_for(lambda: self._closed or self._rows or self._calls or self._jobs)
            return not self._closed

    def _run_job(self) -> None:
        """One job a step, so that the rows in flight go on between two."""
        with self._news:
            if not self._jobs:
                return
            job, future = self._jobs.popleft()
        try:
            future.set_result(job())
        except BaseException as error:  # whoever waits for it gets it
            future.set_exception(_in_a_sentence(error))

    def _drop_cancelled(self) -> None:
        for call, row in [pair for pair in self._rows if pair[0].cancelled]:
            if not row.tokens:  # nobody knows yet whether its keys and values are finite
                self._forward.cache.forget(self._rows.line(row))
            self._leave(call, row, FinishReason.CANCELLED)
        with self._news:
            for call in [call for call in self._calls if call.cancelled]:
                self._calls.remove(call)
                for row in call.waiting:
                    call.finish(row, FinishReason.CANCELLED)

    def _admit(self) -> None:
        """Fill the places; each goes to the waiting call with the fewest rows in flight, of equals to the first."""
        with self._news:
            held = Counter(call for call, _ in self._rows)
            while self._calls and len(self._rows) < self._most_rows:
                call = min(self._calls, key=held.__getitem__)
                row = call.waiting[0]
                row.turn = next(self._turns)
                self._rows.join(call, row)
                call.waiting.popleft()  # only now: where a row cannot join, it waits still
                held[call] += 1
                self._calls.remove(call)
                if call.waiting:
                    self._calls.append(call)

    def _guarded(self, step: Callable[[], None]) -> None:
        """Run a step; where it fails, its rows finish with the error and the engine goes on."""
        fault = ""
        try:
            step()
        except Exception as error:  # of torch, of a model's code, of a tokenizer: the rows end, the thread does not
            fault = f"{type(error).__name__}: {error}" + (f" {NO_MEMORY}" if is_out_of_memory(error) else "")
        if fault:  # outside the handler: the error's frames held the memory that may have run out
            for call, row in self._rows.clear():
                call.finish(row, FinishReason.ERROR, fault)
            self._forward.cache.forget()

    def _prefill(self) -> None:
        """Feed a piece of the prompts that are not in the cache yet, all but their last token."""
        waiting = [(row.turn, line) for line, (_, row) in enumerate(self._rows) if row.prefilling]
        if not waiting:
            return
        lines = sorted(line for _, line in sorted(waiting)[: self.pieces.size])  # who came first, in the lines' order
        rows = [self._rows.row(line) for line in lines]
        room = self._context - max(row.fed for row in rows)  # padding must not pass the end of a line
        size = min(max(1, self.pieces.size // len(rows)), max(len(row.prompt) - 1 - row.fed for row in rows), room)
        chunks = [list(row.prompt[row.fed : min(row.fed + size, len(row.prompt) - 1)]) for row in rows]
        since = self._clock()
        self.steps.feed(lines, chunks, [row.fed for row in rows], [row.slot for row in rows])
        self.pieces.after(sum(map(len, chunks)), self._clock() - since)
        for row, chunk in zip(rows, chunks, strict=True):
            row.fed += len(chunk)

    def _decode(self) -> None:
        """Feed one token of every row and draw its next; a row still in its prompt only keeps its place."""
        pairs = list(self._rows)
        if all(row.prefilling for _, row in pairs):
            return
        rows = [row for _, row in pairs]
        steady = not self._calls and all(row.plain for row in rows)
        ready = [place for place, row in enumerate(rows) if not row.prefilling]
        outcome = self.steps.step(
            [row.pending for row in rows], [row.fed for row in rows], [row.slot for row in rows], steady, ready
        )
        drawn = next_tokens(outcome.logits, outcome.best, [rows[place].draw for place in ready])
        for number, (place, token) in enumerate(zip(ready, drawn, strict=True)):
            call, row = pairs[place]
            row.fed += 1
            if not outcome.finite[number]:
                self._forward.cache.forget(self._rows.line(row))
                self._leave(call, row, FinishReason.ERROR, NOT_FINITE)
            elif row.told is not None:
                row.told.append(outcome.logits[number].to("cpu", torch.float32, copy=True))
                self._leave(call, row, FinishReason.STOP)
            else:
                self._take(call, row, token)

    def _take(self, call: Call, row: Row, token: int) -> None:
        """A new token of a row: its end, or a piece of text; where its text cannot be told, that row alone ends."""
        if token in self._stops:
            return self._leave(call, row, FinishReason.STOP)
        row.tokens.append(token)
        row.draw.seen.add(token)
        try:
            call.say(row, row.transcript.add(token))
        except Exception as error:  # of a tokenizer
            return self._leave(call, row, FinishReason.ERROR, f"{type(error).__name__}: {error}")
        if len(row.tokens) >= row.most or row.fed + 1 >= self._context:
            self._leave(call, row, FinishReason.LENGTH)

    def _leave(self, call: Call, row: Row, reason: FinishReason, error: str = "") -> None:
        self._rows.leave(row)
        call.finish(row, reason, error)


def _in_a_sentence(error: BaseException) -> BaseException:
    if not is_out_of_memory(error):
        return error
    told = no_memory()
    told.__cause__ = error
    return told
