"""The parts of a decoder layer that the kernels compute, found among transformers' own modules, or what stands against.

Llama's kind: RMS norms, rotary positions, grouped keys, a gated feed-forward with SiLU, no bias; norms of queries and
keys may be there, as in Qwen3. Knows nothing of rows or of how a step is run.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from ..bank import BankedLinear
from . import launch
from .launch import Heads


class NotOfThisKind(Exception):
    """A model that these kernels do not compute; the sentence says what it has."""


@dataclass(frozen=True)
class Layer:
    """One decoder layer."""

    first: Any
    """The norm before attention."""
    joined: tuple[BankedLinear, BankedLinear, BankedLinear]
    """q, k and v."""
    heads: Heads
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


def layers_of(model: Any, context: int) -> list[Layer]:
    """A model's layers, for contexts of so many tokens.

    Raises:
        NotOfThisKind: they have other parts, or others beside.
    """
    try:
        _require_plain_model(model)
        body = model.model
        turns = _turns(body.rotary_emb, context, model)
        return [_layer(each, model.config, turns) for each in body.layers]
    except AttributeError as error:
        raise NotOfThisKind(f"other parts ({error})") from error


def _require_plain_model(model: Any) -> None:
    if model.dtype == torch.float16:
        raise NotOfThisKind("weights in fp16, in which a stream that is not normed yet may overflow")
    if model.config.hidden_act != "silu":
        raise NotOfThisKind(f"another activation than SiLU: {model.config.hidden_act}")
    if model.model.rotary_emb.rope_type in ("dynamic", "longrope"):
        raise NotOfThisKind("positions that turn otherwise in long contexts")


def _turns(rotary: Any, context: int, model: Any) -> tuple[Tensor, Tensor]:
    """Cosines and sines of every position, (context, width)."""
    like = torch.empty(1, dtype=model.dtype, device=model.device)
    cosines, sines = rotary(like, torch.arange(context, device=like.device)[None])
    return cosines[0].contiguous(), sines[0].contiguous()


def _layer(layer: Any, config: Any, turns: tuple[Tensor, Tensor]) -> Layer:
    attention, mlp = layer.self_attn, layer.mlp
    norms = (attention.q_norm, attention.k_norm) if hasattr(attention, "q_norm") else None
    width = int(attention.head_dim)
    if turns[0].shape[-1] != width or width & (width - 1) or width < launch.FEWEST_ROWS:
        raise NotOfThisKind(f"heads of {width}, of which {turns[0].shape[-1]} turn")
    heads = Heads(
        int(config.num_attention_heads), int(config.num_key_value_heads), width, float(attention.scaling), turns, norms
    )
    for norm in (layer.input_layernorm, layer.post_attention_layernorm, *(norms or ())):
        if not hasattr(norm, "variance_epsilon"):
            raise NotOfThisKind(f"a norm of its own: {type(norm).__name__}")
    linears = attention.q_proj, attention.k_proj, attention.v_proj, attention.o_proj
    for each in (*linears, mlp.gate_proj, mlp.up_proj, mlp.down_proj):
        _require_plain_layer(each)
    return Layer(
        layer.input_layernorm,
        linears[:3],
        heads,
        attention.o_proj,
        layer.post_attention_layernorm,
        mlp.gate_proj,
        mlp.up_proj,
        mlp.down_proj,
    )


def _require_plain_layer(layer: Any) -> None:
    """Raises NotOfThisKind where a layer is not banked, has a bias, is quantised or of a size that cannot be cut."""
    if not isinstance(layer, BankedLinear):
        raise NotOfThisKind("a layer that no adapter changes")
    if layer.bias is not None or type(layer.weight) is not nn.Parameter:
        raise NotOfThisKind("a bias, or weights that are quantised")
    rank = layer.up.shape[1]
    if any(size % launch.FEWEST_ROWS for size in layer.weight.shape) or rank & (rank - 1):
        raise NotOfThisKind(f"a layer of {tuple(layer.weight.shape)} with adapters of rank {rank}")
