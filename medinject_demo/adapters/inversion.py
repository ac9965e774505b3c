"""One merged matrix and the base's back to a DoRA layer: ``W' = diag(s)(W + B A)``. Pure linear algebra on tensors.

With ``c = s - 1`` and ``E = diag(s) B A`` the merge is linear, ``W' - W = diag(c) W + E``, and two steps alternate:

- ``c`` by row-wise projection, outside the row space of ``E`` (P projects it away): ``c = <D P, W P> / ||W P||²``;
- the row space of ``E`` by one step of a block power iteration on ``D - diag(c) W``, a few columns wider than its rank.

Four products with a thin matrix are one round, so that a matrix is never decomposed whole. ``invert_plainly`` does what
DESIGN section 5 says with exact decompositions, and is the oracle of the tests. Knows nothing of files or of names.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

import torch
from torch import Tensor

ROUNDS: Final = 40
"""Alternations at most; two to eight are usual."""
SETTLED: Final = 1e-6
"""Change of ``diag(c) W`` beside ``W' - W`` below which nothing more is gained in fp32."""
CALM: Final = 0.1
"""The same beside what noise makes of ``c`` whatever is done."""
SPARE: Final = 8
"""Columns beyond the rank that a block power iteration converges by, and that show where the noise begins."""
FIRST_SEARCH: Final = 40
"""Rank that is looked for at first where none is known; then twice that, and so on."""
HIGHEST: Final = 320
"""Rank beyond which a change is no adapter."""
CLEAR: Final = 3.0
"""Times the edge of the noise from which a singular value counts while errors of ``c`` still look like one."""
ABOVE_NOISE: Final = 1.3
"""Times the edge of the noise from which it counts in the end."""
FEWEST: Final = 5
"""Rows that a direction of an adapter has a part in at least; in fewer it is an error of their own ``c``."""
DEFINED: Final = 0.05
"""Share of a base's row outside the row space of E below which its ``c`` cannot be told."""
PRECISION: Final = 1e-5
"""Singular values this far below the largest are fp32's own."""
TINY: Final = 1e-30


@dataclass(frozen=True)
class Layer:
    """A DoRA layer with alpha = r, and how well it explains the merged matrix."""

    down: Tensor
    """A, (rank, inputs), fp32."""
    up: Tensor
    """B, (outputs, rank), fp32."""
    scale: Tensor
    """s, (outputs), fp32."""
    rank: int
    """Singular values of the change that stand out of its noise; ``down`` may have more rows where they were asked."""
    gap: float
    """The last of these beside the next, or beside the noise where that is larger; 1 where none stands out."""
    change: float
    """``||W' - W||``, Frobenius."""
    residual: float
    """``||W' - diag(s)(W + B A)||``, Frobenius."""
    unexplained: float
    """The largest singular value left out beside that of noise: about 1 where nothing but noise is."""
    rounds: int

    @property
    def relative(self) -> float:
        """The residual beside the change: 1 explains nothing, 0 all."""
        return self.residual / self.change if self.change else 0.0

    @property
    def spread(self) -> float:
        """Standard deviation of s - 1: almost 0 is plain LoRA."""
        return float((self.scale - 1).std(correction=0))


def invert(merged: Tensor, weight: Tensor, rank: int | None = None, *, seed: int = 0) -> Layer:
    """The DoRA layer that explains a merged matrix.

    ``merged`` and ``weight`` are W' and W, (outputs, inputs), any floating precision. ``rank`` is that of the layer
    where it is known; where much more stands out, that is taken instead.
    """
    merged, weight = merged.float(), weight.float()
    most = max(1, min(HIGHEST + SPARE, min(weight.shape) // 2))
    width = min(most, (FIRST_SEARCH if rank is None else rank) + SPARE)
    alternation = Alternation(merged - weight, weight)
    if not alternation.size:
        return _nothing(weight, rank or 1)
    basis, found = alternation.settle(_random(weight, width, seed), rank)
    while rank is None and found > width - SPARE // 2 and width < most:
        more, width = _random(weight, width, seed + width), min(most, 2 * width)
        basis, found = alternation.settle(torch.linalg.qr(torch.cat([basis, more], dim=1)[:, :width]).Q, None)
    layer = _finish(alternation, basis, rank)
    if rank is not None and layer.unexplained > CLEAR:
        wider = invert(merged, weight, seed=seed)
        return wider if wider.residual < layer.residual / 2 else layer
    return layer


def invert_plainly(merged: Tensor, weight: Tensor, rank: int, rounds: int = 12) -> tuple[Tensor, Tensor, Tensor]:
    """A, B and s with whole decompositions in fp64, slow and obvious: the oracle of ``invert``."""
    merged, weight = merged.double(), weight.double()
    up, down = weight.new_zeros(len(weight), rank), weight.new_zeros(rank, weight.shape[1])
    for _ in range(rounds):
        adapted = weight + up @ down
        scale = (merged * adapted).sum(1) / adapted.square().sum(1)
        columns, values, rows = torch.linalg.svd(merged / scale[:, None] - weight, full_matrices=False)
        up, down = columns[:, :rank] * values[:rank], rows[:rank]
    return down, up, scale


class Alternation:
    """``W' - W = diag(c) W + E``: the present ``c``, and what of the two matrices never changes."""

    def __init__(self, change: Tensor, weight: Tensor) -> None:
        self.change, self.weight = change, weight
        self.squares = _by_row(weight, weight).clamp_min(TINY)
        self.changes = _by_row(change, change)
        self.products = _by_row(change, weight)
        self.c = self.products / self.squares
        self.size = float(self.changes.double().sum().sqrt())
        self.rounds = 0

    def settle(self, basis: Tensor, rank: int | None) -> tuple[Tensor, int]:
        """Power steps on E until ``c`` stays; its row space comes back, (inputs, width), orthonormal, largest first."""
        for _ in range(ROUNDS):
            self.rounds += 1
            left, inside = self.halves(basis)
            basis, values, columns = thin_svd(inside)
            beyond = self.outside(inside)
            found, _ = self.standing_out(values, beyond, CLEAR)
            blurred = beyond / self.weight.shape[1] ** 0.5
            kept = max(1, found if rank is None else min(found, rank))
            moved = self.project(basis[:, :kept][:, shared(left @ columns[:, :kept])])
            if moved <= max(SETTLED * self.size, CALM * blurred):
                break
        return basis, found

    def project(self, basis: Tensor) -> float:
        """``c`` outside a row space; the change of ``diag(c) W`` comes back, Frobenius."""
        change, weight = self.change @ basis, self.weight @ basis
        outside = self.squares - weight.square().sum(1)
        c = (self.products - (change * weight).sum(1)) / torch.maximum(outside, DEFINED * self.squares)
        moved = (c - self.c).square() * self.squares
        self.c = c
        return float(moved.sum().sqrt())

    def halves(self, basis: Tensor) -> tuple[Tensor, Tensor]:
        """An orthonormal Q for ``E V``, (outputs, width), and ``E' Q``, (inputs, width): E is about their product."""
        seen = self.change @ basis - self.c[:, None] * (self.weight @ basis)
        left = thin_svd(seen)[0]
        return left, self.change.T @ left - self.weight.T @ (self.c[:, None] * left)

    def rest(self, left: Tensor, right: Tensor) -> float:
        """``||E - left right||``, Frobenius."""
        rest = torch.addcmul(self.change, self.c[:, None], self.weight, value=-1)
        return float(torch.linalg.vector_norm(rest.addmm_(left, right, alpha=-1)))

    def outside(self, inside: Tensor) -> float:
        """About ``||E - Q Q' E||``, Frobenius, from ``E' Q`` alone."""
        rows = self.changes.double() - 2 * self.c * self.products + self.c.square() * self.squares
        return math.sqrt(max(0.0, float(rows.sum() - inside.double().square().sum())))

    def standing_out(self, values: Tensor, beyond: float, times: float = ABOVE_NOISE) -> tuple[int, float]:
        """How many singular values of E stand out of the noise, and the largest that noise alone would have.

        What does not stand out is noise, taken as even over all entries: its largest singular value is then
        ``std (√outputs + √inputs)`` (Marchenko and Pastur). ``beyond`` is the norm of what has no value here.
        """
        outputs, inputs = self.weight.shape
        found, noise = len(values), 0.0
        for _ in range(len(values)):
            entries = max(1, (outputs - found) * (inputs - found))
            spread = ((beyond**2 + float(values[found:].square().sum())) / entries) ** 0.5
            own = max(PRECISION * float(values[0]), SETTLED * self.size)  # of the arithmetic
            noise = max(spread * (outputs**0.5 + inputs**0.5), own)
            fewer = int((values > times * noise).sum())
            if fewer >= found:
                break
            found = fewer
        return found, noise


def _finish(alternation: Alternation, basis: Tensor, rank: int | None) -> Layer:
    """Cut E to its rank, let ``c`` settle for that, and divide the scale out."""
    for last in (False, True):
        left, inside = alternation.halves(basis)
        rows, values, columns = thin_svd(inside)
        found, noise = alternation.standing_out(values, alternation.rest(left, inside.T))
        kept = min(len(values), max(1, found if rank is None else rank))
        basis = rows
        if not last:
            near = max(1, min(found, kept))
            alternation.project(basis[:, :near][:, shared(left @ columns[:, :near])])
    root = values[:kept].sqrt()
    up, down = (left @ columns[:, :kept]) * root, (rows[:, :kept] * root).T
    residual = alternation.rest(up, down)
    scale = 1 + alternation.c
    next_to = [max(noise, float(values[each]) if each < len(values) else 0.0, TINY) for each in (found, kept)]
    gap = float(values[found - 1]) / next_to[0] if found else 1.0
    unexplained = next_to[1] / max(noise, TINY)
    up = up / scale[:, None]
    return Layer(down, up, scale, found, gap, alternation.size, residual, unexplained, alternation.rounds)


def _nothing(weight: Tensor, rank: int) -> Layer:
    """The layer of a matrix that did not change."""
    down, up = weight.new_zeros(rank, weight.shape[1]), weight.new_zeros(len(weight), rank)
    return Layer(down, up, weight.new_ones(len(weight)), 0, 1.0, 0.0, 0.0, 0.0, 0)


def thin_svd(tall: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """U, the singular values and V of a matrix with few columns, from its Gram matrix in fp64: U diag(values) V'.

    On a few cores many times as fast as a decomposition of the matrix itself. Columns of U whose value is 1e-7 of the
    largest and less are no longer of length one; here they are noise.
    """
    wide = tall.double()
    squares, vectors = torch.linalg.eigh(wide.T @ wide)
    squares, vectors = squares.flip(0), vectors.flip(1)
    values = squares.clamp_min(1e-14 * float(squares[0]) + TINY).sqrt()
    return ((wide @ vectors) / values).to(tall.dtype), values.to(tall.dtype), vectors.to(tall.dtype)


def shared(columns: Tensor) -> Tensor:
    """Which left singular vectors, (outputs, count), have a part in many rows; boolean, (count).

    One that is a row or two is no adapter but the error of their ``c``, which the projection would make for good.
    """
    return columns.pow(4).sum(0) * FEWEST < 1


def _by_row(one: Tensor, other: Tensor) -> Tensor:
    """The products of rows with rows, without a third matrix."""
    return torch.einsum("oi,oi->o", one, other)


def _random(weight: Tensor, width: int, seed: int) -> Tensor:
    """A space to begin with, (inputs, width): the same for the same seed."""
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(weight.shape[1], width, generator=generator).to(weight.device)
