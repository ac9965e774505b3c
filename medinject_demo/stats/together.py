"""Several differences told at once: Holm's step-down, by which one that is not there is told of 5 in 100 times at most.

Holm, A simple sequentially rejective multiple test procedure (1979). It holds however the differences depend on each
other. Knows no votes and no arms.
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from typing import TypeVar

from .estimate import CONFIDENCE

Name = TypeVar("Name", bound=Hashable)


def sure(doubts: Mapping[Name, float]) -> frozenset[Name]:
    """Those of which, told together, one can be sure.

    Args:
        doubts: for each, the probability of what was seen or more, were there nothing: its p-value, taken alone.
    """
    found: set[Name] = set()
    for place, (name, doubt) in enumerate(sorted(doubts.items(), key=lambda each: each[1])):
        if doubt > (1 - CONFIDENCE) / (len(doubts) - place):
            break
        found.add(name)
    return frozenset(found)
