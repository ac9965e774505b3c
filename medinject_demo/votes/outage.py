"""When a database was last found lost: who can do without it does not ask again at once. Knows no database."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from ..errors import StoreError

REST: Final = 30.0
"""Seconds for which nobody asks who can do without; whoever must ask does, and an answer ends it at once."""


class Outage:
    """Begun by a failure, over with the first answer; for several threads at once."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._begun: tuple[float, str] | None = None

    def begin(self, error: StoreError) -> None:
        """The database does not answer."""
        self._begun = (self._clock(), str(error))

    def end(self) -> None:
        """It does."""
        self._begun = None

    def require_over(self) -> None:
        """Raises StoreError, with what was said of it, where it began less than ``REST`` seconds ago."""
        begun = self._begun
        if begun is not None and self._clock() - begun[0] < REST:
            raise StoreError(begun[1])
