"""Whether arms answer otherwise than each other: an adapter that was dropped in silence would not.

Knows nothing of how logits are computed.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations
from typing import Final

from torch import Tensor

from ..domain import Mixture
from ..errors import ModelError
from .base import Conversation

SAMPLE: Final[Conversation] = ({"role": "user", "content": "Quel est le traitement de la grippe ?"},)
"""What arms are asked to be told apart."""
ROUNDING: Final = 1e-4
"""How far the logits of one adapter in two places may be apart, in their standard deviations."""


def require_different(arms: Sequence[Mixture], logits: Tensor) -> None:
    """Raises ModelError where two arms give the same logits; ``logits`` are theirs, (arms, vocabulary)."""
    for (one, ones), (other, others) in combinations(zip(arms, logits, strict=True), 2):
        if not (ones - others).abs().max() > ROUNDING * ones.std():
            raise ModelError.of(
                f"arms {one} and {other}",
                expected="answers that differ",
                got="the same logits",
                remedy="Check their adapters: one may be empty, or a copy of the other.",
            )
