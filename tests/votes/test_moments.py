"""A text names one moment or is refused, and kept texts are in the order of time."""

from __future__ import annotations

import fnmatch
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from medinject_demo.errors import InvalidValue
from medinject_demo.votes.moments import FORM, moment_of, text_of

FORMS = [
    "2026-03-06T09:05:00.000000+00:00",
    "2026-03-06T09:05:00Z",
    "2026-03-06 09:05Z",
    "20260306T090500Z",
    "2026-W10-5T09:05Z",
    "2026W105T0905Z",
    "2026-03-06T10:05:00+01:00",
    "20260305T210500.000-1200",
]
"""Of one moment."""
MOMENTS = st.datetimes(timezones=st.timezones()).filter(lambda each: 1 < each.year < 9999)


@pytest.mark.parametrize("form", FORMS)
def test_every_form_of_a_moment_names_it(form: str) -> None:
    assert moment_of(form) == datetime(2026, 3, 6, 9, 5, tzinfo=UTC)


@pytest.mark.parametrize(
    "text",
    [
        "2026-03-06",
        "20260306",
        "2026-W10-5",
        "2026-03-06T09:05",
        "hier",
        "",
        "2026-02-30T00:00Z",
        "9999-12-31T23:59-01:00",
    ],
)
def test_a_text_of_no_one_moment_is_refused_in_a_sentence(text: str) -> None:
    with pytest.raises(InvalidValue) as refused:
        moment_of(text, "at")
    assert str(refused.value) == (
        f"at: expected a date and a time of day in ISO 8601, with its offset, got {text!r}. "
        "Write it as 2026-03-06T09:05:07+00:00, or with Z or another offset from UTC."
    )


@given(MOMENTS, MOMENTS)
def test_kept_texts_are_of_one_form_and_in_the_order_of_time(one: datetime, other: datetime) -> None:
    assert (text_of(one) < text_of(other)) == (one < other)
    assert moment_of(text_of(one)) == one
    assert fnmatch.fnmatchcase(text_of(one), FORM.replace("_", "?"))
