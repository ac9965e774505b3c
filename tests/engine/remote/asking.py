"""Ways to ask a server of the tests, and what is heard of it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from medinject_demo.domain import MIXTURES, FinishReason, Mixture
from medinject_demo.engine.base import Delta, Finished, Request
from medinject_demo.engine.endpoint import Endpoint
from medinject_demo.engine.remote import Patience, RemoteEngine

from ..laws import asked
from .served import SLUGS, Exchange, Script, well

HASTY = Patience(connect=5, first=0.2, between=0.2, attempts=3)
"""For servers that say nothing for ever; one that answers is given a minute."""
PATIENT = Patience(connect=5, first=60, between=60, attempts=3)
Connect = Callable[..., RemoteEngine]


def at(url: str, *slugs: str, **fields: Any) -> dict[Mixture, Endpoint]:
    """Every arm, or those named, at one server under its slug."""
    return {
        mixture: Endpoint(url, (mixture.slug,), **fields) for mixture in MIXTURES if mixture.slug in (slugs or SLUGS)
    }


def heard(engine: RemoteEngine, *requests: Request) -> tuple[list[str], list[Finished]]:
    """The texts and the ends of rows, in their order."""
    texts, ends = [""] * len(requests), {}
    for event in engine.stream(requests):
        if isinstance(event, Delta):
            texts[event.row] += event.text
        else:
            ends[event.row] = event
    return texts, [ends[row] for row in range(len(requests))]


def failed(engine: RemoteEngine, question: str = "non") -> str:
    """The error of a row that fails, beside another that does not."""
    texts, (bad, good) = heard(engine, asked(question), asked("oui"))
    assert bad.reason is FinishReason.ERROR
    assert (texts[1], good.reason, good.error) == ("base dit œdème 💪 oui", FinishReason.STOP, "")
    assert texts[0] in ("", "début")  # what the server had said, and no word of the error
    return bad.error


def refusing(status: int, words: str, **headers: str) -> Script:
    return lambda exchange: exchange.refuse(status, words, **headers)


def first_fails(failure: Script) -> Script:
    """Fails at the first attempt, and then answers well."""
    tried: list[bool] = []

    def script(exchange: Exchange) -> None:
        tried.append(True)
        (failure if len(tried) == 1 else well)(exchange)

    return script
