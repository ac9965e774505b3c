"""Forwards of the rows in flight, by transformers' own code: chunks of prompts, and one token of every row.

Rows lie on the first lines of the cache. Knows nothing of requests, texts or how a token is drawn.
"""

from __future__ import annotations

import functools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import torch
from torch import Tensor

from .bank import BASE_SLOT, AdapterBank
from .cache import RowCache, Span
from .halves import precision_of
from .outcome import Outcome


class Steps(Protocol):
    """How rows are fed: ``Forward``, or what is quicker where a machine has it."""

    def feed(
        self, lines: Sequence[int], chunks: Sequence[Sequence[int]], fed: Sequence[int], slots: Sequence[int]
    ) -> None:
        """Feed to each of some lines its piece of a prompt, behind the ``fed`` tokens that it has."""

    def step(
        self,
        tokens: Sequence[int],
        fed: Sequence[int],
        slots: Sequence[int],
        steady: bool = False,
        ready: Sequence[int] | None = None,
    ) -> Outcome:
        """Feed one token to each of the first lines; ``steady`` where each will be fed its best token next.

        What is told is of the rows at the places ``ready``, all where None. The others only keep their place: whether
        they are fed as well is left to who steps, since what lies behind their end is written over later.
        """


@dataclass(frozen=True)
class Forward:
    """The model over its cache; every row by the slot of the bank that it names."""

    model: Any
    bank: AdapterBank
    cache: RowCache

    @functools.cached_property
    def precision(self) -> torch.dtype:
        """In what the model computes."""
        return precision_of(self.model)

    def chunk(
        self, lines: Sequence[int], tokens: Sequence[Sequence[int]], fed: Sequence[int], slots: Sequence[int]
    ) -> Tensor:
        """Feed as many tokens to each of some lines, behind the ``fed`` that it has; logits (rows, vocabulary)."""
        device = self.model.device
        ids = torch.tensor(tokens, device=device)
        positions = torch.tensor(fed, device=device)[:, None] + torch.arange(ids.shape[1], device=device)
        together = list(lines) == list(range(lines[0], lines[0] + len(lines)))
        which = slice(lines[0], lines[0] + len(lines)) if together else torch.tensor(list(lines), device=device)
        self.bank.use(slots)
        return self.run(ids, Span(which, positions, max(fed) + ids.shape[1]))

    def feed(
        self, lines: Sequence[int], chunks: Sequence[Sequence[int]], fed: Sequence[int], slots: Sequence[int]
    ) -> None:
        """Feed to each of some lines its piece of a prompt; shorter ones are padded."""
        size = max(map(len, chunks))
        self.chunk(lines, [[*chunk, *[0] * (size - len(chunk))] for chunk in chunks], fed, slots)

    def step(
        self,
        tokens: Sequence[int],
        fed: Sequence[int],
        slots: Sequence[int],
        steady: bool = False,
        ready: Sequence[int] | None = None,
    ) -> Outcome:
        """Feed one token to each of the first lines; nothing is made of a row's being ``steady``."""
        return Outcome.of(self.chunk(range(len(tokens)), [[token] for token in tokens], fed, slots)).among(ready)

    def reserve(self, tokens: int) -> None:
        """Make lines of so many tokens now, by feeding one token to the first; while no row is in flight."""
        ids = torch.zeros(1, 1, dtype=torch.long, device=self.model.device)
        self.bank.use([BASE_SLOT])
        self.run(ids, Span(slice(0, 1), ids, tokens))

    def run(self, ids: Tensor, span: Span) -> Tensor:
        """Logits after the last of ``ids`` (rows, tokens); keys and values go where the span says."""
        output = self.model(
            input_ids=ids,
            attention_mask=span.mask(self.precision),
            position_ids=span.positions,
            past_key_values=self.cache.at(span),
            use_cache=True,
            logits_to_keep=1,
        )
        logits: Tensor = output.logits[:, -1]
        return logits
