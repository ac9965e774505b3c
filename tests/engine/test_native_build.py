"""The library is made once, whoever asks, wherever there is room; and what stands against is told in a sentence."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from medinject_demo.engine.native import build
from medinject_demo.engine.native.build import NotBuilt, library

from .conftest import require_library

MAKE = """
import pathlib, sys
from medinject_demo.engine.native.build import library
library(kept=pathlib.Path(sys.argv[1]))
"""


@pytest.fixture(autouse=True)
def _forget() -> Iterator[None]:
    library.cache_clear()
    yield
    library.cache_clear()


@pytest.fixture
def real() -> str:
    """The machine's own compiler, one that makes the library."""
    require_library()
    return build.compiler()


def compiler(folder: Path, body: str) -> Path:
    """A compiler of this name that runs a script of the shell, alone on its path."""
    folder.mkdir()
    made = folder / "cc"
    made.write_text(f"#!/bin/sh\n{body}\n", encoding="utf-8")
    made.chmod(0o755)
    return folder


def test_it_is_made_once_and_kept(real: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    library(kept=tmp_path)
    (made,) = tmp_path.iterdir()
    assert (made.name[:5], made.suffix) == ("step.", ".so")
    calls = tmp_path / "calls"
    monkeypatch.setenv("PATH", f"{compiler(tmp_path / 'bin', f'echo $@ >> {calls}; exec {real} $@')}:/usr/bin:/bin")
    library.cache_clear()
    library(kept=tmp_path)
    assert [line for line in calls.read_text().splitlines() if "step.c" in line] == []


@pytest.mark.usefixtures("real")
def test_another_processor_or_another_source_makes_another(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    sources = tmp_path / "sources"
    shutil.copytree(build.HERE, sources, ignore=shutil.ignore_patterns("__pycache__"))
    monkeypatch.setattr(build, "HERE", sources)
    kept = tmp_path / "kept"
    library(kept=kept)
    with (sources / "crew.h").open("a", encoding="utf-8") as file:
        file.write("/* changed */\n")
    library.cache_clear()
    library(kept=kept)
    assert len(list(kept.iterdir())) == 2


@pytest.mark.usefixtures("real")
def test_a_folder_that_cannot_be_written_is_done_without(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.touch()
    assert library(kept=file / "kept").step
    assert list(tmp_path.iterdir()) == [file]


@pytest.mark.usefixtures("real")
def test_processes_that_make_it_at_once_all_have_it(tmp_path: Path) -> None:
    runs = [subprocess.Popen([sys.executable, "-c", MAKE, str(tmp_path)]) for _ in range(4)]
    assert [run.wait(60) for run in runs] == [0] * 4
    assert len(list(tmp_path.iterdir())) == 1


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ("echo 'cc: error: unrecognized option' >&2; exit 1", "the C compiler fails (cc: error: unrecognized option)"),
        ("exit 3", "the C compiler fails (3)"),
        ("echo 'In file included from a:' >&2; echo 'b: error: no c' >&2; exit 1", "fails (b: error: no c)"),
        ("exit 0", ""),
    ],
)
def test_a_compiler_that_fails_is_told_and_nothing_is_left(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, body: str, said: str
) -> None:
    monkeypatch.setenv("PATH", str(compiler(tmp_path / "bin", body)))
    with pytest.raises(NotBuilt) as told:
        library(kept=tmp_path / "kept")
    assert said in str(told.value)
    assert "\n" not in str(told.value)
    assert not list((tmp_path / "kept").glob("*"))


def test_a_compiler_that_never_ends_is_stopped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", f"{compiler(tmp_path / 'bin', 'exec sleep 60')}:/usr/bin:/bin")
    monkeypatch.setattr(build, "PATIENCE", 0.2)
    with pytest.raises(NotBuilt, match="cannot be run"):
        library(kept=tmp_path / "kept")


def test_without_a_compiler_the_sentence_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(NotBuilt, match="no C compiler on this machine"):
        library(kept=tmp_path / "kept")


@pytest.mark.usefixtures("real")
@pytest.mark.parametrize("share", [0.0, 0.25, 0.5, 0.99])
def test_a_library_that_was_cut_is_made_anew(tmp_path: Path, share: float) -> None:
    """Loading one that is cut in the middle would end the process."""
    library(kept=tmp_path)
    (made,) = tmp_path.iterdir()
    whole = made.read_bytes()
    made.unlink()
    made.write_bytes(whole[: int(share * len(whole))])
    library.cache_clear()
    assert library(kept=tmp_path).step
    assert made.stat().st_size == len(whole)
