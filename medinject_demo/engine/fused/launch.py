"""The kernels with the shapes of tensors: one function for each, tensors in, tensors out.

Knows nothing of models or of who calls. What each computes is in ``kernels``; blocks were chosen on a Hopper GPU
(``docs/decisions/013``), and any others give the same numbers.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import torch
import triton
from torch import Tensor

from ..bank import BankedLinear
from ..captured import Rows
from . import kernels

FEWEST_ROWS: Final = 16
"""Rows of a product on tensor cores, at least; those beyond the batch's are not read."""
LARGEST: Final = 1024
"""Numbers of B that one thread block holds at once, for each output, at most."""
TOKENS: Final = 128
"""Of keys and values, that one thread block attends to; twice as many in long contexts."""
AT_ONCE: Final = 64
"""Of these, at once."""
VOCABULARY: Final = 2048
"""Logits that one thread block looks at."""


@dataclass(frozen=True)
class Blocks:
    """How a product is cut: outputs and inputs at once, warps, and loads in flight."""

    outputs: int
    inputs: int
    warps: int
    stages: int

    def of(self, outputs: int, inputs: int) -> Blocks:
        """The same, as far as it divides a layer's sizes."""
        return Blocks(_divisor(outputs, self.outputs), _divisor(inputs, self.inputs), self.warps, self.stages)


def _divisor(size: int, most: int) -> int:
    while size % most:
        most //= 2
    return most


def divisible(size: int) -> bool:
    """Whether a layer of this size can be cut into blocks."""
    return size % FEWEST_ROWS == 0


WIDE, NARROW, GATED = Blocks(32, 256, 4, 4), Blocks(16, 256, 4, 5), Blocks(32, 128, 4, 5)
"""Of layers with more outputs than inputs, of those with fewer, and of a gated pair."""


@dataclass(frozen=True)
class Low:
    """``x A^T`` in chunks that are to be added, (chunks, rows, columns), and the layer's inputs, (rows, width)."""

    inputs: Tensor
    shares: Tensor


def low(inputs: Tensor, down: Tensor, rows: Rows, norm: Any = None, chunk: int = 256) -> Low:
    """From inputs (rows, width), normed first where a norm is given, and A (adapters, width, columns)."""
    width, columns = inputs.shape[1], down.shape[2]
    chunks = triton.cdiv(width, chunk)
    shares = torch.empty(chunks, rows.count, columns, dtype=torch.float32, device=inputs.device)
    normed = inputs if norm is None else torch.empty_like(inputs)
    kernels.low_kernel[rows.count, chunks](
        inputs, inputs if norm is None else norm.weight, down, rows.slots, normed, shares, rows.count,
        0.0 if norm is None else norm.variance_epsilon, NORM=norm is not None, WIDTH=width,
        WHOLE=triton.next_power_of_2(width), CHUNK=chunk, COLUMNS=columns, PADDED=triton.next_power_of_2(columns),
        num_warps=4,
    )  # fmt: skip
    return Low(normed, shares)


def linear(given: Low, layers: Sequence[BankedLinear], rows: Rows, residual: Tensor | None = None) -> Tensor:
    """Outputs of one to three layers that share an input, side by side, (rows, outputs); added to a residual."""
    padded = [*layers, *[layers[0]] * (3 - len(layers))]
    sizes = [layer.up.shape[2] for layer in layers] + [0] * (3 - len(layers))
    width, rank = given.inputs.shape[1], layers[0].up.shape[1]
    blocks = (WIDE if sum(sizes) > width else NARROW).of(math.gcd(*sizes), width)
    outputs = torch.empty(rows.count, sum(sizes), dtype=given.inputs.dtype, device=given.inputs.device)
    kernels.linear_kernel[(sum(sizes) // blocks.outputs,)](
        given.inputs, *(each.base.weight for each in padded), *(each.up for each in padded),
        *(each.scale for each in padded), given.shares, rows.slots, outputs if residual is None else residual, outputs,
        rows.count, layers[0].scale.stride(0), WIDTH=width, OUTPUTS0=sizes[0], OUTPUTS1=sizes[1], OUTPUTS2=sizes[2],
        COLUMNS=given.shares.shape[2], RANK=rank, CHUNKS=given.shares.shape[0], ADD=residual is not None,
        **_cut(rows, blocks, rank),
    )  # fmt: skip
    return outputs


def gated(given: Low, gate: BankedLinear, up: BankedLinear, rows: Rows) -> Tensor:
    """``silu(gate x) * up x``, (rows, outputs)."""
    width, (_, rank, size) = given.inputs.shape[1], gate.up.shape
    blocks = GATED.of(size, width)
    outputs = torch.empty(rows.count, size, dtype=given.inputs.dtype, device=given.inputs.device)
    kernels.gated_kernel[(size // blocks.outputs,)](
        given.inputs, gate.base.weight, up.base.weight, gate.up, up.up, gate.scale, up.scale, given.shares, rows.slots,
        outputs, rows.count, gate.scale.stride(0), WIDTH=width, OUTPUTS=size, COLUMNS=given.shares.shape[2], RANK=rank,
        CHUNKS=given.shares.shape[0], **_cut(rows, blocks, rank),
    )  # fmt: skip
    return outputs


def _cut(rows: Rows, blocks: Blocks, rank: int) -> dict[str, int]:
    """The compile-time sizes of a product."""
    padded = max(FEWEST_ROWS, triton.next_power_of_2(rows.count))
    part = _divisor(rank, max(1, min(rank, LARGEST // (4 * padded))))
    return {
        "ROWS": padded, "BLOCK": blocks.outputs, "STEP": blocks.inputs, "PART": part,
        "num_warps": blocks.warps, "num_stages": blocks.stages,
    }  # fmt: skip


@dataclass(frozen=True)
class Heads:
    """How a model attends: heads of queries, those of keys and values, the width of each, and the score's factor."""

    queries: int
    kept: int
    width: int
    scaling: float


def rotated(
    joined: Tensor, norms: tuple[Any, Any] | None, turns: tuple[Tensor, Tensor], rows: Rows, heads: Heads,
    cache: tuple[Tensor, Tensor],
) -> Tensor:  # fmt: skip
    """Queries (rows, heads, width) from what q, k and v said (rows, all heads); keys and values go into the cache.

    ``turns`` are cosines and sines (context, width), ``cache`` keys and values (lines, kept, tokens, width).
    """
    keys, values = cache
    queries = torch.empty(rows.count, heads.queries, heads.width, dtype=joined.dtype, device=joined.device)
    weights = (joined, joined) if norms is None else tuple(norm.weight for norm in norms)
    kernels.rotated_kernel[rows.count, heads.queries + 2 * heads.kept](
        joined, *weights, *turns, rows.fed, queries, keys, values, keys.shape[2],
        0.0 if norms is None else norms[0].variance_epsilon, NORM=norms is not None, HEADS=heads.queries,
        KEPT=heads.kept, WIDTH=heads.width, num_warps=1,
    )  # fmt: skip
    return queries


def attended(queries: Tensor, cache: tuple[Tensor, Tensor], down: Tensor, rows: Rows, heads: Heads) -> Low:
    """What each row's heads take from its line, (rows, heads * width), with the output layer's ``x A^T``."""
    keys, values = cache
    room = keys.shape[2]
    size = TOKENS if room <= 8 * TOKENS else 2 * TOKENS
    splits, many = triton.cdiv(room, size), rows.count * heads.queries
    like: dict[str, Any] = {"dtype": torch.float32, "device": queries.device}
    parts, peaks, masses = torch.empty(many, splits, heads.width, **like), *torch.empty(2, many, splits, **like)
    kernels.attention_kernel[rows.count, heads.kept, splits](
        queries, keys, values, rows.fed, parts, peaks, masses, room, heads.scaling, HEADS=heads.queries,
        KEPT=heads.kept, WIDTH=heads.width, GROUP=max(16, triton.next_power_of_2(heads.queries // heads.kept)),
        SPLIT=size, STEP=AT_ONCE, num_warps=4, num_stages=2,
    )  # fmt: skip
    said = torch.empty(rows.count, heads.queries * heads.width, dtype=queries.dtype, device=queries.device)
    shares = torch.empty(heads.queries, rows.count, down.shape[2], **like)
    kernels.attended_kernel[rows.count, heads.queries](
        parts, peaks, masses, rows.fed, down, rows.slots, said, shares, rows.count, splits, HEADS=heads.queries,
        WIDTH=heads.width, SPLIT=size, SPLITS=triton.next_power_of_2(splits), RANK=down.shape[2], num_warps=4,
    )  # fmt: skip
    return Low(said, shares)


def best(logits: Tensor) -> Tensor:
    """Each row's highest token and 1 where all its logits are finite, (2, rows) of int64."""
    rows, vocabulary = logits.shape
    blocks = triton.cdiv(vocabulary, VOCABULARY)
    peaks = torch.empty(rows, blocks, dtype=torch.float32, device=logits.device)
    places, wild = torch.empty(2, rows, blocks, dtype=torch.int32, device=logits.device)
    kernels.peak_kernel[rows, blocks](logits, peaks, places, wild, vocabulary, blocks, BLOCK=VOCABULARY)
    told = torch.empty(2, rows, dtype=torch.int64, device=logits.device)
    kernels.best_kernel[(rows,)](peaks, places, wild, told[0], told[1], blocks, BLOCKS=triton.next_power_of_2(blocks))
    return told
