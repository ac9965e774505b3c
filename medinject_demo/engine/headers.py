"""What the header of a safetensors file says of its tensors, and in how many bytes an engine holds them.

Nothing is loaded; safetensors is imported inside the function. Knows nothing of models or folders.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

WIDTHS: Final = {"fp32": 4.0, "bf16": 2.0, "fp16": 2.0, "int8": 1.0, "int4": 0.5}
"""Bytes of one number; the scales of a quantisation's groups, some percent of it, are left out."""
WHOLE: Final = ("embed_tokens", "lm_head")
"""Matrices that a quantisation leaves as they are."""


@dataclass(frozen=True)
class StoredTensor:
    """One tensor of a file."""

    name: str
    shape: Sequence[int]
    stored: str
    """As safetensors names it, such as ``BF16``."""

    @property
    def numbers(self) -> int:
        """How many it holds."""
        return math.prod(self.shape)

    def held(self, dtype: str, quantization: str = "none", *, halves: bool = False) -> float:
        """Bytes of it in an engine of this precision, where linear layers are in a quantisation's.

        ``halves`` where matrices that are stored in bf16 stay so, whatever the rest is in.
        """
        kind, matrix = dtype, len(self.shape) == 2
        if matrix and quantization != "none" and not any(each in self.name for each in WHOLE):
            kind = quantization
        elif matrix and quantization == "none" and halves and self.stored == "BF16":
            kind = "bf16"
        return self.numbers * WIDTHS[kind]


def stored_tensors(path: Path) -> Iterator[StoredTensor]:
    """The tensors of a file, which must be whole.

    Raises:
        OSError, safetensors.SafetensorError: it cannot be read, is cut, or is of another format.
    """
    from safetensors import safe_open

    with safe_open(path, "np") as file:
        for name in file.keys():  # noqa: SIM118, not a dictionary
            found = file.get_slice(name)
            yield StoredTensor(name, found.get_shape(), found.get_dtype())
