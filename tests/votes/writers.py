"""Programs that a test starts, kills, or runs without root's rights. Imported once, by the server that forks them."""

from __future__ import annotations

import itertools
import os
import shutil
from multiprocessing.connection import Connection
from pathlib import Path

from medinject_demo.errors import StoreError
from medinject_demo.votes.database import Database
from medinject_demo.votes.store import VoteStore

from .samples import BALLOT, battle


def vote_until_killed(url: str, name: str, acknowledged: Connection) -> None:
    """Cast votes without end; each is told once the store has taken it."""
    store = VoteStore(Database(url))
    for number in itertools.count():
        acknowledged.send(store.cast(battle(f"{name}-{number}"), name, BALLOT).id)


def never(seconds: float) -> None:
    """A writer that waits its turn has nothing to try again."""
    raise AssertionError(f"a new attempt after {seconds} s")


def vote_beside_others(url: str, name: str, votes: int, acknowledged: Connection) -> None:
    """Cast so many votes while other programs do the same."""
    store = VoteStore(Database(url, sleep=never))
    acknowledged.send([store.cast(battle(f"{name}-{number}"), name, BALLOT).id for number in range(votes)])


def vote_without_rights(folder: Path, answers: Connection) -> None:
    """Read and vote in a folder as somebody who may not write there; tell what came of each."""
    url = f"sqlite:///{folder}/votes.db"
    VoteStore(Database(f"sqlite:///{folder}-warm/votes.db")).check()  # whatever is imported late, while it can be
    if os.geteuid() == 0:
        shutil.chown(folder, "nobody")
        shutil.chown(folder / "votes.db", "nobody")
        os.setgid(65534)
        os.setuid(65534)
    (folder / "votes.db").chmod(0o444)
    store = VoteStore(Database(url))
    for attempt in (store.check, lambda: store.cast(battle(), "v", BALLOT), lambda: store.counts().votes):
        try:
            answers.send(attempt())
        except StoreError as error:
            answers.send(error)
