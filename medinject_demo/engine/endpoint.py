"""Where an arm is served: a server, and the names under which it may serve it. A value; the standard library only.

What a registry writes and ``engine.remote`` reads. Knows nothing of HTTP.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from ..errors import InvalidValue


@dataclass(frozen=True)
class Endpoint:
    """Where one arm is served."""

    url: str
    """Root of an OpenAI-compatible interface, such as ``http://host:8000/v1``; "" where nobody named one."""
    models: tuple[str, ...]
    """Names that the arm may have there, the first that is served is taken."""
    folder: Path | None = None
    """The adapter that it is served from, as far as somebody declared one."""
    checkpoint: str = ""
    """The merged checkpoint that is published for the arm; a model of this name or root is full weights."""
    merged: bool = False
    """True where full weights are served under any name: no adapter is left whose magnitude could be dropped."""

    @property
    def place(self) -> str:
        """The address without a login or a query, for a person to read."""
        return place(self.url)


def interface(url: str) -> str:
    """The root of an interface, from what a person writes: ``/v1`` is added where there is no path.

    Raises:
        InvalidValue: it is no address of a server.
    """
    expected = "an address such as http://host:8000/v1"
    try:
        parts = urlsplit(url)
        _ = parts.port  # read, for it may be none
    except ValueError as error:
        raise InvalidValue.of("server", expected=expected, got="one that cannot be read") from error
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.query:
        got = "one with a query" if parts.query else repr(place(url))
        raise InvalidValue.of("server", expected=expected, got=got)
    return parts._replace(path=parts.path.rstrip("/") or "/v1", fragment="").geturl()


def place(url: str) -> str:
    """An address without a login or a query."""
    parts = urlsplit(url)
    return parts._replace(netloc=parts.netloc.rpartition("@")[2], query="", fragment="").geturl()
