"""A forward through ``step.c``: rows are fed together, prompts and single tokens alike, and nothing is padded.

Knows nothing of requests or texts.
"""

from __future__ import annotations

from collections.abc import Sequence
from ctypes import POINTER, c_int, pointer

import torch
from torch import Tensor

from ..device import host
from ..outcome import Outcome
from ..parts import layers_of
from ..routes import Rows
from ..steps import Forward
from .build import library
from .pace import Pace
from .tables import BatchTable, ModelTable, address, require_fits, table_of


class NativeSteps:
    """``Forward.feed`` and ``Forward.step`` by a library of this machine's own, in fp32 on its processor.

    A row's numbers are the same to the bit whoever shares the batch.
    """

    def __init__(self, forward: Forward, context: int) -> None:
        """Look the model's parts up, and the library. The cache must have been made.

        Raises:
            NotOfThisKind: the library does not compute this model.
            NotBuilt: there is no library.
        """
        self._model, self._cache, self._bank = forward.model, forward.cache, forward.bank
        self._layers = layers_of(forward.model, context)
        require_fits(self._model, self._layers)
        self._step = library().step
        self._step.argtypes = [POINTER(ModelTable), POINTER(BatchTable), c_int]
        self._pace = Pace(min(torch.get_num_threads(), host().cores))
        self._known: tuple[tuple[int, int], ModelTable] | None = None

    def feed(
        self, lines: Sequence[int], chunks: Sequence[Sequence[int]], fed: Sequence[int], slots: Sequence[int]
    ) -> None:
        """As ``Forward.feed``."""
        tokens = [
            (token, start + place, line, slot)
            for line, chunk, start, slot in zip(lines, chunks, fed, slots, strict=True)
            for place, token in enumerate(chunk)
        ]
        self._run(torch.tensor(tokens).T.contiguous(), wanted=0)

    def step(
        self,
        tokens: Sequence[int],
        fed: Sequence[int],
        slots: Sequence[int],
        steady: bool = False,
        ready: Sequence[int] | None = None,
    ) -> Outcome:
        """As ``Forward.step``; rows that only keep their place are not fed."""
        lines = range(len(tokens)) if ready is None else ready
        given = [[each[line] for line in lines] for each in (tokens, fed, range(len(tokens)), slots)]
        logits, said = self._run(torch.tensor(given), wanted=len(lines))
        best, finite = said.tolist()
        return Outcome(logits, best, [bool(each) for each in finite])

    def __call__(self, rows: Rows, longest: int) -> tuple[Tensor, Tensor]:
        """As every route."""
        lines = torch.arange(rows.count)
        return self._run(torch.stack([rows.tokens, rows.fed, lines, rows.slots]), wanted=rows.count)

    def _run(self, given: Tensor, wanted: int) -> tuple[Tensor, Tensor]:
        """Logits of the last tokens, (wanted, vocabulary), and what is told of them.

        From tokens, positions, lines and slots, (4, tokens); those of a line follow each other.
        """
        known = self._model.model.embed_tokens.weight.shape[0]
        if not 0 <= int(given[0].min()) <= int(given[0].max()) < known:  # a tokenizer may have more than its model
            raise IndexError(f"a token that is none of the {known} of the model")
        self._cache.extend(int(given[1].max()) + 1)
        logits = torch.empty(wanted, self._model.lm_head.weight.shape[0])
        said = torch.empty(2, wanted, dtype=torch.long)
        batch = BatchTable(given.shape[1], wanted, *(address(each) for each in (*given, logits, *said)))
        if self._step(pointer(self._table()), pointer(batch), self._pace.threads):
            raise MemoryError(f"no memory for a step of {given.shape[1]} tokens")
        self._pace.after(batch.idle)
        return logits, said

    def _table(self) -> ModelTable:
        """Looked up anew where addresses may have changed."""
        state = self._cache.generation, self._bank.generation
        if self._known is None or self._known[0] != state:
            self._known = state, table_of(self._model, self._layers, self._cache)
        return self._known[1]
