"""The duels in memory, and the way back to those that only the store has: each found for one voter.

A duel is its maker's; a guest has a state of their own of a duel that was shared, and guests push no maker's aside.
Whoever may not open a duel is told what is said of one that there is not. Knows no engine, order or page.
"""

from __future__ import annotations

import logging
import threading
from collections import OrderedDict
from typing import Final

from .duel import Duel, Refusal, refused
from .errors import StoreError
from .prompts import layout
from .relay import Live
from .votes.store import VoteStore

LONGEST: Final = 100
"""Characters of an identifier; a longer one is of no duel."""

_log = logging.getLogger(__name__)


class Memory:
    """At most so many duels, and as many guests; beyond, the one left alone for longest is forgotten."""

    def __init__(self, store: VoteStore, most: int) -> None:
        self._store = store
        self._own, self._guests = _Shelf(most), _Shelf(most)
        self._lock = threading.Lock()

    def __getitem__(self, battle: str) -> Live:
        """A duel in memory as its maker has it."""
        (live,) = [each for (name, _), each in self._own.items() if name == battle]
        return live

    def __len__(self) -> int:
        return len(self._own) + len(self._guests)

    def keep(self, duel: Duel) -> Live:
        """Remember a duel; one that is there already stays as it is."""
        with self._lock:
            return (self._guests if duel.maker else self._own).put(duel)

    def find(self, battle: str, voter: str) -> Live:
        """A duel for its maker, or for a guest where it was shared.

        Raises:
            Refused: the duel is unknown, another voter's that was not shared, or erased since.
            StoreError: it is not in memory, and the store cannot be read.
        """
        with self._lock:
            live = self._own.get_again((battle, voter)) or self._guests.get_again((battle, voter))
        if live is None:
            return self._restored(battle, voter)
        if self._is_erased(live.duel):
            self._drop(battle, voter)
            raise refused(Refusal.UNKNOWN)
        return live

    def _is_erased(self, duel: Duel) -> bool:
        """True where the store has forgotten since what this is of; a store that cannot be read holds up no order."""
        if duel.vote is None and not duel.maker:
            return False
        try:
            return self._store.links.erased(duel.id, duel.voter, duel.vote.id if duel.vote else "")
        except StoreError as error:
            _log.warning("it is not known whether a duel was erased: %s", error)
            return False

    def _drop(self, battle: str, voter: str) -> None:
        with self._lock:
            for shelf in (self._own, self._guests):
                shelf.pop((battle, voter), None)

    def _restored(self, battle: str, voter: str) -> Live:
        stored = self._store.battle(battle) if battle.isprintable() and len(battle) < LONGEST else None
        if stored is None or self._store.links.erased(battle, voter):
            raise refused(Refusal.UNKNOWN)
        vote = self._store.latest(battle, voter)
        if stored.voter == voter:
            return self.keep(Duel.restored(stored, vote))
        if not layout(stored.prompt) or not self._store.links.shared(battle):  # what was erased has no question
            raise refused(Refusal.UNKNOWN)
        return self.keep(Duel.visited(stored, voter, vote))


class _Shelf(OrderedDict[tuple[str, str], Live]):
    """Duels by name and voter, the one left alone for longest first; at most so many."""

    def __init__(self, most: int) -> None:
        super().__init__()
        self._most = most

    def put(self, duel: Duel) -> Live:
        """Add a duel that is not there."""
        live = self.setdefault((duel.id, duel.voter), Live(duel))
        while len(self) > self._most:
            self.popitem(last=False)
        return live

    def get_again(self, key: tuple[str, str]) -> Live | None:
        """A duel that is no longer left alone."""
        if key in self:
            self.move_to_end(key)
        return self.get(key)
