"""The first questions to the servers: what they serve, which arm is which, and whether the arms differ.

Knows nothing of rows.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final, TypeVar

import anyio

from ...domain import Mixture
from ...errors import ModelError
from ..endpoint import Endpoint, place
from .letters import Tops, tops
from .link import Link, Patience
from .served import Card, Served, cards, found, require_honest, same
from .wire import Fault

T = TypeVar("T")
ASKED: Final = ({"role": "user", "content": "Quel est le traitement de la grippe ?"},)
"""What every arm is asked at the start; the same as the engine of this machine asks."""
APART: Final = 1e-3
"""Difference of two log-probabilities of one token that is more than rounding."""


@dataclass(frozen=True)
class Reception:
    """What the servers have."""

    arms: Mapping[Mixture, Served]
    remarks: tuple[str, ...]

    @property
    def name(self) -> str:
        """What the servers call themselves."""
        owners = {arm.card.owner for arm in self.arms.values()} - {""}
        return ", ".join(sorted(owners)) or "unknown"


async def receive(link: Link, endpoints: Mapping[Mixture, Endpoint]) -> Reception:
    """Find the arms, refuse what would answer wrongly, and have each answer once.

    Raises:
        ModelError: no arm is there, or one of them must not answer.
    """
    reception = await look(link, endpoints)
    if not reception.arms:
        got = " ".join(reception.remarks) or "none declared"
        raise ModelError(f"remote arms: expected at least one that is served, got none. {got}")
    arms, remarks = dict(reception.arms), list(reception.remarks)
    heard = dict(zip(arms, await together([_heard(link, arm) for arm in arms.values()]), strict=True))
    for mixture, answer in heard.items():
        if isinstance(answer, Fault):
            remarks.append(f"Whether arm {mixture} differs was not checked: {answer}")
        else:
            arms[mixture] = replace(arms[mixture], system=answer[1])
    _require_different({mixture: each[0] for mixture, each in heard.items() if not isinstance(each, Fault)})
    return Reception(arms, tuple(remarks))


async def look(link: Link, endpoints: Mapping[Mixture, Endpoint]) -> Reception:
    """Which arms the servers list, and what is missing; nothing is generated.

    Raises:
        ModelError: an arm's magnitude would be dropped, or two arms are one model.
    """
    urls = sorted({endpoint.url for endpoint in endpoints.values()})
    listed = dict(zip(urls, await together([_listed(link, url) for url in urls]), strict=True))
    arms: dict[Mixture, Served] = {}
    remarks = [str(answer) for answer in listed.values() if isinstance(answer, Fault)]
    for mixture, endpoint in endpoints.items():
        models = listed[endpoint.url]
        if isinstance(models, Fault):
            continue
        card = found(endpoint, models)
        if card is None:
            names = " or ".join(map(repr, endpoint.models))
            remarks.append(f"Arm {mixture} is missing: {endpoint.place} serves no model {names}.")
        else:
            arms[mixture] = Served(endpoint, card)
    require_honest(arms)
    return Reception(arms, tuple(remarks))


def survey(endpoints: Mapping[Mixture, Endpoint], key: str, patience: Patience) -> Reception:
    """Ask the servers once what they serve, and generate nothing.

    Raises:
        ModelError: an arm's magnitude would be dropped, or two arms are one model.
    """

    async def once() -> Reception:
        link = Link(key, patience)
        try:
            return await look(link, endpoints)
        finally:
            await link.close()

    return anyio.run(once)


async def together(jobs: Sequence[Callable[[], Awaitable[T]]]) -> list[T | Fault]:
    """The results of several jobs done side by side, in their order; a fault where one failed."""
    results: list[T | Fault] = [Fault("not done")] * len(jobs)

    async def one(number: int) -> None:
        try:
            results[number] = await jobs[number]()
        except Fault as fault:
            results[number] = fault

    async with anyio.create_task_group() as group:
        for number in range(len(jobs)):
            group.start_soon(one, number)
    return results


def _listed(link: Link, url: str) -> Callable[[], Awaitable[dict[str, Card]]]:
    async def listed() -> dict[str, Card]:
        try:
            return {card.id: card for card in cards(await link.ask(f"{url}/models"))}
        except ValueError as error:
            raise Fault(f"{place(url)}/models answered {error}.") from error

    return listed


def _heard(link: Link, arm: Served) -> Callable[[], Awaitable[tuple[Tops, str]]]:
    async def heard() -> tuple[Tops, str]:
        return await tops(link, arm, ASKED)

    return heard


def _require_different(heard: Mapping[Mixture, Tops]) -> None:
    """Raises ModelError where two arms give one token the same probability, and so all of them."""
    arms = list(heard)
    for number, one in enumerate(arms):
        for other in arms[number + 1 :]:
            if not differ(heard[one], heard[other]):
                raise same(one, other, "the same probabilities of the first token")


def differ(one: Tops, other: Tops) -> bool:
    """True where the most probable tokens are others, or have other probabilities."""
    return one.keys() != other.keys() or any(abs(one[token] - other[token]) > APART for token in one)
