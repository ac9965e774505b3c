"""The seam between what asks and what answers: requests in, events out.

Events carry a row number, never a mixture: who shows them cannot tell which arm wrote what. Knows neither torch nor
models nor pages. ``ScriptedEngine`` is the fake that ships: it answers from a function, by the laws of any engine.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from ..domain import MIXTURES, Answer, FinishReason, Mixture, Sampling
from ..errors import InvalidValue, ModelError

Conversation = Sequence[Mapping[str, str]]
"""Messages as a chat template takes them: ``role`` and ``content``."""


ROLES = ("system", "user", "assistant")


@dataclass(frozen=True)
class Request:
    """One answer to give: a conversation, the arm that answers, and how its tokens are drawn."""

    messages: Conversation
    mixture: Mixture
    sampling: Sampling = field(default_factory=Sampling)


@dataclass(frozen=True)
class ChoiceRequest:
    """Options to weigh: the probability of each letter as the next token, among these letters only."""

    messages: Conversation
    mixture: Mixture
    letters: str


@dataclass(frozen=True)
class Delta:
    """A piece of a row's text; the pieces of a row concatenate to its answer."""

    row: int
    text: str


@dataclass(frozen=True)
class Finished:
    """The end of a row. ``seconds`` is wall time from the request; ``error`` says what went wrong, for an operator."""

    row: int
    reason: FinishReason
    tokens: int
    seconds: float
    error: str = ""


Event = Delta | Finished


class Engine(Protocol):
    """What answers. Closing the iterator of ``stream`` frees its rows."""

    @property
    def mixtures(self) -> tuple[Mixture, ...]:
        """The arms that can answer."""

    @property
    def precision(self) -> str:
        """What else than weights decides an answer: where they run, and in which numbers."""

    def fingerprint(self, mixture: Mixture) -> str:
        """Hash of what answers for an arm: its adapter's tensors and the base's."""

    def stream(self, requests: Sequence[Request]) -> Iterator[Event]:
        """Answer all requests at once; row ``n`` is request ``n``.

        Raises:
            ModelError: an arm is not there.
            InvalidValue: a conversation is empty, or longer than the context.
        """

    def option_probabilities(self, requests: Sequence[ChoiceRequest]) -> list[dict[str, float]]:
        """For each request, each letter's probability; they sum to one."""

    def close(self) -> None:
        """Give back what the engine holds."""


class Call(Protocol):
    """The rows of one request on their way; whatever happens, each of them comes to its ``Finished``."""

    def next_event(self) -> Event:
        """The next event, waited for."""

    def cancel(self) -> None:
        """End what has not ended."""


class Events(Iterator[Event]):
    """The events of a call until every row has finished; closing it, or dropping it, cancels the call, begun or not."""

    def __init__(self, call: Call, rows: int) -> None:
        self._call, self._left = call, rows

    def __next__(self) -> Event:
        if self._left <= 0:
            raise StopIteration
        event = self._call.next_event()
        self._left -= isinstance(event, Finished)
        return event

    def close(self) -> None:
        """Cancel what is not finished; another thread that waits for an event is let go."""
        self._left = 0
        self._call.cancel()

    def __del__(self) -> None:
        self.close()


def _streamed(engine: Engine, requests: Sequence[Request]) -> tuple[list[str], Iterator[Event]]:
    """The fingerprints of what answers, and its events: begun again where an arm was swapped as it began."""
    while True:
        prints = [engine.fingerprint(request.mixture) for request in requests]
        events = engine.stream(requests)
        if prints == [engine.fingerprint(request.mixture) for request in requests]:
            return prints, events
        if isinstance(events, Events):
            events.close()


def answers(engine: Engine, requests: Sequence[Request]) -> list[Answer]:
    """Whole answers, in the order of the requests, each with the fingerprint of what gave it."""
    prints, events = _streamed(engine, requests)
    texts = [""] * len(requests)
    ends: dict[int, Finished] = {}
    for event in events:
        if isinstance(event, Delta):
            texts[event.row] += event.text
        else:
            ends[event.row] = event
    return [
        Answer(
            request.mixture,
            prints[row],
            texts[row],
            ends[row].reason,
            ends[row].tokens,
            ends[row].seconds,
        )
        for row, request in enumerate(requests)
    ]


def closed() -> ModelError:
    """What is told of an engine that answers no more."""
    return ModelError.of("engine", expected="one that is open", got="a closed one", remedy="Load it again.")


def require_arm(mixture: Mixture, mixtures: Sequence[Mixture]) -> None:
    """Raises ModelError where an arm is not among those that can answer."""
    if mixture not in mixtures:
        known = ", ".join(map(str, mixtures))
        raise ModelError.of(f"arm {mixture}", expected=f"one of {known}", got="none", remedy="Install it first.")


def require_words(conversation: Conversation) -> None:
    """Raises InvalidValue where a conversation asks nothing, or is none."""
    for message in conversation:
        said = message if isinstance(message, Mapping) else {}
        role, content = said.get("role"), said.get("content")
        if role not in ROLES or not isinstance(content, str):
            raise InvalidValue.of("message", expected=f"a role of {', '.join(ROLES)} and a text", got=repr(message))
        require_text("message", content)
    if not conversation or not conversation[-1]["content"].strip():
        raise InvalidValue.of("prompt", expected="a question", got="an empty one", remedy="Write a question.")


def require_text(what: str, text: str) -> None:
    """Raises InvalidValue where a text holds half a character, as what was cut out of UTF-16 may."""
    try:
        text.encode()
    except UnicodeEncodeError as error:
        got = f"{text[error.start : error.end]!r} at {error.start}"
        raise InvalidValue.of(what, expected="whole characters", got=got, remedy="Paste it again.") from error


def require_letters(letters: str) -> None:
    """Raises InvalidValue where there are no letters to weigh, or one of them twice."""
    require_text("letters", letters)
    if not letters or len(set(letters)) != len(letters):
        raise InvalidValue.of("letters", expected="distinct letters", got=repr(letters))


class ScriptedEngine:
    """Answers from a function, word by word, a word of each row in turn; no model."""

    def __init__(
        self,
        answer: Callable[[Request], str],
        mixtures: Sequence[Mixture] = MIXTURES,
        *,
        weigh: Callable[[ChoiceRequest], Sequence[float]] = lambda request: [1.0] * len(request.letters),
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.mixtures, self.precision = tuple(mixtures), "scripted"
        self._answer, self._weigh, self._clock = answer, weigh, clock

    def fingerprint(self, mixture: Mixture) -> str:
        """The arm's own name: there is no weight to hash."""
        require_arm(mixture, self.mixtures)
        return f"scripted-{mixture}"

    def stream(self, requests: Sequence[Request]) -> Iterator[Event]:
        """The answers of the function; a row for which it raises finishes with an error."""
        for request in requests:
            require_arm(request.mixture, self.mixtures)
            require_words(request.messages)
        return self._events(requests, self._clock())

    def _events(self, requests: Sequence[Request], started: float) -> Iterator[Event]:
        scripts = [self._script(request) for request in requests]
        live = dict(enumerate(scripts))
        spoken = [0] * len(requests)
        while live:
            for row, script in list(live.items()):
                word = next(script.words, None)
                if word is not None and spoken[row] < requests[row].sampling.max_new_tokens:
                    spoken[row] += 1
                    yield Delta(row, word)
                    continue
                reason = script.reason if word is None else FinishReason.LENGTH
                del live[row]
                yield Finished(row, reason, spoken[row], self._clock() - started, script.error)

    def _script(self, request: Request) -> _Script:
        try:
            return _Script(iter(re.findall(r"\s*\S+|\s+$", self._answer(request))), FinishReason.STOP)
        except Exception as error:  # the law: whatever fails finishes its row, and the others go on
            return _Script(iter(()), FinishReason.ERROR, f"{type(error).__name__}: {error}")

    def option_probabilities(self, requests: Sequence[ChoiceRequest]) -> list[dict[str, float]]:
        """The weights of the function, normalised."""
        for request in requests:
            require_arm(request.mixture, self.mixtures)
            require_letters(request.letters)
        weighed = [list(self._weigh(request)) for request in requests]
        return [
            {letter: weight / sum(weights) for letter, weight in zip(request.letters, weights, strict=True)}
            for request, weights in zip(requests, weighed, strict=True)
        ]

    def close(self) -> None:
        """Nothing is held."""


@dataclass(frozen=True)
class _Script:
    words: Iterator[str]
    reason: FinishReason
    error: str = ""
