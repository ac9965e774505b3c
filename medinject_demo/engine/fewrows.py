"""A large linear layer on a CPU, multiplied by 8 to 32 rows: as ``(W x^T)^T``, which MKL does up to twice as fast.

For fewer rows, and for more, ``x W^T`` is the faster (`docs/decisions/005`). Knows nothing of adapters.
"""

from __future__ import annotations

from typing import Any, Final

import torch
from torch import Tensor, nn
from torch.nn import functional

ROWS: Final = range(8, 33)
LARGE: Final = 1 << 20
"""Numbers of a matrix from which it pays."""


class FewRows(nn.Linear):
    """A linear layer that turns its product round where that is faster; the plain one is its oracle in the tests."""

    def forward(self, input: Tensor) -> Tensor:
        """(…, inputs) to (…, outputs)."""
        rows = input.numel() // self.in_features
        if rows not in ROWS:
            return functional.linear(input, self.weight, self.bias)
        turned = torch.mm(self.weight, input.reshape(rows, -1).T).T.contiguous()
        if self.bias is not None:
            turned.add_(self.bias)
        return turned.view(*input.shape[:-1], -1)


def expect_few_rows(model: Any) -> None:
    """Make every large linear layer of a model in fp32 on a CPU a ``FewRows``, the head's too; weights stay."""
    for module in model.modules():
        if type(module) is nn.Linear and module.weight.numel() >= LARGE:
            module.__class__ = FewRows
