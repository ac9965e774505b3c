"""From the events of an engine to those of a duel: rows become sides, and what would tell an arm stays behind.

No time, no count of tokens and no sentence of the engine passes, for they may name an arm: those of a failure go to the
log. Knows no store, vote or page.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from .domain import FinishReason
from .duel import Duel, Refusal, Side, Stage, refused
from .engine.base import Delta, Engine, Request
from .engine.base import Event as EngineEvent
from .errors import InvalidValue, MedInjectError
from .prompts import Message, messages

Clock = Callable[[], float]

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Said:
    """A piece of one side's answer."""

    side: Side
    text: str


@dataclass(frozen=True)
class Ended:
    """One side has ended."""

    side: Side
    reason: FinishReason


Event = Said | Ended


class Live:
    """A duel and the lock that its orders take in turn."""

    def __init__(self, duel: Duel) -> None:
        self.lock = threading.RLock()
        self.duel = duel

    def change(self, change: Callable[[Duel], Duel]) -> Duel:
        """Replace the duel by the next state."""
        with self.lock:
            self.duel = change(self.duel)
            return self.duel


def relay(engine: Engine, live: Live, clock: Clock) -> Iterator[Event]:
    """Have the last turn of a duel answered. Closing this ends both sides where they are.

    Both sides are rows of one call of the engine: a side that is stopped says no more, and its row is given back when
    the other ends.

    Raises:
        Refused: this turn is answered or being answered, or the engine cannot take it now.
        InvalidValue: the conversation is too long; the turn is dropped.
    """
    attempt, events = _begin(engine, live, clock)
    told: set[Side] = set()
    reason = FinishReason.ERROR  # of a side that has no end of its own
    try:
        yield from _events(live, attempt, events, told, clock)
    except GeneratorExit:
        reason = FinishReason.CANCELLED
        raise
    except MedInjectError as error:
        _log.warning("duel %s: the engine failed: %s", live.duel.id, error)
    finally:
        if callable(close := getattr(events, "close", None)):
            close()
        halt(live, tuple(Side), reason, clock(), attempt)
    yield from _endings(live.duel, attempt, told)


def halt(live: Live, sides: Sequence[Side], reason: FinishReason, now: float, attempt: int | None = None) -> None:
    """End sides where they are; where an attempt is given and another has begun since, leave it alone."""
    with live.lock:
        for side in sides if attempt in (None, live.duel.attempt) else ():
            live.duel = live.duel.halted(side.place, reason, now)


def _begin(engine: Engine, live: Live, clock: Clock) -> tuple[int, Iterator[EngineEvent]]:
    """Put the last turn to the engine; where it does not take it, the duel is as it was."""
    with live.lock:
        duel = live.duel
        if duel.stage is not Stage.ASKED:
            raise refused(Refusal.UNDER_WAY)
        requests = [Request(_conversation(duel, side), duel.arms[side.place], duel.last.sampling) for side in Side]
        try:
            prints = tuple(map(engine.fingerprint, duel.arms))
            events = engine.stream(requests)
        except InvalidValue:
            live.duel = duel.unasked()
            raise
        except MedInjectError as error:
            _log.warning("duel %s: the engine took no request: %s", duel.id, error)
            raise refused(Refusal.ENGINE) from None
        live.duel = duel.begin(prints, clock())
        return live.duel.attempt, events


def _events(live: Live, attempt: int, events: Iterator[EngineEvent], told: set[Side], clock: Clock) -> Iterator[Event]:
    """Events until both sides have ended or another attempt has begun."""
    for event in events:
        with live.lock:
            before = live.duel
            if before.attempt != attempt:
                return
            live.duel = after = _taken(before, event, clock())
        if isinstance(event, Delta) and after is not before:
            yield Said(list(Side)[event.row], event.text)
        yield from _endings(after, attempt, told)
        if len(told) == len(Side):
            return


def _taken(duel: Duel, event: EngineEvent, now: float) -> Duel:
    """A duel after one event of the engine."""
    if isinstance(event, Delta):
        return duel.said(event.row, event.text)
    if event.error:
        _log.warning("duel %s: %s failed: %s", duel.id, duel.arms[event.row], event.error)
    return duel.finished(event.row, event.reason, event.tokens, event.seconds, now)


def _endings(duel: Duel, attempt: int, told: set[Side]) -> Iterator[Ended]:
    """The sides that have ended and of which it was not told yet."""
    for side in Side if duel.attempt == attempt else ():
        reason = duel.last.drafts[side.place].reason
        if reason is not None and side not in told:
            told.add(side)
            yield Ended(side, reason)


def _conversation(duel: Duel, side: Side) -> list[Message]:
    """The conversation as one side knows it: the same questions, its own answers."""
    said = messages(duel.prompt)
    for each, following in zip(duel.exchanges, duel.exchanges[1:], strict=False):
        said.append({"role": "assistant", "content": each.drafts[side.place].text})
        said.append({"role": "user", "content": following.message})
    return said
