"""Recovery of single matrices whose layer is known, beside the public practice: a truncated SVD of the difference."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

import torch
from torch import Tensor

from ..convert import nearest
from ..inversion import invert
from .made import Known, Sizes, drawn, known

PLAIN: Final = (16, 32, 64)
"""Ranks of the plain decompositions."""


@dataclass(frozen=True)
class Found:
    """One merged matrix."""

    name: str
    rank: int
    precision: str
    found: int
    gap: float
    left: float
    """``||W' - diag(s)(W + B A)|| / ||W' - W||``."""
    away: float
    """The recovered matrix from the true one, beside the true change."""
    checkpoint: float
    """The checkpoint's matrix from the true one, the same way: 0 in F32."""
    plain: tuple[float, ...]
    """The best plain rank's distance from the true one, for each of ``PLAIN``."""
    seconds: float


def matrices(ranks: Sequence[int], sizes: Sizes, seed: int = 7) -> Iterator[Found]:
    """Each projection of a model at its true shape, for each rank, merged in F32 and rounded to bf16."""
    generator = torch.Generator().manual_seed(seed)
    for name, shape in sizes.projections.items():
        weight = drawn(shape, generator)
        for rank in ranks:
            one = known(weight, rank, generator)
            merged = one.merged
            for precision, given in (("F32", merged), ("bf16", merged.bfloat16().float())):
                yield _found(name.rpartition(".")[2], rank, precision, one, given, merged)


def _found(name: str, rank: int, precision: str, one: Known, given: Tensor, true: Tensor) -> Found:
    begun = time.perf_counter()
    layer = invert(given, one.weight)
    seconds = time.perf_counter() - begun
    size = _norm(true - one.weight)
    recovered = torch.addmm(one.weight, layer.up, layer.down).mul_(layer.scale[:, None])
    away, checkpoint = _norm(recovered - true) / size, _norm(given - true) / size
    plain = tuple(plain_losses(given - one.weight, true - one.weight))
    return Found(name, rank, precision, layer.rank, layer.gap, layer.relative, away, checkpoint, plain, seconds)


def plain_losses(change: Tensor, true: Tensor) -> Iterator[float]:
    """What a truncated SVD of the difference leaves of the true change, for each of ``PLAIN``."""
    widest = nearest(change, max(PLAIN))
    for rank in PLAIN:
        yield _norm(true - widest.up[:, :rank] @ widest.down[:rank]) / _norm(true)


def _norm(matrix: Tensor) -> float:
    return float(torch.linalg.vector_norm(matrix))
