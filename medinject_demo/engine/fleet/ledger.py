"""Which adapters a fleet has committed to: numbered records in the cluster's own table, the newest in force.

The table is that of Ray's control service (GCS), where Serve keeps its deployments too: it outlives every replica, page
and worker. A record is written only where its number is free, so of two swaps at once one is refused. Knows no model.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from ...domain import Mixture
from ...errors import ModelError
from .plan import NAME


@dataclass(frozen=True)
class Arm:
    """Where an adapter lies on every machine, "" for the base, and the fingerprint that it has there."""

    folder: str
    fingerprint: str


@dataclass(frozen=True)
class Committed:
    """The arms that answer, by number of swaps so far."""

    number: int
    arms: Mapping[Mixture, Arm]

    def swapped(self, mixture: Mixture, arm: Arm) -> Committed:
        """The next record, with another adapter in an arm's place."""
        return Committed(self.number + 1, {**self.arms, mixture: arm})

    @property
    def folders(self) -> dict[Mixture, Path]:
        """The adapters' folders, the base's aside."""
        return {mixture: Path(arm.folder) for mixture, arm in self.arms.items() if arm.folder}

    @property
    def fingerprints(self) -> dict[Mixture, str]:
        """What answers for each arm."""
        return {mixture: arm.fingerprint for mixture, arm in self.arms.items()}

    def as_json(self) -> str:
        """The record as it is kept."""
        return json.dumps({mixture.slug: [arm.folder, arm.fingerprint] for mixture, arm in self.arms.items()})

    @classmethod
    def read(cls, number: int, text: str) -> Committed:
        """A record that was kept."""
        return cls(number, {Mixture.parse(slug): Arm(*arm) for slug, arm in json.loads(text).items()})


class Table(Protocol):
    """Texts by key."""

    def get(self, key: str) -> str | None:
        """The text under a key."""

    def add(self, key: str, text: str) -> bool:
        """Keep a text under a key that is free; False where it is not."""

    def forget(self, prefix: str) -> None:
        """Drop every key that begins so."""


class ClusterTable:
    """The table of the cluster that this process is part of; each order raises ModelError where it does not answer."""

    def get(self, key: str) -> str | None:
        """The text under a key."""
        with _asked() as table:
            found = table._internal_kv_get(key, namespace=NAME)
        return None if found is None else bytes(found).decode()

    def add(self, key: str, text: str) -> bool:
        """Keep a text under a key that is free; False where it is not."""
        with _asked() as table:
            return not table._internal_kv_put(key, text, overwrite=False, namespace=NAME)

    def forget(self, prefix: str) -> None:
        """Drop every key that begins so."""
        with _asked() as table:
            table._internal_kv_del(prefix, del_by_prefix=True, namespace=NAME)


@contextmanager
def _asked() -> Iterator[Any]:
    from ray.exceptions import RayError
    from ray.experimental import internal_kv

    try:
        yield internal_kv
    except RayError as error:
        remedy = "Look at the cluster with: ray status"
        raise ModelError.of("Ray's control service", expected="an answer", got="none", remedy=remedy) from error


class Ledger:
    """The records of one fleet."""

    def __init__(self, identity: str, table: Table) -> None:
        self._identity, self._table = identity, table

    def latest(self, known: Committed | None = None) -> Committed | None:
        """The record in force, read on from one that is known; None before the first replica was loaded.

        The known one is read again: where the fleet was deleted and deployed anew, the records begin anew too.
        """
        number, found = known.number if known else 0, None
        while (text := self._table.get(self._key(number))) is not None:
            found, number = Committed.read(number, text), number + 1
        return self.latest() if known and found is None else found

    def found(self, mine: Committed) -> Committed:
        """The first record, which a fleet's first replica writes as it is loaded; the others read it."""
        self._table.add(self._key(mine.number), mine.as_json())
        kept = self._table.get(self._key(mine.number))
        return mine if kept is None else Committed.read(mine.number, kept)

    def commit(self, record: Committed) -> None:
        """Put a record in force.

        Raises:
            ModelError: another swap was committed since the record before it was read.
        """
        if not self._table.add(self._key(record.number), record.as_json()):
            remedy = "Look at what answers now, and try again."
            raise ModelError.of("swap", expected="one at a time", got="another in between", remedy=remedy)

    def forget(self) -> None:
        """Drop all records, once nobody serves by them."""
        self._table.forget(f"{self._identity}/")

    def _key(self, number: int) -> str:
        return f"{self._identity}/{number}"


def require_same(replica: str, expected: Mapping[Mixture, str], got: Mapping[Mixture, str]) -> None:
    """Raises ModelError where a replica would answer otherwise than the fleet does."""
    for mixture, fingerprint in expected.items():
        if (other := got.get(mixture)) != fingerprint:
            raise ModelError.of(
                f"replica {replica}, arm {mixture}",
                expected=f"the fingerprint {fingerprint}",
                got=other or "none",
                remedy="Put the same files on every machine, or deploy them all under another release.",
            )
