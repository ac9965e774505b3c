"""The way to OpenAI-compatible servers: one client, its time limits, what may be tried again.

Every failure comes out as a ``Fault`` whose sentence names the server and carries its own words. Runs in an event loop;
knows nothing of arms or rows. The client is httpx2, which the Hub's library brings along: transformers needs it anyway.
"""

from __future__ import annotations

import email.utils
import json
import random
import time
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any, Final, TypeVar

import anyio
import httpx2

from ...errors import InvalidValue
from ..endpoint import place
from .wire import OFF, Fault, short, words

T = TypeVar("T")
AGAIN: Final = (429, 502, 503, 504)
"""Answers after which a request is put again."""
LARGEST: Final = 2**20
"""Bytes of one event, at most; more is a fault."""


@dataclass(frozen=True)
class Patience:
    """How long a server is waited for, in seconds, and how often it is asked."""

    connect: float = 5.0
    first: float = 120.0
    """Until the first token: a server may have others to answer before."""
    between: float = 30.0
    """Between two tokens. Comments that keep a connection open are no token."""
    attempts: int = 4
    longest_pause: float = 30.0

    def pause(self, fault: Fault, failed: int) -> float:
        """Seconds before the next attempt: what the server asks for, else twice as long each time, by chance less."""
        asked = 0.25 * 2**failed * random.uniform(0.5, 1) if fault.after is None else fault.after
        return min(asked, self.longest_pause)


class Link:
    """A client of any number of servers. Made and closed in the event loop."""

    def __init__(
        self, key: str, patience: Patience, pause: Callable[[float], Awaitable[None]] = anyio.sleep, most: int = 64
    ) -> None:
        require_key(key)
        self.patience, self._pause = patience, pause
        self.rows, self._asks = anyio.Semaphore(most), anyio.Semaphore(most)
        """Places of answers that stream, and of small questions, which wait for no answer to end."""
        self._client = httpx2.AsyncClient(
            headers={"Authorization": f"Bearer {key}"} if key else {},
            timeout=httpx2.Timeout(patience.first, connect=patience.connect, pool=None),
            limits=httpx2.Limits(max_connections=None, max_keepalive_connections=most),
        )

    async def close(self) -> None:
        """Give the connections back."""
        await self._client.aclose()

    async def persist(
        self, job: Callable[[], Awaitable[T]], places: anyio.Semaphore, begun: Callable[[], bool] = lambda: False
    ) -> T:
        """Do something in one of so many places, again where that may help and nothing has begun.

        Raises:
            Fault: it failed as often as patience allows, or in a way that no other attempt would mend.
        """
        for failed in range(self.patience.attempts):
            try:
                async with places:
                    return await job()
            except Fault as fault:
                if begun() or not fault.again or failed + 1 == self.patience.attempts:
                    raise
                await self._pause(self.patience.pause(fault, failed))
        raise AssertionError("no attempt")

    async def ask(self, url: str, body: dict[str, Any] | None = None) -> Any:
        """The JSON that a server answers: to a question with a body, else to a mere look."""

        async def once() -> Any:
            async with self._answer(url, body) as response:
                return _json(url, await response.aread())

        return await self.persist(once, self._asks)

    @asynccontextmanager
    async def events(self, url: str, body: dict[str, Any]) -> AsyncIterator[AsyncGenerator[str, None]]:
        """The data of a stream's events, for as long as the context is open; leaving it closes the connection."""
        async with self._answer(url, body) as response:
            source = httpx2.EventSource(response, max_event_size=LARGEST)
            yield (event.data async for event in source)

    @asynccontextmanager
    async def _answer(self, url: str, body: dict[str, Any] | None) -> AsyncIterator[httpx2.Response]:
        """An answer that is none of an error, its body still unread."""
        try:
            method = "GET" if body is None else "POST"
            async with self._client.stream(method, url, json=body) as response:
                if response.status_code != HTTPStatus.OK:
                    raise _refusal(url, body or {}, response, await response.aread())
                yield response
        except httpx2.TimeoutException as error:
            connecting = isinstance(error, httpx2.ConnectTimeout)
            limit = self.patience.connect if connecting else self.patience.first
            what = "no connection" if connecting else "no answer"
            raise Fault(f"{place(url)}: {what} within {limit:g} s", again=connecting) from error
        except httpx2.RequestError as error:
            again = isinstance(error, httpx2.TransportError) and not isinstance(error, httpx2.SSEError)
            said = str(error) or type(error).__name__
            raise Fault(f"{place(url)}: {short(said)}", again=again) from error
        except httpx2.InvalidURL as error:
            raise Fault(f"{place(url)}: {short(str(error))}") from error


def require_key(key: str) -> None:
    """Check that a key can stand in a header: what refuses it there would print it.

    Raises:
        InvalidValue: it cannot.
    """
    if not (key.isascii() and key.isprintable() and " " not in key):
        remedy = "Copy it again, without spaces."
        expected, got = "a key of printable ASCII characters", "another, not shown"
        raise InvalidValue.of("MEDINJECT_ENGINE_KEY", expected=expected, got=got, remedy=remedy)


def _refusal(url: str, body: dict[str, Any], response: httpx2.Response, content: bytes) -> Fault:
    """An answer of an error, in the server's own words."""
    text = content.decode("utf-8", "replace")
    try:
        said = words(json.loads(text))
    except ValueError:
        said = short(text)
    status = response.status_code
    sentence = f"{place(url)} answered {status} {response.reason_phrase}: {said or 'no words'}".rstrip(". ")
    sentence = f"{sentence}.{_remedy(status, body, said)}"
    return Fault(sentence, again=status in AGAIN, after=_asked_pause(response), status=status)


def _remedy(status: int, body: dict[str, Any], said: str) -> str:
    if status in (HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN):
        return " Set MEDINJECT_ENGINE_KEY to a key of this server."
    refused = [name for name in OFF if name in body and name in said]
    if refused:
        return f" This server does not take {', '.join(refused)}: leave them at their defaults, or ask a vLLM server."
    return ""


def _asked_pause(response: httpx2.Response) -> float | None:
    """Seconds of a header ``Retry-After``, which is a number or a date."""
    asked = response.headers.get("retry-after", "").strip()
    if asked.isdecimal():
        return float(asked)
    try:
        return max(0.0, email.utils.parsedate_to_datetime(asked).timestamp() - time.time())
    except ValueError:
        return None


def _json(url: str, content: bytes) -> Any:
    try:
        return json.loads(content)
    except ValueError as error:
        raise Fault(f"{place(url)} answered what is no JSON: {short(content.decode('utf-8', 'replace'))!r}") from error
