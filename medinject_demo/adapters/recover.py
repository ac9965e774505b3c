"""From a merged checkpoint and its base to the adapter that was merged: the walk over their tensors.

Never more than a few matrices are in memory, and nothing but the adapter is on disk. An interrupted walk continues, and
ends with the same bytes. The mathematics is ``inversion``'s, the names are ``findings``'s.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import torch
from torch import Tensor

from ..engine.adapter import LayerWeights, read_adapter
from ..engine.scales import keep_scales
from ..errors import ModelError
from .based import base_of, recorded
from .card import card
from .findings import (
    Kind,
    Matrix,
    Other,
    agreed_rank,
    is_base,
    is_same,
    judge,
    refusal,
    require_alone,
    require_told,
    unchanged,
)
from .folder import CARD, RECORD, Parts, put_in_place, require_place, write_adapter, write_json
from .inversion import invert
from .names import linear_shapes
from .pairs import Pair, Part
from .recovery import Recovery
from .work import Work

METHOD: Final = 2
"""Counts up where the same checkpoints would give other bytes."""
VOTES: Final = 3
"""Matrices that have to agree on a rank before the walk."""


@dataclass(frozen=True)
class Request:
    """What to recover, from what, and where to put it."""

    pair: Pair
    output: Path
    rank: int | None = None
    """Where it is known."""
    leave_out: bool = False
    """Go on where something changed that no adapter holds."""
    keep_hidden: bool = False
    """Put into the adapter what comes out of changes that cannot be told from rounding."""
    description: str = ""
    """A line for the card, such as the arm's name."""

    @property
    def identity(self) -> dict[str, Any]:
        """What must be equal for a walk to continue another."""
        marks = {"merged": self.pair.merged.mark, "base": self.pair.base.mark}
        return {**marks, "rank": self.rank, "leave_out": self.leave_out, "method": METHOD}


@dataclass(frozen=True)
class Step:
    """How far a walk is."""

    done: int
    """Bytes of both checkpoints that are dealt with, those of an earlier walk included."""
    total: int
    what: str


Tick = Callable[[Step], None]


def recover(request: Request, tick: Tick = lambda step: None) -> Recovery:
    """Recover an adapter and put it, with its card, record and scales, at ``request.output``.

    Raises:
        ModelError: a checkpoint cannot be read, or what was merged into it is no adapter of this base: the sentence
            names what it is.
        OutputError: the output cannot be written.
    """
    require_place(request.output)
    pair = request.pair
    pair.require_one_architecture()
    work = Work.open(request.output, request.identity)
    walk = _Walk(request, work, tick)
    try:
        rank = walk.agree()
        others = walk.compare()
        _require_nothing_else(request, others)
        recovery = _recovery(request, walk.invert(rank), others)
    except ModelError:
        if not work.worth_keeping:
            work.remove()
        raise
    put_in_place(request.output, lambda folder: _write(folder, request, recovery, work))
    work.remove()
    return recovery


class _Walk:
    """One pass over the tensors of a pair."""

    def __init__(self, request: Request, work: Work, tick: Tick) -> None:
        pair, self.work = request.pair, work
        self.pair, self.rank, self._leave_out = pair, request.rank, request.leave_out
        self._tick, self._done = tick, 0
        parts = [pair.matrix(module) for module in pair.linear]
        parts += [part for names in pair.others for part in pair.slices(*names)]
        self._total = sum(map(pair.bytes, parts))

    def agree(self) -> int | None:
        """The rank that a matrix of each kind of projection tells, from the middle layers, else from others too."""
        if self.rank is not None or self.work.rank is not None:
            return self.rank if self.rank is not None else self.work.rank
        seen: list[Matrix] = []
        self._say("looking for the rank")
        for few in _scouts(self.pair.linear):
            parts = [self.pair.matrix(module) for module in few]
            seen += [self._judged(module, *both)[0] for module, both in self._values(parts)]
            rank = agreed_rank(seen)
            if rank is not None and sum(each.rank == rank for each in seen) >= VOTES:
                break
        else:
            require_told(seen, self.pair.names)
        rank = agreed_rank(seen)
        if rank is not None:
            self.work.agree(rank)
        return rank

    def compare(self) -> tuple[Other, ...]:
        """The tensors that no adapter holds, compared with the base's."""
        for name, of_base in self.pair.others:
            parts, said = self.pair.slices(name, of_base), label(name, of_base)
            if self.work.other(said) is None:
                changed, most = 0, 0.0
                for part, merged, base in self.pair.read(parts):
                    apart = (merged.float() - base.float()).abs().masked_fill_(is_same(merged, base), 0.0)
                    changed += int(apart.count_nonzero())
                    most = max(most, float(apart.max()) if apart.numel() else 0.0)
                    self._advance(part)
                self.work.keep_other(Other(said, changed, most, self.pair.added(name, of_base)))
            else:
                for part in parts:
                    self._advance(part)
        return tuple(filter(None, (self.work.other(label(*names)) for names in self.pair.others)))

    def invert(self, rank: int | None) -> tuple[Matrix, ...]:
        """Every linear layer, those of an earlier walk taken from its work."""
        ahead = []
        for module in self.pair.linear:
            if self.work.matrix(module) is None:
                ahead.append(self.pair.matrix(module))
            else:
                self._advance(self.pair.matrix(module))
        for module, (merged, weight) in self._values(ahead):
            self.work.keep(*self._judged(module, merged, weight, rank))
            self._advance(self.pair.matrix(module))
        return tuple(filter(None, (self.work.matrix(module) for module in self.pair.linear)))

    def _judged(
        self, module: str, merged: Tensor, weight: Tensor, rank: int | None = None
    ) -> tuple[Matrix, dict[str, Tensor]]:
        """The report of a matrix and its parts; raises ModelError where no layer explains it."""
        if is_base(merged, weight):
            return unchanged(module, merged), {}
        layer = invert(merged, weight, rank)
        matrix = judge(module, layer, merged, weight)
        if matrix.kind is Kind.UNEXPLAINED:
            raise refusal(matrix, merged, weight, self.pair.names)
        if not self._leave_out:
            require_alone(matrix, self.pair.names)
        norms = LayerWeights(layer.down, layer.up, 1.0, None).norms(weight)
        magnitude = layer.scale * norms
        served = magnitude / norms  # as the engine computes it, to the last bit
        return matrix, {"down": layer.down, "up": layer.up, "magnitude": magnitude, "scale": served}

    def _values(self, parts: list[Part]) -> Iterator[tuple[str, tuple[Tensor, Tensor]]]:
        for part, merged, base in self.pair.read(parts):
            yield part.name.removesuffix(".weight"), (merged, base)

    def _advance(self, part: Part) -> None:
        self._done += self.pair.bytes(part)
        self._say(part.name)

    def _say(self, what: str) -> None:
        self._tick(Step(self._done, self._total, what))


def label(name: str, of_base: str) -> str:
    """How the comparison of two tensors is called."""
    return name if name == of_base else f"{name} beside the base's {of_base}"


def _scouts(modules: list[str]) -> Iterator[list[str]]:
    """A module of each kind (the last part of its name): those in the middle, then at the ends."""
    kinds: dict[str, list[str]] = {}
    for module in sorted(modules):
        kinds.setdefault(module.rpartition(".")[2], []).append(module)
    seen: set[str] = set()
    for place in (0.5, 0.0, 1.0):
        few = [each[round(place * (len(each) - 1))] for each in kinds.values()]
        yield [module for module in few if module not in seen]
        seen |= set(few)


def _require_nothing_else(request: Request, others: tuple[Other, ...]) -> None:
    changed = [each for each in others if not each.same]
    if changed and not request.leave_out:
        more = f" and {len(changed) - 3} more" if len(changed) > 3 else ""
        raise ModelError.of(
            f"checkpoint {request.pair.merged.name!r}",
            expected="changes in linear layers alone, which is what an adapter holds",
            got=", ".join(map(str, changed[:3])) + more,
            remedy="Recover the rest with --leave-out, which says in the card what it left, or serve the checkpoint.",
        )


def _recovery(request: Request, matrices: tuple[Matrix, ...], others: tuple[Other, ...]) -> Recovery:
    pair, changed = request.pair, [each for each in matrices if each.kind is not Kind.UNCHANGED]
    if not changed:
        raise ModelError.of(
            f"checkpoint {pair.merged.name!r}",
            expected=f"an adapter merged into {pair.base.name!r}",
            got="the base itself: no linear layer differs by more than rounding",
            remedy="Check the names.",
        )
    require_told(changed, pair.names)
    plain = all(each.kind is not Kind.DORA for each in changed)
    sources = pair.merged.source, pair.base.source
    return Recovery(
        pair.merged.name,
        pair.base.name,
        (sources[0].commit, sources[1].commit),
        (pair.merged.mark, pair.base.mark),
        Kind.LORA if plain else Kind.DORA,
        matrices,
        others,
        request.keep_hidden,
    )


def _write(folder: Path, request: Request, recovery: Recovery, work: Work) -> None:
    """The whole folder of a recovered adapter."""
    shapes = linear_shapes(request.pair.base)
    plain, layers, scales = recovery.kind is Kind.LORA, {}, {}
    for matrix in recovery.adapted:
        parts = work.parts(matrix.module)
        scale = parts["scale"]
        up = scale[:, None] * parts["up"] if plain else parts["up"]
        layers[matrix.module] = Parts(parts["down"], up, None if plain else parts["magnitude"])
        scales[matrix.module] = torch.ones_like(scale) if plain else scale
    write_adapter(folder, layers, recovery.base, shapes)
    origin = base_of(request.pair.base)
    if origin is not None:
        adapter = read_adapter(folder, shapes)
        keep_scales(scales, folder, origin.joined(adapter))
    write_json(folder / RECORD, recovery.as_dict() | recorded(origin.weights if origin else None))
    (folder / CARD).write_text(card(recovery.as_dict(), request.description), encoding="utf-8")
