"""Krippendorff's alpha against two libraries, and against the textbook."""

from __future__ import annotations

import evalica
import krippendorff
import numpy as np
import pandas as pd
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from medinject_demo.stats.agreement import ordinal_alpha

VALUES = [0.0, 0.5, 1.0]


def by_evalica(counts: np.ndarray) -> float:
    """A row for each rater, a column for each case; which rater gave which value is of no matter."""
    cases = [np.repeat(VALUES, row).tolist() for row in counts]
    most = max(map(len, cases))
    table = pd.DataFrame({place: case + [np.nan] * (most - len(case)) for place, case in enumerate(cases)})
    return float(evalica.alpha(table, distance="ordinal").alpha)


@given(st.lists(st.tuples(*[st.integers(0, 6)] * 3), min_size=2, max_size=12))
def test_alpha_is_that_of_two_libraries(rows: list[tuple[int, int, int]]) -> None:
    counts = np.array([row for row in rows if sum(row) > 1]).reshape(-1, 3)
    assume(len(counts) and np.count_nonzero(counts.sum(axis=0)) > 1)
    ours = ordinal_alpha(counts)
    theirs = krippendorff.alpha(value_counts=counts, value_domain=VALUES, level_of_measurement="ordinal")
    assert ours == pytest.approx(theirs, abs=1e-9)
    assert ours == pytest.approx(by_evalica(counts), abs=1e-9)


def test_raters_who_agree_have_alpha_1() -> None:
    assert ordinal_alpha(np.array([[3, 0, 0], [0, 0, 4], [0, 2, 0]])) == pytest.approx(1)
