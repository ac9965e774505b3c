"""The duels in memory, and the way back to those that only the store has: each found for one voter.

A duel is its maker's; a guest has a state of their own of a duel that was shared. Knows no engine, order or page.
"""

from __future__ import annotations

import threading
from collections import OrderedDict

from .duel import Duel, Refusal, refused
from .prompts import layout
from .relay import Live
from .votes.store import VoteStore


class Memory:
    """At most so many duels; beyond, the one left alone for longest is forgotten, unless a vote stored it."""

    def __init__(self, store: VoteStore, most: int) -> None:
        self._store, self._most = store, most
        self._duels: OrderedDict[tuple[str, str], Live] = OrderedDict()
        self._makers: dict[str, str] = {}
        self._lock = threading.Lock()

    def __getitem__(self, battle: str) -> Live:
        """A duel in memory as its maker has it."""
        return self._duels[battle, self._makers[battle]]

    def __len__(self) -> int:
        return len(self._duels)

    def keep(self, duel: Duel) -> Live:
        """Remember a duel; one that is there already stays as it is."""
        with self._lock:
            live = self._duels.setdefault((duel.id, duel.voter), Live(duel))
            if not duel.maker:
                self._makers[duel.id] = duel.voter
            while len(self._duels) > self._most:
                (battle, voter), _ = self._duels.popitem(last=False)
                if self._makers.get(battle) == voter:
                    del self._makers[battle]
            return live

    def find(self, battle: str, voter: str) -> Live:
        """A duel for its maker, or for a guest where it was shared.

        Raises:
            Refused: the duel is unknown, or another voter's that was not shared.
            StoreError: it is not in memory, and the store cannot be read.
        """
        with self._lock:
            live = self._duels.get((battle, voter))
            if live is not None:
                self._duels.move_to_end((battle, voter))
                return live
        return self._restored(battle, voter)

    def _restored(self, battle: str, voter: str) -> Live:
        stored = self._store.battle(battle) if battle.isprintable() and len(battle) < 100 else None
        if stored is None:
            raise refused(Refusal.FOREIGN if battle in self._makers else Refusal.UNKNOWN)
        vote = self._store.latest(battle, voter)
        if stored.voter == voter:
            return self.keep(Duel.restored(stored, vote))
        if not layout(stored.prompt) or not self._store.links.shared(battle):  # what was erased has no question
            raise refused(Refusal.FOREIGN)
        return self.keep(Duel.visited(stored, voter, vote))
