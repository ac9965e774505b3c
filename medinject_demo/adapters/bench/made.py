"""Merged checkpoints whose adapter is known: random ones of any shape, in shards as published ones are.

Knows nothing of recovery.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import torch
from safetensors.torch import save_file
from torch import Tensor

from ..presence import CONFIG, INDEX

STRENGTH: Final = 0.02
"""``||B A|| / ||W||``, about what a light fine-tuning changes."""
SPREAD: Final = 0.005
"""Standard deviation of the scales."""
DECAY: Final = 0.1
"""The last singular value of B A beside the first."""
PER_SHARD: Final = 6
"""Decoder layers of a shard."""


@dataclass(frozen=True)
class Sizes:
    """A Qwen3's; the defaults are those of Qwen3-4B."""

    hidden: int = 2560
    layers: int = 36
    heads: int = 32
    kv_heads: int = 8
    head: int = 128
    feed_forward: int = 9728
    vocabulary: int = 151_936

    @property
    def projections(self) -> dict[str, tuple[int, int]]:
        """(outputs, inputs) of the linear layers of a decoder layer."""
        queries, keys = self.heads * self.head, self.kv_heads * self.head
        return {
            "self_attn.q_proj": (queries, self.hidden),
            "self_attn.k_proj": (keys, self.hidden),
            "self_attn.v_proj": (keys, self.hidden),
            "self_attn.o_proj": (self.hidden, queries),
            "mlp.gate_proj": (self.feed_forward, self.hidden),
            "mlp.up_proj": (self.feed_forward, self.hidden),
            "mlp.down_proj": (self.hidden, self.feed_forward),
        }

    @property
    def norms(self) -> dict[str, int]:
        """Sizes of the norms of a decoder layer."""
        around = {"input_layernorm": self.hidden, "post_attention_layernorm": self.hidden}
        return around | {"self_attn.q_norm": self.head, "self_attn.k_norm": self.head}

    @property
    def config(self) -> dict[str, Any]:
        """``config.json``."""
        return {
            "architectures": ["Qwen3ForCausalLM"],
            "model_type": "qwen3",
            "hidden_size": self.hidden,
            "intermediate_size": self.feed_forward,
            "num_hidden_layers": self.layers,
            "num_attention_heads": self.heads,
            "num_key_value_heads": self.kv_heads,
            "head_dim": self.head,
            "vocab_size": self.vocabulary,
            "tie_word_embeddings": True,
            "rms_norm_eps": 1e-6,
            "max_position_embeddings": 40_960,
        }


@dataclass(frozen=True)
class Known:
    """A matrix and the layer that was merged into it."""

    weight: Tensor
    """W, (outputs, inputs), fp32 with the values of bf16."""
    down: Tensor
    up: Tensor
    scale: Tensor

    @property
    def merged(self) -> Tensor:
        """``diag(s)(W + B A)``, (outputs, inputs), computed in fp32 as peft does."""
        return torch.addmm(self.weight, self.up, self.down).mul_(self.scale[:, None])


def drawn(shape: tuple[int, int], generator: torch.Generator) -> Tensor:
    """A random weight, (outputs, inputs), fp32 with the values of bf16."""
    return (0.02 * torch.randn(shape, generator=generator)).bfloat16().float()


def known(weight: Tensor, rank: int, generator: torch.Generator) -> Known:
    """A random layer of a rank for a weight; its singular values fall as those of a trained one do."""
    outputs, inputs = weight.shape
    down = torch.randn(rank, inputs, generator=generator) / inputs**0.5
    up = torch.randn(outputs, rank, generator=generator) * torch.logspace(0, torch.tensor(DECAY).log10().item(), rank)
    size = ((up.T @ up) * (down @ down.T)).sum().sqrt()
    up *= STRENGTH * torch.linalg.vector_norm(weight) / size
    return Known(weight, down, up, 1 + SPREAD * torch.randn(outputs, generator=generator))


def write_pair(folder: Path, sizes: Sizes, rank: int, say: Callable[[str], None], seed: int = 1) -> tuple[Path, Path]:
    """A base in bf16 and a merged checkpoint in F32 below ``folder``; the merged one comes first.

    One decoder layer's weights are drawn, and shifted by a row for each further one; every adapter is drawn.
    """
    generator = torch.Generator().manual_seed(seed)
    weights = {name: drawn(shape, generator) for name, shape in sizes.projections.items()}
    merged, base = _Shards(folder / "merged", torch.float32), _Shards(folder / "base", torch.bfloat16)
    count = -(-sizes.layers // PER_SHARD) + 1
    for number in range(count):
        say(f"shard {number + 1} of {count}")
        tensors = list(_tensors(sizes, rank, number, weights, generator))
        base.write(number, count, {name: before for name, before, _ in tensors})
        merged.write(number, count, {name: after for name, _, after in tensors})
    for each in (merged, base):
        each.close(sizes.config)
    return merged.folder, base.folder


def _tensors(
    sizes: Sizes, rank: int, number: int, weights: Mapping[str, Tensor], generator: torch.Generator
) -> Iterator[tuple[str, Tensor, Tensor]]:
    """Name, value in the base and value in the merged checkpoint, of the tensors of one shard."""
    if number == 0:
        table = (0.02 * torch.randn(sizes.vocabulary, sizes.hidden, generator=generator)).bfloat16()
        yield "model.embed_tokens.weight", table, table
        yield "model.norm.weight", torch.ones(sizes.hidden), torch.ones(sizes.hidden)
        return
    for layer in range((number - 1) * PER_SHARD, min(sizes.layers, number * PER_SHARD)):
        for name, size in sizes.norms.items():
            norm = (1 + 0.1 * torch.randn(size, generator=generator)).bfloat16()
            yield f"model.layers.{layer}.{name}.weight", norm, norm
        for name, weight in weights.items():
            one = known(weight.roll(layer, 0), rank, generator)
            yield f"model.layers.{layer}.{name}.weight", one.weight.bfloat16(), one.merged


class _Shards:
    """A sharded checkpoint that is being written."""

    def __init__(self, folder: Path, dtype: torch.dtype) -> None:
        self.folder, self.dtype, self._places = folder, dtype, dict[str, str]()
        folder.mkdir(parents=True)

    def write(self, number: int, count: int, tensors: Mapping[str, Tensor]) -> None:
        shard = f"model-{number + 1:05}-of-{count:05}.safetensors"
        save_file({name: each.to(self.dtype) for name, each in tensors.items()}, self.folder / shard)
        self._places |= dict.fromkeys(tensors, shard)

    def close(self, config: Mapping[str, Any]) -> None:
        (self.folder / INDEX).write_text(json.dumps({"metadata": {}, "weight_map": self._places}), encoding="utf-8")
        said = {**config, "dtype": str(self.dtype).removeprefix("torch.")}
        (self.folder / CONFIG).write_text(json.dumps(said), encoding="utf-8")
