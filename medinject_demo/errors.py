"""The family of errors a user may meet. Each is one sentence: what was expected, what was got, what to do.

::

    MedInjectError
    ├── InvalidValue          a value typed by a person or read from the environment
    ├── InvalidData           a line of a file, a row of a data set, a corpus that does not hold together
    │   └── NotEnoughRows     a mixture asks for more than a source has
    ├── ModelError            a base or an adapter that cannot be used as it is
    ├── OutputError           a place that cannot be written
    ├── Refused               an order out of turn in a duel, a prompt held back; its codes are for a page's own words
    └── StoreError            votes that cannot be read, or that were not stored

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


class Refused(MedInjectError):
    """An order out of turn, or a prompt held back."""

    def __init__(self, sentence: str, *codes: str, **fields: object) -> None:
        super().__init__(sentence)
        self.codes = codes
        """Why, as short names that do not change: a page writes its own sentence from them."""
        self.fields = fields
        """What that sentence says besides, by name."""


class StoreError(MedInjectError):
    """Votes that cannot be read, or that were not stored."""
