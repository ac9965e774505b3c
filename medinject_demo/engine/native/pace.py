"""How many threads a step takes: as many as there are cores, fewer where others have them.

Threads of a step wait for each other. Where one of them has no core for a while, all stand still, and fewer are faster.
Knows nothing of what they do.
"""

from __future__ import annotations

from typing import Final

IDLE: Final = 0.4
"""Of the threads' time: where they sleep longer than this for each other, half as many are no slower."""
LATE: Final = 2
"""Steps in a row that must be so: one alone is a moment's."""
SOON: Final = 8
"""Steps after which twice as many are tried again; twice as many steps each time that it was too soon."""
LAST: Final = 512
"""Steps after which they are tried again at most."""


class Pace:
    """Threads halved after steps that slept for each other, doubled again after a while without."""

    def __init__(self, most: int) -> None:
        self.threads = self._most = most
        self._late = self._calm = 0
        self._wait = SOON

    def after(self, idle: float) -> None:
        """Told the share of a step that its threads slept for each other."""
        if idle <= IDLE:
            self._late, self._calm = 0, self._calm + 1
            if self._calm >= self._wait and self.threads < self._most:
                self.threads, self._calm = min(self._most, 2 * self.threads), 0
            return
        self._late += 1
        if self._late < LATE or self.threads == 1:
            return
        self._wait = min(LAST, 2 * self._wait) if self._calm <= self._wait else SOON
        self.threads, self._late, self._calm = self.threads // 2, 0, 0
