"""The boards of a page: computed from the votes off the path of a request, and kept until the votes change.

Where votes and statistics meet. Knows no page and no language.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Final

from .keeper import PAUSE, Keeper, Look
from .stats.report import Report, report
from .stats.selection import Selection
from .votes.store import VoteStore

if TYPE_CHECKING:
    import pandas as pd

READ_ANEW: Final = timedelta(minutes=1)
"""Age at which votes are read again though none was added or doubted: a voter may have been forgotten."""


@dataclass(frozen=True)
class Reading:
    """What was computed of a part of the votes. The time of the board is when it was last known to be that of now."""

    report: Report
    of: int
    """Which reading of the votes it is of: they are numbered from 1."""


@dataclass(frozen=True)
class _Votes:
    frame: pd.DataFrame
    mark: tuple[int, str, int]
    read: datetime
    number: int


class Boards:
    """The last reading of each selection. Votes are read once for all selections; nothing is begun before a look."""

    def __init__(
        self,
        store: VoteStore,
        *,
        pause: float = PAUSE,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
        compute: Callable[..., Report] = report,
    ) -> None:
        self._store, self._now, self._report = store, now, compute
        self._votes: _Votes | None = None
        self._keeper: Keeper[Selection, Reading] = Keeper(self._reading, pause=pause)

    def look(self, selection: Selection = Selection(), *, begin: bool = True) -> Look[Reading]:
        """What there is of a selection at this moment; never waits. A newer one is begun where it is due."""
        return self._keeper.look(selection, begin=begin)

    def close(self) -> None:
        """End the computation."""
        self._keeper.close()

    def _reading(self, selection: Selection, last: Reading | None) -> Reading:
        """In the keeper's thread: the last reading with a new time where no vote came since, else a new one.

        Raises:
            StoreError: the votes cannot be read.
        """
        now = self._now()
        votes = self._current(now)
        if last is not None and last.of == votes.number:
            board = replace(last.report.board, as_of=now)
            return replace(last, report=replace(last.report, board=board))
        return Reading(self._report(votes.frame, selection, as_of=now), votes.number)

    def _current(self, now: datetime) -> _Votes:
        mark = self._store.mark()
        last = self._votes
        if last is None or last.mark != mark or now - last.read >= READ_ANEW:
            number = last.number + 1 if last else 1
            self._votes = last = _Votes(self._store.frame(), mark, now, number)
        return last
