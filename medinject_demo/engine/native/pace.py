"""How many threads a step takes: as many as there are cores, fewer where others have them.

Threads of a step wait for each other. Where one of them has no core for a while, all stand still, and fewer are faster.
Knows nothing of what they do.
"""

from __future__ import annotations

from typing import Final

IDLE: Final = 0.4
"""Of the threads' time: where they sleep longer than this for each other, half as many are no slower."""
CALM: Final = 100
"""Steps after which twice as many are tried again."""


class Pace:
    """Halved after a step whose threads slept for each other, doubled after ``CALM`` that did not."""

    def __init__(self, most: int) -> None:
        self.threads = self._most = most
        self._calm = 0

    def after(self, idle: float) -> None:
        """Told the share of a step that its threads slept for each other."""
        self._calm = 0 if idle > IDLE else self._calm + 1
        if idle > IDLE:
            self.threads = max(1, self.threads // 2)
        elif self._calm >= CALM and self.threads < self._most:
            self.threads, self._calm = min(self._most, 2 * self.threads), 0
