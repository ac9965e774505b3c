"""The gate before what costs: who gives an order, as hashes, and whether one more may be given now.

Knows a request of Gradio and the limiter. An address is read, hashed and forgotten here.
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass, field
from typing import Final

import gradio as gr

from ..addresses import client_of, hashed
from ..limiter import Act, Limiter, Whose

HEADER: Final = "x-forwarded-for"


@dataclass(frozen=True)
class Gate:
    """Counts orders by voter and by address. The default lets everything pass."""

    limiter: Limiter = field(default_factory=lambda: Limiter({}))
    secret: str = field(default_factory=lambda: secrets.token_urlsafe(32), repr=False)
    proxies: int = 0
    """Trusted proxies in front."""

    def admit(self, act: Act, request: gr.Request | None, session: str = "") -> None:
        """Count one order of a visitor. ``session`` is the voter's token, where there is one.

        Raises:
            Refused: as ``Limiter.admit``.
        """
        known = {Whose.VOTER: session.strip(), Whose.ADDRESS: self._address(request)}
        names = {whose: hashed(whose, name, self.secret) for whose, name in known.items() if name}
        self.limiter.admit(act, names)

    def _address(self, request: gr.Request | None) -> str:
        """The client's address; empty where the request tells none."""
        if request is None:
            return ""
        headers = request.headers
        said = headers.getlist(HEADER) if hasattr(headers, "getlist") else [headers.get(HEADER, "")]
        peer = request.client
        return client_of(peer.host if peer else "", [each for each in said if each], self.proxies)
