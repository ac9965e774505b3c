"""Forwards of the rows in flight: chunks of prompts, and one token of every row, plainly or as captured CUDA graphs.

Rows lie on the first lines of the cache. Knows nothing of requests, texts or how a token is drawn.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final

import torch
from torch import Tensor

from .bank import BASE_SLOT, AdapterBank
from .cache import RowCache, Span

STRIDE: Final = 256
"""Tokens of context by which a captured step's shape grows."""

Run = Callable[[], Tensor]


@dataclass(frozen=True)
class Forward:
    """The model over its cache; every row by the slot of the bank that it names."""

    model: Any
    bank: AdapterBank
    cache: RowCache

    def chunk(
        self, lines: Sequence[int], tokens: Sequence[Sequence[int]], fed: Sequence[int], slots: Sequence[int]
    ) -> Tensor:
        """Feed as many tokens to each of some lines, behind the ``fed`` that it has; logits (rows, vocabulary)."""
        device = self.model.device
        ids = torch.tensor(tokens, device=device)
        positions = torch.tensor(fed, device=device)[:, None] + torch.arange(ids.shape[1], device=device)
        together = list(lines) == list(range(lines[0], lines[0] + len(lines)))
        which = slice(lines[0], lines[0] + len(lines)) if together else torch.tensor(list(lines), device=device)
        self.bank.use(slots, one_token=ids.shape[1] == 1)
        return self.run(ids, Span(which, positions, max(fed) + ids.shape[1]))

    def step(self, tokens: Sequence[int], fed: Sequence[int], slots: Sequence[int]) -> Tensor:
        """Feed one token to each of the first lines; logits (rows, vocabulary)."""
        return self.chunk(range(len(tokens)), [[token] for token in tokens], fed, slots)

    def run(self, ids: Tensor, span: Span) -> Tensor:
        """Logits after the last of ``ids`` (rows, tokens); keys and values go where the span says."""
        output = self.model(
            input_ids=ids,
            attention_mask=span.mask(self.model.dtype),
            position_ids=span.positions,
            past_key_values=self.cache.at(span),
            use_cache=True,
            logits_to_keep=1,
        )
        logits: Tensor = output.logits[:, -1]
        return logits


class CapturedSteps:
    """``Forward.step`` with shapes that do not vary, captured once for each and replayed.

    Rows are padded to a power of two with the base's slot on lines that nobody uses; the context to a multiple of
    ``STRIDE``. ``capture`` turns a run over fixed tensors into one that repeats it; the plain step is the oracle.
    """

    def __init__(self, forward: Forward, most_rows: int, context: int, capture: Callable[[Run], Run]) -> None:
        self._forward, self._most_rows, self._context, self._capture = forward, most_rows, context, capture
        self._inputs: dict[int, Tensor] = {}
        self._runs: dict[tuple[int, int], Run] = {}
        self._generation = forward.cache.generation

    def __call__(self, tokens: Sequence[int], fed: Sequence[int], slots: Sequence[int]) -> Tensor:
        """Feed one token to each of the first lines; logits (rows, vocabulary), overwritten by the next call."""
        rows = min(1 << (len(tokens) - 1).bit_length(), self._most_rows)
        longest = min(-(-(max(fed) + 1) // STRIDE) * STRIDE, self._context)
        unused = rows - len(tokens)
        given = [[*tokens, *[0] * unused], [*fed, *[0] * unused], [*slots, *[BASE_SLOT] * unused]]
        if rows not in self._inputs:
            self._inputs[rows] = torch.zeros(3, rows, dtype=torch.long, device=self._forward.model.device)
        inputs = self._inputs[rows]
        inputs.copy_(torch.tensor(given))
        return self._captured(rows, longest, inputs)()[: len(tokens)]

    def _captured(self, rows: int, longest: int, inputs: Tensor) -> Run:
        """The run of a shape, captured where it is new or where the cache has moved since."""
        tokens, fed, slots = inputs

        def run() -> Tensor:
            self._forward.bank.use_any(slots)
            return self._forward.run(tokens[:, None], Span(slice(0, rows), fed[:, None], longest))

        if (rows, longest) not in self._runs or self._generation != self._forward.cache.generation:
            run()  # makes room in the cache first: what is captured must not
            if self._generation != self._forward.cache.generation:
                self._runs.clear()
                self._generation = self._forward.cache.generation
            try:
                self._runs[rows, longest] = self._capture(run)
            except RuntimeError:  # a kernel that cannot be captured: the run itself, over the same tensors
                self._runs[rows, longest] = run
        return self._runs[rows, longest]


def cuda_graph(run: Run) -> Run:
    """A CUDA graph of a run over fixed tensors, after two runs beside the present stream, as PyTorch asks for."""
    beside = torch.cuda.Stream()  # type: ignore[no-untyped-call]
    beside.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(beside):
        run()
        run()
    torch.cuda.current_stream().wait_stream(beside)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        logits = run()

    def replay() -> Tensor:
        graph.replay()
        return logits

    return replay
