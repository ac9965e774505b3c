"""The rules of suspicion, applied beside the votes: after one is acknowledged, on a thread of its own.

A vote never waits for them and never fails with them: what cannot be examined now is examined with the voter's next
vote, or by a sweep. Knows neither rules nor rows.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

from ..errors import StoreError

_log = logging.getLogger(__name__)


class Watch:
    """Calls ``examine`` with each voter that it is told of, one at a time; a voter who waits already waits once."""

    def __init__(self, examine: Callable[[str], int]) -> None:
        self._examine = examine
        self._waiting: set[str] = set()
        self._lock = threading.Lock()
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="watch")

    def voted(self, voter: str) -> None:
        """Have a voter examined soon. Neither waits nor raises."""
        with self._lock:
            if voter in self._waiting:
                return
            self._waiting.add(voter)
        try:
            self._thread.submit(self._look, voter)
        except RuntimeError as error:  # closed, or no thread can be started
            self._waiting.discard(voter)
            _log.warning("a vote is not examined: %s", error)

    def close(self) -> None:
        """Examine who waits, and end."""
        self._thread.shutdown()

    def _look(self, voter: str) -> None:
        with self._lock:
            self._waiting.discard(voter)  # before it is read: a vote that comes meanwhile is examined after
        try:
            self._examine(voter)
        except StoreError as error:
            _log.warning("a vote is not examined: %s", error)
        except Exception:  # of a rule: a fault of ours, which the log must tell and no vote pay for
            _log.exception("a vote is not examined")
