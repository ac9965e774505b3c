"""A DoRA adapter as a plain LoRA one, for servers that know no magnitude: what a rank can hold, and what it leaves.

``W' - W = diag(s)(W + k B A) - W`` is of full rank, because the scales touch every row: cut to a plain rank of 16 to 64
it loses 23 to 45 % of itself. So the loss is measured, and above a threshold the conversion is refused.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import torch
from torch import Tensor

from ..engine.adapter import LayerWeights, read_adapter
from ..errors import InvalidValue, ModelError
from .based import recorded, weights_for
from .checkpoint import Checkpoint, open_checkpoint
from .folder import CARD, RECORD, Parts, put_in_place, require_place, write_adapter, write_json
from .names import linear_shapes
from .source import open_source

MOST_LOST: Final = 0.01
"""Share of the change that a conversion may leave out, Frobenius, unless it is forced."""
SMALL: Final = 1024
"""Side of a matrix up to which it is decomposed whole."""

CARD_TEXT: Final = """---
base_model: {base}
library_name: peft
---

# A plain LoRA of rank {rank}

Converted from the DoRA adapter `{adapter}` with `python -m medinject_demo adapters convert`, for servers that do not
know DoRA. The scales of DoRA change every row of a matrix, so that no low rank holds them whole: this adapter leaves
out **{lost:.2%}** of the change (Frobenius, all layers), {worst:.2%} in the worst layer.
"""


@dataclass(frozen=True)
class Conversion:
    """What became of an adapter."""

    rank: int
    lost: Mapping[str, float]
    """By layer, ``||change - B A|| / ||change||``."""
    total: float
    """The same over all layers together."""

    @property
    def worst(self) -> float:
        """The most that a layer lost."""
        return max(self.lost.values(), default=0.0)

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        return {"rank": self.rank, "lost": self.total, "worst": self.worst, "layers": dict(self.lost)}


def convert(
    adapter_folder: Path,
    base_folder: Path | str,
    output: Path,
    rank: int,
    *,
    force: bool = False,
    most_lost: float = MOST_LOST,
    tick: Callable[[int, int], None] = lambda done, total: None,
) -> Conversion:
    """Write the LoRA adapter of a rank that is nearest to a DoRA adapter, matrix by matrix.

    ``base_folder`` may also be a repository of the Hub. ``tick`` is told the layers done and their number.

    Raises:
        ModelError: the adapter or its base cannot be read, the adapter was made for another base, or more than
            ``most_lost`` would be lost without ``force``.
        OutputError: the output cannot be written.
    """
    if rank < 1:
        raise InvalidValue.of("rank", expected="at least 1", got=str(rank))
    require_place(output)
    base = open_checkpoint(open_source(str(base_folder)))
    shapes = linear_shapes(base)
    adapter = read_adapter(adapter_folder, shapes)
    weights = weights_for(adapter_folder, base)
    layers, lost, squares = {}, {}, [0.0, 0.0]
    for number, (module, layer) in enumerate(sorted(adapter.layers.items())):
        change = change_of(layer, base, module)
        layers[module] = nearest(change, rank)
        left = float(torch.linalg.vector_norm(change - layers[module].up @ layers[module].down))
        size = float(torch.linalg.vector_norm(change))
        lost[module] = left / size if size else 0.0
        squares = [squares[0] + left**2, squares[1] + size**2]
        tick(number + 1, len(adapter.layers))
    done = Conversion(rank, lost, (squares[0] / squares[1]) ** 0.5 if squares[1] else 0.0)
    _require_little_lost(adapter_folder, done, most_lost, force)

    def fill(folder: Path) -> None:
        write_adapter(folder, layers, base.name, shapes)
        record = {"converted": str(adapter_folder), "base": base.name, "mark": base.mark, **done.as_dict()}
        write_json(folder / RECORD, record | recorded(weights))
        text = CARD_TEXT.format(
            base=base.name, rank=rank, adapter=adapter_folder.name, lost=done.total, worst=done.worst
        )
        (folder / CARD).write_text(text, encoding="utf-8")

    put_in_place(output, fill)
    return done


def change_of(layer: LayerWeights, base: Checkpoint, module: str) -> Tensor:
    """``diag(s)(W + k B A) - W`` of a layer, (outputs, inputs), fp32."""
    weight = base.tensor(f"{module}.weight").float()
    adapted = weight + layer.scaling * (layer.up.float() @ layer.down.float())
    return layer.scale(weight)[:, None] * adapted - weight


def nearest(change: Tensor, rank: int, seed: int = 0) -> Parts:
    """The factors of a rank nearest to a matrix; ranks that it does not have are rows and columns of zeros.

    Large matrices take a randomised decomposition (Halko, Martinsson and Tropp 2011), small ones the whole one.
    """
    side = min(change.shape)
    if side <= SMALL or rank > side // 4:
        columns, values, rows = torch.linalg.svd(change, full_matrices=False)
    else:
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            columns, values, right = torch.svd_lowrank(change, q=rank + 16, niter=4)
        rows = right.T
    kept = min(rank, side)
    root = values[:kept].sqrt()
    down, up = change.new_zeros(rank, change.shape[1]), change.new_zeros(change.shape[0], rank)
    down[:kept], up[:, :kept] = root[:, None] * rows[:kept], columns[:, :kept] * root
    return Parts(down, up)


def _require_little_lost(adapter: Path, done: Conversion, most_lost: float, force: bool) -> None:
    if done.total <= most_lost or force:
        return
    raise ModelError.of(
        f"adapter {str(adapter)!r}",
        expected=f"a LoRA of rank {done.rank} that leaves out at most {most_lost:.1%} of its change",
        got=f"one that leaves out {done.total:.1%} (plain ranks lose 23 to 45 % of a DoRA adapter)",
        remedy="Take a higher --rank, a server that knows DoRA, or --force.",
    )
