"""The family of errors a user may meet. Each is one sentence: what was expected, what was got, what to do.

::

    MedInjectError
    ├── InvalidValue          a value typed by a person or read from the environment
    ├── InvalidData           a line of a file, a row of a data set, a corpus that does not hold together
    │   └── NotEnoughRows     a mixture asks for more than a source has
    ├── ModelError            a base or an adapter that cannot be used as it is
    └── OutputError           a place that cannot be written

The command line prints the sentence and exits 1; the page shows it. Standard library only.
"""

from __future__ import annotations

from typing import Self


class MedInjectError(Exception):
    """Base of the family; ``str()`` is the sentence to show."""

    @classmethod
    def of(cls, what: str, *, expected: str, got: str, remedy: str = "") -> Self:
        """Compose the sentence from its parts."""
        return cls(f"{what}: expected {expected}, got {got}." + (f" {remedy}" if remedy else ""))


class InvalidValue(MedInjectError):
    """A value typed by a person or read from the environment."""


class InvalidData(MedInjectError):
    """A line, a row or a corpus that does not hold together."""


class NotEnoughRows(InvalidData):
    """A source has fewer rows than its share of the mixture."""


class ModelError(MedInjectError):
    """A base or an adapter that cannot be used as it is."""


class OutputError(MedInjectError):
    """A place that cannot be written."""
