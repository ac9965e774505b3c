"""Triton kernels of one decode step: one token of each row, each row through its own adapter.

A product reads weights as fast as memory gives them, in pieces of its inputs, and knows no adapter; whoever reads its
parts adds them up and adapts them by the row's slot. Every kernel takes rows of numbers; none knows a model, a bank or
what a row says. ``launch`` gives them their shapes; ``tests/engine/test_fused.py`` holds them against PyTorch.

Kernels that adapt a row ask for all they read first: sums are over several warps, which wait for each other.
A slot is 0 for the base, which has no A and no B; an adapter of slot ``n`` lies at place ``n - 1`` of its stack. Sums
are in fp32, and rounded once where transformers rounds after each product; the norms' roots come last.
"""

# mypy: disable-error-code="no-untyped-def,no-untyped-call,untyped-decorator"
# ruff: noqa: N803, PLR0913, PLR0917
from __future__ import annotations

import triton
import triton.language as tl


@triton.jit(do_not_specialize=["rows"])
def product_kernel(
    inputs, weight0, weight1, weight2, parts, rows,
    WIDTH: tl.constexpr, OUTPUTS0: tl.constexpr, OUTPUTS1: tl.constexpr, OUTPUTS2: tl.constexpr,
    SHARE: tl.constexpr, WHOLE: tl.constexpr, ROWS: tl.constexpr, BLOCK: tl.constexpr, STEP: tl.constexpr,
):  # fmt: skip
    """SHARE inputs' part of ``x W^T``, for a block of outputs of one to three layers that share their inputs."""
    begin, first = tl.program_id(0) * BLOCK, tl.program_id(1) * SHARE
    weight, place = weight0, begin
    if begin >= OUTPUTS0 + OUTPUTS1:
        weight, place = weight2, begin - OUTPUTS0 - OUTPUTS1
    elif begin >= OUTPUTS0:
        weight, place = weight1, begin - OUTPUTS0
    row, block, step = tl.arange(0, ROWS), tl.arange(0, BLOCK), tl.arange(0, STEP)
    own = weight + (place + block) * WIDTH + first
    given = inputs + row[:, None] * WIDTH + first + step[None, :]
    total = tl.zeros((ROWS, BLOCK), tl.float32)
    for start in range(0, SHARE, STEP):
        if WHOLE:
            x = tl.load(given + start, mask=row[:, None] < rows, other=0.0)
            w = tl.load(own[:, None] + start + step[None, :])
        else:
            inside = first + start + step[None, :] < WIDTH
            x = tl.load(given + start, mask=(row[:, None] < rows) & inside, other=0.0)
            w = tl.load(own[:, None] + start + step[None, :], mask=inside, other=0.0)
        total = tl.dot(x, tl.trans(w), total, input_precision="ieee")
    there = (tl.program_id(1) * rows + row[:, None]) * (OUTPUTS0 + OUTPUTS1 + OUTPUTS2) + begin + block[None, :]
    tl.store(parts + there, total, mask=row[:, None] < rows)


@triton.jit
def _asked(
    parts, up, scale, low, slot, row, rows, scales, begin, place, column, size,
    ALL: tl.constexpr, PIECES: tl.constexpr, COLUMNS: tl.constexpr, RANK: tl.constexpr, CHUNKS: tl.constexpr,
    PADDED: tl.constexpr, BLOCK: tl.constexpr,
):  # fmt: skip
    """What ``_adapted`` is made of, for a block of outputs of one row: asked for at once, before any is waited for.

    ``x W^T`` (BLOCK), ``s`` (BLOCK), the shares of ``x A^T`` (PADDED, RANK) and ``B`` (RANK, BLOCK). The block lies at
    ``begin`` of all outputs of the product, at ``place`` of its own layer's ``size``; ``column`` is where that layer's
    ``x A^T`` begins.
    """
    block, rank, chunk = tl.arange(0, BLOCK), tl.arange(0, RANK), tl.arange(0, PADDED)
    total = tl.zeros((BLOCK,), tl.float32)
    for piece in tl.static_range(PIECES):
        total += tl.load(parts + (piece * rows + row) * ALL + begin + block)
    share = low + (chunk[:, None] * rows + row) * COLUMNS + column + rank[None, :]
    shares = tl.load(share, mask=chunk[:, None] < CHUNKS, other=0.0)
    held = up + ((slot - 1) * RANK + rank[:, None]) * size + place + block[None, :]
    b = tl.load(held, mask=(slot > 0) & (rank[:, None] < RANK), other=0.0)
    return total, tl.load(scale + slot * scales + place + block), shares, b


@triton.jit
def _adapted(total, scale, shares, b):
    """``s * (x W^T) + (x A^T) B`` of one row for a block of outputs, (BLOCK)."""
    return total * scale + tl.sum(tl.sum(shares, 0)[:, None] * b, 0)


@triton.jit
def _squared(squares, row, rows, CHUNKS: tl.constexpr, PADDED: tl.constexpr):
    """A row's sums of squares, (PADDED)."""
    chunk = tl.arange(0, PADDED)
    return tl.load(squares + chunk * rows + row, mask=chunk < CHUNKS, other=0.0)


@triton.jit
def _root(squared, eps, WIDTH: tl.constexpr):
    """The factor of a row's RMS norm, from its sums of squares."""
    return tl.rsqrt(tl.sum(squared, 0) / WIDTH + eps)


@triton.jit
def _held(down, slot, places, WIDTH: tl.constexpr, COLUMNS: tl.constexpr, PADDED_COLUMNS: tl.constexpr):
    """A of a slot for a block of inputs, (BLOCK, PADDED_COLUMNS)."""
    column = tl.arange(0, PADDED_COLUMNS)
    held = down + (slot - 1) * (WIDTH * COLUMNS) + places[:, None] * COLUMNS + column[None, :]
    return tl.load(held, mask=(slot > 0) & (column[None, :] < COLUMNS), other=0.0)


@triton.jit
def _lowered(values, a):
    """A block's share of ``x A^T`` of one row, (PADDED_COLUMNS)."""
    return tl.sum(values.to(tl.float32)[:, None] * a, 0)


@triton.jit(do_not_specialize=["rows"])
def settled_kernel(
    hidden, parts, up, scale, low, slots, weight, down, out, weighted, squares, shares, rows, scales,
    FINISH: tl.constexpr, NEXT: tl.constexpr, WIDTH: tl.constexpr, PIECES: tl.constexpr, RANK: tl.constexpr,
    CHUNKS: tl.constexpr, PADDED: tl.constexpr, COLUMNS: tl.constexpr, PADDED_COLUMNS: tl.constexpr,
    BLOCK: tl.constexpr,
):  # fmt: skip
    """A block of one row's residual stream: what a layer said added, where FINISH; ready for the next ones, where NEXT.

    Ready is: times the norm's weight, with the block's sum of squares and share of ``x A^T``; the norm's root is left
    to who uses them.
    """
    row, place = tl.program_id(0), tl.program_id(1) * BLOCK
    places = place + tl.arange(0, BLOCK)
    slot = tl.load(slots + row).to(tl.int32)
    value = tl.load(hidden + row * WIDTH + places)
    if FINISH:
        total, own, low_shares, b = _asked(
            parts, up, scale, low, slot, row, rows, scales, place, place, 0, WIDTH, WIDTH, PIECES, RANK, RANK, CHUNKS,
            PADDED, BLOCK,
        )  # fmt: skip
    if NEXT:
        factor = tl.load(weight + places)
        a = _held(down, slot, places, WIDTH, COLUMNS, PADDED_COLUMNS)
    if FINISH:
        value += _adapted(total, own, low_shares, b).to(value.dtype)
        tl.store(out + row * WIDTH + places, value)
    if NEXT:
        product = value * factor
        tl.store(weighted + row * WIDTH + places, product)
        wide = value.to(tl.float32)
        there = tl.program_id(1) * rows + row
        tl.store(squares + there, tl.sum(wide * wide, 0))
        column = tl.arange(0, PADDED_COLUMNS)
        tl.store(shares + there * COLUMNS + column, _lowered(product, a), mask=column < COLUMNS)


@triton.jit(do_not_specialize=["rows"])
def rotated_kernel(
    parts, up0, up1, up2, scale0, scale1, scale2, low, squares, slots, query_weight, key_weight, cosines, sines, fed,
    queries, keys, values, room, rows, scales, eps, head_eps,
    NORM: tl.constexpr, INPUTS: tl.constexpr, HEADS: tl.constexpr, KEPT: tl.constexpr, WIDTH: tl.constexpr,
    PIECES: tl.constexpr, RANK: tl.constexpr, CHUNKS: tl.constexpr, PADDED: tl.constexpr,
):  # fmt: skip
    """One head of one row: norm and rotation of a query or a key, and keys and values into the row's line."""
    row, head = tl.program_id(0), tl.program_id(1)
    slot, position = tl.load(slots + row).to(tl.int32), tl.load(fed + row)
    kind = queries.dtype.element_ty
    up, scale, weight, place, column, size = up0, scale0, query_weight, head * WIDTH, 0, HEADS * WIDTH
    if head >= HEADS + KEPT:
        up, scale, place, column, size = up2, scale2, (head - HEADS - KEPT) * WIDTH, 2 * RANK, KEPT * WIDTH
    elif head >= HEADS:
        up, scale, weight, place, column, size = up1, scale1, key_weight, (head - HEADS) * WIDTH, RANK, KEPT * WIDTH
    HALF: tl.constexpr = WIDTH // 2  # noqa: N806
    half = tl.arange(0, HALF)
    squared = _squared(squares, row, rows, CHUNKS, PADDED)
    total0, own0, shares0, b0 = _asked(
        parts, up, scale, low, slot, row, rows, scales, head * WIDTH, place, column, size,
        (HEADS + 2 * KEPT) * WIDTH, PIECES, 3 * RANK, RANK, CHUNKS, PADDED, HALF,
    )  # fmt: skip
    total1, own1, shares1, b1 = _asked(
        parts, up, scale, low, slot, row, rows, scales, head * WIDTH + HALF, place + HALF, column, size,
        (HEADS + 2 * KEPT) * WIDTH, PIECES, 3 * RANK, RANK, CHUNKS, PADDED, HALF,
    )  # fmt: skip
    turn = position * WIDTH + half
    cosine0, cosine1 = tl.load(cosines + turn), tl.load(cosines + turn + HALF)
    sine0, sine1 = tl.load(sines + turn), tl.load(sines + turn + HALF)
    if NORM:
        factor0, factor1 = tl.load(weight + half), tl.load(weight + HALF + half)
    root = _root(squared, eps, INPUTS)
    first, second = _adapted(total0, own0, shares0, b0), _adapted(total1, own1, shares1, b1)
    first, second = (root * first).to(kind), (root * second).to(kind)
    if head < HEADS + KEPT:
        if NORM:
            one, other = first.to(tl.float32), second.to(tl.float32)
            factor = tl.rsqrt((tl.sum(one * one, 0) + tl.sum(other * other, 0)) / WIDTH + head_eps)
            first, second = (one * factor).to(kind) * factor0, (other * factor).to(kind) * factor1
        turned = first * cosine0 + -second * sine0
        second = second * cosine1 + first * sine1
        first = turned
    if head < HEADS:
        there = queries + (row * HEADS + head) * WIDTH
    elif head < HEADS + KEPT:
        there = keys + ((row.to(tl.int64) * KEPT + head - HEADS) * room + position) * WIDTH
    else:
        there = values + ((row.to(tl.int64) * KEPT + head - HEADS - KEPT) * room + position) * WIDTH
    tl.store(there + half, first)
    tl.store(there + HALF + half, second)


@triton.jit
def attention_kernel(
    queries, keys, values, fed, parts, peaks, masses, room, scaling,
    HEADS: tl.constexpr, KEPT: tl.constexpr, WIDTH: tl.constexpr, GROUP: tl.constexpr, SPLIT: tl.constexpr,
    STEP: tl.constexpr,
):  # fmt: skip
    """What SPLIT tokens of a row give to the heads that share one key: softmax not yet divided by its mass."""
    row, kept, split = tl.program_id(0), tl.program_id(1), tl.program_id(2)
    length = tl.load(fed + row) + 1
    if split * SPLIT < length:
        member, column, step = tl.arange(0, GROUP), tl.arange(0, WIDTH), tl.arange(0, STEP)
        heads = HEADS // KEPT
        head = row * HEADS + kept * heads + member
        real = member < heads
        query = tl.load(queries + head[:, None] * WIDTH + column[None, :], mask=real[:, None], other=0.0)
        line = (row.to(tl.int64) * KEPT + kept) * room * WIDTH
        peak = tl.full((GROUP,), float("-inf"), tl.float32)
        mass = tl.zeros((GROUP,), tl.float32)
        total = tl.zeros((GROUP, WIDTH), tl.float32)
        for start in range(0, SPLIT, STEP):
            token = split * SPLIT + start + step
            held = line + token[:, None] * WIDTH + column[None, :]
            key = tl.load(keys + held, mask=token[:, None] < length, other=0.0)
            value = tl.load(values + held, mask=token[:, None] < length, other=0.0)
            score = tl.dot(query, tl.trans(key), input_precision="ieee") * scaling
            score = tl.where(token[None, :] < length, score, float("-inf"))
            higher = tl.maximum(peak, tl.max(score, 1))
            share = tl.exp(score - higher[:, None])
            fade = tl.exp(peak - higher)
            total = total * fade[:, None] + tl.dot(share.to(value.dtype), value, input_precision="ieee")
            mass = mass * fade + tl.sum(share, 1)
            peak = higher
        place = head * tl.num_programs(2) + split
        tl.store(parts + place[:, None] * WIDTH + column[None, :], total, mask=real[:, None])
        tl.store(peaks + place, peak, mask=real)
        tl.store(masses + place, mass, mask=real)


@triton.jit(do_not_specialize=["rows"])
def attended_kernel(
    parts, peaks, masses, fed, down, slots, outputs, shares, rows, splits,
    HEADS: tl.constexpr, WIDTH: tl.constexpr, SPLIT: tl.constexpr, SPLITS: tl.constexpr, RANK: tl.constexpr,
):  # fmt: skip
    """One head of one row from its splits, and its share of the output layer's ``x A^T``."""
    row, head = tl.program_id(0), tl.program_id(1)
    slot, length = tl.load(slots + row).to(tl.int32), tl.load(fed + row) + 1
    split, column, rank = tl.arange(0, SPLITS), tl.arange(0, WIDTH), tl.arange(0, RANK)
    a = _held(down, slot, head * WIDTH + column, HEADS * WIDTH, RANK, RANK)
    there = split * SPLIT < length
    place = (row * HEADS + head) * splits + split
    peak = tl.load(peaks + place, mask=there, other=float("-inf"))
    mass = tl.load(masses + place, mask=there, other=0.0)
    total = tl.load(parts + place[:, None] * WIDTH + column[None, :], mask=there[:, None], other=0.0)
    share = tl.exp(peak - tl.max(peak, 0))
    said = (tl.sum(total * share[:, None], 0) / tl.sum(mass * share, 0)).to(outputs.dtype.element_ty)
    tl.store(outputs + (row * HEADS + head) * WIDTH + column, said)
    tl.store(shares + (head * rows + row) * RANK + rank, _lowered(said, a))


@triton.jit(do_not_specialize=["rows"])
def gated_kernel(
    parts, up0, up1, scale0, scale1, low, squares, slots, down, outputs, shares, rows, scales, eps,
    INPUTS: tl.constexpr, OUTPUTS: tl.constexpr, PIECES: tl.constexpr, RANK: tl.constexpr, CHUNKS: tl.constexpr,
    PADDED: tl.constexpr, BLOCK: tl.constexpr,
):  # fmt: skip
    """``silu(gate) * up`` for a block of one row, and its share of the next layer's ``x A^T``."""
    row, place = tl.program_id(0), tl.program_id(1) * BLOCK
    kind = outputs.dtype.element_ty
    places, rank = place + tl.arange(0, BLOCK), tl.arange(0, RANK)
    slot = tl.load(slots + row).to(tl.int32)
    squared = _squared(squares, row, rows, CHUNKS, PADDED)
    total0, own0, shares0, b0 = _asked(
        parts, up0, scale0, low, slot, row, rows, scales, place, place, 0, OUTPUTS, 2 * OUTPUTS, PIECES, 2 * RANK,
        RANK, CHUNKS, PADDED, BLOCK,
    )  # fmt: skip
    total1, own1, shares1, b1 = _asked(
        parts, up1, scale1, low, slot, row, rows, scales, OUTPUTS + place, place, RANK, OUTPUTS, 2 * OUTPUTS, PIECES,
        2 * RANK, RANK, CHUNKS, PADDED, BLOCK,
    )  # fmt: skip
    a = _held(down, slot, places, OUTPUTS, RANK, RANK)
    root = _root(squared, eps, INPUTS)
    gate = (root * _adapted(total0, own0, shares0, b0)).to(kind).to(tl.float32)
    other = (root * _adapted(total1, own1, shares1, b1)).to(kind)
    active = (gate / (1.0 + tl.exp(-gate))).to(kind) * other
    tl.store(outputs + row * OUTPUTS + places, active)
    tl.store(shares + (tl.program_id(1) * rows + row) * RANK + rank, _lowered(active, a))
