"""The rows in flight on the lines of the cache, in the order of their slots, whoever joins or leaves.

In that order adapters are read where they lie (``ways.Sorted``). A row that joins or leaves displaces at most one row
of each other slot. Knows nothing of steps or of what a row says.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from .cache import RowCache
from .rows import Call, Row

Pair = tuple[Call, Row]


class Lines:
    """Rows with their calls; the place of a pair is the row's line in the cache."""

    def __init__(self, cache: RowCache, order: Callable[[Row], int] = lambda row: row.slot) -> None:
        """Where ``order`` is one for all, rows lie as they came, and the last takes the place of one that leaves."""
        self._cache, self._order = cache, order
        self._pairs: list[Pair] = []

    def __len__(self) -> int:
        return len(self._pairs)

    def __iter__(self) -> Iterator[Pair]:
        return iter(self._pairs)

    def row(self, line: int) -> Row:
        """The row on a line."""
        return self._pairs[line][1]

    def line(self, row: Row) -> int:
        """The line of a row."""
        return next(line for line, (_, each) in enumerate(self._pairs) if each is row)

    def join(self, call: Call, row: Row) -> None:
        """Put a row behind those of its order; of every higher one, the first goes behind its last."""
        orders, moves = self._orders(), []
        hole = len(orders)
        for line in reversed(range(len(orders))):
            if orders[line] > self._order(row) and (line == 0 or orders[line - 1] != orders[line]):
                moves.append((line, hole))
                hole = line
        self._copy(moves)
        self._pairs.append((call, row))
        for source, target in moves:
            self._pairs[target] = self._pairs[source]
        self._pairs[hole] = call, row

    def leave(self, row: Row) -> None:
        """Take a row out; of its order and of every higher one, the last takes the place that came free."""
        orders, moves = self._orders(), []
        hole = self.line(row)
        for line in range(hole, len(orders)):
            if line + 1 == len(orders) or orders[line + 1] != orders[line]:
                moves.append((line, hole))
                hole = line
        self._copy(moves)
        for source, target in moves:
            self._pairs[target] = self._pairs[source]
        self._pairs.pop()

    def clear(self) -> list[Pair]:
        """Take all rows out."""
        pairs, self._pairs = self._pairs, []
        return pairs

    def _orders(self) -> list[int]:
        return [self._order(row) for _, row in self._pairs]

    def _copy(self, moves: Sequence[tuple[int, int]]) -> None:
        """Copy lines, before any pair is elsewhere: where it fails, no row is lost and none is there twice."""
        for source, target in moves:
            if source != target and self.row(source).fed:
                self._cache.move(source, target)
