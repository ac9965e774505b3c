"""A fresh database of each kind, and the store in it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from medinject_demo.votes.bench.server import NEEDED, Server, programs
from medinject_demo.votes.database import Database
from medinject_demo.votes.store import VoteStore


@pytest.fixture(scope="session")
def server() -> Iterator[Server]:
    where = programs()
    if where is None:
        pytest.skip(NEEDED)
    server = Server(where)
    yield server
    server.remove()


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path}/votes.db"
    fresh: str = request.getfixturevalue("server").fresh()
    return fresh


@pytest.fixture
def database(url: str) -> Iterator[Database]:
    database = Database(url)
    yield database
    database.close()


@pytest.fixture
def store(database: Database) -> VoteStore:
    return VoteStore(database)
