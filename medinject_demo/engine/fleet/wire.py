"""What passes between a page and a replica: frozen values of this project, which any Python can pickle.

An error of the family crosses as its class and sentence, so that no library's own errors have to.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from ...domain import Mixture
from ...errors import InvalidValue, MedInjectError, ModelError
from ..base import Event

_FAMILY: Final[dict[str, type[MedInjectError]]] = {each.__name__: each for each in (InvalidValue, ModelError)}


@dataclass(frozen=True)
class Accepted:
    """A replica's engine has taken the rows; these answer, in the order of the rows."""

    fingerprints: tuple[str, ...]


@dataclass(frozen=True)
class Refused:
    """A replica did not do it, and says why."""

    kind: str
    sentence: str

    @classmethod
    def of(cls, error: MedInjectError) -> Refused:
        """An error as it crosses."""
        return cls(type(error).__name__, str(error))

    @property
    def error(self) -> MedInjectError:
        """The error again, of its own class where it is one that an engine raises."""
        return _FAMILY.get(self.kind, ModelError)(self.sentence)


Message = Accepted | Refused | tuple[Event, ...]
"""What a replica says of a call: first that it has it or not, then events as they come."""


@dataclass(frozen=True)
class State:
    """What a replica says of itself."""

    replica: str
    process: int
    number: int
    """Of the swaps that it has carried out."""
    fingerprints: Mapping[Mixture, str]
    rows_in_use: int
    precision: str


@dataclass(frozen=True)
class Prepared:
    """A replica holds another adapter ready."""

    replica: str
    fingerprint: str
