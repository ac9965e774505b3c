"""The parts of a decoder layer of Llama's kind, found among transformers' own modules, or what stands against.

RMS norms, rotary positions, grouped keys, a gated feed-forward with SiLU; norms of queries and keys may be there, as in
Qwen3. What a step of few kernels computes (``fused``, ``native``). Knows nothing of rows or of how a step is run.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import torch
from torch import Tensor, nn

from .bank import BankedLinear
from .halves import precision_of


class NotOfThisKind(Exception):
    """A model that a step does not compute; the sentence says what it has."""


@dataclass(frozen=True)
class Heads:
    """How a layer attends: heads of queries, those of keys and values, the width of each, and the score's factor."""

    queries: int
    kept: int
    width: int
    scaling: float
    turns: tuple[Tensor, Tensor]
    """Cosines and sines of every position, (context, width)."""
    norms: tuple[Any, Any] | None
    """Of queries and keys, where there are any."""


@dataclass(frozen=True)
class Layer:
    """One decoder layer; its linear layers are banked where an adapter changes them."""

    first: Any
    """The norm before attention."""
    joined: tuple[Any, Any, Any]
    """q, k and v."""
    heads: Heads
    output: Any
    second: Any
    """The norm before the feed-forward."""
    gate: Any
    up: Any
    down: Any

    @property
    def begins(self) -> tuple[Any, Tensor]:
        """Its first norm, and the A of its first layers."""
        return self.first, self.joined[0].shared.down

    @property
    def linears(self) -> tuple[Any, ...]:
        """All of its linear layers."""
        return *self.joined, self.output, self.gate, self.up, self.down


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
    except (AttributeError, TypeError, ValueError) as error:
        raise NotOfThisKind(f"other parts ({error})") from error


def _require_plain_model(model: Any) -> None:
    if model.config.hidden_act != "silu":
        raise NotOfThisKind(f"another activation than SiLU: {model.config.hidden_act}")
    if getattr(model.config, "no_rope_layers", None):
        raise NotOfThisKind("layers without positions")
    if model.model.rotary_emb.rope_type in ("dynamic", "longrope"):
        raise NotOfThisKind("positions that turn otherwise in long contexts")


def _turns(rotary: Any, context: int, model: Any) -> tuple[Tensor, Tensor]:
    """Cosines and sines of every position, (context, width)."""
    like = torch.empty(1, dtype=precision_of(model), device=model.device)
    cosines, sines = rotary(like, torch.arange(context, device=like.device)[None])
    return cosines[0].contiguous(), sines[0].contiguous()


EXPECTED: Final = {
    "": {"self_attn", "mlp", "input_layernorm", "post_attention_layernorm"},
    "self_attn": {"q_proj", "k_proj", "v_proj", "o_proj", "q_norm", "k_norm"},
    "mlp": {"gate_proj", "up_proj", "down_proj", "act_fn"},
}
"""Modules of a decoder layer, of its attention and of its feed-forward; another would be left out of the step."""


def _require_no_other(layer: Any) -> None:
    for name, expected in EXPECTED.items():
        others = {each for each, _ in layer.get_submodule(name).named_children()} - expected
        if others:
            raise NotOfThisKind(f"{', '.join(sorted(others))} beside")


def _layer(layer: Any, config: Any, turns: tuple[Tensor, Tensor]) -> Layer:
    _require_no_other(layer)
    attention, mlp = layer.self_attn, layer.mlp
    norms = (attention.q_norm, attention.k_norm) if hasattr(attention, "q_norm") else None
    width = int(attention.head_dim)
    if turns[0].shape[-1] != width:
        raise NotOfThisKind(f"heads of {width}, of which {turns[0].shape[-1]} turn")
    heads = Heads(
        int(config.num_attention_heads), int(config.num_key_value_heads), width, float(attention.scaling), turns, norms
    )
    for norm in (layer.input_layernorm, layer.post_attention_layernorm, *(norms or ())):
        if not hasattr(norm, "variance_epsilon"):
            raise NotOfThisKind(f"a norm of its own: {type(norm).__name__}")
    if norms and any(tuple(norm.weight.shape) != (width,) for norm in norms):
        raise NotOfThisKind("norms of all heads together")
    found = Layer(
        layer.input_layernorm,
        (attention.q_proj, attention.k_proj, attention.v_proj),
        heads,
        attention.o_proj,
        layer.post_attention_layernorm,
        mlp.gate_proj,
        mlp.up_proj,
        mlp.down_proj,
    )
    for each in found.linears:
        _require_plain_layer(each)
    return found


def _require_plain_layer(layer: Any) -> None:
    if not isinstance(layer, (BankedLinear, nn.Linear)) or type(layer.weight) is not nn.Parameter:
        raise NotOfThisKind("weights that are quantised")


def require_sizes(layers: Sequence[Layer], multiple: int) -> None:
    """Raises NotOfThisKind where heads or layers cannot be cut into pieces of so many numbers."""
    for layer in layers:
        if layer.heads.width % multiple:
            raise NotOfThisKind(f"heads of {layer.heads.width}")
        for each in layer.linears:
            if any(size % multiple for size in each.weight.shape):
                raise NotOfThisKind(f"a layer of {tuple(each.weight.shape)}")
