"""Steps that someone looks at, or lets through one by one: what each is given, before it is done as ever."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from typing import Any, Final

from medinject_demo.engine.local import LocalEngine
from medinject_demo.engine.outcome import Outcome
from medinject_demo.engine.steps import Steps

PATIENCE: Final = 20.0
"""Seconds after which a step that nobody lets through is an error."""

Look = Callable[[Sequence[int], Sequence[int], Sequence[int]], Any]
LookAtFeed = Callable[[Sequence[int], Sequence[Sequence[int]], Sequence[int], Sequence[int]], Any]


class Watched:
    """An engine's own steps, whose tokens, tokens fed and slots are told; and what is fed of prompts."""

    def __init__(self, steps: Steps, look: Look, at_feed: LookAtFeed = lambda *given: None) -> None:
        self._steps, self._look, self._at_feed = steps, look, at_feed

    def feed(
        self, lines: Sequence[int], chunks: Sequence[Sequence[int]], fed: Sequence[int], slots: Sequence[int]
    ) -> None:
        self._at_feed(lines, chunks, fed, slots)
        self._steps.feed(lines, chunks, fed, slots)

    def step(
        self,
        tokens: Sequence[int],
        fed: Sequence[int],
        slots: Sequence[int],
        steady: bool = False,
        ready: Sequence[int] | None = None,
    ) -> Outcome:
        self._look(tokens, fed, slots)
        return self._steps.step(tokens, fed, slots, steady, ready)


def watch(engine: LocalEngine, look: Look, at_feed: LookAtFeed = lambda *given: None) -> None:
    """Look at every step of an engine from now on."""
    engine._batcher.steps = Watched(engine._batcher.steps, look, at_feed)


class Turnstile:
    """An engine's steps from now on wait here until they are let through; one also passes for each job that waits.

    So what a test does between two steps is done between these two, however quick the machine is.
    """

    def __init__(self, engine: LocalEngine) -> None:
        self._engine, self._news = engine, threading.Condition()
        self._let, self._open, self._waiting = 0, False, False
        self.seen: list[tuple[int, ...]] = []
        """The slots of every step that came here."""
        watch(engine, self._pass)

    def _pass(self, tokens: Sequence[int], fed: Sequence[int], slots: Sequence[int]) -> None:
        self.seen.append(tuple(slots))
        with self._news:
            self._waiting = True
            self._until(lambda: self._open or self._let or self._engine._batcher._jobs)
            self._waiting, self._let = False, 0

    def let(self, steps: int) -> None:
        """Let so many steps through, and wait until the next is here, or no row is left to make one."""
        with self._news:
            for _ in range(steps):
                self._until(self._here_or_idle)
                self._let = int(self._waiting)
                self._until(lambda: not self._let)
            self._until(self._here_or_idle)

    def open(self) -> None:
        """Hold no step any more."""
        with self._news:
            self._open = True

    def _here_or_idle(self) -> bool:
        return self._waiting or not self._engine.rows_in_use

    def _until(self, holds: Callable[[], Any]) -> None:
        """Wait, the lock held but for the wait itself, until something holds; of a job or a row nobody is told."""
        until = time.monotonic() + PATIENCE
        while not holds():
            assert time.monotonic() < until, "a step waits for someone, or someone for a step"
            self._news.wait(0.001)


def eventually(holds: Callable[[], bool]) -> bool:
    """True once something holds; False where it does not within ten seconds."""
    until = time.monotonic() + 10
    while not holds():
        if time.monotonic() > until:
            return False
        time.sleep(0.01)
    return True
