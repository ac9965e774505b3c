"""What ``bench votes`` does: a crowd on PostgreSQL and on SQLite, the simulated visitors, and the report."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from ...errors import StoreError
from .crowd import Keeping, crowd
from .report import Report, machine
from .server import NEEDED, Server, programs
from .sessions import examine


@dataclass(frozen=True)
class Plan:
    """How much is measured."""

    voters: int = 50
    seconds: float = 60.0
    sessions: int = 2_000
    """Simulated visitors of each habit."""
    url: str = ""
    """An empty database to measure in place of both."""


def bench(plan: Plan, say: Callable[[str], None]) -> Report:
    """Measure, and say what is being done.

    Raises:
        StoreError: a database does not answer, or no PostgreSQL can be started here.
        InvalidValue: the database that was named has votes.
    """
    where = machine()
    keepings = [_named(plan, say)] if plan.url else [_server(plan, say), _file(plan, say)]
    say(f"{plan.sessions} simulated visitors of each habit")
    return Report(keepings, examine(plan.sessions), where)


def _named(plan: Plan, say: Callable[[str], None]) -> Keeping:
    say(f"{plan.voters} voters for {plan.seconds:g} s in the database that was named")
    return crowd(plan.url, voters=plan.voters, seconds=plan.seconds)


def _server(plan: Plan, say: Callable[[str], None]) -> Keeping:
    with throw_away() as server:

        def restart() -> None:
            say("the server is stopped as by a crash, and started again")
            server.stop()
            server.start()

        say(f"{plan.voters} voters for {plan.seconds:g} s in PostgreSQL")
        return crowd(server.fresh(), voters=plan.voters, seconds=plan.seconds, restart=restart)


def _file(plan: Plan, say: Callable[[str], None]) -> Keeping:
    say(f"{plan.voters} voters for {plan.seconds:g} s in SQLite")
    with tempfile.TemporaryDirectory() as folder:
        return crowd(f"sqlite:///{folder}/votes.db", voters=plan.voters, seconds=plan.seconds)


@contextmanager
def throw_away() -> Iterator[Server]:
    """A PostgreSQL as installed, for as long as the context is open.

    Raises:
        StoreError: none is installed, or it does not start.
    """
    where = programs()
    if where is None:
        raise StoreError.of("bench votes", expected="initdb", got=NEEDED, remedy="Or name a database with --url.")
    server = Server(where, durable=True)
    try:
        yield server
    finally:
        server.remove()
