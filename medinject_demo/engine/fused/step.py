"""One token of every row through ten kernels a layer, where a model's layers are of the kind that they compute.

Llama's kind: RMS norms, rotary positions, grouped keys, a gated feed-forward with SiLU, no bias; norms of queries and
keys may be there, as in Qwen3. transformers' own forward is the oracle: an engine compares the two once loaded, and
keeps to transformers' where they differ. Knows nothing of rows' texts or of graphs.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from triton.errors import TritonError

from ..bank import BankedLinear
from ..captured import Rows
from ..steps import Forward
from . import launch
from .launch import Heads


class NotOfThisKind(Exception):
    """A model that these kernels do not compute; the sentence says what it has."""


@dataclass(frozen=True)
class Layer:
    """One decoder layer's parts, transformers' own modules."""

    first: Any
    """The norm before attention."""
    joined: tuple[BankedLinear, BankedLinear, BankedLinear]
    """q, k and v."""
    norms: tuple[Any, Any] | None
    """Of queries and keys."""
    output: BankedLinear
    second: Any
    """The norm before the feed-forward."""
    gate: BankedLinear
    up: BankedLinear
    down: BankedLinear

    @property
    def begins(self) -> tuple[Any, Tensor]:
        """Its first norm, and the A of its first layers."""
        return self.first, self.joined[0].shared.down

    @classmethod
    def of(cls, layer: Any) -> Layer:
        """The parts of a decoder layer.

        Raises:
            NotOfThisKind: it has others, or others beside.
        """
        try:
            attention, mlp = layer.self_attn, layer.mlp
            norms = (attention.q_norm, attention.k_norm) if hasattr(attention, "q_norm") else None
            parts = cls(
                layer.input_layernorm, (attention.q_proj, attention.k_proj, attention.v_proj), norms,
                attention.o_proj, layer.post_attention_layernorm, mlp.gate_proj, mlp.up_proj, mlp.down_proj,
            )  # fmt: skip
        except AttributeError as error:
            raise NotOfThisKind(str(error)) from error
        for norm in (parts.first, parts.second, *(norms or ())):
            if not (hasattr(norm, "variance_epsilon") and getattr(norm, "weight", None) is not None):
                raise NotOfThisKind(f"a norm of its own: {type(norm).__name__}")
        for each in (*parts.joined, parts.output, parts.gate, parts.up, parts.down):
            _require_plain(each)
        return parts


def _require_plain(layer: Any) -> None:
    """Raises NotOfThisKind where a layer is not banked, has a bias, is quantised or of a size that cannot be cut."""
    if not isinstance(layer, BankedLinear):
        raise NotOfThisKind("a layer that no adapter changes")
    if layer.bias is not None or type(layer.weight) is not nn.Parameter:
        raise NotOfThisKind("a bias, or weights that are quantised")
    if any(size % launch.FEWEST_ROWS for size in layer.weight.shape) or layer.up.shape[1] & (layer.up.shape[1] - 1):
        raise NotOfThisKind(f"a layer of {tuple(layer.weight.shape)} with adapters of rank {layer.up.shape[1]}")


class FusedWay:
    """A way of ``CapturedSteps`` whose shapes do not vary with the context. The cache must be made whole."""

    def __init__(self, forward: Forward, context: int) -> None:
        """Look the model's parts up, and the turns of every position of a context.

        Raises:
            NotOfThisKind: the kernels do not compute this model.
        """
        self._model, self._cache = forward.model, forward.cache
        config, body = self._model.config, self._model.model
        if self._model.dtype == torch.float16:
            raise NotOfThisKind("weights in fp16, in which a stream that is not normed yet may overflow")
        if getattr(config, "hidden_act", None) != "silu":
            raise NotOfThisKind("another activation than SiLU")
        self._layers = [Layer.of(each) for each in body.layers]
        attention = body.layers[0].self_attn
        self._heads = Heads(
            int(config.num_attention_heads), int(config.num_key_value_heads), int(attention.head_dim),
            float(attention.scaling),
        )  # fmt: skip
        if self._heads.width & (self._heads.width - 1) or self._heads.width < launch.FEWEST_ROWS:
            raise NotOfThisKind(f"heads of {self._heads.width}")
        like = torch.empty(1, dtype=self._model.dtype, device=self._model.device)
        cosines, sines = body.rotary_emb(like, torch.arange(context, device=like.device)[None])
        if cosines.shape[-1] != self._heads.width:
            raise NotOfThisKind("positions on a part of each head")
        self._turns = cosines[0].contiguous(), sines[0].contiguous()

    def __call__(self, rows: Rows, longest: int = 0) -> tuple[Tensor, Tensor]:
        """As every way.

        Raises:
            RuntimeError: a kernel cannot run on this GPU.
        """
        try:
            return self._logits(rows)
        except TritonError as error:
            raise RuntimeError(str(error)) from error

    def _logits(self, rows: Rows) -> tuple[Tensor, Tensor]:
        hidden, given = launch.settled(self._model.model.embed_tokens(rows.tokens), None, self._layers[0].begins, rows)
        for number, layer in enumerate(self._layers):
            after = self._layers[number + 1].begins if number + 1 < len(self._layers) else None
            hidden, given = self._layer(layer, hidden, given, after, rows, self._cache.lines(number))
        logits = self._model.lm_head(self._model.model.norm(hidden))
        return logits, launch.best(logits)

    def _layer(
        self, layer: Layer, hidden: Tensor, given: Any, after: Any, rows: Rows, lines: tuple[Tensor, Tensor]
    ) -> tuple[Tensor, Any]:
        """The residual stream (rows, width), and what the next layer is given of it."""
        parts = launch.product(given, layer.joined, rows)
        queries = launch.rotated(parts, given, layer.joined, layer.norms, self._turns, rows, self._heads, lines)
        said = launch.attended(queries, lines, layer.output.shared.down, rows, self._heads)
        parts = launch.product(said, [layer.output], rows)
        middle = layer.second, layer.gate.shared.down
        hidden, given = launch.settled(hidden, (parts, said, layer.output), middle, rows)
        parts = launch.product(given, [layer.gate, layer.up], rows)
        active = launch.gated(parts, given, layer.gate, layer.up, layer.down.shared.down, rows)
        parts = launch.product(active, [layer.down], rows)
        return launch.settled(hidden, (parts, active, layer.down), after, rows)
