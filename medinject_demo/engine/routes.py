"""Routes by which one token of every row goes through a model on fixed tensors, and whether one agrees with the oracle.

Transformers' own code is the oracle. Knows nothing of graphs or of what a row says.
"""

from __future__ import annotations

import itertools
import logging
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final, Protocol

import torch
from torch import Tensor

from .bank import BASE_SLOT
from .cache import Span
from .layout import known_tokens
from .outcome import told
from .steps import Forward, Steps

CLOSE: Final = {torch.float32: 1e-4}
"""How far another route's logits may lie from the oracle's, on average, in their standard deviations."""
CLOSE_IN_HALF: Final = 0.05
"""The same in half precision, where two orders of summation differ by a hundredth."""
TELLING: Final = 0.3
"""Of that distance, how much an arm's scales must change the logits for a test of them to tell anything."""
FED: Final = ((33,), (12,), (7,), (3,), (17, 11, 9))
"""Tokens of the prompts by which ways to feed them are compared: fewer and more than are multiplied at once."""
TOGETHER: Final = (1, 3, 3)
"""Of these prompts, how many the oracle is fed at once: it pads them to each other."""

PIECE: Final = 2048
"""Tokens of a prompt that the oracle is fed at once: its mask grows with these times all that came before."""
DIFFERENT: Final = 97
"""Tokens of which prompts are made, where a model has as many."""

Feed = Callable[[Sequence[int], Sequence[Sequence[int]], Sequence[int], Sequence[int]], None]
"""As ``Forward.feed``."""
Prompt = tuple[list[int], int]
"""Tokens and a slot."""

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Rows:
    """What a route is told of its rows: tensors (rows) of int64."""

    tokens: Tensor
    fed: Tensor
    slots: Tensor

    @property
    def count(self) -> int:
        """How many, padding included."""
        return self.tokens.shape[0]


class Route(Protocol):
    """One token of every row: logits (rows, vocabulary), and what ``told`` says of them."""

    def __call__(self, rows: Rows, longest: int) -> tuple[Tensor, Tensor]:
        """No row is longer than ``longest``, this token included."""


@dataclass(frozen=True)
class PlainRoute:
    """Through transformers' own code."""

    forward: Forward

    def __call__(self, rows: Rows, longest: int) -> tuple[Tensor, Tensor]:
        """Its shapes grow with ``longest``."""
        self.forward.bank.use_any(rows.slots)
        logits = self.forward.run(rows.tokens[:, None], Span(slice(0, rows.count), rows.fed[:, None], longest))
        return logits, told(logits)


def agrees(route: Route, forward: Forward, most_rows: int, context: int) -> bool:
    """Whether a route gives the oracle's logits; the log says why where it does not.

    Asked twice: of a row in each slot, one of them as long as the context, and of as many rows as there may be. The
    scales of the arms must be in it: its logits shall lie nearer to an arm's than to those of the arm without them,
    wherever that makes a difference. The cache is emptied; a route that does not make it must find it made.
    """
    slots = 1 + forward.bank.top
    try:
        return all(
            _agrees(route, forward, [forward.bank.top - row % slots for row in range(count)], context)
            for count in sorted({min(slots, most_rows), most_rows})
        )
    finally:
        forward.cache.forget()


def remembers(steps: Steps, forward: Forward, context: int) -> bool:
    """Whether prompts that are fed leave the keys and values that the oracle's leave; the log says why where not.

    Asked of prompts of several lengths alone, and of a few at once; of the oracle, of which a forward may take seconds,
    of as many as are about as long. The cache must have been made, and is emptied.
    """
    prompts = _prompts(forward, context)
    try:
        theirs = _left(forward, forward.feed, _cut(prompts, TOGETHER))
        ours = _left(forward, steps.feed, _cut(prompts, map(len, FED)))
    finally:
        forward.cache.forget()
    distances = [_distance(one, other) for one, other in zip(ours, theirs, strict=True)]
    apart = float(torch.stack(distances).nan_to_num(nan=float("inf")).max())
    if apart > CLOSE.get(forward.precision, CLOSE_IN_HALF):
        _log.warning("a quicker step is not taken: the keys and values that it leaves are %.2g deviations off", apart)
        return False
    return True


def _prompts(forward: Forward, context: int) -> list[Prompt]:
    """Tokens and slots of prompts of the lengths of ``FED``."""
    lengths = (min(length, context - 1) for batch in FED for length in batch)
    slots = itertools.cycle(range(1 + forward.bank.top))
    return [
        (_prompt(forward, number, length), slot)
        for number, (length, slot) in enumerate(zip(lengths, slots, strict=False))
    ]


def _prompt(forward: Forward, number: int, length: int) -> list[int]:
    """Tokens that the model has, others for each number."""
    known = min(DIFFERENT, known_tokens(forward.model))
    return [(31 * number + 7 * place) % known for place in range(length)]


def _cut(prompts: Sequence[Prompt], counts: Iterable[int]) -> Iterator[Sequence[Prompt]]:
    """So many of them at once, in turn."""
    each = iter(prompts)
    return ([*itertools.islice(each, count)] for count in counts)


def _left(forward: Forward, feed: Feed, batches: Iterable[Sequence[Prompt]]) -> list[Tensor]:
    """The keys and values of each prompt in turn, layer by layer, after each batch was fed to an empty cache."""
    left, most = [], forward.cache.count
    for few in (batch[start : start + most] for batch in batches for start in range(0, len(batch), most)):
        forward.cache.forget()
        prompts, slots = zip(*few, strict=True)
        feed(range(len(few)), prompts, [0] * len(few), slots)
        stores = [each for layer in range(forward.cache.layers) for each in forward.cache.lines(layer)]
        ends = [(line, len(prompt)) for line, prompt in enumerate(prompts)]
        left += [store[line, :, :end].flatten().clone() for line, end in ends for store in stores]
    return left


def _agrees(route: Route, forward: Forward, slots: Sequence[int], context: int) -> bool:
    rows = _filled(forward, slots, context)
    theirs = _oracle(forward, rows)
    with _without_scales(forward):
        without = _oracle(forward, rows)
    try:
        ours = route(rows, context)[0].float()
    except RuntimeError as error:  # of a kernel: a GPU may have less room than it wants
        _log.warning("a quicker step is not taken: %s", error)
        return False
    apart, effect, missing = _distance(ours, theirs), _distance(without, theirs), _distance(ours, without)
    if not bool((apart <= CLOSE.get(forward.precision, CLOSE_IN_HALF)).all()):  # NaN is not
        _log.warning("a quicker step is not taken: its logits are %.2g deviations off", float(apart.max()))
        return False
    if bool(((effect > TELLING * apart) & (missing < apart)).any()):
        _log.warning("a quicker step is not taken: it answers as if its adapters had no magnitudes")
        return False
    return True


def _filled(forward: Forward, slots: Sequence[int], context: int) -> Rows:
    """Rows of these slots whose prompts are in the cache, one of them up to the context's last place."""
    lengths = [min(3 + row, context - 1) for row in range(len(slots))]
    lengths[-1] = context - 1
    prompts = [_prompt(forward, row, length) for row, length in enumerate(lengths)]
    last = len(slots) - 1
    if last:
        forward.feed(range(last), prompts[:last], [0] * last, slots[:last])
    for start in range(0, lengths[last], PIECE):  # the longest apart: the others are padded to each other
        forward.feed([last], [prompts[last][start : start + PIECE]], [start], [slots[last]])
    given = [[prompt[-1] for prompt in prompts], lengths, list(slots)]
    return Rows(*torch.tensor(given, device=forward.model.device))


def _oracle(forward: Forward, rows: Rows) -> Tensor:
    tokens, fed, slots = rows.tokens.tolist(), rows.fed.tolist(), rows.slots.tolist()
    return forward.chunk(range(rows.count), [[token] for token in tokens], fed, slots).float()


@contextmanager
def _without_scales(forward: Forward) -> Iterator[None]:
    """Every arm with s = 1 for as long as the context is open."""
    bank = forward.bank
    kept = {name: layer.scale.clone() for name, layer in bank.layers.items()}
    for layer in bank.layers.values():
        layer.scale.fill_(1)
    bank.use([BASE_SLOT])  # what was looked up is looked up again
    try:
        yield
    finally:
        for name, layer in bank.layers.items():
            layer.scale.copy_(kept[name])
        bank.use([BASE_SLOT])


def _distance(ones: Tensor, others: Tensor) -> Tensor:
    """Of each row's logits, on average, in standard deviations."""
    return (ones - others).abs().mean(-1) / others.std(-1)
