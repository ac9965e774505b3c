"""A checkpoint as its tensors: names, shapes and precisions from the headers, values whole or by rows.

Reads the safetensors format as its specification says (eight bytes of length, a JSON header, the numbers) from any
``Source``, so that files of this machine and byte ranges of the Hub are one code. Nothing is kept between two reads.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import torch
from torch import Tensor

from ..errors import ModelError
from .presence import INDEX, WEIGHTS
from .source import Source

DTYPES: Final = {"F64": torch.float64, "F32": torch.float32, "F16": torch.float16, "BF16": torch.bfloat16}
"""Precisions that are weights; anything else is a quantisation, which hides what it was made of."""
OPENING: Final = 2**17
"""Bytes read of a shard at first: nearly always the whole header."""
LONGEST_HEADER: Final = 10**8
"""As the safetensors library has it."""


@dataclass(frozen=True)
class Entry:
    """One tensor of a shard."""

    shard: str
    dtype: str
    """As safetensors names it: ``F32``, ``BF16``, …"""
    shape: tuple[int, ...]
    start: int
    """First byte within the shard."""
    stop: int


@dataclass(frozen=True)
class Checkpoint:
    """The tensors of a model's weight files."""

    source: Source
    entries: Mapping[str, Entry] = field(repr=False)
    mark: str
    """Hash of headers, sizes and the source's own marks: another one means other files, 16 hexadecimal digits."""

    @property
    def name(self) -> str:
        """Where it is, as a person names it."""
        return self.source.name

    @property
    def bytes(self) -> int:
        """Of all tensors together."""
        return sum(entry.stop - entry.start for entry in self.entries.values())

    def tensor(self, name: str, first: int = 0, last: int | None = None) -> Tensor:
        """The values of a tensor, or its rows from ``first`` to ``last``, in the precision they are stored in.

        Raises:
            ModelError: they cannot be read, or are stored in a precision that is a quantisation.
        """
        entry = self.entries[name]
        if entry.dtype not in DTYPES:
            raise self._wrong(entry.shard, " or ".join(DTYPES), f"{entry.dtype} in {name}", "Give an unquantised one.")
        dtype, shape = DTYPES[entry.dtype], entry.shape
        row = math.prod(shape[1:]) * dtype.itemsize
        rows = range(shape[0])[first:last] if shape else range(1)
        start = entry.start + rows.start * row
        read = self.source.read(entry.shard, start, start + len(rows) * row)
        if not read:
            return torch.empty((len(rows), *shape[1:]), dtype=dtype)
        return (
            torch.frombuffer(read, dtype=dtype).view(len(rows), *shape[1:])
            if shape
            else torch.frombuffer(read, dtype=dtype).view(())
        )

    def slices(self, name: str, most: int) -> Iterator[tuple[int, int]]:
        """First and last row of parts of a tensor that have ``most`` bytes at most, and a row at least."""
        entry = self.entries[name]
        count = entry.shape[0] if entry.shape else 1
        step = max(1, most * count // max(1, entry.stop - entry.start))
        return ((first, min(count, first + step)) for first in range(0, count, step))

    def json(self, file: str) -> dict[str, Any]:
        """A JSON file beside the weights; empty where there is none."""
        return _json(self.source, file) or {}

    def _wrong(self, file: str, expected: str, got: str, remedy: str) -> ModelError:
        return wrong(self.source, file, expected, got, remedy)


def open_checkpoint(source: Source) -> Checkpoint:
    """Read the headers of all shards, and nothing else.

    Raises:
        ModelError: a shard is missing or cut, or the files are no safetensors.
    """
    index = _json(source, INDEX) if source.state(WEIGHTS) is None else None
    listed = _listed(source, index) if index is not None else None
    shards = sorted(set(listed.values())) if listed is not None else [WEIGHTS]
    digest, entries = hashlib.sha256(), dict[str, Entry]()
    for shard in shards:
        size, mark, header = _header(source, shard)
        digest.update(f"{shard} {size} {mark}".encode() + json.dumps(header, sort_keys=True).encode())
        entries.update(_entries(source, shard, size, header))
    lost = sorted(set(listed or ()) - set(entries))
    if lost:
        remedy = "Get that shard again."
        raise wrong(source, (listed or {})[lost[0]], f"the tensor {lost[0]}", "a shard without it", remedy)
    return Checkpoint(source, entries, digest.hexdigest()[:16])


def wrong(source: Source, file: str, expected: str, got: str, remedy: str) -> ModelError:
    """The sentence for a file that is not what it should be."""
    return ModelError.of(f"checkpoint {source.name!r}, {file}", expected=expected, got=got, remedy=remedy)


def _json(source: Source, file: str) -> dict[str, Any] | None:
    state = source.state(file)
    if state is None:
        return None
    try:
        said = json.loads(source.read(file, 0, state[0]))
    except ValueError as error:
        raise wrong(source, file, "valid JSON", str(error), "Get it again.") from error
    if not isinstance(said, dict):
        raise wrong(source, file, "a JSON object", type(said).__name__, "Get it again.")
    return said


def _listed(source: Source, index: Mapping[str, Any]) -> dict[str, str]:
    """The shard of each tensor, as an index tells it; a shard is a file of its own folder."""
    listed = index.get("weight_map")
    if not isinstance(listed, dict) or not listed or not all(_plain(shard) for shard in listed.values()):
        raise wrong(source, INDEX, "the shard of each tensor under 'weight_map'", repr(listed)[:80], "Get it again.")
    return listed


def _plain(shard: Any) -> bool:
    return isinstance(shard, str) and shard.endswith(".safetensors") and "/" not in shard and "\\" not in shard


def _header(source: Source, shard: str) -> tuple[int, str, dict[str, Any]]:
    """Bytes of a shard, its mark and its header."""
    state = source.state(shard)
    if state is None:
        raise wrong(source, shard, "a file of weights (safetensors)", "none", "Get the missing file.")
    size, mark = state
    opening = source.read(shard, 0, min(size, OPENING))
    length = int.from_bytes(opening[:8], "little")
    if len(opening) < 8 or not 2 <= length <= min(LONGEST_HEADER, size - 8):
        raise wrong(source, shard, "a safetensors file", f"{size} bytes that are none", "Get it again.")
    if 8 + length > len(opening):
        opening += source.read(shard, len(opening), 8 + length)
    try:
        header = json.loads(opening[8 : 8 + length])
    except ValueError as error:
        raise wrong(
            source, shard, "a safetensors file", f"a header that is no JSON ({error})", "Get it again."
        ) from error
    if not isinstance(header, dict):
        raise wrong(source, shard, "a safetensors file", "a header that is no JSON object", "Get it again.")
    header.pop("__metadata__", None)
    return size, mark, {"": 8 + length, **header}


def _entries(source: Source, shard: str, size: int, header: Mapping[str, Any]) -> Iterator[tuple[str, Entry]]:
    """The tensors of a shard; raises ModelError where the file is shorter or longer than its header says."""
    begin = int(header[""])
    end = begin
    for name, said in header.items():
        if not name:
            continue
        try:
            start, stop = (begin + int(each) for each in said["data_offsets"])
            entry = Entry(shard, str(said["dtype"]), tuple(map(int, said["shape"])), start, stop)
            width = DTYPES[entry.dtype].itemsize if entry.dtype in DTYPES else None
        except (KeyError, TypeError, ValueError) as error:
            raise wrong(
                source, shard, f"offsets, precision and shape of {name}", repr(said)[:80], "Get it again."
            ) from error
        if width is not None and stop - start != width * math.prod(entry.shape):
            raise wrong(
                source, shard, f"{width * math.prod(entry.shape)} bytes of {name}", str(stop - start), "Get it again."
            )
        end = max(end, stop)
        yield name, entry
    if end != size:
        raise wrong(source, shard, f"a whole file of {end} bytes", f"{size} bytes", "Get it again.")
