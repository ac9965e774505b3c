"""A DoRA adapter as the plain LoRA that comes nearest to it, for a server without DoRA: what a test needs, no more.

``W' = diag(s)(W + k B A)`` is a change of full rank; the best LoRA of a rank is the singular value decomposition of
``W' - W`` cut there (Eckart and Young). Both sides of a test load what this writes, so what it leaves out matters to
none of them.
"""

from __future__ import annotations

import json
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file
from torch.nn.functional import pad

from medinject_demo.engine.adapter import PREFIX, WEIGHTS, read_adapter
from medinject_demo.engine.adapter_settings import CONFIG


def as_lora(folder: Path, base: Path, output: Path, rank: int) -> Path:
    """Write the LoRA of a rank nearest to an adapter."""
    weights = load_file(base / "model.safetensors")
    linear = {name.removesuffix(".weight"): tensor for name, tensor in weights.items() if tensor.ndim == 2}
    shapes = {name: (int(tensor.shape[0]), int(tensor.shape[1])) for name, tensor in linear.items()}
    tensors = {}
    for name, layer in read_adapter(folder, shapes).layers.items():
        weight = linear[name]
        merged = layer.scale(weight)[:, None] * (weight + layer.scaling * layer.up @ layer.down)
        left, sizes, right = torch.linalg.svd(merged - weight, full_matrices=False)
        root = sizes[:rank].sqrt()
        spare = rank - len(root)  # a matrix with fewer rows than the rank has no more singular values
        tensors[f"{PREFIX}{name}.lora_A.weight"] = pad(root[:, None] * right[:rank], (0, 0, 0, spare)).contiguous()
        tensors[f"{PREFIX}{name}.lora_B.weight"] = pad(left[:, :rank] * root, (0, spare)).contiguous()
    config = json.loads((folder / CONFIG).read_text(encoding="utf-8"))
    config |= {"use_dora": False, "r": rank, "lora_alpha": rank}
    output.mkdir(parents=True)
    save_file(tensors, output / WEIGHTS)
    (output / CONFIG).write_text(json.dumps(config), encoding="utf-8")
    return output
