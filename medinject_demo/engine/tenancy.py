"""Which slot answers for each arm, and how many rows still use it: a slot comes free once nobody does.

Safe to call from any thread. Knows nothing of what a slot holds.
"""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

from ..domain import BASE, MIXTURES, Mixture
from ..errors import ModelError
from .bank import BASE_SLOT, AdapterBank
from .base import require_arm


@dataclass(frozen=True)
class Pending:
    """A slot that was taken for an arm: it answers once it is settled, or is given back."""

    tenancy: Tenancy
    mixture: Mixture
    slot: int
    fingerprint: str

    def settle(self) -> None:
        """The slot answers for its arm from now on; it was filled."""
        self.tenancy.settle(self)

    def drop(self) -> None:
        """Give the slot back; what answered goes on."""
        self.tenancy.give_back(self.slot)


class Tenancy:
    """Arms and their slots. An arm's new slot answers for new rows; those in flight keep the old one to their end."""

    def __init__(self, bank: AdapterBank, base_print: str) -> None:
        self._bank, self._lock = bank, threading.Lock()
        self._slots, self._prints = {BASE: BASE_SLOT}, {BASE: base_print}
        self._users: Counter[int] = Counter()

    @property
    def mixtures(self) -> tuple[Mixture, ...]:
        """The arms that can answer, the base first."""
        return tuple(mixture for mixture in MIXTURES if mixture in self._slots)

    def slot(self, mixture: Mixture) -> int:
        """The slot that answers for an arm now."""
        return self._slots[mixture]

    def fingerprint(self, mixture: Mixture) -> str:
        """The hash of what answers for an arm now."""
        require_arm(mixture, self.mixtures)
        return self._prints[mixture]

    @property
    def users(self) -> int:
        """Rows that use any slot."""
        with self._lock:
            return self._users.total()

    @property
    def in_use(self) -> bool:
        """True while a row uses any slot."""
        return self.users > 0

    def hold(self, mixtures: Iterable[Mixture]) -> list[int]:
        """The slots of arms, each in use by one row more."""
        with self._lock:
            slots = [self._slots[mixture] for mixture in mixtures]
            self._users.update(slots)
        return slots

    def leave(self, slot: int) -> None:
        """One row less uses a slot."""
        with self._lock:
            self._users[slot] -= 1
            self._free_if_unused(slot)

    def take(self, mixture: Mixture, fingerprint: str, *, keep: int = 0) -> Pending:
        """A free slot for an arm; for one that is new, only where ``keep`` more stay free.

        Raises:
            ModelError: there is none.
        """
        with self._lock:
            known = mixture in self._slots
            if not known and self._bank.spare <= keep:
                remedy = "Start the engine with it."
                raise ModelError.of(f"arm {mixture}", expected="room for another arm", got="none", remedy=remedy)
            slot = self._bank.take()
        if slot is None:
            raise ModelError.of("swap", expected="a free slot", got="none", remedy="Try again in a moment.")
        return Pending(self, mixture, slot, fingerprint)

    def give_back(self, slot: int) -> None:
        """A slot that was taken and not filled."""
        with self._lock:
            self._bank.free(slot)

    def settle(self, pending: Pending) -> None:
        """A slot that was taken and filled answers for its arm from now on."""
        with self._lock:
            old = self._slots.get(pending.mixture)
            self._slots[pending.mixture], self._prints[pending.mixture] = pending.slot, pending.fingerprint
            if old is not None:
                self._free_if_unused(old)

    def _free_if_unused(self, slot: int) -> None:
        if not self._users[slot] and slot not in self._slots.values():
            self._bank.free(slot)
