"""A merged checkpoint and its base, made once for each module."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tests.adapters.pairs import made


@pytest.fixture(scope="module")
def original(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """The two as they are, for reading."""
    return made(tmp_path_factory.mktemp("pair"))


@pytest.fixture
def pair(original: tuple[Path, Path], tmp_path: Path) -> tuple[Path, Path]:
    """A merged checkpoint and its base, for a test to spoil."""
    return shutil.copytree(original[0], tmp_path / "merged"), shutil.copytree(original[1], tmp_path / "base")
