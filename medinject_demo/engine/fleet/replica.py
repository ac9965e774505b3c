"""One engine of a fleet, in a process of its own that Ray starts, watches and starts again.

Every request and every health check first brings the engine to what the ledger holds: a replica that missed a swap, or
was loaded during one, cannot answer by what was before. Knows nothing of the other replicas.
"""

from __future__ import annotations

import asyncio
import os
import threading
from collections.abc import AsyncIterator, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING

from ...domain import BASE, Mixture
from ...errors import MedInjectError, ModelError
from ..base import ChoiceRequest, Event, Events, Request, closed
from .ledger import Arm, ClusterTable, Committed, Ledger, require_same
from .plan import Plan
from .wire import Accepted, Message, Prepared, Refused, State

if TYPE_CHECKING:
    from ..local import LocalEngine
    from ..tenancy import Pending


class Replica:
    """What Serve calls; its name in the cluster is Serve's own."""

    def __init__(self, plan: Plan, name: str = "") -> None:
        """Load the arms of the plan, and carry out the swaps that the fleet has committed to.

        Raises:
            ModelError: they cannot be loaded, or have other fingerprints here than the fleet's.
        """
        self._plan, self._name = plan, name or _own_name()
        self._ledger = Ledger(plan.identity, ClusterTable())
        self._pending: dict[str, tuple[Arm, Pending]] = {}
        self._turn = threading.Lock()
        self._weighing = ThreadPoolExecutor(plan.ongoing, "weigh")
        """Of its own: each part waits for its places in the batch, and a health check must not wait for them all."""
        self._engine = _loaded(plan)
        try:
            self._committed = self._agreed()
            self._catch_up()
        except BaseException:
            self._engine.close()
            raise

    async def check_health(self) -> None:
        """Called by Serve now and then; a replica that fails it is started again.

        Raises:
            ModelError: the engine's thread has ended, or a swap that the fleet committed to cannot be carried out.
        """
        if not self._engine.is_open:
            raise closed()
        await asyncio.to_thread(self._catch_up)

    async def answer(self, requests: Sequence[Request]) -> AsyncIterator[Message]:
        """The engine's ``stream``: first whether it was taken, then events, as many at once as are there."""
        try:
            prints, events = await asyncio.to_thread(self._begin, requests)
        except MedInjectError as error:
            yield Refused.of(error)
            return
        try:
            yield Accepted(prints)
            async for batch in _flow(events):
                yield batch
        finally:
            events.close()

    async def weigh(self, requests: Sequence[ChoiceRequest]) -> list[dict[str, float]] | Refused:
        """The engine's ``option_probabilities``."""
        loop = asyncio.get_running_loop()
        try:
            await asyncio.to_thread(self._catch_up)
            return await loop.run_in_executor(self._weighing, self._engine.option_probabilities, requests)
        except MedInjectError as error:
            return Refused.of(error)

    async def prepare(self, ticket: str, mixture: Mixture, folder: str) -> Prepared | Refused:
        """The first half of a swap: load and check an adapter beside the one that answers."""
        try:
            return await asyncio.to_thread(self._prepared, ticket, mixture, folder)
        except MedInjectError as error:
            return Refused.of(error)

    async def drop(self, ticket: str) -> None:
        """Give back what was prepared under a ticket; nothing where nothing was."""
        self._drop(ticket)

    async def state(self) -> State | Refused:
        """What this replica says of itself, once it has come to what the ledger holds: the second half of a swap."""
        try:
            await asyncio.to_thread(self._catch_up)
        except MedInjectError as error:
            return Refused.of(error)
        prints = {mixture: self._engine.fingerprint(mixture) for mixture in self._engine.mixtures}
        at, engine = self._committed.number, self._engine
        return State(self._name, os.getpid(), at, prints, engine.rows_in_use, engine.precision)

    async def plan(self) -> Plan:
        """What this replica was loaded by, for whoever joins the fleet."""
        return self._plan

    def _agreed(self) -> Committed:
        """The first record, that of the plan, once this replica's fingerprints are the fleet's."""
        own = {mixture: self._engine.fingerprint(mixture) for mixture in self._engine.mixtures}
        arms = {mixture: Arm(str(self._plan.adapters.get(mixture, "")), own[mixture]) for mixture in own}
        agreed = self._ledger.found(Committed(0, arms))
        require_same(self._name, agreed.fingerprints, own)
        return agreed

    def _prepared(self, ticket: str, mixture: Mixture, folder: str) -> Prepared:
        """An adapter held ready, under its ticket as soon as it is there: whoever asked for it may be gone by then."""
        self._catch_up()
        for left in tuple(self._pending):  # by a page that ended between the halves of its swap
            self._drop(left)
        pending = self._engine.prepare(mixture, Path(folder))
        self._pending[ticket] = Arm(folder, pending.fingerprint), pending
        return Prepared(self._name, pending.fingerprint)

    def _drop(self, ticket: str) -> None:
        _, pending = self._pending.pop(ticket, (None, None))
        if pending is not None:
            pending.drop()

    def _begin(self, requests: Sequence[Request]) -> tuple[tuple[str, ...], Events]:
        """What answers and its events; begun again where a swap came in between."""
        self._catch_up()
        while True:
            prints = tuple(self._engine.fingerprint(request.mixture) for request in requests)
            events = self._engine.stream(requests)
            if prints == tuple(self._engine.fingerprint(request.mixture) for request in requests):
                return prints, events
            events.close()

    def _catch_up(self) -> None:
        """Carry out every swap that the fleet has committed to since.

        Raises:
            ModelError: an adapter is not on this machine, or is another one here.
        """
        with self._turn:
            latest = self._ledger.latest(self._committed)
            if latest is None or latest == self._committed:
                return
            for mixture, arm in latest.arms.items():
                if mixture != BASE and self._committed.arms.get(mixture) != arm:
                    self._take(mixture, arm)
            self._committed = latest

    def _take(self, mixture: Mixture, arm: Arm) -> None:
        """An arm's new adapter answers: the one that was prepared, or else loaded now."""
        held = tuple(self._pending.items())  # a copy: another thread may prepare meanwhile
        tickets = [ticket for ticket, (each, ready) in held if (ready.mixture, each) == (mixture, arm)]
        _, pending = self._pending.pop(tickets[0], (None, None)) if tickets else (None, None)
        pending = pending or self._engine.prepare(mixture, Path(arm.folder))
        try:
            require_same(self._name, {mixture: arm.fingerprint}, {mixture: pending.fingerprint})
        except ModelError:
            pending.drop()
            raise
        pending.settle()


async def _flow(events: Iterator[Event]) -> AsyncIterator[tuple[Event, ...]]:
    """Events as they come, all that are there in one message: a message costs more than an event.

    The engine's events are waited for in a thread, which ends with them; closing them ends it too.
    """
    loop = asyncio.get_running_loop()
    ready: asyncio.Queue[Event | None] = asyncio.Queue()

    def pump() -> None:
        for event in events:
            loop.call_soon_threadsafe(ready.put_nowait, event)
        loop.call_soon_threadsafe(ready.put_nowait, None)

    threading.Thread(target=pump, name="events", daemon=True).start()
    more = True
    while more:
        batch = [await ready.get()]
        while not ready.empty():
            batch.append(ready.get_nowait())
        more = batch[-1] is not None
        if said := tuple(event for event in batch if event is not None):
            yield said


def _loaded(plan: Plan) -> LocalEngine:
    from transformers.utils import logging as library

    from ..local import LocalEngine

    library.disable_progress_bar()  # type: ignore[no-untyped-call]
    return LocalEngine.load(
        plan.base,
        plan.adapters,
        device=plan.device,
        quantization=plan.quantization,
        max_rows=plan.max_rows,
        max_context=plan.max_context,
    )


def _own_name() -> str:
    from ray import serve

    return str(serve.get_replica_context().replica_id.unique_id)
