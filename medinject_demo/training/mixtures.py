"""Equal-size mixtures, as the study makes them: a single source N, halves of two, thirds of three (paper section 3).

Pure: pools in, a blend out. Knows nothing of files, of the Hub or of models.
"""

from __future__ import annotations

import hashlib
import json
import random
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from ..domain import ARMS, Mixture, Prompt, Provenance
from ..errors import InvalidValue, NotEnoughRows
from ..prompts import row_of


@dataclass(frozen=True)
class Blend:
    """The training rows of one arm, shuffled, and how many came from each provenance."""

    mixture: Mixture
    prompts: tuple[Prompt, ...]
    counts: Mapping[Provenance, int]

    @property
    def fingerprint(self) -> str:
        """Hash of the rows in their order: equal data, equal fingerprint."""
        return data_fingerprint(self.prompts)

    def __str__(self) -> str:
        parts = " + ".join(f"{count:,} {provenance}" for provenance, count in self.counts.items())
        return f"{self.mixture}: {parts} = {len(self.prompts):,} items"


def data_fingerprint(prompts: Iterable[Prompt]) -> str:
    """Hash of rows in their order (16 hexadecimal digits)."""
    digest = hashlib.sha256()
    for prompt in prompts:
        digest.update(json.dumps(row_of(prompt), ensure_ascii=False, sort_keys=True).encode())
    return digest.hexdigest()[:16]


def shares(mixture: Mixture, size: int) -> dict[Provenance, int]:
    """How many rows each provenance gives; what does not divide goes to the first ones.

    Raises:
        InvalidValue: the mixture is the base, which is not trained, or the size is below its number of provenances.
    """
    provenances = mixture.provenances
    if not provenances:
        raise InvalidValue.of("mixture", expected="one of the seven arms", got="'base', which is not trained")
    if size < len(provenances):
        raise InvalidValue.of("size", expected=f"at least {len(provenances)} rows for {mixture}", got=str(size))
    share, rest = divmod(size, len(provenances))
    return {each: share + (place < rest) for place, each in enumerate(provenances)}


def blend(mixture: Mixture, pools: Mapping[Provenance, Sequence[Prompt]], size: int, seed: int) -> Blend:
    """Draw a mixture without replacement. One seed, one blend; each arm draws on its own.

    Raises:
        NotEnoughRows: a pool has fewer rows than its share; the sentence says how many are missing.
    """
    counts = shares(mixture, size)
    rows: list[Prompt] = []
    for provenance, count in counts.items():
        pool = pools.get(provenance, ())
        if len(pool) < count:
            raise NotEnoughRows(
                f"source {provenance.value!r}: expected {count:,} rows for {mixture} of {size:,}, got {len(pool):,}: "
                f"{count - len(pool):,} are missing. Add rows or lower the size."
            )
        rows += random.Random(f"{seed}/{mixture}/{provenance}").sample(pool, count)
    random.Random(f"{seed}/{mixture}").shuffle(rows)
    return Blend(mixture, tuple(rows), counts)


DEAL: Final = (0, 0, 0, 1, 1, 2, 3, 0, 0, 0, 1, 2, 2, 3)
"""To which of its four arms each row of a pool goes, over and over: six, three, three and two of fourteen."""


def dealt(pools: Mapping[Provenance, Sequence[Prompt]]) -> dict[Mixture, dict[Provenance, list[Prompt]]]:
    """Each pool dealt out to the four arms that read it, so that no two arms share a row (interpenetrating samples).

    The single source gets twice what a pair gets, and three times what all three get: equal-size blends use a pool up.
    """
    hands: dict[Mixture, dict[Provenance, list[Prompt]]] = {mixture: {} for mixture in ARMS}
    for provenance, pool in pools.items():
        readers = [mixture for mixture in ARMS if provenance in mixture.provenances]
        for reader, mixture in enumerate(readers):
            hands[mixture][provenance] = [row for i, row in enumerate(pool) if DEAL[i % len(DEAL)] == reader]
    return hands
