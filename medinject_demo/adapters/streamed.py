"""A forward of a model that is never loaded: each weight is read when it is needed, and let go.

The modules are transformers' own, without weights; only where a weight is used the values come from a checkpoint. So a
4B model answers within the memory of its largest slice. Knows nothing of what is compared with what.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Mapping
from typing import Any, Final

import torch
from torch import Tensor, nn

from ..engine.adapter import LayerWeights
from ..errors import ModelError
from .checkpoint import Checkpoint
from .names import EMBEDDING, HEAD
from .pairs import SLICE

CONFIG: Final = "config.json"


class StreamedModel:
    """The model of a checkpoint, one forward at a time."""

    def __init__(self, checkpoint: Checkpoint, adapted: Mapping[str, LayerWeights] | None = None) -> None:
        self._checkpoint, self._adapted = checkpoint, adapted or {}
        self.apart = 0.0
        """The most that an adapted layer's output by the engine's formula was from peft's, beside its standard
        deviation; infinite where one was no number."""
        self.model = _without_weights(checkpoint)
        for name, module in self.model.named_modules():
            if isinstance(module, nn.Linear):
                module.forward = functools.partial(self._linear, name, module.bias is not None)  # type: ignore[method-assign]
            elif isinstance(module, nn.Embedding):
                module.forward = functools.partial(self._embedding, name)  # type: ignore[method-assign]
            else:
                for own, _ in list(module.named_parameters(recurse=False)):
                    values = self._values(f"{name}.{own}" if name else own)
                    setattr(module, own, nn.Parameter(values, requires_grad=False))

    @torch.no_grad()
    def run(self, tokens: Tensor) -> tuple[Tensor, list[Tensor]]:
        """Logits after the last token (rows, vocabulary), and what each decoder layer gave (rows, tokens, width)."""
        seen: list[Tensor] = []
        hooks = [layer.register_forward_hook(functools.partial(_keep, seen)) for layer in self.model.model.layers]
        try:
            answer = self.model(input_ids=tokens, use_cache=False, logits_to_keep=1)
        finally:
            for hook in hooks:
                hook.remove()
        return answer.logits[:, -1].float(), seen

    def _linear(self, name: str, biased: bool, given: Tensor) -> Tensor:
        stored = self._stored(f"{name}.weight")
        layer = self._adapted.get(name)
        if layer is not None:
            weight = self._checkpoint.tensor(stored).float()
            answer, ours = by_peft(layer, weight, given), by_formula(layer, weight, given)
            self.apart = max(self.apart, no_less(float((answer - ours).abs().max() / answer.std())))
        else:
            rows = self._checkpoint.slices(stored, SLICE)
            answer = torch.cat([given @ self._checkpoint.tensor(stored, *each).float().T for each in rows], dim=-1)
        return answer + self._values(f"{name}.bias") if biased else answer

    def _embedding(self, name: str, tokens: Tensor) -> Tensor:
        stored, (which, places) = self._stored(f"{name}.weight"), torch.unique(tokens, return_inverse=True)
        rows = torch.cat([self._checkpoint.tensor(stored, each, each + 1) for each in which.tolist()])
        return rows.float()[places]

    def _values(self, name: str) -> Tensor:
        return self._checkpoint.tensor(self._stored(name)).float()

    def _stored(self, name: str) -> str:
        """The tensor of a parameter: the embedding's for a head that is tied to it."""
        entries = self._checkpoint.entries
        if name in entries:
            return name
        tied = [each for each in entries if each.endswith(EMBEDDING)] if name.endswith(HEAD) else []
        if not tied:
            raise ModelError.of(f"checkpoint {self._checkpoint.name!r}", expected=f"the tensor {name}", got="none")
        return tied[0]


def no_less(difference: float) -> float:
    """A difference as it is compared: one that is no number hides none, so it is infinite."""
    return math.inf if math.isnan(difference) else difference


def by_formula(layer: LayerWeights, weight: Tensor, given: Tensor) -> Tensor:
    """``s * (x W' + k (x A') B')``, as the engine computes it."""
    thin = (given @ layer.down.float().T) @ layer.up.float().T
    return layer.scale(weight) * (given @ weight.T + layer.scaling * thin)


def by_peft(layer: LayerWeights, weight: Tensor, given: Tensor) -> Tensor:
    """The same by peft's own layer."""
    from peft import LoraConfig, inject_adapter_in_model

    linear = nn.Linear(weight.shape[1], weight.shape[0], bias=False)
    linear.weight = nn.Parameter(weight, requires_grad=False)
    alpha = layer.scaling * layer.rank
    config = LoraConfig(
        r=layer.rank,
        lora_alpha=alpha,
        use_dora=layer.magnitude is not None,
        target_modules=["layer"],
    )
    adapted: Any = inject_adapter_in_model(config, nn.ModuleDict({"layer": linear})).eval().layer
    adapted.lora_A["default"].weight.data = layer.down.float()
    adapted.lora_B["default"].weight.data = layer.up.float()
    if layer.magnitude is not None:
        adapted.lora_magnitude_vector["default"].weight.data = layer.magnitude.float()
    answer: Tensor = adapted(given)
    return answer


def _without_weights(checkpoint: Checkpoint) -> Any:
    from transformers import AutoConfig, AutoModelForCausalLM

    said = checkpoint.json(CONFIG)
    of_config: Any = AutoModelForCausalLM.from_config
    try:
        config: Any = AutoConfig.for_model(**said)
        with torch.device("meta"):
            model = of_config(config, dtype=torch.float32, attn_implementation="sdpa").eval()
    except (KeyError, ValueError, TypeError) as error:
        raise ModelError.of(
            f"checkpoint {checkpoint.name!r}, {CONFIG}", expected="the configuration of a model", got=str(error)
        ) from error
    for name, module in list(model.named_modules()):
        if any(buffer.is_meta for buffer in module.buffers(recurse=False)):  # rotary frequencies: computed, not stored
            model.set_submodule(name, type(module)(config))
    return model


def _keep(seen: list[Tensor], module: nn.Module, given: object, gave: Any) -> None:
    seen.append(gave[0] if isinstance(gave, tuple) else gave)
