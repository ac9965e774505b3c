"""Which arms' answers to a prompt a voter has seen by name: side by side in a comparison, or at a reveal.

Who has seen one recognises the text, and votes on it no longer blind (docs/decisions/025). What was compared is kept in
memory alone, for nothing is stored of who does not vote; what was voted on is in the store, and counts as revealed.
Between the store and the arena. Knows no page and no duel.
"""

from __future__ import annotations

import logging
import threading
from collections import OrderedDict
from collections.abc import Iterable
from typing import Final

from .domain import Mixture
from .errors import StoreError
from .votes.store import VoteStore

MOST: Final = 10_000
"""Prompts that voters compared, kept at most; beyond, the one not looked at for longest is forgotten."""

_log = logging.getLogger(__name__)


class Acquaintances:
    """Reads the store, and remembers comparisons; for several threads at once."""

    def __init__(self, store: VoteStore, most: int = MOST) -> None:
        self._store, self._most = store, most
        self._compared: OrderedDict[tuple[str, str], frozenset[Mixture]] = OrderedDict()
        self._lock = threading.Lock()

    def compare(self, voter: str, prompt: str, arms: Iterable[Mixture]) -> None:
        """Remember that a voter is shown what these arms answer to a prompt, each under its name."""
        with self._lock:
            self._compared[voter, prompt] = self._compared.pop((voter, prompt), frozenset()) | frozenset(arms)
            while len(self._compared) > self._most:
                self._compared.popitem(last=False)

    def known(self, voter: str, prompt: str, *, but: str = "") -> frozenset[Mixture]:
        """The arms whose answers to a prompt a voter has seen by name, but for those told after the battle ``but``.

        Raises:
            StoreError: the votes cannot be read.
        """
        return self._remembered(voter, prompt) | self._store.arms_met(voter, prompt, but=but)

    def to_avoid(self, voter: str, prompt: str) -> frozenset[Mixture]:
        """The same for a draw, which no store holds up: where it cannot be read, what is remembered."""
        remembered = self._remembered(voter, prompt)
        try:
            return remembered | self._store.arms_met(voter, prompt, patient=False)
        except StoreError as error:
            _log.warning("arms are drawn without what their voter has seen: %s", error)
            return remembered

    def _remembered(self, voter: str, prompt: str) -> frozenset[Mixture]:
        with self._lock:
            if (voter, prompt) in self._compared:
                self._compared.move_to_end((voter, prompt))
            return self._compared.get((voter, prompt), frozenset())
