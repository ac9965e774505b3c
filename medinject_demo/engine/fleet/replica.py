"""One engine of a fleet, in a process of its own that Ray starts, watches and starts again.

Every request and every health check first brings the engine to what the ledger holds: a replica that missed a swap, or
was loaded during one, cannot answer by what was before. Knows nothing of the other replicas.
"""

from __future__ import annotations

import asyncio
import os
import threading
from collections.abc import AsyncIterator, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from ...domain import BASE, Mixture
from ...errors import MedInjectError, ModelError
from ..base import ChoiceRequest, Event, Request
from .ledger import Arm, ClusterTable, Committed, Ledger, require_same
from .plan import Plan
from .wire import Accepted, Message, Prepared, Refused, State

if TYPE_CHECKING:
    from ..local import LocalEngine
    from ..rows import Events
    from ..tenancy import Pending


class Replica:
    """What Serve calls; its name in the cluster is Serve's own."""

    def __init__(self, plan: Plan, name: str = "") -> None:
        """Load the arms that the fleet has committed to, those of the plan where it is the first.

        Raises:
            ModelError: they cannot be loaded, or have other fingerprints here than the fleet's.
        """
        self._plan, self._name = plan, name or _own_name()
        self._ledger = Ledger(plan.identity, ClusterTable())
        self._pending: dict[str, tuple[Arm, Pending]] = {}
        self._turn = threading.Lock()
        before = self._ledger.latest()
        folders = dict(plan.adapters) if before is None else before.folders
        self._engine = _loaded(plan, folders, swapped=before is not None and before.number > 0)
        try:
            self._committed = self._agreed(before, folders)
        except BaseException:
            self._engine.close()
            raise

    async def check_health(self) -> None:
        """Called by Serve now and then; a replica that fails it is started again.

        Raises:
            ModelError: the engine's thread has ended, or a swap that the fleet committed to cannot be carried out.
        """
        if not self._engine.is_open:
            raise ModelError.of("engine", expected="one that is open", got="a closed one")
        await asyncio.to_thread(self._catch_up)

    async def answer(self, requests: Sequence[Request]) -> AsyncIterator[Message]:
        """The engine's ``stream``: first whether it was taken, then events, as many at once as are there."""
        try:
            await asyncio.to_thread(self._catch_up)
            prints, events = self._begin(requests)
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
        try:
            await asyncio.to_thread(self._catch_up)
            return await asyncio.to_thread(self._engine.option_probabilities, requests)
        except MedInjectError as error:
            return Refused.of(error)

    async def prepare(self, ticket: str, mixture: Mixture, folder: str) -> Prepared | Refused:
        """The first half of a swap: load and check an adapter beside the one that answers."""
        try:
            await asyncio.to_thread(self._catch_up)
            for left in tuple(self._pending):  # by a page that ended between the halves of its swap
                await self.drop(left)
            pending = await asyncio.to_thread(self._engine.prepare, mixture, Path(folder))
        except MedInjectError as error:
            return Refused.of(error)
        self._pending[ticket] = Arm(folder, pending.fingerprint), pending
        return Prepared(self._name, pending.fingerprint)

    async def drop(self, ticket: str) -> None:
        """Give back what was prepared under a ticket; nothing where nothing was."""
        _, pending = self._pending.pop(ticket, (None, None))
        if pending is not None:
            pending.drop()

    async def state(self) -> State | Refused:
        """What this replica says of itself, once it has come to what the ledger holds: the second half of a swap."""
        try:
            await asyncio.to_thread(self._catch_up)
        except MedInjectError as error:
            return Refused.of(error)
        prints = {mixture: self._engine.fingerprint(mixture) for mixture in self._engine.mixtures}
        return State(self._name, os.getpid(), self._committed.number, prints, self._engine.rows_in_use)

    async def plan(self) -> Plan:
        """What this replica was loaded by, for whoever joins the fleet."""
        return self._plan

    def _agreed(self, before: Committed | None, folders: dict[Mixture, Path]) -> Committed:
        """The record that this replica is loaded by, once its fingerprints are the fleet's."""
        own = {mixture: self._engine.fingerprint(mixture) for mixture in self._engine.mixtures}
        arms = {mixture: Arm(str(folders.get(mixture, "")), own[mixture]) for mixture in own}
        agreed = before or self._ledger.found(Committed(0, arms))
        require_same(self._name, agreed.fingerprints, own)
        return agreed

    def _begin(self, requests: Sequence[Request]) -> tuple[tuple[str, ...], Events]:
        """What answers and its events; begun again where a swap came in between."""
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
            if latest is None or latest.number == self._committed.number:
                return
            for mixture, arm in latest.arms.items():
                if mixture != BASE and self._committed.arms.get(mixture) != arm:
                    self._take(mixture, arm)
            self._committed = latest

    def _take(self, mixture: Mixture, arm: Arm) -> None:
        """An arm's new adapter answers: the one that was prepared, or else loaded now."""
        tickets = [ticket for ticket, (each, ready) in self._pending.items() if (ready.mixture, each) == (mixture, arm)]
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


def _loaded(plan: Plan, folders: dict[Mixture, Path], *, swapped: bool) -> LocalEngine:
    from transformers.utils import logging as library

    from ..local import LocalEngine

    library.disable_progress_bar()  # type: ignore[no-untyped-call]
    return LocalEngine.load(
        plan.base,
        folders,
        device=plan.device,
        quantization=plan.quantization,
        max_rows=plan.max_rows,
        max_context=plan.max_context,
        alike=swapped,
    )


def _own_name() -> str:
    from ray import serve

    return str(serve.get_replica_context().replica_id.unique_id)
