"""Small pairs of a base and a checkpoint that something was merged into, of known layers."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

from safetensors.torch import load_file, save_file
from torch import Tensor

from medinject_demo.adapters.bench.made import Sizes, write_pair
from medinject_demo.adapters.checkpoint import open_checkpoint
from medinject_demo.adapters.pairs import Pair
from medinject_demo.adapters.recover import Request
from medinject_demo.adapters.source import open_source

SMALL = Sizes(hidden=192, layers=3, heads=3, kv_heads=2, head=64, feed_forward=320, vocabulary=300)
RANK = 4


def pair_of(merged: str | Path, base: str | Path) -> Pair:
    return Pair(open_checkpoint(open_source(str(merged))), open_checkpoint(open_source(str(base))))


def made(folder: Path) -> tuple[Path, Path]:
    """A merged checkpoint and its base, in two shards each."""
    return write_pair(folder, SMALL, RANK, lambda line: None)


def request_of(merged: str | Path, base: str | Path, output: Path, **options: object) -> Request:
    return Request(pair_of(merged, base), output, **options)  # type: ignore[arg-type]


def change(folder: Path, name: str, to: Callable[[Tensor], Tensor]) -> None:
    """Put another value in a checkpoint."""
    index = json.loads((folder / "model.safetensors.index.json").read_text(encoding="utf-8"))["weight_map"]
    tensors = load_file(folder / index[name])
    save_file(tensors | {name: to(tensors[name]).contiguous()}, folder / index[name])


def change_all(folder: Path, ending: str, to: Callable[[Tensor], Tensor]) -> None:
    """The same for every tensor whose name ends so."""
    for shard in folder.glob("*.safetensors"):
        tensors = load_file(shard)
        spoilt = {name: to(each).contiguous() if name.endswith(ending) else each for name, each in tensors.items()}
        save_file(spoilt, shard)
