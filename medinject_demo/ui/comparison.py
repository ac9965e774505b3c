"""One question put to several arms: what each has said so far, how it ended, and what may be asked at all.

Pure values; knows the engine by its seam alone, and no component or HTML.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Generator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Final

from ..domain import FinishReason, Mixture, Prompt, Sampling
from ..engine.base import Delta, Engine, Event, Request
from ..errors import InvalidValue, MedInjectError
from ..prompts import messages

FEWEST: Final = 2
"""Arms below which there is nothing to compare; the most are all eight."""

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Bound:
    """Values that the page takes for one setting of ``Sampling``: narrower than what an engine would take."""

    setting: str
    least: float
    most: float
    whole: bool = False

    def holds(self, value: Any) -> bool:
        """True for a number within the bounds; NaN and the infinities lie in none."""
        kinds = int if self.whole else (int, float)
        return isinstance(value, kinds) and not isinstance(value, bool) and self.least <= value <= self.most


BOUNDS: Final = (
    Bound("max_new_tokens", 1, 1024, whole=True),
    Bound("temperature", 0, 2),
    Bound("top_p", 0.01, 1),
    Bound("top_k", 0, 1000, whole=True),
    Bound("min_p", 0, 1),
    Bound("repetition_penalty", 0.5, 2),
    Bound("seed", 0, 2**31 - 1, whole=True),
)
"""The settings that a visitor may change, in the page's order."""


@dataclass(frozen=True)
class Card:
    """The answer of one arm so far. ``tokens`` and ``seconds`` are unknown until it ends, and where it was stopped."""

    mixture: Mixture
    fingerprint: str
    text: str = ""
    reason: FinishReason | None = None
    tokens: int | None = None
    seconds: float | None = None

    @property
    def failed(self) -> bool:
        """True where there is no answer."""
        return self.reason is FinishReason.ERROR

    @property
    def words(self) -> int:
        """Length in words."""
        return len(self.text.split())

    def after(self, event: Event) -> Card:
        """The card once an event of its row has come; what a failed row had said is no answer."""
        if isinstance(event, Delta):
            return replace(self, text=self.text + event.text)
        return replace(self.ended(event.reason), tokens=event.tokens, seconds=event.seconds)

    def ended(self, reason: FinishReason) -> Card:
        """The card with an end, where it has none yet."""
        if self.reason is not None:
            return self
        return replace(self, reason=reason, text="" if reason is FinishReason.ERROR else self.text)


@dataclass(frozen=True)
class Comparison:
    """One question, its arms in the order in which they were chosen, and their answers so far."""

    model: str
    """Title of what answers."""
    asked: str
    """When it was asked, UTC, ISO 8601."""
    prompt: Prompt
    sampling: Sampling
    cards: tuple[Card, ...]

    @property
    def arms(self) -> tuple[Mixture, ...]:
        """The arms; words that differ are marked against the first."""
        return tuple(card.mixture for card in self.cards)

    @property
    def ended(self) -> int:
        """How many answers have ended."""
        return sum(card.reason is not None for card in self.cards)

    @property
    def live(self) -> bool:
        """True while an answer may still grow."""
        return self.ended < len(self.cards)

    def after(self, event: Event) -> Comparison:
        """The comparison once an event of the engine has come."""
        cards = (*self.cards[: event.row], self.cards[event.row].after(event), *self.cards[event.row + 1 :])
        return replace(self, cards=cards)

    def halted(self, reason: FinishReason) -> Comparison:
        """The comparison with an end for each answer that had none."""
        return replace(self, cards=tuple(card.ended(reason) for card in self.cards))


def opened(
    engine: Engine, model: str, prompt: Prompt, slugs: Sequence[str], sampling: Sampling, now: datetime
) -> Comparison:
    """A comparison before anything is said; the first of the slugs is what the others are compared with.

    Raises:
        InvalidValue: a slug is not one of the eight, is there twice, or there are fewer than two.
        ModelError: an arm is not installed.
    """
    arms = [Mixture.parse(slug) for slug in slugs]
    if len(set(arms)) < max(FEWEST, len(arms)):
        got = ", ".join(slugs) or "none"
        raise InvalidValue.of("arms", expected="two to eight different ones", got=got)
    cards = tuple(Card(mixture, engine.fingerprint(mixture)) for mixture in arms)
    return Comparison(model, now.isoformat(timespec="seconds"), prompt, sampling, cards)


def follow(
    engine: Engine, comparison: Comparison, *, clock: Callable[[], float] = time.monotonic, refresh: float = 0.1
) -> Generator[Comparison]:
    """The comparison as it grows, all arms in one stream, at most once each ``refresh`` seconds; the last is whole.

    Closing this closes the engine's iterator, which frees the rows. An engine that fails on the way ends the answers
    that had no end; the others stay.

    Raises:
        ModelError: too many answers wait.
        InvalidValue: the question is longer than the context.
    """
    said = messages(comparison.prompt)
    events = engine.stream([Request(said, mixture, comparison.sampling) for mixture in comparison.arms])
    drawn = clock()
    try:
        yield comparison
        for event in events:
            comparison = comparison.after(event)
            if clock() - drawn >= refresh:
                yield comparison
                drawn = clock()  # after it was drawn: a page slower than this is not asked for more
    except MedInjectError as error:
        _log.warning("a comparison failed on the way: %s", error)
    finally:
        if callable(close := getattr(events, "close", None)):
            close()
    yield comparison.halted(FinishReason.ERROR)


def sampling_of(values: Mapping[str, Any]) -> Sampling:
    """How tokens are drawn, from what a visitor gave.

    Raises:
        InvalidValue: a value is out of its bounds.
    """
    bound = out_of_bounds(values)
    if bound is not None:
        expected = f"a {'whole ' if bound.whole else ''}number from {bound.least:g} to {bound.most:g}"
        raise InvalidValue.of(bound.setting, expected=expected, got=repr(values[bound.setting])[:40])
    return Sampling(**values)


def out_of_bounds(values: Mapping[str, Any]) -> Bound | None:
    """The first setting whose value is out of its bounds."""
    return next((bound for bound in BOUNDS if not bound.holds(values[bound.setting])), None)
