"""The kernels with the shapes of tensors: one function for each, tensors in, tensors out.

Knows nothing of models or of who calls. What each computes is in ``kernels``; how the work is cut was measured on a
Hopper GPU (``docs/decisions/013``), and any other cut gives the same numbers.
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
from ..parts import Heads
from ..routes import Rows
from . import highest, kernels

FEWEST_ROWS: Final = 16
"""Rows of a product on tensor cores, at least; those beyond the batch's are not read."""
TOKENS: Final = 64
"""Of keys and values, that one thread block attends to; four times as many in long contexts."""
VOCABULARY: Final = 2048
"""Logits that one thread block looks at."""
STREAM: Final = 128
"""Numbers of the residual stream in one block."""
ACTIVE: Final = 512
"""Numbers of the feed-forward's inside in one block."""


@dataclass(frozen=True)
class Cut:
    """How a product is cut: outputs and inputs at once, warps, loads in flight; and thread blocks to aim at."""

    outputs: int
    inputs: int
    warps: int
    stages: int
    blocks: int

    def shares(self, outputs: int, inputs: int) -> tuple[int, int]:
        """Pieces into which the inputs are cut, and how many there are in each: a multiple of those at once."""
        steps = triton.cdiv(inputs, self.inputs)
        wanted = max(1, min(steps, round(self.blocks * self.outputs / outputs)))
        share = triton.cdiv(steps, wanted)
        return triton.cdiv(steps, share), share * self.inputs


FEW, MANY = Cut(64, 128, 4, 4, 400), Cut(64, 64, 4, 4, 200)
"""Of up to sixteen rows, and of more."""


@dataclass(frozen=True)
class Given:
    """What layers that share an input are given.

    ``shares`` are those of ``x A^T``, (chunks, rows, columns), and ``squares`` the sums of x's squares, (chunks, rows),
    where x is still to be divided by their root.
    """

    inputs: Tensor
    """(rows, width)."""
    shares: Tensor
    squares: Tensor | None = None
    """None where x is as it shall be."""
    eps: float = 0.0


def product(given: Given, layers: Sequence[BankedLinear], rows: Rows) -> Tensor:
    """``x W^T`` of one to three layers side by side, in parts that are to be added: (pieces, rows, outputs), fp32."""
    weights = [layer.weight for layer in layers]
    sizes = [int(weight.shape[0]) for weight in weights]
    missing = 3 - len(layers)
    cut, width, every = FEW if rows.count <= FEWEST_ROWS else MANY, given.inputs.shape[1], sum(sizes)
    block, step = divisor(math.gcd(*sizes), cut.outputs), divisor(width, cut.inputs)
    pieces, share = Cut(block, step, cut.warps, cut.stages, cut.blocks).shares(every, width)
    parts = torch.empty(pieces, rows.count, every, dtype=torch.float32, device=given.inputs.device)
    kernels.product_kernel[every // block, pieces](
        given.inputs, *weights, *weights[:1] * missing, parts, rows.count, width, *sizes, *[0] * missing, share,
        pieces * share == width, max(FEWEST_ROWS, triton.next_power_of_2(rows.count)), block, step,
        num_warps=cut.warps, num_stages=cut.stages,
    )  # fmt: skip
    return parts


Said = tuple[Tensor, Given, BankedLinear]
"""A product's parts, what it was given, and its layer."""


def settled(
    hidden: Tensor, said: Said | None, following: tuple[Any, Tensor] | None, rows: Rows
) -> tuple[Tensor, Given]:
    """The residual stream (rows, width) with what a layer said added, and what the next layers are given of it.

    ``following`` is the next norm and the next layers' A; without it, what is given is of no use.
    """
    count, width = hidden.shape
    block = divisor(width, STREAM)
    like: dict[str, Any] = {"dtype": torch.float32, "device": hidden.device}
    weight, down, eps, columns = hidden, hidden, 0.0, 1
    if following is not None:
        weight, down, eps = following[0].weight, following[1], float(following[0].variance_epsilon)
        columns = int(down.shape[2])
    weighted, squares = torch.empty_like(hidden), torch.empty(width // block, count, **like)
    shares = torch.empty(width // block, count, columns, **like)
    out, parts, up, scale, low, pieces = hidden, hidden, hidden, hidden, hidden, 1
    rank, stride, chunks = 1, 0, (1, 1)
    if said is not None:
        parts, given, layer = said
        out, up, scale, low, pieces = torch.empty_like(hidden), layer.up, layer.scale, given.shares, parts.shape[0]
        rank, stride, chunks = int(up.shape[1]), int(scale.stride(0)), _chunks(given)
    kernels.settled_kernel[count, width // block](
        hidden, parts, up, scale, low, rows.slots, weight, down, out, weighted, squares, shares, count, stride,
        said is not None, following is not None, width, pieces, rank, *chunks, columns,
        triton.next_power_of_2(columns), block, num_warps=4,
    )  # fmt: skip
    return out, Given(weighted, shares, squares, eps)


Lines = tuple[Tensor, Tensor]
"""Keys and values, (lines, kept heads, tokens, width) each."""


def rotated(
    parts: Tensor, given: Given, layers: Sequence[BankedLinear], rows: Rows, heads: Heads, lines: Lines
) -> Tensor:  # fmt: skip
    """Queries (rows, heads, width) from the product of q, k and v; keys and values go into the rows' lines."""
    keys, values = lines
    norms = heads.norms
    queries = torch.empty(rows.count, heads.queries, heads.width, dtype=keys.dtype, device=keys.device)
    weights = (keys, keys) if norms is None else tuple(norm.weight for norm in norms)
    kernels.rotated_kernel[rows.count, heads.queries + 2 * heads.kept](
        parts, *(layer.up for layer in layers), *(layer.scale for layer in layers), given.shares, given.squares,
        rows.slots, *weights, *heads.turns, rows.fed, queries, keys, values, keys.shape[2], rows.count,
        layers[0].scale.stride(0), given.eps, 0.0 if norms is None else float(norms[0].variance_epsilon),
        norms is not None, given.inputs.shape[1], heads.queries, heads.kept, heads.width, parts.shape[0],
        layers[0].up.shape[1], *_chunks(given), num_warps=2,
    )  # fmt: skip
    return queries


def attended(queries: Tensor, lines: Lines, down: Tensor, rows: Rows, heads: Heads) -> Given:
    """What each row's heads take from its line, (rows, heads * width)."""
    keys, values = lines
    room = keys.shape[2]
    size = TOKENS if room <= 16 * TOKENS else 4 * TOKENS
    splits, many = triton.cdiv(room, size), rows.count * heads.queries
    like: dict[str, Any] = {"dtype": torch.float32, "device": queries.device}
    parts, peaks, masses = torch.empty(many, splits, heads.width, **like), *torch.empty(2, many, splits, **like)
    kernels.attention_kernel[rows.count, heads.kept, splits](
        queries, keys, values, rows.fed, parts, peaks, masses, room, heads.scaling, heads.queries, heads.kept,
        heads.width, max(16, triton.next_power_of_2(heads.queries // heads.kept)), size, TOKENS, num_warps=4,
        num_stages=1 if size == TOKENS else 2,
    )  # fmt: skip
    said = torch.empty(rows.count, heads.queries * heads.width, dtype=queries.dtype, device=queries.device)
    shares = torch.empty(heads.queries, rows.count, down.shape[2], **like)
    kernels.attended_kernel[rows.count, heads.queries](
        parts, peaks, masses, rows.fed, down, rows.slots, said, shares, rows.count, splits, heads.queries, heads.width,
        size, triton.next_power_of_2(splits), down.shape[2], num_warps=4,
    )  # fmt: skip
    return Given(said, shares)


def gated(parts: Tensor, given: Given, gate: BankedLinear, up: BankedLinear, down: Tensor, rows: Rows) -> Given:
    """``silu(gate x) * up x``, (rows, outputs), from the product of both."""
    _, rank, size = gate.up.shape
    block = divisor(size, ACTIVE)
    active = torch.empty(rows.count, size, dtype=given.inputs.dtype, device=parts.device)
    shares = torch.empty(size // block, rows.count, rank, dtype=torch.float32, device=parts.device)
    kernels.gated_kernel[rows.count, size // block](
        parts, gate.up, up.up, gate.scale, up.scale, given.shares, given.squares, rows.slots, down, active, shares,
        rows.count, gate.scale.stride(0), given.eps, given.inputs.shape[1], size, parts.shape[0], rank,
        *_chunks(given), block, num_warps=8,
    )  # fmt: skip
    return Given(active, shares)


def best(logits: Tensor) -> Tensor:
    """Each row's highest token and 1 where all its logits are finite, (2, rows) of int64."""
    rows, vocabulary = logits.shape
    blocks = triton.cdiv(vocabulary, VOCABULARY)
    peaks = torch.empty(rows, blocks, dtype=torch.float32, device=logits.device)
    places, wild = torch.empty(2, rows, blocks, dtype=torch.int32, device=logits.device)
    highest.peak_kernel[rows, blocks](logits, peaks, places, wild, vocabulary, blocks, VOCABULARY)
    told = torch.empty(2, rows, dtype=torch.int64, device=logits.device)
    highest.best_kernel[(rows,)](peaks, places, wild, *told, blocks, triton.next_power_of_2(blocks))
    return told


def divisor(size: int, most: int) -> int:
    """The largest power of two up to ``most`` (one itself) that divides a size."""
    return math.gcd(size, most)


def _chunks(given: Given) -> tuple[int, int]:
    """How many shares of ``x A^T`` there are, and the next power of two."""
    count = int(given.shares.shape[0])
    return count, triton.next_power_of_2(count)
