"""A server on a real socket, and an engine that asks it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from medinject_demo.engine.remote import RemoteEngine

from .asking import PATIENT, Connect, at
from .served import Scripted, scripted


@pytest.fixture
def server() -> Iterator[Scripted]:
    with scripted() as server:
        yield server


@pytest.fixture
def pauses() -> list[float]:
    """Seconds that the engine would have waited before another attempt."""
    return []


@pytest.fixture
def connect(server: Scripted, pauses: list[float]) -> Iterator[Connect]:
    made = []

    async def pause(seconds: float) -> None:
        pauses.append(seconds)

    def connected(**options: Any) -> RemoteEngine:
        options = {"patience": PATIENT, "pause": pause} | options
        endpoints = options.pop("endpoints", None) or at(server.url)
        made.append(RemoteEngine.connect(endpoints, **options))
        return made[-1]

    yield connected
    for engine in made:
        engine.close()


@pytest.fixture
def engine(connect: Connect) -> RemoteEngine:
    return connect()
