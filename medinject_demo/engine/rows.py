"""A row, one answer in flight; and a call, the rows of one request and the events that its visitor waits for.

Knows nothing of models' code or of batches.
"""

from __future__ import annotations

import queue
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from ..domain import FinishReason, Mixture
from ..errors import ModelError
from .base import Delta, Event, Events, Finished, closed
from .decode import Draw, Transcript

if TYPE_CHECKING:
    from torch import Tensor

NOT_FINITE: Final = "logits that are not finite"
"""The error of a row whose numbers have overflowed."""
NO_MEMORY: Final = "(no memory left)"
"""What the error of a row ends with whose step had none."""


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
    told: list[Tensor] | None = None
    """Receives the logits after the prompt, (vocabulary) in fp32 on the CPU, where these alone are asked for."""
    fed: int = 0
    """Tokens in the cache."""
    tokens: list[int] = field(default_factory=list)
    turn: int = 0
    """Its number among the rows that have joined."""

    @property
    def plain(self) -> bool:
        """True while it is fed its best token next, whatever its logits are."""
        return self.draw.plain and self.told is None and not self.prefilling

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

    def cancel(self) -> None:
        """Free the rows within a step."""
        self.cancelled = True

    def events(self) -> Events:
        """Events until every row has finished."""
        return Events(self, len(self.rows))


def no_memory() -> ModelError:
    """What is told of an engine whose memory has run out."""
    remedy = "Try again when fewer answers are under way, or ask for less at once."
    return ModelError.of("engine", expected="memory for it", got="none left", remedy=remedy)


def require_told(event: Event, arm: Mixture) -> None:
    """Raises ModelError where a row of an arm ends without its logits."""
    if not isinstance(event, Finished) or event.reason is FinishReason.STOP:
        return
    if event.reason is FinishReason.CANCELLED:
        raise closed()
    if event.error == NOT_FINITE:
        remedy = "Check its weights, or load in a wider precision."
        raise ModelError.of(f"arm {arm}", expected="logits that are finite numbers", got="others", remedy=remedy)
    if event.error.endswith(NO_MEMORY):
        raise no_memory()
    raise ModelError.of("engine", expected="logits", got=event.error.splitlines()[0])
