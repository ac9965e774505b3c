"""A base of a few thousand parameters, seven DoRA adapters for it, and peft's own answers."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from medinject_demo.domain import ARMS, Mixture
from medinject_demo.engine.local import LocalEngine
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
def way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """How an engine that is loaded computes: by the library that is made here, or where there is none."""
    if request.param == "transformers":
        monkeypatch.setattr("medinject_demo.engine.local.native_steps", lambda *given: None)
    return str(request.param)


@pytest.fixture
def engine(way: str, base: str, folders: dict[Mixture, Path]) -> Iterator[LocalEngine]:
    engine = LocalEngine.load(base, folders, device="cpu", max_rows=6, max_context=200)
    assert isinstance(engine._batcher.steps, NativeSteps if way == "native" else Forward)
    yield engine
    engine.close()
