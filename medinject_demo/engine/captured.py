"""Steps of shapes that do not vary, captured once as CUDA graphs and replayed; the next one begun before it is asked.

Knows nothing of requests, texts or how a token is drawn.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final

import torch
from torch import Tensor

from .bank import BASE_SLOT
from .outcome import Outcome
from .routes import PlainRoute, Route, Rows, agrees
from .steps import Forward

STRIDE: Final = 256
"""Tokens of context by which the shape of a step in transformers' own code grows."""
WARM: Final = 512
"""Tokens of context for which such steps are captured before anyone asks: the study's prompts and most answers."""
_log = logging.getLogger(__name__)


Run = Callable[[], tuple[Tensor, Tensor]]
Capture = Callable[[Run], Run]
"""Turns a run over fixed tensors into one that repeats it."""
Asked = tuple[tuple[int, ...], tuple[int, ...], tuple[int, ...]]
"""Tokens, tokens fed so far and slots of the rows."""


@dataclass(frozen=True)
class Flight:
    """A step that is under way, from what the lines held then."""

    logits: Tensor
    answer: Callable[[], list[list[int]]]
    """Waits for what it told."""
    touches: int
    """Of the cache, when it was begun."""


class CapturedSteps:
    """``Forward.step`` with shapes that do not vary, captured once for each and replayed.

    Rows are padded to a power of two with the base's slot on lines that nobody uses. A run leaves its inputs as the
    next step would have them where every row is fed its best token: such a step is begun before it is asked for, while
    the host still reads the last one; where something else is asked, it is for nothing.
    """

    def __init__(
        self,
        forward: Forward,
        most_rows: int,
        context: int,
        graphs: Callable[[], Capture],
        quicker: Callable[[Forward, int], Route | None] = lambda forward, context: None,
    ) -> None:
        """``graphs`` makes what captures runs, anew when all that were captured are void.

        ``quicker`` makes another route for a model and a context, where it can; ``warm`` takes it where it agrees.
        """
        self._forward, self._most_rows, self._context = forward, most_rows, context
        self._graphs, self._quicker = graphs, quicker
        self._capture = graphs()
        self._route: Route = PlainRoute(forward)
        self._stride = STRIDE
        self._inputs: dict[int, Tensor] = {}
        self._runs: dict[tuple[int, int], Run] = {}
        self._made_for = self._state
        self._ahead: tuple[Asked, Flight] | None = None

    def feed(
        self, lines: Sequence[int], chunks: Sequence[Sequence[int]], fed: Sequence[int], slots: Sequence[int]
    ) -> None:
        """As ``Forward.feed``, which it is left to."""
        self._settle()
        self._forward.feed(lines, chunks, fed, slots)

    def step(
        self,
        tokens: Sequence[int],
        fed: Sequence[int],
        slots: Sequence[int],
        steady: bool = False,
        ready: Sequence[int] | None = None,
    ) -> Outcome:
        """Feed one token to each of the first lines.

        Where the rows are ``steady``, each will be fed its best token next, as far as anyone knows; then no logits are
        to be read.
        """
        asked = tuple(tokens), tuple(fed), tuple(slots)
        flight = self._expected(asked) or self._begun(asked)
        follows = steady and max(fed) + 2 <= self._context
        following = self._replayed(len(tokens), max(fed) + 2) if follows else None
        best, finite = flight.answer()
        if following is not None:
            self._ahead = (tuple(best), tuple(each + 1 for each in fed), tuple(slots)), following
        return Outcome(flight.logits, best, [bool(each) for each in finite]).among(ready)

    def _settle(self) -> None:
        """Let go of a step that was begun early, before anything else is written to the cache.

        Where it overflowed, what it left behind its row's end would reach others through the mask: it is taken out.
        """
        ahead, self._ahead = self._ahead, None
        if ahead is not None and not all(ahead[1].answer()[1]):
            self._forward.cache.cleanse()

    def _expected(self, asked: Asked) -> Flight | None:
        """The step that was begun early, where it is the one that is asked for."""
        ahead = self._ahead
        if ahead is not None and ahead[0] == asked and ahead[1].touches == self._forward.cache.touches:
            self._ahead = None
            return ahead[1]
        self._settle()
        return None

    def warm(self) -> None:
        """Make the whole cache, and capture what most answers need: while nobody waits and no row is in flight."""
        self._forward.reserve(self._context)
        route = self._quicker(self._forward, self._context)
        if route is not None and agrees(route, self._forward, self._most_rows, self._context):
            self._route, self._stride = route, self._context
            self._forget_runs()
        for longest in range(self._stride, min(WARM, self._context) + self._stride, self._stride):
            for power in range((self._most_rows - 1).bit_length() + 1):
                self._captured(*self._shape(1 << power, longest))

    def use_transformers(self) -> None:
        """Capture transformers' own code from now on."""
        self._settle()
        self._route, self._stride = PlainRoute(self._forward), STRIDE
        self._forget_runs()

    @property
    def _state(self) -> tuple[int, int, int]:
        """What a captured run reads: it is void where any has changed."""
        return self._forward.cache.generation, self._forward.bank.generation, self._forward.bank.top

    def _begun(self, asked: Asked) -> Flight:
        """A step of these rows, from the host's numbers."""
        rows, _ = self._shape(len(asked[0]), max(asked[1]) + 1)
        padding = (0,) * (rows - len(asked[0]))
        self._room(rows).copy_(torch.tensor([each + padding for each in asked]))
        return self._replayed(len(asked[0]), max(asked[1]) + 1)

    def _replayed(self, count: int, longest: int) -> Flight:
        """A step of so many rows from what their inputs hold."""
        logits, said = self._captured(*self._shape(count, longest))()
        return Flight(logits[:count], _answer(said[:, :count]), self._forward.cache.touches)

    def _shape(self, rows: int, tokens: int) -> tuple[int, int]:
        """The rows and the context to which so many of either are padded."""
        stride = self._stride
        return min(1 << (rows - 1).bit_length(), self._most_rows), min(-(-tokens // stride) * stride, self._context)

    def _room(self, rows: int) -> Tensor:
        """Tokens, tokens fed and slots of so many rows, (3, rows), at an address that stays."""
        if rows not in self._inputs:
            self._inputs[rows] = torch.full((3, rows), BASE_SLOT, dtype=torch.long, device=self._forward.model.device)
        return self._inputs[rows]

    def _captured(self, count: int, longest: int) -> Run:
        """The run of a shape, captured where it is new, where the cache has moved or a higher slot is in use since."""
        rows = Rows(*self._room(count))

        def run() -> tuple[Tensor, Tensor]:
            logits, said = self._route(rows, longest)
            rows.tokens.copy_(said[0])
            rows.fed.add_(1).clamp_(max=self._context - 1)
            return logits, said

        shape = count, longest
        if shape not in self._runs or self._made_for != self._state:
            given = self._inputs[count].clone()
            run()  # makes room in the cache first: what is captured must not
            if self._made_for != self._state:
                self._forget_runs()
            try:
                self._runs[shape] = self._capture(run)
            except RuntimeError as error:  # a kernel that cannot be captured: the run itself, over the same tensors
                _log.warning("a step of %d rows is not captured, and slow: %s", count, error)
                self._runs[shape] = run
            self._inputs[count].copy_(given)
        return self._runs[shape]

    def _forget_runs(self) -> None:
        """Let go of what was captured; one may be under way. A pool that lost its last graph takes no other."""
        if self._forward.model.device.type == "cuda":
            torch.cuda.synchronize()
        self._runs.clear()
        self._capture = self._graphs()
        self._made_for = self._state


def _answer(said: Tensor) -> Callable[[], list[list[int]]]:
    """Waits for a tensor of a device, without waiting for what the device does after it."""
    if said.device.type != "cuda":
        kept = said.tolist()
        return lambda: kept
    host = torch.empty(said.shape, dtype=said.dtype, pin_memory=True)
    host.copy_(said, non_blocking=True)
    there = torch.cuda.Event()  # type: ignore[no-untyped-call]
    there.record()

    def wait() -> list[list[int]]:
        there.synchronize()
        answer: list[list[int]] = host.tolist()
        return answer

    return wait


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
        graph, present = torch.cuda.CUDAGraph(), torch.cuda.current_stream()
        try:
            with torch.cuda.graph(graph, pool=self._pool, capture_error_mode="thread_local"):
                outputs = run()
        finally:  # a capture that fails may leave its own stream behind
            torch.cuda.set_stream(present)

        def replay() -> tuple[Tensor, Tensor]:
            graph.replay()
            return outputs

        return replay
