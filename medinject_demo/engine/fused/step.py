"""One token of every row through ten kernels a layer.

transformers' own forward is the oracle: an engine compares the two once loaded, and keeps to transformers' where they
differ (``captured``). Knows nothing of rows' texts or of graphs.
"""

from __future__ import annotations

from subprocess import SubprocessError
from typing import Any

import torch
from torch import Tensor
from triton.errors import TritonError

from ..bank import BankedLinear
from ..parts import Layer, NotOfThisKind, layers_of, require_sizes
from ..routes import Rows
from ..steps import Forward
from . import launch


class FusedRoute:
    """A route of ``CapturedSteps`` whose shapes do not vary with the context. The cache must be made whole."""

    def __init__(self, forward: Forward, context: int) -> None:
        """Look the model's parts up.

        Raises:
            NotOfThisKind: the kernels do not compute this model.
        """
        self._model, self._cache = forward.model, forward.cache
        self._layers = layers_of(forward.model, context)
        _require_fits(self._layers)

    def __call__(self, rows: Rows, longest: int = 0) -> tuple[Tensor, Tensor]:
        """As every route.

        Raises:
            RuntimeError: a kernel cannot run on this GPU.
        """
        try:
            return self._logits(rows)
        except (
            TritonError,
            SubprocessError,
            OSError,
            AssertionError,
        ) as error:  # compiling too
            raise RuntimeError(str(error)) from error

    def _logits(self, rows: Rows) -> tuple[Tensor, Tensor]:
        hidden, given = launch.settled(self._model.model.embed_tokens(rows.tokens), None, self._layers[0].begins, rows)
        followers = [each.begins for each in self._layers[1:]] + [None]
        for number, (layer, following) in enumerate(zip(self._layers, followers, strict=True)):
            parts, said = self._attended(layer, given, rows, self._cache.lines(number))
            middle = layer.second, layer.gate.shared.down
            hidden, given = launch.settled(hidden, (parts, said, layer.output), middle, rows)
            parts = launch.product(given, [layer.gate, layer.up], rows)
            active = launch.gated(parts, given, layer.gate, layer.up, layer.down.shared.down, rows)
            parts = launch.product(active, [layer.down], rows)
            hidden, given = launch.settled(hidden, (parts, active, layer.down), following, rows)
        logits = self._model.lm_head(self._model.model.norm(hidden))
        return logits, launch.best(logits)

    def _attended(self, layer: Layer, given: Any, rows: Rows, lines: tuple[Tensor, Tensor]) -> tuple[Tensor, Any]:
        """The output layer's product, and what it was given."""
        parts = launch.product(given, layer.joined, rows)
        queries = launch.rotated(parts, given, layer.joined, rows, layer.heads, lines)
        said = launch.attended(queries, lines, layer.output.shared.down, rows, layer.heads)
        return launch.product(said, [layer.output], rows), said


def _require_fits(layers: list[Layer]) -> None:
    """Raises NotOfThisKind where a layer is not banked, has a bias, or is of a size that the kernels cannot cut."""
    require_sizes(layers, launch.FEWEST_ROWS)
    for layer in layers:
        width = layer.heads.width
        if width & (width - 1):
            raise NotOfThisKind(f"heads of {width}")
        for each in layer.linears:
            if not isinstance(each, BankedLinear):
                raise NotOfThisKind("a layer that no adapter changes")
            if each.bias is not None:
                raise NotOfThisKind("a bias")
            if each.weight.dtype == torch.float16:
                raise NotOfThisKind("weights in fp16, in which a stream that is not normed yet may overflow")
            if (rank := each.up.shape[1]) & (rank - 1):
                raise NotOfThisKind(f"adapters of rank {rank}")
