"""A base of a hundred thousand parameters, a stage on which it is measured, the report of all lines but the slow."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from datetime import date

import pytest

from medinject_demo.engine.bench.report import Report
from medinject_demo.engine.bench.run import LINES, Plan, bench
from medinject_demo.engine.bench.stage import Stage
from medinject_demo.engine.bench.subject import SHAPES, TINY, Subject, random_subject

from .work import NOWHERE, SLOW, SMALL


@pytest.fixture(scope="package", autouse=True)
def _nothing_of_other_tests_to_collect() -> Iterator[None]:
    """Each line ends with a collection, which takes a second where a whole suite's modules and pages lie about."""
    gc.collect()
    gc.freeze()
    yield
    gc.unfreeze()


@pytest.fixture(scope="package")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Subject:
    return random_subject("tiny", TINY, tmp_path_factory.mktemp("bench"), "cpu", "fp32")


@pytest.fixture(scope="module")
def stage(tiny: Subject) -> Iterator[Stage]:
    counts = iter(range(10**9))
    stage = Stage(tiny, SMALL, "cpu", "fp32", "none", 2, lambda: float(next(counts)))
    yield stage
    stage.close()


@pytest.fixture(scope="package")
def report() -> Report:
    plan = Plan(device="cpu", repeats=2, work=SMALL, only=[name for name in LINES if name not in SLOW])
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(SHAPES, "random-60m", TINY)
        return bench(plan, NOWHERE, "python -m medinject_demo bench", today=lambda: date(2026, 11, 22))
