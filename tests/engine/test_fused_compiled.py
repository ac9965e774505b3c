"""The kernels of a decode step, compiled for GPUs that are not there: the interpreter takes more than the compiler."""

from __future__ import annotations

import functools
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("triton")

SHARED = {80: 163, 89: 99, 90: 227}
"""Kilobytes of shared memory that one thread block may have, by compute capability (CUDA C Programming Guide)."""


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("triton")


@functools.cache
def launches(capability: int, cache: Path) -> list[dict[str, Any]]:
    """What the module of that name prints; Triton keeps what it makes in a folder of its own."""
    environment = {**os.environ, "TRITON_CACHE_DIR": str(cache)}
    environment.pop("TRITON_INTERPRET", None)
    done = subprocess.run(
        [sys.executable, "-m", "tests.engine.compiled", str(capability)],
        capture_output=True, text=True, check=False, env=environment,
    )  # fmt: skip
    assert not done.returncode, done.stderr
    made: list[dict[str, Any]] = json.loads(done.stdout.splitlines()[-1])
    return made


@pytest.mark.parametrize("capability", [80, 89, 90])
def test_a_step_of_qwen3_4b_compiles_and_fits_shared_memory(capability: int, cache: Path) -> None:
    made = launches(capability, cache)
    assert {each["kernel"] for each in made} == {
        "product_kernel", "settled_kernel", "rotated_kernel", "attention_kernel", "attended_kernel", "gated_kernel",
        "peak_kernel", "best_kernel",
    }  # fmt: skip
    assert max(each["shared"] for each in made) <= 1024 * SHARED[capability]


def test_what_a_row_needs_is_asked_for_before_any_of_it_is_waited_for(cache: Path) -> None:
    """A thread block's warps wait for each other at a barrier: a load behind one costs a trip to memory of its own.

    Read in PTX, in which the barriers are those of the machine's code, though loads may come later than written.
    """
    whole = [each for each in launches(90, cache) if each["kernel"] in ADAPTING]
    assert {each["kernel"] for each in whole} == ADAPTING
    for each in whole:
        loads = [place for place, line in enumerate(each["ptx"]) if "ld.global" in line]
        barriers = [place for place, line in enumerate(each["ptx"]) if "bar.sync" in line]
        assert loads
        assert barriers
        assert max(loads) < min(barriers), each["kernel"]


ADAPTING = {"settled_kernel", "rotated_kernel", "gated_kernel"}
"""Those that add up a product's parts and adapt a row."""
