"""An arena on a scripted engine and a file, as several tests use it."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from pathlib import Path
from random import Random

import pytest

from medinject_demo.arena import Arena
from medinject_demo.domain import MIXTURES, Kind, Mixture, Prompt
from medinject_demo.engine.base import Engine, Request, ScriptedEngine
from medinject_demo.errors import Refused, StoreError
from medinject_demo.prepared import Prepared
from medinject_demo.relay import Event
from medinject_demo.votes.database import Database
from medinject_demo.votes.store import VoteStore

OPEN = Prompt(Kind.OEQ, "Quels sont les symptômes de la grippe ?", specialty="infectiologie", origin="nat")
WITH_REFERENCE = Prompt(Kind.MCQU, "Lequel ?", "Un cas.", ("un", "deux"), "B", origin="trad")
ME, OTHER = "my session", "another session"


class Clock:
    """A clock that a test moves; each reading takes a tenth of a second."""

    def __init__(self) -> None:
        self.time = 100.0

    def __call__(self) -> float:
        self.time += 0.1
        return self.time


def parrot(request: Request) -> str:
    """Says how many messages it was sent and the last of them, and nothing of the arm."""
    return f"({len(request.messages)}) œdème 💪 {request.messages[-1]['content']}"


def store_at(folder: Path) -> VoteStore:
    return VoteStore(Database(f"sqlite:///{folder}/votes.db", sleep=lambda seconds: None))


def arena_at(
    folder: Path,
    answer: Callable[[Request], str] = parrot,
    *,
    engine: Engine | None = None,
    mixtures: Sequence[Mixture] = MIXTURES,
    seed: int = 1,
    clock: Callable[[], float] | None = None,
    most_duels: int = 100,
    bundled: Sequence[Prompt] = (),
) -> Arena:
    """An arena whose duels are called duel 0, duel 1, ..."""
    numbers = itertools.count()
    engine, store = engine or ScriptedEngine(answer, mixtures, clock=lambda: 0.0), store_at(folder)
    return Arena(
        engine,
        store,
        secret="sel",
        generator=Random(seed),
        clock=clock or Clock(),
        new_id=lambda: f"duel {next(numbers)}",
        most_duels=most_duels,
        prepared=Prepared(engine, store.kept_answers(), {prompt.id for prompt in bundled}),
    )


def played(arena: Arena, prompt: Prompt = OPEN, session: str = ME) -> str:
    """A duel whose first turn is answered."""
    duel = arena.propose(prompt, session).id
    list(arena.stream(duel, session))
    return duel


def events_of(arena: Arena, duel: str, session: str = ME) -> list[Event]:
    return list(arena.stream(duel, session))


def codes(order: Callable[[], object]) -> tuple[str, ...]:
    """Why an order is refused."""
    with pytest.raises(Refused) as held:
        order()
    return held.value.codes


def break_store(arena: Arena, monkeypatch: pytest.MonkeyPatch) -> None:
    """From now on the store neither reads nor writes."""

    def fail(*_given: object, **_named: object) -> None:
        raise StoreError("votes: expected a database that answers, got none. Nothing was stored.")

    for name in ("read", "write"):
        monkeypatch.setattr(arena._store._database, name, fail)
