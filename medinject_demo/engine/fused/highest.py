"""Triton kernels of a decode step's end: each row's highest logit, and whether all are finite.

Knows nothing of models; ``launch`` gives the shapes.
"""

# mypy: disable-error-code="no-untyped-def,no-untyped-call,untyped-decorator"
# ruff: noqa: N803
from __future__ import annotations

import triton
import triton.language as tl


@triton.jit
def peak_kernel(logits, peaks, places, wild, vocabulary, blocks, BLOCK: tl.constexpr):
    """The highest of a block of a row's logits, where it is first, and whether one is not finite."""
    row, block = tl.program_id(0), tl.program_id(1)
    token = block * BLOCK + tl.arange(0, BLOCK)
    real = token < vocabulary
    score = tl.load(logits + row * vocabulary + token, mask=real, other=0.0).to(tl.float32)
    finite = tl.abs(score) < float("inf")
    score = tl.where(real & finite, score, float("-inf"))
    best, place = tl.max(score, 0, return_indices=True, return_indices_tie_break_left=True)
    tl.store(peaks + row * blocks + block, best)
    tl.store(places + row * blocks + block, block * BLOCK + place)
    tl.store(wild + row * blocks + block, tl.max((real & ~finite).to(tl.int32), 0))


@triton.jit
def best_kernel(peaks, places, wild, best, finite, blocks, BLOCKS: tl.constexpr):
    """Each row's highest over its blocks, the first of equals."""
    row, block = tl.program_id(0), tl.arange(0, BLOCKS)
    real = block < blocks
    _, first = tl.max(
        tl.load(peaks + row * blocks + block, mask=real, other=float("-inf")),
        0,
        return_indices=True,
        return_indices_tie_break_left=True,
    )
    tl.store(best + row, tl.load(places + row * blocks + first).to(tl.int64))
    tl.store(finite + row, 1 - tl.max(tl.load(wild + row * blocks + block, mask=real, other=0), 0).to(tl.int64))
