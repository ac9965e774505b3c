"""PEFT folders of random DoRA adapters, and the plain LoRA that is left without their magnitudes.

Written tensor by tensor in peft's layout: nothing is fine-tuned, and no copy of the base is made.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Final

from ...domain import Mixture
from ..adapter import PREFIX, WEIGHTS
from ..adapter_settings import CONFIG

PROJECTIONS: Final = ("q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj")
RANK: Final = 16
STRENGTH: Final = 0.3
"""Size of an adapter's B A beside the weight it is added to."""


def write_adapters(model: Any, folder: Path, mixtures: Sequence[Mixture]) -> dict[Mixture, Path]:
    """A folder for each arm below ``folder``, drawn on the model's device; one arm, one set of weights."""
    return {mixture: _write(model, folder / mixture.slug, mixture) for mixture in mixtures}


def as_lora(dora: Path, folder: Path) -> Path:
    """The same A and B as a plain LoRA adapter."""
    from safetensors.torch import load_file, save_file

    folder.mkdir(parents=True)
    tensors = load_file(dora / WEIGHTS)
    save_file({name: each for name, each in tensors.items() if "magnitude" not in name}, folder / WEIGHTS)
    config = json.loads((dora / CONFIG).read_text(encoding="utf-8"))
    (folder / CONFIG).write_text(json.dumps(config | {"use_dora": False}), encoding="utf-8")
    return folder


def files_again(dora: Path, folder: Path) -> Path:
    """The two files of an adapter in a fresh folder, where no earlier start left anything beside them; linked."""
    folder.mkdir(parents=True)
    for name in (CONFIG, WEIGHTS):
        try:
            (folder / name).hardlink_to(dora / name)
        except OSError:
            shutil.copyfile(dora / name, folder / name)
    return folder


def _write(model: Any, folder: Path, mixture: Mixture) -> Path:
    import torch
    from peft import LoraConfig
    from safetensors.torch import save_file

    generator = torch.Generator(model.device).manual_seed(1 + sum(2**n for n, on in enumerate(mixture.levels) if on))
    tensors = {}
    with torch.no_grad():
        for name, weight in adapted_weights(model):
            for part, tensor in _layer(weight, generator).items():
                tensors[f"{PREFIX}{name}.{part}"] = tensor.cpu().contiguous()
    LoraConfig(
        r=RANK, lora_alpha=RANK, use_dora=True, target_modules=list(PROJECTIONS), task_type="CAUSAL_LM"
    ).save_pretrained(str(folder))
    save_file(tensors, folder / WEIGHTS)
    return folder


def adapted_weights(model: Any) -> Iterator[tuple[str, Any]]:
    """Name and weight (outputs, inputs) of each layer that the study adapts."""
    for name, module in model.named_modules():
        if name.rpartition(".")[2] in PROJECTIONS:
            yield name, module.weight


def _layer(weight: Any, generator: Any) -> dict[str, Any]:
    """A, B and m in fp32; m lies about ``||W + B A||``, so that the scale is not one."""
    import torch

    outputs, inputs = weight.shape
    down = torch.randn(RANK, inputs, generator=generator, device=weight.device) / inputs**0.5
    up = torch.randn(outputs, RANK, generator=generator, device=weight.device)
    up *= STRENGTH * weight.float().std() * (inputs / RANK) ** 0.5
    norms = torch.linalg.vector_norm(weight.float() + up @ down, dim=1)
    noise = torch.randn(outputs, generator=generator, device=weight.device)
    return {"lora_A.weight": down, "lora_B.weight": up, "lora_magnitude_vector": norms * (1 + 0.1 * noise)}
