"""Triton kernels of one decode step: one token of each row, each row through its own adapter.

Every kernel takes rows of numbers; none knows a model, a bank or what a row says. ``launch`` gives them their shapes;
``tests/engine/test_fused.py`` holds them against PyTorch, on a CPU through Triton's interpreter.

A slot is 0 for the base, which has no A and no B; an adapter of slot ``n`` lies at place ``n - 1`` of its stack.
Sums are in fp32 and rounded where transformers' own modules round.
"""

# mypy: disable-error-code="no-untyped-def"
# ruff: noqa: N803, PLR0913, PLR0917
from __future__ import annotations

import triton
import triton.language as tl


@triton.jit
def low_kernel(
    inputs, weight, down, slots, normed, low, rows, eps,
    NORM: tl.constexpr, WIDTH: tl.constexpr, WHOLE: tl.constexpr, CHUNK: tl.constexpr, COLUMNS: tl.constexpr,
    PADDED: tl.constexpr,
):  # fmt: skip
    """A chunk's share of ``x A^T`` of one row, after the RMS norm of the row where NORM."""
    row, chunk = tl.program_id(0), tl.program_id(1)
    places = chunk * CHUNK + tl.arange(0, CHUNK)
    inside = places < WIDTH
    part = tl.load(inputs + row * WIDTH + places, mask=inside, other=0.0)
    if NORM:
        everywhere = tl.arange(0, WHOLE)
        whole = tl.load(inputs + row * WIDTH + everywhere, mask=everywhere < WIDTH, other=0.0).to(tl.float32)
        root = tl.rsqrt(tl.sum(whole * whole, 0) / WIDTH + eps)
        part = (part.to(tl.float32) * root).to(part.dtype) * tl.load(weight + places, mask=inside, other=0.0)
        tl.store(normed + row * WIDTH + places, part, mask=inside)
    slot = tl.load(slots + row).to(tl.int32)
    columns = tl.arange(0, PADDED)
    real = columns < COLUMNS
    own = down + (slot - 1) * (WIDTH * COLUMNS) + places[:, None] * COLUMNS + columns[None, :]
    a = tl.load(own, mask=inside[:, None] & real[None, :] & (slot > 0), other=0.0)
    tl.store(low + (chunk * rows + row) * COLUMNS + columns, tl.sum(part.to(tl.float32)[:, None] * a, 0), mask=real)


@triton.jit
def _lifted(
    up, low, slots, rows, place, column, outputs, COLUMNS: tl.constexpr, RANK: tl.constexpr, CHUNKS: tl.constexpr,
    ROWS: tl.constexpr, BLOCK: tl.constexpr, PART: tl.constexpr,
):  # fmt: skip
    """``(x A^T) B`` by each row's slot for BLOCK outputs from ``place`` on, (ROWS, BLOCK)."""
    row, output = tl.arange(0, ROWS), place + tl.arange(0, BLOCK)
    real = row < rows
    slot = tl.load(slots + row, mask=real, other=0).to(tl.int32)
    total = tl.zeros((ROWS, BLOCK), tl.float32)
    for first in tl.static_range(0, RANK, PART):
        rank = first + tl.arange(0, PART)
        places = ((slot - 1)[:, None, None] * RANK + rank[None, :, None]) * outputs + output[None, None, :]
        b = tl.load(up + places, mask=(slot > 0)[:, None, None], other=0.0)
        own = tl.zeros((ROWS, PART), tl.float32)
        for chunk in tl.static_range(CHUNKS):  # unrolled: the loads wait for each other no more than for memory
            share = low + (chunk * rows + row[:, None]) * COLUMNS + column + rank[None, :]
            own += tl.load(share, mask=real[:, None], other=0.0)
        total += tl.sum(own[:, :, None] * b, 1)
    return total


@triton.jit
def _factor(scale, slots, rows, scales, place, ROWS: tl.constexpr, BLOCK: tl.constexpr):
    """``s`` by each row's slot for BLOCK outputs from ``place`` on, (ROWS, BLOCK)."""
    row, output = tl.arange(0, ROWS), place + tl.arange(0, BLOCK)
    slot = tl.load(slots + row, mask=row < rows, other=0).to(tl.int32)
    return tl.load(scale + slot[:, None] * scales + output[None, :])


@triton.jit
def linear_kernel(
    inputs, weight0, weight1, weight2, up0, up1, up2, scale0, scale1, scale2, low, slots, residual, outputs, rows,
    scales, WIDTH: tl.constexpr, OUTPUTS0: tl.constexpr, OUTPUTS1: tl.constexpr, OUTPUTS2: tl.constexpr,
    COLUMNS: tl.constexpr, RANK: tl.constexpr, CHUNKS: tl.constexpr, ADD: tl.constexpr, ROWS: tl.constexpr,
    BLOCK: tl.constexpr, STEP: tl.constexpr, PART: tl.constexpr,
):  # fmt: skip
    """A block of outputs of one to three layers that share an input, added to the residual where ADD."""
    begin = tl.program_id(0) * BLOCK
    weight, up, scale, place, column, size = weight0, up0, scale0, begin, 0, OUTPUTS0
    if begin >= OUTPUTS0 + OUTPUTS1:
        weight, up, scale, place, column, size = weight2, up2, scale2, begin - OUTPUTS0 - OUTPUTS1, 2 * RANK, OUTPUTS2
    elif begin >= OUTPUTS0:
        weight, up, scale, place, column, size = weight1, up1, scale1, begin - OUTPUTS0, RANK, OUTPUTS1
    lifted = _lifted(up, low, slots, rows, place, column, size, COLUMNS, RANK, CHUNKS, ROWS, BLOCK, PART)
    factor = _factor(scale, slots, rows, scales, place, ROWS, BLOCK)
    row, block, step = tl.arange(0, ROWS), tl.arange(0, BLOCK), tl.arange(0, STEP)
    real = row[:, None] < rows
    given = inputs + row[:, None] * WIDTH + step[None, :]
    held = weight + (place + block)[:, None] * WIDTH + step[None, :]
    total = tl.zeros((ROWS, BLOCK), tl.float32)
    for start in range(0, WIDTH, STEP):
        x = tl.load(given + start, mask=real, other=0.0)
        total = tl.dot(x, tl.trans(tl.load(held + start)), total, input_precision="ieee")
    there = row[:, None] * (OUTPUTS0 + OUTPUTS1 + OUTPUTS2) + (begin + block)[None, :]
    total = (factor * total + lifted).to(outputs.dtype.element_ty)
    if ADD:
        total += tl.load(residual + there, mask=real, other=0.0)
    tl.store(outputs + there, total, mask=real)


@triton.jit
def gated_kernel(
    inputs, gate, up, gate_up, up_up, gate_scale, up_scale, low, slots, outputs, rows, scales,
    WIDTH: tl.constexpr, OUTPUTS: tl.constexpr, COLUMNS: tl.constexpr, RANK: tl.constexpr, CHUNKS: tl.constexpr,
    ROWS: tl.constexpr, BLOCK: tl.constexpr, STEP: tl.constexpr, PART: tl.constexpr,
):  # fmt: skip
    """``silu(gate x) * up x`` for a block of outputs; both products read the inputs once."""
    place = tl.program_id(0) * BLOCK
    gate_lifted = _lifted(gate_up, low, slots, rows, place, 0, OUTPUTS, COLUMNS, RANK, CHUNKS, ROWS, BLOCK, PART)
    up_lifted = _lifted(up_up, low, slots, rows, place, RANK, OUTPUTS, COLUMNS, RANK, CHUNKS, ROWS, BLOCK, PART)
    gate_factor = _factor(gate_scale, slots, rows, scales, place, ROWS, BLOCK)
    up_factor = _factor(up_scale, slots, rows, scales, place, ROWS, BLOCK)
    row, output, step = tl.arange(0, ROWS), place + tl.arange(0, BLOCK), tl.arange(0, STEP)
    real = row[:, None] < rows
    given = inputs + row[:, None] * WIDTH + step[None, :]
    held = output[:, None] * WIDTH + step[None, :]
    first, second = tl.zeros((ROWS, BLOCK), tl.float32), tl.zeros((ROWS, BLOCK), tl.float32)
    for start in range(0, WIDTH, STEP):
        x = tl.load(given + start, mask=real, other=0.0)
        first = tl.dot(x, tl.trans(tl.load(gate + held + start)), first, input_precision="ieee")
        second = tl.dot(x, tl.trans(tl.load(up + held + start)), second, input_precision="ieee")
    kind = outputs.dtype.element_ty
    first = (gate_factor * first + gate_lifted).to(kind).to(tl.float32)
    second = (up_factor * second + up_lifted).to(kind)
    active = (first / (1.0 + tl.exp(-first))).to(kind)
    tl.store(outputs + row[:, None] * OUTPUTS + output[None, :], active * second, mask=real)


@triton.jit
def rotated_kernel(
    joined, query_weight, key_weight, cosines, sines, fed, queries, keys, values, room, eps,
    NORM: tl.constexpr, HEADS: tl.constexpr, KEPT: tl.constexpr, WIDTH: tl.constexpr,
):  # fmt: skip
    """One head of one row: norm and rotation of a query or a key, and keys and values into the row's line."""
    row, head = tl.program_id(0), tl.program_id(1)
    half = tl.arange(0, WIDTH // 2)
    own = joined + (row * (HEADS + 2 * KEPT) + head) * WIDTH + half
    low, high = tl.load(own), tl.load(own + WIDTH // 2)
    position = tl.load(fed + row)
    kind = low.dtype
    if head < HEADS + KEPT:
        if NORM:
            a, b = low.to(tl.float32), high.to(tl.float32)
            root = tl.rsqrt((tl.sum(a * a, 0) + tl.sum(b * b, 0)) / WIDTH + eps)
            if head < HEADS:
                low = (a * root).to(kind) * tl.load(query_weight + half)
                high = (b * root).to(kind) * tl.load(query_weight + WIDTH // 2 + half)
            else:
                low = (a * root).to(kind) * tl.load(key_weight + half)
                high = (b * root).to(kind) * tl.load(key_weight + WIDTH // 2 + half)
        turn = position * WIDTH + half
        first = low * tl.load(cosines + turn) + -high * tl.load(sines + turn)
        high = high * tl.load(cosines + turn + WIDTH // 2) + low * tl.load(sines + turn + WIDTH // 2)
        low = first
    if head < HEADS:
        there = queries + (row * HEADS + head) * WIDTH
    elif head < HEADS + KEPT:
        there = keys + ((row.to(tl.int64) * KEPT + head - HEADS) * room + position) * WIDTH
    else:
        there = values + ((row.to(tl.int64) * KEPT + head - HEADS - KEPT) * room + position) * WIDTH
    tl.store(there + half, low)
    tl.store(there + WIDTH // 2 + half, high)


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
            score = tl.dot(query, tl.trans(key), input_precision="ieee") * scaling
            score = tl.where(token[None, :] < length, score, float("-inf"))
            higher = tl.maximum(peak, tl.max(score, 1))
            share = tl.exp(score - higher[:, None])
            fade = tl.exp(peak - higher)
            value = tl.load(values + held, mask=token[:, None] < length, other=0.0)
            total = total * fade[:, None] + tl.dot(share.to(value.dtype), value, input_precision="ieee")
            mass = mass * fade + tl.sum(share, 1)
            peak = higher
        place = head * tl.num_programs(2) + split
        tl.store(parts + place[:, None] * WIDTH + column[None, :], total, mask=real[:, None])
        tl.store(peaks + place, peak, mask=real)
        tl.store(masses + place, mass, mask=real)


@triton.jit
def attended_kernel(
    parts, peaks, masses, fed, down, slots, outputs, low, rows, splits,
    HEADS: tl.constexpr, WIDTH: tl.constexpr, SPLIT: tl.constexpr, SPLITS: tl.constexpr, RANK: tl.constexpr,
):  # fmt: skip
    """One head of one row from its splits, and its share of the output layer's ``x A^T``."""
    row, head = tl.program_id(0), tl.program_id(1)
    split, column, rank = tl.arange(0, SPLITS), tl.arange(0, WIDTH), tl.arange(0, RANK)
    there = split * SPLIT < tl.load(fed + row) + 1
    place = (row * HEADS + head) * splits + split
    peak = tl.load(peaks + place, mask=there, other=float("-inf"))
    share = tl.exp(peak - tl.max(peak, 0))
    mass = tl.sum(tl.load(masses + place, mask=there, other=0.0) * share, 0)
    total = tl.load(parts + place[:, None] * WIDTH + column[None, :], mask=there[:, None], other=0.0)
    said = (tl.sum(total * share[:, None], 0) / mass).to(outputs.dtype.element_ty)
    tl.store(outputs + (row * HEADS + head) * WIDTH + column, said)
    slot = tl.load(slots + row).to(tl.int32)
    own = ((slot - 1) * HEADS * WIDTH + head * WIDTH + column[:, None]) * RANK + rank[None, :]
    a = tl.load(down + own, mask=(slot > 0) & (column[:, None] < WIDTH), other=0.0)
    tl.store(low + (head * rows + row) * RANK + rank, tl.sum(said.to(tl.float32)[:, None] * a, 0))


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
