"""How long it takes: all of the board from a frame in memory, and the frame from an SQLite file."""

from __future__ import annotations

import functools
import os
import statistics
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from ..domain import MIXTURES, Kind
from ..stats.report import report
from ..votes.database import Database
from ..votes.records import Profile
from ..votes.schema import answers, battles, votes
from ..votes.store import VoteStore
from .voters import Crowd, named, simulated

if TYPE_CHECKING:
    import pandas as pd

VOTES_OF_A_VOTER: Final = 20
PROMPTS: Final = 76
GOALS: Final = {100_000: 1.0, 1_000_000: 10.0}
"""Seconds for all of the board, by votes."""


@dataclass(frozen=True)
class Timed:
    """Something measured several times."""

    what: str
    votes: int
    samples: tuple[float, ...]
    """Seconds on the clock."""
    processor: tuple[float, ...]
    """Seconds of the processor, over all threads: what other programs take is not in them."""
    load: float
    """How many programs wanted a processor meanwhile, on average (of one minute)."""
    goal: float | None = None
    """Seconds on the clock at most."""

    @property
    def seconds(self) -> float:
        """The median."""
        return statistics.median(self.samples)


def timed(repeats: int, sizes: Sequence[int], read: int, told: Callable[[str], None]) -> list[Timed]:
    """All of the board for each number of votes, then the reading of ``read`` votes."""
    report(full(1_000), as_of=datetime.now(UTC))  # the libraries' own first use
    found = []
    for size in sizes:
        told(f"the board of {size:,} votes")
        board = functools.partial(report, full(size), as_of=datetime.now(UTC))
        found.append(_timed("all of the board, from a frame", size, repeats, board, GOALS.get(size)))
    told(f"{read:,} votes from SQLite")
    with TemporaryDirectory() as folder, closing(VoteStore(_filled(Path(folder), read))) as store:
        found.append(_timed("the frame, from SQLite", read, repeats, store.frame))
        found.append(_timed("the same votes one by one (`live_votes`)", read, repeats, store.live_votes))
    return found


def full(size: int) -> pd.DataFrame:
    """A frame with every column that a board reads."""
    chance = np.random.default_rng(size)
    made = simulated(Crowd("", size, max(size // VOTES_OF_A_VOTER, 1)), chance)
    return made.assign(
        battle=np.arange(size),
        kind=named(chance.integers(0, 3, size), list(Kind)),
        specialty=named(chance.integers(0, 20, size), [f"specialty {number}" for number in range(20)]),
        profile=named(chance.integers(0, len(Profile), size), list(Profile)),
        prompt=chance.integers(0, PROMPTS, size),
        seconds=chance.gamma(2, 10, size),
        turns=1,
        **{f"{name}_{side}": _said(chance, size) for name in ("equivalent", "exact") for side in ("left", "right")},
    )


def _said(chance: np.random.Generator, size: int) -> Any:
    """True, false or not known."""
    import pandas as pd

    return pd.arrays.BooleanArray(chance.random(size) < 0.5, chance.random(size) < 0.5)


def _timed(what: str, size: int, repeats: int, work: Callable[[], object], goal: float | None = None) -> Timed:
    samples, processor = [], []
    for _ in range(repeats):
        started, spent = time.perf_counter(), time.process_time()
        work()
        samples.append(time.perf_counter() - started)
        processor.append(time.process_time() - spent)
    return Timed(what, size, tuple(samples), tuple(processor), os.getloadavg()[0], goal)


def _filled(folder: Path, size: int) -> Database:
    database = Database(f"sqlite:///{folder}/votes.db")

    def work(connection: Any) -> None:
        rows = list(_rows(full(size)))
        for table, place in ((battles, 0), (answers, 1), (votes, 2)):
            connection.execute(table.insert(), [each for row in rows for each in row[place]])

    database.write(work)
    return database


def _rows(frame: pd.DataFrame) -> Iterator[tuple[list[dict[str, Any]], ...]]:
    """The rows of each vote, in the three tables."""
    moment = "2026-01-01T00:00:00+00:00"
    for number, vote in enumerate(frame.to_dict("records")):
        name = f"{number:032x}"
        battle = {
            **{"id": name, "at": moment, "voter": str(vote["voter"]), "prompt": str(vote["prompt"])},
            **{"kind": vote["kind"], "question": "Laquelle ?" * 10, "context": "", "origin": "", "reference": "A"},
            **{"options": "[]" if vote["kind"] == Kind.OEQ else '["un", "deux"]', "specialty": vote["specialty"]},
            **{"arms": f"{vote['left']}+{vote['right']}", "propensity": vote["propensity"]},
        }
        sides = [
            {
                **{"battle": name, "turn": 0, "place": place, "message": "", "mixture": vote[side]},
                **{"fingerprint": "f" * 16, "seed": 0, "sampling": "{}", "finish_reason": "stop", "tokens": 1},
                **{"text": _text(vote[side], int(vote[f"words_{side}"])), "seconds": 1.0, "cached": 0},
                **{style: int(vote[f"{style}_{side}"]) for style in ("words", "headers", "bold", "lists", "emoji")},
            }
            for place, side in enumerate(("left", "right"))
        ]
        said = {
            **{"id": f"v{name}", "battle": name, "voter": str(vote["voter"]), "version": 1, "at": moment},
            **{"verdict": vote["verdict"], "ranking": None, "criteria": "[[], []]", "comment": "", "blind": 1},
            **{"profile": vote["profile"], "equivalent": "[true, null]", "seconds": vote["seconds"]},
        }
        yield [battle], sides, [said]


def _text(arm: str, words: int) -> str:
    return "mot " * words if arm == MIXTURES[0].slug else "A"
