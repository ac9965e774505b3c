"""The weights of an exercise's letters at a server: exact, or none.

A letter counts written with and without a space before it, each where it is one token, as ``engine.choices`` counts it.
A server that tells its tokens (``/tokenize``) and the log-probabilities of tokens that one names
(``logprob_token_ids``), as vLLM does, gives them exactly. Any other gives the most probable tokens only: they do where
no letter is missing among them, and what is missing is too little to matter. Nothing is filled in.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable, Mapping
from typing import Final

import anyio

from ...errors import InvalidValue
from ..base import ChoiceRequest, Conversation
from ..choices import require_own_tokens, whole_in
from .link import Link
from .served import Served
from .wire import Fault, question

TOP: Final = 20
"""Most probable tokens that are asked for: the most that OpenAI and vLLM give unless told otherwise."""
NEGLIGIBLE: Final = 1e-3
"""Share of the letters' mass that unseen ways of writing them may hold, together."""
MARK: Final = "token_id:"
"""What vLLM writes before a token's number."""
WITHOUT: Final = (400, 404, 405, 422)
"""Answers of a server that has no ``/tokenize``, or another one."""

Tops = Mapping[str, float]
"""Log-probability by token, as the server writes tokens."""


async def tops(link: Link, arm: Served, messages: Conversation, ids: tuple[int, ...] = ()) -> tuple[Tops, str]:
    """Log-probabilities of the first token of an answer, and the server's ``system_fingerprint``.

    Raises:
        Fault: the server gives none.
    """
    named = {"logprob_token_ids": list(ids), "return_tokens_as_token_ids": True} if ids else {}
    body = question(arm.model, messages, 1, temperature=0.0, logprobs=True, top_logprobs=TOP, **named)
    said = await link.ask(f"{arm.endpoint.url}/chat/completions", body)
    try:
        (first,) = said["choices"][0]["logprobs"]["content"]
        listed = {str(each["token"]): float(each["logprob"]) for each in reversed(first["top_logprobs"])}
    except (KeyError, IndexError, TypeError, ValueError) as error:
        raise Fault(f"{arm.endpoint.place} gives no log-probabilities of model {arm.model!r}") from error
    if not listed:
        raise Fault(f"{arm.endpoint.place} gives no log-probabilities of model {arm.model!r}")
    return listed, str(said.get("system_fingerprint") or "")


class Letters:
    """Weighs letters; remembers which tokens a letter is written with."""

    def __init__(self, link: Link) -> None:
        self._link = link
        self._turns: defaultdict[tuple[str, str], anyio.Lock] = defaultdict(anyio.Lock)
        """One for each arm: a server that does not answer keeps nobody waiting for another."""
        self._known: dict[tuple[str, str, str], tuple[int, ...]] = {}

    async def weigh(self, arm: Served, request: ChoiceRequest) -> dict[str, float]:
        """Each letter's share of the mass of all of them.

        Raises:
            Fault: the server fails, gives no log-probabilities, or a letter is not among those it gives; or it tells
                its tokens, and a letter is none of its own, or two are the same one.
        """
        ways = {letter: await self._ways(arm, letter) for letter in request.letters}
        if not all(ways.values()):
            return _among_the_top(arm, request, (await tops(self._link, arm, request.messages))[0])
        exact = {letter: whole_in(*way) for letter, way in ways.items()}
        try:
            require_own_tokens(exact)
        except InvalidValue as error:  # of many exercises asked at once, this one's
            raise Fault(str(error)) from error
        ids = tuple(sorted(set().union(*exact.values())))
        listed, _ = await tops(self._link, arm, request.messages, ids)
        named = {letter: [f"{MARK}{each}" for each in sorted(way)] for letter, way in exact.items()}
        if all(way in listed for each in named.values() for way in each):
            return _shares({letter: _masses(listed, way) for letter, way in named.items()})
        return _among_the_top(arm, request, listed)

    async def _ways(self, arm: Served, letter: str) -> tuple[tuple[int, ...], ...]:
        """A letter's tokens, a space's, and those of both; nothing where the server does not tell."""
        alone, space, spaced = [await self._tokens(arm, way) for way in (letter, " ", f" {letter}")]
        return (alone, space, spaced) if alone and spaced else ()

    async def _tokens(self, arm: Served, way: str) -> tuple[int, ...]:
        key = (arm.endpoint.url, arm.model, way)
        async with self._turns[arm.endpoint.url, arm.model]:  # of many exercises at once, one asks
            if key not in self._known:
                self._known[key] = await self._asked(arm, way)
            return self._known[key]

    async def _asked(self, arm: Served, way: str) -> tuple[int, ...]:
        """The tokens of a text; none where the server does not tell."""
        try:
            said = await self._link.ask(
                tokenizer(arm), {"model": arm.model, "prompt": way, "add_special_tokens": False}
            )
            return tuple(int(each) for each in said["tokens"])
        except (KeyError, TypeError, ValueError):
            return ()
        except Fault as fault:
            if fault.status in WITHOUT:
                return ()
            raise


def tokenizer(arm: Served) -> str:
    """Where vLLM counts and names tokens: beside ``/v1``."""
    return f"{arm.endpoint.url.removesuffix('/v1')}/tokenize"


def _among_the_top(arm: Served, request: ChoiceRequest, listed: Tops) -> dict[str, float]:
    """The letters' shares from the most probable tokens, where these suffice."""
    masses = {letter: _masses(listed, (letter, f" {letter}")) for letter in request.letters}
    seen = sum(map(sum, masses.values()))
    unseen = sum(2 - len(each) for each in masses.values())  # none of them weighs more than the least that is listed
    if not all(masses.values()) or unseen * _mass(listed, min(listed.values())) > NEGLIGIBLE * seen:
        missing = ", ".join(letter for letter, each in masses.items() if len(each) < 2)
        raise Fault(
            f"letters of arm {request.mixture}: expected the log-probability of each from {arm.endpoint.place}, with "
            f"and without a space before it, got none of {missing} among the {len(listed)} tokens that it gives. Serve "
            "the arm with vLLM, which gives those of any token."
        )
    return _shares(masses)


def _masses(listed: Tops, tokens: Iterable[str]) -> list[float]:
    return [_mass(listed, listed[token]) for token in tokens if token in listed]


def _mass(listed: Tops, logprob: float) -> float:
    """A probability in units of the greatest listed, so that none is too small for a number."""
    return math.exp(logprob - max(listed.values()))


def _shares(masses: Mapping[str, list[float]]) -> dict[str, float]:
    total = sum(map(sum, masses.values()))
    return {letter: sum(each) / total for letter, each in masses.items()}
