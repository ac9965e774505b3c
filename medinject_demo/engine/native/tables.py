"""What ``step.c`` is given, as it lays it out: the addresses of a model's parts, of its adapters and of its cache.

Knows nothing of rows' texts, nor of what is computed.
"""

from __future__ import annotations

from collections.abc import Sequence
from ctypes import POINTER, Structure, c_double, c_float, c_int64, c_void_p
from typing import Any, ClassVar, Final

import torch
from torch import Tensor, nn

from ..bank import BankedLinear
from ..cache import RowCache
from ..parts import Layer, NotOfThisKind, require_sizes

MULTIPLE: Final = 16
"""Of what the sizes of layers must be multiples: the numbers in the longest vector of a processor."""
FEWEST_LOGITS: Final = 64
"""Of a tile (``TILE`` in ``adapted.h``); a vocabulary has no fewer."""

_Fields = Sequence[tuple[str, Any]]


def _all(kind: Any, *names: str) -> _Fields:
    return [(name, kind) for name in names]


class Norm(Structure):
    """An RMS norm, or none where there are no weights."""

    _fields_: ClassVar[_Fields] = [("weight", c_void_p), ("epsilon", c_float)]


class Linear(Structure):
    """A linear layer, and what adapters change of it."""

    _fields_: ClassVar[_Fields] = [
        *_all(c_void_p, "weight", "bias", "up", "scale"),
        *_all(c_int64, "outputs", "member"),
    ]


class Family(Structure):
    """Layers that are given the same input."""

    _fields_: ClassVar[_Fields] = [("down", c_void_p), *_all(c_int64, "inputs", "members"), ("to", Linear * 3)]


class LayerTable(Structure):
    """A decoder layer, and its keys and values."""

    _fields_: ClassVar[_Fields] = [
        *_all(Norm, "first", "second", "queries", "keys"),
        *_all(Family, "joined", "output", "gated", "down"),
        *_all(c_void_p, "past_keys", "past_values"),
        ("room", c_int64),
    ]


class ModelTable(Structure):
    """A model."""

    _fields_: ClassVar[_Fields] = [
        ("layers", POINTER(LayerTable)),
        *_all(c_int64, "count", "hidden", "heads", "kv_heads", "width", "feed_forward", "vocabulary"),
        *_all(c_int64, "rank", "scales"),
        *_all(c_void_p, "embedding", "head", "cosines", "sines"),
        ("norm", Norm),
        ("scaling", c_float),
        ("half", c_int64),
    ]


class BatchTable(Structure):
    """The tokens of one forward, and where its answer goes."""

    _fields_: ClassVar[_Fields] = [
        *_all(c_int64, "count", "wanted"),
        *_all(c_void_p, "tokens", "positions", "lines", "slots", "logits", "best", "finite"),
        ("idle", c_double),
    ]


def table_of(model: Any, layers: Sequence[Layer], cache: RowCache) -> ModelTable:
    """A model's table; it holds for as long as nothing that it points at is moved."""
    heads, head = layers[0].heads, model.lm_head.weight
    tables = [_layer(layer, *cache.lines(number)) for number, layer in enumerate(layers)]
    banked = [each for layer in layers for each in layer.linears if isinstance(each, BankedLinear)]
    return ModelTable(
        (LayerTable * len(tables))(*tables),
        len(tables),
        head.shape[1],
        heads.queries,
        heads.kept,
        heads.width,
        layers[0].gate.weight.shape[0],
        head.shape[0],
        banked[0].up.shape[1] if banked else 0,
        banked[0].scale.stride(0) if banked else 0,
        *(address(each) for each in (model.model.embed_tokens.weight, head, *heads.turns)),
        _norm(model.model.norm),
        heads.scaling,
        head.dtype == torch.bfloat16,
    )


def address(tensor: Tensor | None) -> int | None:
    """Where a tensor's numbers begin."""
    return None if tensor is None else tensor.data_ptr()


def _layer(layer: Layer, keys: Tensor, values: Tensor) -> LayerTable:
    norms = [_norm(each) for each in layer.heads.norms or ()] or [Norm(), Norm()]
    families = [_family(each) for each in (layer.joined, (layer.output,), (layer.gate, layer.up), (layer.down,))]
    past = address(keys), address(values), keys.shape[2]
    return LayerTable(_norm(layer.first), _norm(layer.second), *norms, *families, *past)


def _norm(norm: Any) -> Norm:
    return Norm(address(norm.weight), norm.variance_epsilon)


def _family(layers: Sequence[Any]) -> Family:
    shared = next((each.shared for each in layers if isinstance(each, BankedLinear)), None)
    return Family(
        address(shared.down) if shared else None,
        layers[0].weight.shape[1],
        shared.members if shared else 0,
        (Linear * 3)(*(_linear(each) for each in layers)),
    )


def _linear(layer: Any) -> Linear:
    weight, bias, outputs = address(layer.weight), address(layer.bias), layer.weight.shape[0]
    if not isinstance(layer, BankedLinear):
        return Linear(weight, bias, None, None, outputs, 0)
    return Linear(weight, bias, address(layer.up), address(layer.scale), outputs, layer.member)


def require_fits(model: Any, layers: Sequence[Layer]) -> None:
    """Raises NotOfThisKind where numbers or sizes are none of those that ``step.c`` computes.

    All are in fp32 on the processor, but for the matrices, which may be in bf16 together; sizes are multiples.
    """
    require_shapes(model, layers)
    _require_numbers(model, layers)
    if any(each.up.shape[1] % MULTIPLE for layer in layers for each in layer.linears if isinstance(each, BankedLinear)):
        raise NotOfThisKind(f"adapters whose rank is no multiple of {MULTIPLE}")


def require_shapes(model: Any, layers: Sequence[Layer]) -> None:
    """Raises NotOfThisKind where a layer's sizes, or the head, are none of those that ``step.c`` computes."""
    require_sizes(layers, MULTIPLE)
    if model.lm_head.bias is not None or model.lm_head.weight.shape[0] < FEWEST_LOGITS:
        raise NotOfThisKind("a head of its own")


def _require_numbers(model: Any, layers: Sequence[Layer]) -> None:
    linears = (each for layer in layers for each in layer.linears)
    matrices = {id(each.weight) for each in (model.model.embed_tokens, model.lm_head, *linears)}
    stored = torch.bfloat16 if model.lm_head.weight.dtype == torch.bfloat16 else torch.float32
    for name, each in (*model.named_parameters(), *model.named_buffers()):
        expected = stored if id(each) in matrices else torch.float32
        if each.device.type != "cpu" or (each.is_floating_point() and each.dtype != expected):
            raise NotOfThisKind(f"{each.dtype} on {each.device} ({name})")
        if isinstance(each, nn.Parameter) and not each.is_contiguous():
            raise NotOfThisKind(f"numbers that do not follow each other ({name})")
