"""``python -m tests.engine.compiled 90``: the kernels of a step of Qwen3-4B, compiled for a GPU that is not there.

Nothing is run: tensors have shapes alone (PyTorch's ``meta`` device), and Triton compiles what it is asked to launch.
Prints a JSON list: each launch's kernel, its PTX in lines, and the bytes of shared memory that it takes.
"""

from __future__ import annotations

import json
import sys
from dataclasses import replace
from typing import Any

import torch
from transformers import AutoModelForCausalLM
from triton.backends.compiler import GPUTarget
from triton.runtime import driver
from triton.runtime.jit import JITFunction

from medinject_demo.domain import ARMS
from medinject_demo.engine.bank import AdapterBank
from medinject_demo.engine.bench.subject import RANDOM_4B, SHAPES, config_of
from medinject_demo.engine.cache import RowCache
from medinject_demo.engine.fused.step import FusedRoute
from medinject_demo.engine.routes import Rows
from medinject_demo.engine.steps import Forward

CONTEXT = 512


class Absent:
    """A driver of a GPU of some capability, as far as a compiler asks."""

    def __init__(self, capability: int) -> None:
        self._target = GPUTarget("cuda", capability, 32)

    def get_current_target(self) -> GPUTarget:
        return self._target

    def get_current_device(self) -> int:
        return 0

    def get_current_stream(self, device: int) -> int:
        return 0


def launches(rows: int) -> list[dict[str, Any]]:
    """What a step of so many rows launches, once for each kernel and shape."""
    made: dict[str, Any] = {}
    run = JITFunction.run

    def compiled(kernel: Any, *given: Any, grid: Any, warmup: bool, **settings: Any) -> Any:
        binary = run(kernel, *given, grid=grid, warmup=True, **settings)
        made[binary.hash] = binary
        return binary

    JITFunction.run = compiled
    config = config_of(replace(SHAPES[RANDOM_4B], layers=2))
    with torch.device("meta"), torch.inference_mode():
        auto: Any = AutoModelForCausalLM
        model = auto.from_config(config, dtype=torch.bfloat16)
        forward = Forward(model, AdapterBank(model, len(ARMS), 16), RowCache(rows, CONTEXT))
        forward.reserve(CONTEXT)
        FusedRoute(forward, CONTEXT)(Rows(*torch.zeros(3, rows, dtype=torch.long)))
    return [
        {"kernel": each.name, "ptx": each.asm["ptx"].splitlines(), "shared": each.metadata.shared}
        for each in made.values()
    ]


if __name__ == "__main__":
    driver.set_active(Absent(int(sys.argv[1])))
    print(json.dumps([each for rows in (8, 64) for each in launches(rows)]))
