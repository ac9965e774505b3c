"""What is done to votes beside the page: old text is erased, and a data set of the Hub is kept in step.

In a thread of its own, round after round: a vote never waits for it, and what it cannot do now it does later. Knows no
page.
"""

from __future__ import annotations

import logging
import secrets
import threading
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Final

from ..errors import InvalidValue, MedInjectError
from ..prompts import load_prompts
from ..settings import Settings
from .database import Database
from .forgetting import Erased, Erasure, forget, prune, tried, voter_named
from .hub import HubDataset, Outcome, synchronise
from .owed import Owed
from .shelf import Shelf
from .suspects import Suspicions

EVERY: Final = 60.0
"""Seconds between two rounds."""
MOST: Final = 1_800.0
"""Seconds between two rounds, at most, where they fail."""
LAST: Final = 10.0
"""Seconds that the last round has, once the page is closed."""

_log = logging.getLogger(__name__)


class Rounds:
    """Of work, in a thread, from ``start`` to ``stop``: after one that failed, the next waits twice as long."""

    def __init__(
        self, work: Callable[[], str], *, every: float = EVERY, most: float = MOST, last: float = LAST
    ) -> None:
        self._work, self._every, self._most, self._last = work, every, most, last
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="votes", daemon=True)
        self.state = "no round yet."
        """How the last round ended, in a sentence."""

    def start(self) -> None:
        """Begin, with a round at once."""
        self._thread.start()

    def stop(self) -> None:
        """Do one last round, and leave it where it takes too long: what is not done is done at the next start."""
        self._stopping.set()
        self._thread.join(self._last)

    def _run(self) -> None:
        failures = 0
        last = False
        while not last:
            last = self._stopping.is_set()
            failures = 0 if self._succeeds() else failures + 1
            self._stopping.wait(min(self._every * 2 ** min(failures, 30), self._most))

    def _succeeds(self) -> bool:
        before = self.state
        try:
            self.state = self._work()
            _log.info("votes: %s", self.state)
        except MedInjectError as error:
            self.state = str(error)
            if self.state != before:
                _log.warning("votes: %s", self.state)
            return False
        except Exception:  # a fault of ours, which the log must tell and the next round not pay for
            self.state = "a round failed, as the log tells."
            _log.exception("votes: a round failed")
            return False
        return True


class Upkeep:
    """One round of what is to be done to the votes of a database."""

    def __init__(
        self,
        database: Database,
        *,
        hub: HubDataset | None,
        retention_days: int,
        bundled: Collection[str],
        new_id: Callable[[], str] = lambda: secrets.token_hex(12),
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._database, self._hub, self._days = database, hub, retention_days
        self._owed = Owed(database)
        self._bundled, self._new_id, self._now = bundled, new_id, now

    @property
    def idle(self) -> bool:
        """True where there is nothing to do, now or later."""
        return self._hub is None and not self._days

    def round(self) -> str:
        """Erase what is old, pull and push, then remove copies; what was done comes back in a sentence.

        Raises:
            MedInjectError: something could not be done, and will be tried again.
        """
        said = []
        if self._days:
            erased = self.prune(self._days)
            said += [sentence_of(erased)] if erased.anything else []
        try:
            outcome = self.synchronise()
        finally:
            self.scrub()
        return " ".join(said + ([outcome.sentence] if outcome else [])) or "nothing to do."

    def prune(self, days: int, *, dry: bool = False) -> Erased:
        """Erase free text from before the day that lies so many days back, so that it changes once a day.

        Copies in the files wait for ``scrub``, and those in the data set for ``synchronise``.

        Raises:
            InvalidValue: as ``forgetting.prune``.
            StoreError: it cannot be erased.
        """
        midnight = self._now().astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
        before = midnight - timedelta(days=days)
        return self._erase(lambda connection: prune(connection, before, self._bundled, self._new_id), dry)

    def forget(self, voter: str, *, dry: bool = False) -> Erased:
        """Erase what a voter wrote, and their hash; ``voter`` is that hash, or how it begins.

        Copies wait, as after ``prune``. Where they have waited since an earlier time, and the voter is gone already,
        nothing is erased, and it is no error: ``scrub`` is what is left to do.

        Raises:
            InvalidValue: it is no voter's, or that of several.
            StoreError: it cannot be erased.
        """
        try:
            return self._erase(
                lambda connection: forget(connection, voter_named(connection, voter), self._bundled, self._new_id), dry
            )
        except InvalidValue:
            if dry or not self._owed.scrubs:
                raise
            return Erased()

    def scrub(self) -> bool:
        """Remove the copies of what was erased from the files of the database; False where none was left.

        Raises:
            StoreError: somebody reads them; it is owed until it is done.
        """
        return self._owed.scrub()

    @property
    def left_behind(self) -> str:
        """Where copies are left after ``scrub``, in a sentence."""
        return self._database.left_behind

    def _erase(self, work: Erasure, dry: bool) -> Erased:
        return self._database.write((lambda connection: tried(connection, work)) if dry else work)

    def synchronise(self) -> Outcome | None:
        """Pull and push; None where there is no data set.

        Who voted elsewhere is examined by the rules of suspicion, also where the push fails after the pull.

        Raises:
            StoreError: the Hub or the database does not answer.
        """
        try:
            return synchronise(Shelf(self._database, self._hub.name), self._hub) if self._hub else None
        finally:
            self._owed.examine(Suspicions(self._database).examine)


def sentence_of(erased: Erased, *, done: bool = True) -> str:
    """How much was erased, or would be, for a person."""
    what = "Erased" if done else "Would be erased with --yes"
    voter = f"the voter of {erased.votes} rows; " if erased.votes else ""
    return (
        f"{what}: {voter}comments: {erased.comments}; typed questions with their answers: {erased.questions}; "
        f"follow-ups to a bundled question with their answers: {erased.follow_ups}."
    )


def upkeep_of(settings: Settings, database: Database) -> Upkeep:
    """What the settings ask for."""
    hub = HubDataset(settings.votes_dataset, token=settings.hub_token) if settings.votes_dataset else None
    bundled = frozenset(prompt.id for prompt in load_prompts())
    return Upkeep(database, hub=hub, retention_days=settings.retention_days, bundled=bundled)


@contextmanager
def kept(upkeep: Upkeep) -> Iterator[Rounds | None]:
    """Rounds in the background for as long as the context is open; none where there is nothing to do."""
    if upkeep.idle:
        yield None
        return
    rounds = Rounds(upkeep.round)
    rounds.start()
    try:
        yield rounds
    finally:
        rounds.stop()
