"""Keys and values of the rows in flight: one line of a store for each row, grown as needed.

Has the two methods that transformers' attention layers call on a cache. Knows nothing of requests or adapters.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

SMALLEST = 64
"""Tokens for which a store is first made; it doubles from there."""
MULTIPLE = 16
"""Of what the tokens of a line are a multiple: whoever reads many at once may read past a row's end, not a line's."""


@dataclass(frozen=True)
class Span:
    """Which lines a forward reads and writes, and where: token ``t`` of row ``n`` goes to ``positions[n, t]``."""

    lines: slice | Tensor
    positions: Tensor
    """(rows, tokens)."""
    longest: int
    """Tokens of the longest row, those of this forward included."""

    def mask(self, dtype: torch.dtype) -> Tensor:
        """(rows, 1, tokens, longest), 0 where a token may look and the least number elsewhere."""
        places = torch.arange(self.longest, device=self.positions.device)
        hidden = places > self.positions[:, None, :, None]
        return torch.zeros(hidden.shape, dtype=dtype, device=hidden.device).masked_fill_(hidden, torch.finfo(dtype).min)


class RowCache:
    """Lines of keys and values by layer, (lines, heads, tokens, width); nobody looks past a row's end."""

    def __init__(self, lines: int, longest: int) -> None:
        self.count, self._longest = lines, -(-longest // MULTIPLE) * MULTIPLE
        self._keys: dict[int, Tensor] = {}
        self._values: dict[int, Tensor] = {}
        self._span: Span | None = None
        self._index = torch.empty(0, 1, dtype=torch.long)
        self.generation = 0
        """Grows with every store made anew: addresses from before are then void."""
        self.touches = 0
        """Grows with whatever may change what a line holds, but for captured steps and native ones."""

    def at(self, span: Span) -> RowCache:
        """The cache of one forward over these lines and positions."""
        self._span = span
        self.touches += 1
        self._index = torch.arange(self.count, device=span.positions.device)[span.lines][:, None]
        return self

    def update(self, keys: Tensor, values: Tensor, layer: int, *_: Any, **__: Any) -> tuple[Tensor, Tensor]:
        """Write a forward's keys and values, (rows, heads, tokens, width), and give back all that its rows have."""
        span = self._span
        assert span is not None, "at() comes first"
        if layer not in self._keys:
            length = self._length(SMALLEST, span.longest)
            self._keys[layer], self._values[layer] = (
                new.new_zeros(self.count, new.shape[1], length, new.shape[3]) for new in (keys, values)
            )
            self.generation += 1
        self._extend(layer, span.longest)
        stored = []
        for lines, new in zip(self.lines(layer), (keys, values), strict=True):
            lines[self._index, :, span.positions] = new.transpose(1, 2)
            stored.append(lines[:, :, : span.longest][span.lines])
        return stored[0], stored[1]

    def get_seq_length(self, layer: int = 0) -> int:
        """Tokens before this forward's, of its longest row."""
        return 0 if self._span is None else self._span.longest - self._span.positions.shape[1]

    @property
    def layers(self) -> int:
        """How many have been made."""
        return len(self._keys)

    def lines(self, layer: int) -> tuple[Tensor, Tensor]:
        """A layer's keys and values, (lines, heads, tokens, width) each, as far as they are made."""
        return self._keys[layer], self._values[layer]

    def extend(self, tokens: int) -> None:
        """Make every line at least so long; they must have been made."""
        for layer in self._keys:
            self._extend(layer, tokens)

    def move(self, source: int, target: int) -> None:
        """Copy a line over another."""
        self.touches += 1
        for store in (self._keys, self._values):
            for lines in store.values():
                lines[target].copy_(lines[source])

    def forget(self, line: int | None = None) -> None:
        """Zero a line, or all: what is not finite would reach whoever has the line next through the mask."""
        self.touches += 1
        for store in (self._keys, self._values):
            for lines in store.values():
                (lines if line is None else lines[line]).zero_()

    def cleanse(self) -> None:
        """Replace what is not finite, in every line."""
        self.touches += 1
        for store in (self._keys, self._values):
            for lines in store.values():
                lines.nan_to_num_()

    def _extend(self, layer: int, tokens: int) -> None:
        """Keys and values of a layer, both or neither: where there is no room, layers may be of two lengths."""
        if self._keys[layer].shape[2] >= tokens:
            return
        self._keys[layer], self._values[layer] = (self._longer(held, tokens) for held in self.lines(layer))
        self.generation += 1

    def _longer(self, held: Tensor, tokens: int) -> Tensor:
        longer = held.new_zeros(*held.shape[:2], self._length(held.shape[2], tokens), held.shape[3])
        longer[:, :, : held.shape[2]] = held
        return longer

    def _length(self, held: int, tokens: int) -> int:
        """Tokens of a line that held so many: doubled until so many fit, but no longer than a row may be."""
        while held < tokens:
            held *= 2
        return max(-(-tokens // MULTIPLE) * MULTIPLE, min(held, self._longest))
