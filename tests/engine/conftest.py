"""A base of a few thousand parameters, seven DoRA adapters for it, and peft's own answers."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from medinject_demo.domain import ARMS, Mixture
from medinject_demo.engine.local import LocalEngine
from medinject_demo.engine.native.build import NotBuilt, library
from medinject_demo.engine.native.step import NativeSteps
from medinject_demo.engine.sequential import SequentialArms
from medinject_demo.engine.steps import Forward
from tests.tiny import tiny_adapter, tiny_base


@pytest.fixture(scope="package")
def base(tmp_path_factory: pytest.TempPathFactory) -> str:
    return tiny_base(tmp_path_factory.mktemp("tiny") / "base")


@pytest.fixture(scope="package")
def folders(base: str, tmp_path_factory: pytest.TempPathFactory) -> dict[Mixture, Path]:
    root = tmp_path_factory.mktemp("adapters")
    return {mixture: tiny_adapter(base, root / mixture.slug, mixture) for mixture in ARMS}


@pytest.fixture(scope="package")
def oracle(base: str, folders: dict[Mixture, Path]) -> SequentialArms:
    return SequentialArms(base, folders)


@pytest.fixture(params=["native", "transformers"])
def way(request: pytest.FixtureRequest) -> str:
    """By what an engine computes: the library that is made here, or transformers, as where none can be made."""
    if request.param == "native":
        require_library()
    return str(request.param)


def require_library() -> None:
    """Skip what needs the library where this machine cannot make it, and say why."""
    try:
        library()
    except NotBuilt as reason:
        pytest.skip(str(reason))


def by(way: str, engine: LocalEngine) -> LocalEngine:
    """An engine that computes that way."""
    if way == "transformers":
        engine.use_transformers()
    assert isinstance(engine._batcher.steps, NativeSteps if way == "native" else Forward)
    return engine


@pytest.fixture
def engine(way: str, base: str, folders: dict[Mixture, Path]) -> Iterator[LocalEngine]:
    engine = by(way, LocalEngine.load(base, folders, device="cpu", max_rows=6, max_context=200))
    yield engine
    engine.close()
