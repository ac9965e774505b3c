"""Times as the tables keep them: ISO 8601 in UTC to the microsecond, so that their texts are in the order of time.

A text from elsewhere may have any form that names one moment: the extended or the compact one, a week's day, ``Z`` or
an offset. One without an offset may be any of a day's, and is refused. Knows no table.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Final

from ..errors import InvalidValue

FORM: Final = "____-__-__T__:__:__.______+00:00"
"""What every kept time is like, for SQL's ``LIKE``; texts of an earlier import may be of other forms."""


def text_of(moment: datetime) -> str:
    """A moment as it is kept."""
    return moment.astimezone(UTC).isoformat(timespec="microseconds")


def moment_of(text: str, what: str = "time") -> datetime:
    """The moment that a text names.

    Raises:
        InvalidValue: it is no time of ISO 8601, has no offset, or lies outside the years 1 to 9999 in UTC.
    """
    try:
        moment = datetime.fromisoformat(text)
        if moment.tzinfo is not None:
            return moment.astimezone(UTC)
    except (ValueError, OverflowError):
        pass
    remedy = "Write it as 2026-03-06T09:05:07+00:00, or with Z or another offset from UTC."
    expected = "a date and a time of day in ISO 8601, with its offset"
    raise InvalidValue.of(what, expected=expected, got=repr(text)[:60], remedy=remedy)
