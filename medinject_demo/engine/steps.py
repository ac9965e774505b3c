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
WARM: Final = 512
"""Tokens of context for which steps are captured before anyone asks: the study's prompts and most answers."""

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
        self.bank.use(slots)
        return self.run(ids, Span(which, positions, max(fed) + ids.shape[1]))

    def step(self, tokens: Sequence[int], fed: Sequence[int], slots: Sequence[int]) -> Tensor:
        """Feed one token to each of the first lines; logits (rows, vocabulary)."""
        return self.chunk(range(len(tokens)), [[token] for token in tokens], fed, slots)

    def reserve(self, tokens: int) -> None:
        """Make lines of so many tokens now, by feeding one token to the first; while no row is in flight."""
        ids = torch.zeros(1, 1, dtype=torch.long, device=self.model.device)
        self.bank.use([BASE_SLOT])
        self.run(ids, Span(slice(0, 1), ids, tokens))

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
        self._made_for = self._state

    def __call__(self, tokens: Sequence[int], fed: Sequence[int], slots: Sequence[int]) -> Tensor:
        """Feed one token to each of the first lines; logits (rows, vocabulary), overwritten by the next call."""
        rows, longest = self._shape(len(tokens), max(fed) + 1)
        unused = rows - len(tokens)
        given = [[*tokens, *[0] * unused], [*fed, *[0] * unused], [*slots, *[BASE_SLOT] * unused]]
        inputs = self._room(rows)
        inputs.copy_(torch.tensor(given))
        return self._captured(rows, longest, inputs)()[: len(tokens)]

    def warm(self) -> None:
        """Make the whole cache, and capture every number of rows at ``WARM`` tokens or less: while nobody waits.

        Longer contexts are captured when a row first reaches them. To be called while no row is in flight.
        """
        self._forward.reserve(self._context)
        for longest in range(STRIDE, min(WARM, self._context) + STRIDE, STRIDE):
            for power in range((self._most_rows - 1).bit_length() + 1):
                rows, tokens = self._shape(1 << power, longest)
                self._captured(rows, tokens, self._room(rows))

    @property
    def _state(self) -> tuple[int, int]:
        """What a captured run reads: it is void where either has changed."""
        return self._forward.cache.generation, self._forward.bank.top

    def _shape(self, rows: int, tokens: int) -> tuple[int, int]:
        """The rows and the context to which so many of either are padded."""
        return min(1 << (rows - 1).bit_length(), self._most_rows), min(-(-tokens // STRIDE) * STRIDE, self._context)

    def _room(self, rows: int) -> Tensor:
        """Tokens, tokens fed and slots of so many rows, (3, rows), at an address that stays."""
        if rows not in self._inputs:
            self._inputs[rows] = torch.zeros(3, rows, dtype=torch.long, device=self._forward.model.device)
        return self._inputs[rows]

    def _captured(self, rows: int, longest: int, inputs: Tensor) -> Run:
        """The run of a shape, captured where it is new, where the cache has moved or a higher slot is in use since."""
        tokens, fed, slots = inputs

        def run() -> Tensor:
            self._forward.bank.use_any(slots)
            return self._forward.run(tokens[:, None], Span(slice(0, rows), fed[:, None], longest))

        shape = rows, longest
        if shape not in self._runs or self._made_for != self._state:
            run()  # makes room in the cache first: what is captured must not
            if self._made_for != self._state:
                self._runs.clear()
                self._made_for = self._state
            try:
                self._runs[shape] = self._capture(run)
            except RuntimeError:  # a kernel that cannot be captured: the run itself, over the same tensors
                self._runs[shape] = run
        return self._runs[shape]


class CudaGraphs:
    """Captures runs as CUDA graphs that share one pool of memory: only one is replayed at a time.

    Another thread may allocate meanwhile, as a swap that computes scales does: the capture minds its own thread only.
    """

    def __init__(self) -> None:
        self._pool: Any = None

    def __call__(self, run: Run) -> Run:
        """A graph of a run over fixed tensors, after two runs beside the present stream, as PyTorch asks for."""
        if self._pool is None:
            self._pool = torch.cuda.graph_pool_handle()
        beside = torch.cuda.Stream()  # type: ignore[no-untyped-call]
        beside.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(beside):
            run()
            run()
        torch.cuda.current_stream().wait_stream(beside)
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(graph, pool=self._pool, capture_error_mode="thread_local"):
            logits = run()

        def replay() -> Tensor:
            graph.replay()
            return logits

        return replay
