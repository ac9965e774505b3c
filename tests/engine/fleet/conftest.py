"""Two replicas on a Ray of this machine, and the engine beside which they are held."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from medinject_demo.domain import Mixture
from medinject_demo.engine.fleet.cluster import started
from medinject_demo.engine.fleet.fleet import FleetEngine
from medinject_demo.engine.fleet.plan import Plan
from medinject_demo.engine.local import LocalEngine

from .replicas import ONGOING, QUEUED, REPLICAS, ROOM


@pytest.fixture(scope="module")
def own(folders: dict[Mixture, Path], tmp_path_factory: pytest.TempPathFactory) -> dict[Mixture, Path]:
    """Adapters that a test may spoil."""
    root = tmp_path_factory.mktemp("fleet")
    return {mixture: Path(shutil.copytree(folder, root / mixture.slug)) for mixture, folder in folders.items()}


@pytest.fixture(scope="module")
def fleet(base: str, own: dict[Mixture, Path]) -> Iterator[FleetEngine]:
    plan = Plan(base, own, REPLICAS, device="cpu", ongoing=ONGOING, queued=QUEUED, **ROOM)  # type: ignore[arg-type]
    fleet = started(plan)
    yield fleet
    fleet.close()


@pytest.fixture(scope="module")
def local(base: str, folders: dict[Mixture, Path]) -> Iterator[LocalEngine]:
    engine = LocalEngine.load(base, folders, device="cpu", **ROOM)  # type: ignore[arg-type]
    yield engine
    engine.close()
