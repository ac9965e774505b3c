"""The engine of other machines: arms that OpenAI-compatible servers answer for, by the laws of any engine.

An event loop in a thread of its own holds all connections. Knows nothing of registries, settings or pages: endpoints
in, events out (``base.Engine``).
"""

from __future__ import annotations

import functools
import threading
import time
import weakref
from collections.abc import Awaitable, Callable, Mapping, Sequence
from concurrent.futures import CancelledError, Future
from contextlib import ExitStack
from typing import Any, Final, TypeVar

import anyio
from anyio.from_thread import BlockingPortal, start_blocking_portal

from ...domain import MIXTURES, Mixture
from ...errors import InvalidValue, ModelError
from ..base import ChoiceRequest, Events, Request, closed, require_arm, require_letters, require_words
from ..endpoint import Endpoint
from .calls import Call
from .letters import Letters, tokenizer
from .link import Link, Patience
from .served import Served
from .start import Reception, receive, together
from .wire import Fault, drawing, question

T = TypeVar("T")
MOST_OPEN: Final = 4096
"""Answers under way or waiting for a place; beyond, a call is refused."""


class RemoteEngine:
    """Answers of several arms from one or several servers. Made by ``connect``."""

    def __init__(self, portal: BlockingPortal, link: Link, reception: Reception, held: ExitStack) -> None:
        self._portal, self._link, self._held = portal, link, held
        self._arms: Mapping[Mixture, Served] = reception.arms
        self.remarks: tuple[str, ...] = reception.remarks
        """What the person who serves should know: arms that are missing, what could not be checked."""
        self.name = reception.name
        """What the servers call themselves, such as ``vllm``."""
        self._letters = Letters(link)
        self._calls: weakref.WeakSet[Call] = weakref.WeakSet()
        self._jobs: weakref.WeakSet[Future[Any]] = weakref.WeakSet()
        self._lock, self._closed = threading.Lock(), False

    @classmethod
    def connect(
        cls,
        endpoints: Mapping[Mixture, Endpoint],
        *,
        key: str = "",
        patience: Patience = Patience(),
        most_rows: int = 64,
        pause: Callable[[float], Awaitable[None]] = anyio.sleep,
    ) -> RemoteEngine:
        """Ask every server what it serves, and check that each arm answers otherwise than the others.

        An arm that is not there is left out, and ``remarks`` says so. At most ``most_rows`` requests are in flight at
        once; ``key`` is the bearer token of all servers.

        Raises:
            ModelError: no arm can answer, two are the same model, or one's magnitude would be dropped.
        """
        with ExitStack() as held:
            portal = held.enter_context(start_blocking_portal(name="remote"))
            link = portal.call(Link, key, patience, pause, most_rows)
            held.callback(portal.call, link.close)
            reception = portal.call(receive, link, endpoints)
            return cls(portal, link, reception, held.pop_all())

    @property
    def mixtures(self) -> tuple[Mixture, ...]:
        """The arms that can answer, the base first."""
        return tuple(mixture for mixture in MIXTURES if mixture in self._arms)

    @property
    def precision(self) -> str:
        """The servers' name: what they run in they do not say."""
        return f"served by {self.name}"

    def fingerprint(self, mixture: Mixture) -> str:
        """``remote-`` and a hash of what the server told of the model at the start: not of weights."""
        require_arm(mixture, self.mixtures)
        return self._arms[mixture].fingerprint

    def stream(self, requests: Sequence[Request]) -> Events:
        """Answer all requests at once; closing the iterator closes their connections.

        Raises:
            ModelError: an arm is not there, too many answers are under way, or the engine is closed.
            InvalidValue: a conversation is empty, or longer than the server's context.
        """
        for request in requests:
            require_arm(request.mixture, self.mixtures)
            require_words(request.messages)
        self._require_fits([request for request in requests if self._may_not_fit(request)])
        call = Call(time.monotonic)
        for request in requests:
            arm = self._arms[request.mixture]
            call.add(f"{arm.endpoint.url}/chat/completions", _body(arm, request))
        return self._begin(call)

    def option_probabilities(self, requests: Sequence[ChoiceRequest]) -> list[dict[str, float]]:
        """Each letter's probability as the next token, written with or without a space before it.

        Raises:
            ModelError: a server fails, or does not give what is needed; nothing is filled in.
        """
        for request in requests:
            require_arm(request.mixture, self.mixtures)
            require_words(request.messages)
            require_letters(request.letters)
        jobs = [functools.partial(self._letters.weigh, self._arms[each.mixture], each) for each in requests]
        return self._all(jobs)

    def close(self) -> None:
        """Close every connection; rows in flight finish as cancelled."""
        with self._lock:
            if self._closed:
                return
            self._closed = True
            calls = list(self._calls)
            jobs = list(self._jobs)
        for call in calls:
            call.cancel()
        for job in jobs:
            job.cancel()
        self._held.close()

    def _begin(self, call: Call) -> Events:
        """Start a call's rows, where there is room for them."""
        with self._lock:
            self._require_open()
            there = sum(each.open for each in self._calls)
            if there + call.open > MOST_OPEN:
                remedy = "Try again in a moment." if call.open <= MOST_OPEN else "Ask for fewer at once."
                expected, got = f"at most {MOST_OPEN} answers under way", str(there + call.open)
                raise ModelError.of("engine", expected=expected, got=got, remedy=remedy)
            self._calls.add(call)
            call.start(self._portal, self._link)
        return Events(call, len(call.rows))

    def _all(self, jobs: Sequence[Callable[[], Awaitable[T]]]) -> list[T]:
        """Jobs done side by side in the event loop and waited for; the first failure is one of the family."""
        with self._lock:
            self._require_open()
            future = self._portal.start_task_soon(together, jobs)
            self._jobs.add(future)
        try:
            answered = future.result()
        except CancelledError as error:
            raise closed() from error
        results = []
        for each in answered:
            if isinstance(each, Fault):
                raise ModelError(str(each)) from each
            results.append(each)
        return results

    def _require_open(self) -> None:
        if self._closed:
            raise closed()

    def _may_not_fit(self, request: Request) -> bool:
        """True where a conversation has so many bytes that it may be longer than the context: no token is shorter."""
        context = self._arms[request.mixture].card.context
        if context is None:
            return False
        return sum(len(each["content"].encode("utf-8", "replace")) + ROOM for each in request.messages) >= context

    def _require_fits(self, requests: Sequence[Request]) -> None:
        """Count the tokens of long conversations, where the server counts; any other is its own to refuse."""
        jobs = [functools.partial(_count, self._link, self._arms[each.mixture], each) for each in requests]
        for request, count in zip(requests, self._all(jobs) if jobs else [], strict=True):
            context = self._arms[request.mixture].card.context or 0
            if count >= context:
                raise InvalidValue.of(
                    "prompt",
                    expected=f"fewer than {context} tokens, the conversation so far included",
                    got=str(count),
                    remedy="Shorten it, or begin a new conversation.",
                )


ROOM: Final = 64
"""Tokens that a chat template may write around one message."""


def _body(arm: Served, request: Request) -> dict[str, Any]:
    """The request of one row; no more tokens than the context has, which a server would refuse."""
    most = min(request.sampling.max_new_tokens, arm.card.context or request.sampling.max_new_tokens)
    fields = drawing(request.sampling, arm.card.owner)
    return question(arm.model, request.messages, most, stream=True, stream_options={"include_usage": True}, **fields)


async def _count(link: Link, arm: Served, request: Request) -> int:
    """The tokens of a conversation as the server counts them, 0 where it does not."""
    messages = question(arm.model, request.messages, 1)["messages"]
    try:
        said = await link.ask(tokenizer(arm), {"model": arm.model, "messages": messages})
        return int(said["count"])
    except (Fault, KeyError, TypeError, ValueError):
        return 0
