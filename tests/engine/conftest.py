"""A base of a few thousand parameters, seven DoRA adapters for it, and peft's own answers."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from medinject_demo.domain import ARMS, Mixture
from medinject_demo.engine.local import LocalEngine
from medinject_demo.engine.sequential import SequentialArms
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


@pytest.fixture
def engine(base: str, folders: dict[Mixture, Path]) -> Iterator[LocalEngine]:
    engine = LocalEngine.load(base, folders, device="cpu", max_rows=6, max_context=200)
    yield engine
    engine.close()
