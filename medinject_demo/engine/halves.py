"""A base stored in bf16 that computes in fp32: its matrices stay as they are stored, half as large, exact all the same.

A bf16 number is the upper half of an fp32 one, so that widening it at each use loses nothing. transformers' forward
widens a whole matrix each time and is the slower for it; ``native`` does so a few outputs at a time and is the faster,
because it reads half as much. Knows nothing of adapters or rows.
"""

from __future__ import annotations

from typing import Any, Final

import torch
from torch import Tensor, nn
from torch.nn import functional

PIECE: Final = 1 << 20
"""Numbers of a matrix that are widened at once on a processor: they stay in its caches until they are used."""


def pieces(matrix: Tensor) -> tuple[Tensor, ...]:
    """A matrix's rows, a few at a time on a processor; all at once on a GPU, where that is the faster."""
    return torch.split(matrix, max(1, PIECE // matrix.shape[1])) if matrix.device.type == "cpu" else (matrix,)


class HalfLinear(nn.Linear):
    """A linear layer over fp32 whose weight is in half precision."""

    def forward(self, input: Tensor) -> Tensor:
        """(…, inputs) to (…, outputs), both in fp32."""
        outputs = torch.cat([functional.linear(input, rows.float()) for rows in pieces(self.weight)], -1)
        return outputs if self.bias is None else outputs.add_(self.bias)


class HalfEmbedding(nn.Embedding):
    """Rows in fp32 of a table in half precision."""

    def forward(self, input: Tensor) -> Tensor:
        """Tokens (…) to (…, width) in fp32."""
        return super().forward(input).float()


def keep_halves(model: Any) -> None:
    """Compute in fp32 from now on; linear layers, embedding and head keep their weights, all else is cast."""
    kept = set()
    for module in model.modules():
        if type(module) in (nn.Linear, nn.Embedding):
            module.__class__ = HalfLinear if type(module) is nn.Linear else HalfEmbedding
            kept.add(id(module.weight))
    for parameter in model.parameters():
        if id(parameter) not in kept:
            parameter.data = parameter.data.float()


def precision_of(model: Any) -> torch.dtype:
    """In what a model computes: the widest numbers among its weights."""
    kinds = {each.dtype for each in model.parameters() if each.is_floating_point()}
    widest: torch.dtype = max(kinds, key=lambda kind: kind.itemsize)
    return widest
