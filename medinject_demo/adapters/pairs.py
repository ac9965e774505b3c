"""A merged checkpoint and its base side by side: which tensors belong together, and their values, read ahead.

Knows nothing of what is done with them.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import Final

from torch import Tensor

from ..errors import ModelError
from .checkpoint import Checkpoint
from .findings import require_finite
from .names import EMBEDDING, HEAD, is_linear, is_tokens

SLICE: Final = 2**26
"""Bytes of a slice of a tensor that is only compared."""


@dataclass(frozen=True)
class Part:
    """A tensor, or rows of it: in both checkpoints the same ones."""

    name: str
    of_base: str
    """Its name in the base: another one for a head that is tied to the embedding in one of the two only."""
    first: int = 0
    last: int | None = None


@dataclass(frozen=True)
class Pair:
    """Two checkpoints of one architecture."""

    merged: Checkpoint
    base: Checkpoint

    @property
    def names(self) -> tuple[str, str]:
        """Of the merged checkpoint and of the base, as a person names them."""
        return self.merged.name, self.base.name

    @property
    def linear(self) -> list[str]:
        """Modules of linear layers, in the order of the merged checkpoint's files."""
        names = (name for name, each in self.base.entries.items() if is_linear(name, each.shape))
        return [name.removesuffix(".weight") for name in sorted(names, key=self._place)]

    @property
    def others(self) -> list[tuple[str, str]]:
        """The tensors that no adapter holds, small ones first: their names in the merged checkpoint and in the base."""
        same = [name for name, each in self.merged.entries.items() if not is_linear(name, each.shape)]
        pairs = [(name, self._of_base(name)) for name in same]
        heads = [name for name in self.base.entries if name.endswith(HEAD) and name not in self.merged.entries]
        pairs += [(name, head) for head in heads for name in same if name.endswith(EMBEDDING)]
        return sorted(pairs, key=lambda pair: (is_tokens(pair[0]), pair))

    def require_one_architecture(self) -> None:
        """Raises ModelError where a tensor of one checkpoint has no counterpart of its shape in the other."""
        ours, theirs = set(self.merged.entries), set(self.base.entries)
        lost = sorted(name for name in theirs - ours if not name.endswith(HEAD))
        more = sorted(name for name in ours - theirs if not name.endswith(HEAD))
        for names, got in ((lost, "none"), (more, "a tensor that the base does not have")):
            if names:
                raise self._another_base(names[0], "the tensors of the base", got)
        for name in sorted(ours & theirs):
            shapes = self.merged.entries[name].shape, self.base.entries[name].shape
            if shapes[0] != shapes[1] and not (is_tokens(name) and shapes[0][1:] == shapes[1][1:]):
                raise self._another_base(name, f"the shape {shapes[1]} of the base", f"{shapes[0]}: another base")

    def matrix(self, module: str) -> Part:
        """A linear layer, whole."""
        return Part(f"{module}.weight", f"{module}.weight")

    def slices(self, name: str, of_base: str) -> list[Part]:
        """The rows that both have of a tensor, in slices."""
        if not self.merged.entries[name].shape:
            return [Part(name, of_base)]
        common = min(self.merged.entries[name].shape[0], self.base.entries[of_base].shape[0])
        spans = self.merged.slices(name, SLICE)
        return [Part(name, of_base, first, min(last, common)) for first, last in spans if first < common]

    def added(self, name: str, of_base: str) -> int:
        """Rows of a tensor beyond the base's."""
        shapes = self.merged.entries[name].shape, self.base.entries[of_base].shape
        return shapes[0][0] - shapes[1][0] if shapes[0] else 0

    def bytes(self, part: Part) -> int:
        """Of a part, in both."""
        return sum(
            (entry.stop - entry.start) * _rows(part, entry.shape) // max(1, entry.shape[0] if entry.shape else 1)
            for entry in (self.merged.entries[part.name], self.base.entries[part.of_base])
        )

    def read(self, parts: Iterable[Part]) -> Iterator[tuple[Part, Tensor, Tensor]]:
        """The merged and the base's values of each part; the next part is read meanwhile, both at once.

        Raises:
            ModelError: they cannot be read, or are not finite.
        """
        readers = ThreadPoolExecutor(2, "medinject-read")
        ahead: list[tuple[Part, Future[Tensor], Future[Tensor]]] = []
        try:
            for part in parts:
                merged = readers.submit(self.merged.tensor, part.name, part.first, part.last)
                base = readers.submit(self.base.tensor, part.of_base, part.first, part.last)
                ahead.append((part, merged, base))
                if len(ahead) > 1:
                    yield self._finite(*ahead.pop(0))
            while ahead:
                yield self._finite(*ahead.pop(0))
        finally:
            readers.shutdown(cancel_futures=True)

    def _finite(self, part: Part, merged: Future[Tensor], base: Future[Tensor]) -> tuple[Part, Tensor, Tensor]:
        values = merged.result(), base.result()
        require_finite(part.name, self.merged.name, values[0])
        require_finite(part.of_base, self.base.name, values[1])
        return part, *values

    def _of_base(self, name: str) -> str:
        if name in self.base.entries:
            return name
        return next(each for each in self.base.entries if each.endswith(EMBEDDING))  # a head that the base ties

    def _place(self, name: str) -> tuple[str, int]:
        entry = self.merged.entries[name]
        return entry.shard, entry.start

    def _another_base(self, name: str, expected: str, got: str) -> ModelError:
        return ModelError.of(
            f"checkpoint {self.merged.name!r}, {name}",
            expected=f"{expected} {self.base.name!r}" if expected.endswith("of the base") else expected,
            got=got,
            remedy="Give the base that it was trained from with --base, or get the missing files.",
        )


def _rows(part: Part, shape: tuple[int, ...]) -> int:
    return len(range(shape[0])[part.first : part.last]) if shape else 1
