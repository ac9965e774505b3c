"""The page on an engine that echoes, served once for each module, and a visitor for each test."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from medinject_demo.engine.base import ScriptedEngine
from medinject_demo.ui.frame import Playground

from .visitor import Visitor, echo, served


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, Playground]]:
    with served(tmp_path_factory.mktemp("votes"), ScriptedEngine(echo)) as served_page:
        yield served_page


@pytest.fixture
def services(place: tuple[str, Playground]) -> Playground:
    return place[1]


@pytest.fixture
def visitor(place: tuple[str, Playground], request: pytest.FixtureRequest) -> Iterator[Visitor]:
    visitor = Visitor(place[0], request.node.name)
    yield visitor
    visitor.close()
