"""Frames of votes made by hand, with every column that the statistics read."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from medinject_demo.domain import MIXTURES, Kind, Verdict
from medinject_demo.votes.frame import COLUMNS, STYLES, as_frame

SLUGS = [mixture.slug for mixture in MIXTURES]
Said = tuple[str, str, str]
"""Left, right, verdict."""


def votes(said: Sequence[Said], **columns: Any) -> pd.DataFrame:
    """One row for each; every vote is another voter's unless ``voter`` says otherwise."""
    count = len(said)
    rows: dict[str, Any] = dict.fromkeys(COLUMNS)
    left, right, verdict = (list(each) for each in zip(*said, strict=True)) if said else ([], [], [])
    rows |= {"left": left, "right": right, "verdict": verdict}
    names = [f"v{number}" for number in range(count)]
    rows |= {"battle": names, "ballot": names, "prompt": names, "voter": columns.pop("voter", names)}
    rows |= {"cluster": rows["voter"], "at": [""] * count, "specialty": [""] * count}
    rows |= {"kind": [str(Kind.OEQ)] * count, "profile": ["undeclared"] * count}
    rows |= {"blind": [True] * count, "suspect": [False] * count, "turns": [1] * count}
    rows |= {"propensity": [1 / 28] * count, "weight": [1.0] * count, "seconds": [4.0] * count}
    rows |= {f"{name}_{side}": [10 * (name == "words")] * count for name in STYLES for side in ("left", "right")}
    rows |= {f"{name}_{side}": [None] * count for name in ("equivalent", "exact") for side in ("left", "right")}
    return as_frame(rows | columns)


def drawn(count: int, seed: int = 0, voters: int = 10) -> pd.DataFrame:
    """Votes by chance, every column filled."""
    chance = np.random.default_rng(seed)
    pairs = list(itertools.permutations(SLUGS, 2))
    verdicts = chance.choice([*Verdict], count, p=[0.4, 0.3, 0.1, 0.1, 0.1])
    said = [
        (*pairs[place], str(verdict)) for place, verdict in zip(chance.integers(0, 56, count), verdicts, strict=True)
    ]
    sides = [(name, side) for name in STYLES for side in ("left", "right")]
    truths = [(name, side) for name in ("equivalent", "exact") for side in ("left", "right")]
    return votes(
        said,
        voter=[f"voter {number}" for number in chance.integers(0, voters, count)],
        prompt=[f"prompt {number}" for number in chance.integers(0, 5, count)],
        kind=chance.choice([*Kind], count).tolist(),
        seconds=chance.gamma(2, 5, count),
        **{f"{name}_{side}": chance.poisson(40 if name == "words" else 2, count) for name, side in sides},
        **{f"{name}_{side}": chance.choice([True, False, None], count).tolist() for name, side in truths},
    )


def swapped(frame: pd.DataFrame) -> pd.DataFrame:
    """The same votes with the sides changed."""
    turned = {Verdict.LEFT: Verdict.RIGHT, Verdict.RIGHT: Verdict.LEFT}
    names = {f"{name}_left": f"{name}_right" for name in (*STYLES, "equivalent", "exact")} | {"left": "right"}
    both = names | {right: left for left, right in names.items()}
    changed = frame.rename(columns=both)[list(frame.columns)]
    return changed.assign(
        verdict=frame["verdict"].map(lambda said: turned.get(said, said)).astype(frame["verdict"].dtype)
    )


def renamed(frame: pd.DataFrame, names: dict[str, str]) -> pd.DataFrame:
    """The same votes with the arms called otherwise."""
    return frame.assign(**{side: frame[side].map(names).astype(frame[side].dtype) for side in ("left", "right")})
