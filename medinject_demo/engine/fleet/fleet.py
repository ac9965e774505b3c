"""An engine whose answers come from replicas: the page cannot tell it from the one on its own machine."""

from __future__ import annotations

import threading
import time
import uuid
import weakref
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Final

from ...domain import BASE, MIXTURES, Mixture
from ...errors import InvalidValue, ModelError
from ..base import ChoiceRequest, Events, Request, closed, require_arm, require_letters, require_words
from .call import Call
from .ledger import Arm, Committed, Ledger, require_same
from .line import LOADING, Line
from .plan import Plan
from .wire import Prepared, Refused, State

LEAVING: Final = 5.0
"""Seconds in which the threads of answers that were cancelled end."""


class FleetEngine:
    """Answers of several replicas of ``LocalEngine``. Made by ``cluster.started`` and ``cluster.joined``."""

    def __init__(
        self,
        line: Line,
        ledger: Ledger,
        plan: Plan,
        *,
        trouble: Callable[[], str] = lambda: "",
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._line, self._ledger, self.plan, self._clock = line, ledger, plan, clock
        self.trouble = trouble
        """What is the matter with a replica that does not come up, "" where nothing is known to be."""
        self._held = ExitStack()
        self._lock, self._closed = threading.Lock(), False
        self._calls: weakref.WeakSet[Call] = weakref.WeakSet()
        self._known: Committed | None = None

    def keep(self, held: ExitStack) -> None:
        """What ``close`` gives back."""
        self._held = held

    @property
    def mixtures(self) -> tuple[Mixture, ...]:
        """The arms that can answer, the base first."""
        arms = self._committed().arms
        return tuple(mixture for mixture in MIXTURES if mixture in arms)

    @property
    def precision(self) -> str:
        """That of the replicas.

        Raises:
            ModelError: as ``states``.
        """
        return ", ".join(sorted({state.precision for state in self.states()}))

    def fingerprint(self, mixture: Mixture) -> str:
        """Hash of the adapter's tensors and the base's, the same on every replica."""
        arms = self._committed().arms
        require_arm(mixture, [each for each in MIXTURES if each in arms])
        return arms[mixture].fingerprint

    def stream(self, requests: Sequence[Request]) -> Events:
        """Answer all requests at once; closing the iterator frees their rows on the replicas.

        A row whose replica dies before it said anything is asked anew of another; one that had said something finishes
        with an error.

        Raises:
            ModelError: an arm is not there, no replica takes more, or none answers.
            InvalidValue: a conversation is empty, or longer than the context.
        """
        self._require_open()
        for request in requests:
            require_words(request.messages)
        mixtures = self.mixtures
        for request in requests:
            require_arm(request.mixture, mixtures)
        if len(requests) > self.plan.most_waiting:
            raise ModelError.of(
                "engine",
                expected=f"at most {self.plan.most_waiting} answers waiting",
                got=str(len(requests)),
                remedy="Ask for fewer at once.",
            )
        call = Call(self._line.answer, tuple(requests), self._clock)
        with self._lock:
            self._require_open()
            self._calls.add(call)
        call.begin()
        return Events(call, len(requests))

    def option_probabilities(self, requests: Sequence[ChoiceRequest]) -> list[dict[str, float]]:
        """Each letter's probability as the next token, as ``LocalEngine``."""
        self._require_open()
        mixtures = self.mixtures
        for request in requests:
            require_letters(request.letters)
            require_words(request.messages)
            require_arm(request.mixture, mixtures)
        return self._line.weigh(requests)

    def swap(self, mixture: Mixture, folder: Path) -> None:
        """Put another adapter in an arm's place on all replicas, or on none.

        Each loads and checks it first; then the ledger records it, which is the one moment at which it counts; then
        each lets it answer. A replica that dies on the way comes back with what the ledger holds.

        Raises:
            ModelError: a replica is missing, or cannot honour the adapter exactly, or they found different ones; or
                another swap came in between.
            InvalidValue: the base has no adapter.
        """
        self._require_open()
        if mixture == BASE:
            raise InvalidValue.of("arm", expected="an arm with an adapter", got="the base", remedy="Load another base.")
        folder = folder.absolute()  # a replica has another working directory
        before, ticket = self._committed(), uuid.uuid4().hex
        try:
            fingerprint = self._prepared(ticket, mixture, folder)
            after = before.swapped(mixture, Arm(str(folder), fingerprint))
            self._ledger.commit(after)
        except BaseException:
            self._line.every("drop", ticket)
            raise
        self._known = after
        self._line.every("state", patience=LOADING)  # one that is missed here catches up before it answers again

    def states(self) -> list[State]:
        """What each replica that is there says of itself, by name.

        Raises:
            ModelError: one of them cannot come to what the fleet has committed to.
        """
        self._require_open()
        given: list[State | Refused] = self._line.every("state")
        for each in given:
            if isinstance(each, Refused):
                raise each.error
        return sorted((each for each in given if isinstance(each, State)), key=lambda state: state.replica)

    def require_whole(self) -> None:
        """Check that every replica is there and answers as the others.

        Raises:
            ModelError: one is missing, or would answer otherwise.
        """
        states = self.states()
        if len(states) != self.plan.replicas:
            raise self._missing(len(states))
        for state in states:
            require_same(state.replica, self._committed().fingerprints, state.fingerprints)

    def close(self) -> None:
        """End what was started for this engine; a fleet that was joined goes on. Rows in flight finish as cancelled."""
        with self._lock:
            self._closed, calls = True, list(self._calls)
        for call in calls:
            call.cancel()
        for call in calls:
            call.join(LEAVING)
        self._held.close()

    def _committed(self) -> Committed:
        """What the fleet has committed to, swaps by other pages included."""
        self._require_open()
        self._known = self._ledger.latest(self._known)
        if self._known is None:
            raise self._missing(0)
        return self._known

    def _prepared(self, ticket: str, mixture: Mixture, folder: Path) -> str:
        """The fingerprint of an adapter that every replica holds ready."""
        given: list[Prepared | Refused] = self._line.every("prepare", ticket, mixture, str(folder), patience=LOADING)
        for each in given:
            if isinstance(each, Refused):
                raise each.error
        ready = {each.replica: each.fingerprint for each in given if isinstance(each, Prepared)}
        if len(ready) != self.plan.replicas:
            raise self._missing(len(ready))
        expected = min(ready.values())
        for replica, fingerprint in ready.items():
            require_same(replica, {mixture: expected}, {mixture: fingerprint})
        return expected

    def _missing(self, there: int) -> ModelError:
        expected, remedy = f"{self.plan.replicas} replicas that answer", self.trouble()
        remedy = remedy or "Try again once all are there."
        return ModelError.of("fleet", expected=expected, got=str(there), remedy=remedy)

    def _require_open(self) -> None:
        if self._closed:
            raise closed()
