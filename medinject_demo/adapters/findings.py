"""What a merged checkpoint turns out to be: a name for each tensor, and the evidence where it is no adapter.

Pure: numbers in, names and sentences out. Knows nothing of files.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

import torch
from torch import Tensor

from ..errors import ModelError
from .checkpoint import DTYPES
from .inversion import Layer, invert

ROUNDING: Final = {"F64": 2.5e-8, "F32": 2.5e-8, "F16": 2.1e-4, "BF16": 1.66e-3}
"""What one rounding leaves of a matrix of Gaussian numbers, beside its norm; 2^-p / 2.35 by a count of the bits.
F64 is read as F32."""
EXPLAINED: Final = 0.02
"""Share of the change that a layer may leave out and still be called its explanation."""
ROUNDINGS: Final = 3**0.5
"""The same in roundings: a merge makes three at most (of W, of W + B A, of their product with s), whose squares add."""
ALONE: Final = 2.0
"""Roundings that a layer may leave out where nothing but an adapter was merged: 1.74 is the most that honest merges
left, of 480 in halves and 1,764 in F32."""
ARITHMETIC: Final = 3e-5
"""Share of the change that fp32's own arithmetic may leave out: 3.3e-6 is the most that these left beyond roundings."""
UNRELATED: Final = 0.7
"""Change beside the base's norm from which two matrices have little in common."""
STILL: Final = 4.0
"""Spread of the scales, in standard errors, up to which they are all one."""


class Kind(StrEnum):
    """What happened to a matrix."""

    UNCHANGED = "unchanged"
    DORA = "DoRA"
    LORA = "LoRA"
    HIDDEN = "hidden"
    """It changed, by no more than rounding makes: nothing tells whether an adapter did it."""
    UNEXPLAINED = "unexplained"


@dataclass(frozen=True)
class Matrix:
    """The report of one linear layer."""

    module: str
    kind: Kind
    rank: int
    """Singular values that stand out of the noise."""
    kept: int
    """Rank that the adapter has there."""
    gap: float
    """The last singular value that stands out, beside the next or the noise."""
    left: float
    """``||W' - diag(s)(W + B A)|| / ||W' - W||``."""
    left_of_all: float
    """The same beside ``||W'||``."""
    change: float
    """``||W' - W|| / ||W||``."""
    spread: float
    """Standard deviation of s - 1."""
    precision: str
    """In which the values of W' are whole: that of their storage, or a lower one that they were rounded to before."""
    floor: float
    """What one rounding to it leaves, beside ``||W' - W||``."""

    @property
    def told(self) -> bool:
        """True where something stands out of the noise: a singular value, or the scales."""
        return self.kind in (Kind.DORA, Kind.LORA)

    @property
    def alone(self) -> bool:
        """True where no more than rounding is left beside the layer."""
        return self.left <= max(ALONE * self.floor, ARITHMETIC)


@dataclass(frozen=True)
class Other:
    """The report of a tensor that no adapter holds: a norm, an embedding, a bias."""

    name: str
    changed: int
    """Values that differ by more than the rounding to the merged checkpoint's precision."""
    most: float
    """The largest difference."""
    added: int = 0
    """Rows that the merged checkpoint has beyond the base's; negative where it has fewer."""

    @property
    def same(self) -> bool:
        """True where an adapter of the linear layers loses nothing of it."""
        return not self.changed and not self.added

    def __str__(self) -> str:
        said = [f"{self.changed} values changed, by at most {self.most:.3g}"] if self.changed else []
        said += [f"{abs(self.added)} rows {'added' if self.added > 0 else 'taken away'}"] if self.added else []
        return f"{self.name} ({'; '.join(said) or 'unchanged'})"


def judge(module: str, layer: Layer, merged: Tensor, weight: Tensor) -> Matrix:
    """Name what happened to a matrix, from the layer that explains it best."""
    precision = precision_of(merged)
    size, before = (float(torch.linalg.vector_norm(each.float())) for each in (merged, weight))
    floor = ROUNDING[precision] * size
    fits = layer.residual <= max(ROUNDINGS * floor, EXPLAINED * layer.change)
    error = layer.residual / max(before * weight.shape[1] ** 0.5, 1e-30)
    scaled = layer.spread > STILL * error + 1e-7
    kind = Kind.DORA if scaled else Kind.LORA if layer.rank else Kind.HIDDEN
    return Matrix(
        module,
        kind if fits else Kind.UNEXPLAINED,
        layer.rank,
        int(layer.down.shape[0]),
        layer.gap,
        layer.relative,
        layer.residual / max(size, 1e-30),
        layer.change / max(before, 1e-30),
        layer.spread,
        precision,
        floor / layer.change if layer.change else 0.0,
    )


def unchanged(module: str, merged: Tensor) -> Matrix:
    """The report of a matrix that is the base's."""
    return Matrix(module, Kind.UNCHANGED, 0, 0, 1.0, 0.0, 0.0, 0.0, 0.0, precision_of(merged), 0.0)


def is_same(merged: Tensor, base: Tensor) -> Tensor:
    """Where two tensors hold the same value, the base's rounded as the merged one's was; boolean, of their shape."""
    rounded = base.to(DTYPES[precision_of(merged)]).to(merged.dtype) if merged.numel() else base.to(merged.dtype)
    same: Tensor = (merged == rounded) | (merged == base.to(merged.dtype))
    return same


def is_base(merged: Tensor, base: Tensor) -> bool:
    """True where all values are the same; the first rows tell nearly always that they are not."""
    return all(bool(is_same(merged[:rows], base[:rows]).all()) for rows in (8, None))


def precision_of(tensor: Tensor) -> str:
    """The lowest of bf16 and fp16 in which all values are whole, else the precision they are stored in.

    A checkpoint that was merged in bf16 and stored in F32 shows it so.
    """
    stored = next(name for name, dtype in DTYPES.items() if dtype == tensor.dtype)
    if stored in ("F32", "F64"):
        for name in ("BF16", "F16"):
            opening = tensor.flatten()[:4096]  # tells nearly always; the whole is looked at only where it does not
            if all(bool((part.to(DTYPES[name]).to(part.dtype) == part).all()) for part in (opening, tensor)):
                return name
    return stored


def require_finite(name: str, checkpoint: str, values: Tensor) -> None:
    """Raises ModelError where a tensor has a NaN or an infinity."""
    if not torch.isfinite(values.sum(dtype=torch.float32)) and not torch.isfinite(values).all():
        count = int((~torch.isfinite(values)).sum())
        raise ModelError.of(
            f"checkpoint {checkpoint!r}, {name}",
            expected="finite numbers",
            got=f"{count} that are NaN or infinite",
            remedy="Get the file again, or leave this checkpoint alone: it cannot answer.",
        )


def refusal(matrix: Matrix, merged: Tensor, weight: Tensor, names: tuple[str, str]) -> ModelError:
    """Why a matrix that no layer explains is refused, by its most likely name, with the evidence.

    ``names`` are those of the merged checkpoint and of the base.
    """
    evidence = (
        f"{matrix.module} changed by {matrix.change:.1%} of its base, and the nearest adapter leaves out "
        f"{matrix.left:.1%} of that (singular gap {matrix.gap:.2f}, rounding leaves {matrix.floor:.2%})"
    )
    across = judge(matrix.module, invert(merged.T, weight.T), merged.T, weight.T)
    if across.kind is Kind.DORA:
        got = (
            f"scales of the input axis, as LyCORIS trains them: {evidence}, but scales by column only {across.left:.2%}"
        )
        remedy = "Serve the merged checkpoint: neither peft nor this engine has such an adapter."
    elif matrix.change > UNRELATED:
        got, remedy = f"another base: {evidence}", "Give the base that it was trained from with --base."
    else:
        got = f"a full fine-tuning, or another version of the base: {evidence}"
        remedy = "Give the base that it was trained from with --base, or serve the merged checkpoint."
    return _no_adapter(names, got, remedy)


def require_alone(matrix: Matrix, names: tuple[str, str]) -> None:
    """Refuse a matrix in which something beyond the layer's rank changed too: the layer alone would not answer so.

    ``names`` are those of the merged checkpoint and of the base.

    Raises:
        ModelError: with how much that is, in the roundings of the merge.
    """
    if matrix.alone:
        return
    raise _no_adapter(
        names,
        f"not an adapter alone: the nearest one of rank {matrix.kept} leaves {matrix.left:.2%} of the change of "
        f"{matrix.module}, {matrix.left / max(matrix.floor, 1e-30):.3g} times what one rounding to {matrix.precision} "
        "leaves (a merge whose products were taken in TF32 or bf16 and added in F32 looks the same)",
        "Recover the adapter without the rest by --leave-out, which says in the card how much it left, give the base "
        "that it was trained from with --base, or serve the merged checkpoint.",
    )


def require_told(seen: Sequence[Matrix], names: tuple[str, str]) -> None:
    """Refuse changes in most of which nothing stands out of the noise: an adapter made of them would be noise.

    ``names`` are those of the merged checkpoint and of the base.

    Raises:
        ModelError: with the count of these matrices, and how far they changed.
    """
    changed = [each for each in seen if each.kind is not Kind.UNCHANGED]
    hidden = [each for each in changed if not each.told]
    if 2 * len(hidden) <= len(changed):
        return
    one = max(hidden, key=lambda each: each.change)
    raise _no_adapter(
        names,
        f"a change that cannot be told from rounding: in {len(hidden)} of {len(changed)} changed matrices no singular "
        f"value stands out and the scales are all one ({one.module} changed by {one.change:.2%} of its base, and one "
        f"rounding to {one.precision} leaves {one.floor:.0%} of that)",
        "Give the checkpoint in the precision that it was trained or merged in, or serve it as it is.",
    )


def _no_adapter(names: tuple[str, str], got: str, remedy: str) -> ModelError:
    expected = f"an adapter merged into {names[1]!r}"
    return ModelError.of(f"checkpoint {names[0]!r}", expected=expected, got=got, remedy=remedy)


def together(modules: Iterable[str]) -> str:
    """Modules in a line, those of one kind once: ``model.layers.{0, 3}.mlp.up_proj``."""
    kinds: dict[tuple[str, str], list[str]] = {}
    for module in modules:
        before, number, after = re.split(r"(?:(?<=\.)(\d+)(?=\.)|$)", module, maxsplit=1)
        kinds.setdefault((before, after), []).append(number or "")
    return ", ".join(f"{before}{_several(numbers)}{after}" for (before, after), numbers in kinds.items())


def _several(numbers: Sequence[str]) -> str:
    return numbers[0] if len(numbers) == 1 else f"{{{', '.join(numbers)}}}"


def agreed_rank(seen: Sequence[Matrix]) -> int | None:
    """The rank that most of some matrices have; None where none has one that stands out."""
    votes = Counter(each.rank for each in seen if each.rank and each.kind in (Kind.DORA, Kind.LORA))
    return max(votes, key=lambda rank: (votes[rank], rank)) if votes else None
