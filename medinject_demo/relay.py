"""From the events of an engine to those of a duel: rows become places, and what would tell an arm stays behind.

No time, no count of tokens and no sentence of the engine passes, for they may name an arm: those of a failure go to the
log. Kept answers come the same way. Knows no store, vote or page.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from .domain import FinishReason
from .duel import Duel, Refusal, Stage, refused
from .engine.base import Delta, Engine, Request
from .engine.base import Event as EngineEvent
from .errors import InvalidValue, MedInjectError
from .prepared import Prepared
from .prompts import Message, messages

Clock = Callable[[], float]

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Said:
    """A piece of one answer."""

    place: int
    text: str


@dataclass(frozen=True)
class Ended:
    """One answer has ended."""

    place: int
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


def relay(engine: Engine, live: Live, clock: Clock, prepared: Prepared) -> Iterator[Event]:
    """Have the last turn of a duel answered, or say what is kept. Closing this ends all answers where they are.

    All are rows of one call of the engine: one that is stopped says no more, and its row is given back when the others
    end.

    Raises:
        Refused: this turn is answered or being answered, or the engine cannot take it now.
        InvalidValue: the conversation is too long; the turn is dropped.
    """
    attempt, events = _begin(engine, live, clock, prepared)
    told: set[int] = set()
    reason = FinishReason.ERROR  # of an answer that has no end of its own
    try:
        yield from _events(live, attempt, events, told, clock)
    except GeneratorExit:
        reason = FinishReason.CANCELLED
        raise
    except MedInjectError as error:
        _log.warning("duel %s: the engine failed: %s", live.duel.id, error)
    finally:
        _close(events)
        halt(live, range(len(live.duel.arms)), reason, clock(), attempt)
        if live.duel.attempt == attempt:
            prepared.keep(live.duel)
    yield from _endings(live.duel, attempt, told)


def halt(live: Live, places: Iterable[int], reason: FinishReason, now: float, attempt: int | None = None) -> None:
    """End answers where they are; where an attempt is given and another has begun since, leave it alone."""
    with live.lock:
        for place in places if attempt in (None, live.duel.attempt) else ():
            live.duel = live.duel.halted(place, reason, now)


def _begin(engine: Engine, live: Live, clock: Clock, prepared: Prepared) -> tuple[int, Iterator[EngineEvent]]:
    """Put the last turn to the engine; where it does not take it, the duel is as it was."""
    with live.lock:
        duel = live.duel
        if duel.stage is not Stage.ASKED:
            raise refused(Refusal.UNDER_WAY)
        try:
            kept = prepared.find(duel)
            prints, events = kept or _put(engine, duel)
        except InvalidValue:
            live.duel = duel.unasked()
            raise
        except MedInjectError as error:
            _log.warning("duel %s: the engine took no request: %s", duel.id, error)
            raise refused(Refusal.ENGINE) from None
        live.duel = duel.begin(prints, clock(), cached=kept is not None)
        return live.duel.attempt, events


def _put(engine: Engine, duel: Duel) -> tuple[tuple[str, ...], Iterator[EngineEvent]]:
    """The fingerprints of what answers, and its events; put again where an arm was swapped in between."""
    requests = [Request(_conversation(duel, n), arm, duel.last.sampling) for n, arm in enumerate(duel.arms)]
    prints = tuple(map(engine.fingerprint, duel.arms))
    while True:
        before, events = prints, engine.stream(requests)
        prints = tuple(map(engine.fingerprint, duel.arms))
        if prints == before:
            return prints, events
        _close(events)


def _close(events: Iterator[EngineEvent]) -> None:
    if callable(close := getattr(events, "close", None)):
        close()


def _events(live: Live, attempt: int, events: Iterator[EngineEvent], told: set[int], clock: Clock) -> Iterator[Event]:
    """Events until all answers have ended or another attempt has begun."""
    for event in events:
        with live.lock:
            before = live.duel
            if before.attempt != attempt:
                return
            live.duel = after = _taken(before, event, clock())
        if isinstance(event, Delta) and after is not before:
            yield Said(event.row, event.text)
        yield from _endings(after, attempt, told)
        if len(told) == len(after.arms):
            return


def _taken(duel: Duel, event: EngineEvent, now: float) -> Duel:
    """A duel after one event of the engine."""
    if isinstance(event, Delta):
        return duel.said(event.row, event.text)
    if event.error:
        _log.warning("duel %s: %s failed: %s", duel.id, duel.arms[event.row], event.error)
    return duel.finished(event.row, event.reason, event.tokens, event.seconds, now)


def _endings(duel: Duel, attempt: int, told: set[int]) -> Iterator[Ended]:
    """The answers that have ended and of which it was not told yet."""
    for place, draft in enumerate(duel.last.drafts if duel.attempt == attempt else ()):
        if draft.reason is not None and place not in told:
            told.add(place)
            yield Ended(place, draft.reason)


def _conversation(duel: Duel, place: int) -> list[Message]:
    """The conversation as one arm knows it: the same questions, its own answers."""
    said = messages(duel.prompt)
    for each, following in zip(duel.exchanges, duel.exchanges[1:], strict=False):
        said.append({"role": "assistant", "content": each.drafts[place].text})
        said.append({"role": "user", "content": following.message})
    return said
