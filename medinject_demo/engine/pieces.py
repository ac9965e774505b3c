"""How many tokens of prompts one step feeds: as many as take no longer than whoever is streaming shall wait for them.

Knows nothing of rows or models: it is told how long a piece took.
"""

from __future__ import annotations

from typing import Final

WAIT: Final = 0.25
"""Seconds that answers under way stand still for a piece of a prompt, where shorter ones are as fast by the token."""
MOST: Final = 256
"""Tokens of a piece on a processor, at most."""


class Pieces:
    """A bound on the tokens of a step's prompts, of all rows together, that follows the pace of what feeds them."""

    def __init__(self, fewest: int, most: int) -> None:
        """``fewest`` is what is fed as fast, by the token, as more."""
        self._fewest, self._most = fewest, most
        self.size = fewest
        """Tokens of the next piece."""

    def after(self, tokens: int, seconds: float) -> None:
        """Told how long a piece took; a small one tells nothing, for it is slower by the token."""
        if 2 * tokens >= self._fewest:
            self.size = round(min(self._most, max(self._fewest, WAIT * tokens / max(seconds, 1e-9))))
