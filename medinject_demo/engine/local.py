"""The engine on this machine: one base, its arms in the slots of a bank, all rows in one batch.

Knows nothing of prompts' kinds, votes or pages: conversations in, events out (``base.Engine``).
"""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence
from contextlib import closing
from pathlib import Path
from typing import Final

import torch
from torch import Tensor

from ..domain import BASE, Mixture
from ..errors import InvalidValue
from .adapter import Adapter
from .bank import AdapterBank
from .base import ChoiceRequest, Conversation, Events, Request, require_arm, require_letters
from .batch import Batcher
from .cache import RowCache
from .captured import CapturedSteps, CudaGraphs
from .choices import letter_probabilities
from .decode import Draw, Transcript
from .device import device_of, dtype_of, return_freed
from .distinct import SAMPLE, require_different
from .fused import fused_route
from .layout import known_tokens, prompt_tokens
from .loading import stops_of
from .native import FEWEST, native_steps
from .pieces import MOST, Pieces
from .prepare import Prepared, prepare, read_for, require_fits
from .quantization import require_quantization
from .room import SHORTEST, Room, room_of
from .rows import Row, require_told
from .steps import Forward, Steps
from .tenancy import Pending, Tenancy

LOWEST_RANK: Final = 16
"""Ranks up to this fit a bank even where the first adapters are thinner, so that another can be swapped in."""
SPARE: Final = 2
"""Slots beyond one for each arm: a swap fills one while rows in flight still use the old."""
GPU_PIECE: Final = 2048
"""Prompt tokens of one step on a GPU: a whole comparison's at once, in the time of some thirty tokens."""
CONTEXT: Final = 4096
"""Tokens of a row, prompt and answer, where nobody asks for another number."""


class LocalEngine:
    """Answers of several arms of one base, in one batch. Made by ``load``."""

    def __init__(self, prepared: Prepared, bank: AdapterBank, room: Room) -> None:
        self._model, self._tokenizer, self._base = prepared.model, prepared.tokenizer, prepared.base
        self._shapes, self._bank, self.room = prepared.shapes, bank, room
        self._tenancy = Tenancy(bank, prepared.base.fingerprint)
        self._forward = forward = Forward(self._model, bank, RowCache(room.rows, room.context))
        on_cuda = self._model.device.type == "cuda"
        self._captured = CapturedSteps(forward, room.rows, room.context, CudaGraphs, fused_route) if on_cuda else None
        self._batcher = Batcher(
            forward,
            stops_of(self._model, self._tokenizer),
            room=room,
            pieces=Pieces(GPU_PIECE, GPU_PIECE) if on_cuda else None,
            steps=self._captured,
            # quanto's four-bit tensors cannot be read in inference mode
            no_gradients=torch.inference_mode if self._base.stored is not None else torch.no_grad,
        )

    @classmethod
    def load(
        cls,
        base: str,
        adapters: Mapping[Mixture, Path],
        *,
        device: str = "auto",
        dtype: str = "auto",
        quantization: str | None = None,
        max_rows: int = 64,
        max_context: int | None = None,
    ) -> LocalEngine:
        """Load a base and its arms, and check that each arm answers otherwise than the base and than the others.

        Where memory does not hold the keys and values of ``max_rows`` rows of ``max_context`` tokens, fewer rows are in
        flight at once, and a context that was left to the engine is shorter: ``room`` says so.

        Raises:
            ModelError: the base or an adapter cannot be loaded or honoured exactly, two arms are the same, or there is
                no room for what was asked.
            InvalidValue: a setting is none of those that are known.
        """
        held = quantization or "none"
        require_quantization(held)
        for mixture in adapters:
            _require_adapted(mixture)
        wanted = Room(max_rows, CONTEXT if max_context is None else max_context)
        for name, given in (("max_rows", wanted.rows), ("max_context", wanted.context)):
            if given < 1:
                raise InvalidValue.of(name, expected="at least 1", got=str(given))
        where = device_of(device)
        prepared = prepare(base, adapters, where, dtype_of(dtype, where), held)
        rank = max(LOWEST_RANK, prepared.rank)
        # the quicker steps take powers of two on a GPU, and on a processor multiples of its vectors
        rank = 1 << (rank - 1).bit_length() if where.type == "cuda" else -(-rank // LOWEST_RANK) * LOWEST_RANK
        bank = AdapterBank(prepared.model, len(adapters), rank, prepared.targets, spare=SPARE)
        room = room_of(prepared, wanted, SHORTEST if max_context is None else wanted.context)
        engine = cls(prepared, bank, room)
        try:
            for mixture, folder in adapters.items():
                adapter = read_for(prepared.base, folder, prepared.shapes)
                engine._filled(mixture, adapter, prepared.scales[mixture]).settle()
            engine._batcher.between_steps(engine._quicken)  # now, rather than at a visitor's first token
            require_different(engine.mixtures, engine.logits([Request(SAMPLE, arm) for arm in engine.mixtures]))
            return_freed()
        except BaseException:
            engine.close()
            raise
        return engine

    @property
    def mixtures(self) -> tuple[Mixture, ...]:
        """The arms that can answer, the base first."""
        return self._tenancy.mixtures

    @property
    def precision(self) -> str:
        """The kind of device and the numbers it computes in, such as ``cuda bfloat16``."""
        return f"{self._model.device.type} {self._forward.precision}".replace("torch.", "")

    def fingerprint(self, mixture: Mixture) -> str:
        """Hash of the adapter's tensors and the base's, 16 hexadecimal digits."""
        return self._tenancy.fingerprint(mixture)

    def stream(self, requests: Sequence[Request]) -> Events:
        """Answer all requests at once; closing the iterator frees their rows within a step.

        Raises:
            ModelError: an arm is not there, or too many rows wait.
            InvalidValue: a conversation is empty, or longer than the context.
        """
        return self._begun(requests, self._prompts(requests), [None] * len(requests))

    def option_probabilities(self, requests: Sequence[ChoiceRequest]) -> list[dict[str, float]]:
        """Each letter's probability as the next token, written with or without a space before it.

        Raises:
            ModelError: an arm is not there, too many rows wait, or the forward fails.
            InvalidValue: a conversation is empty or longer than the context, or letters are none.
        """
        for request in requests:
            require_letters(request.letters)
        logits = self.logits([Request(request.messages, request.mixture) for request in requests])
        return [
            letter_probabilities(self._tokenizer, row, request.letters)
            for row, request in zip(logits, requests, strict=True)
        ]

    def logits(self, requests: Sequence[Request]) -> Tensor:
        """Logits after each prompt by its arm, (rows, vocabulary), in fp32 on the CPU.

        Each prompt is a row among those that are answered: all in one batch, as many at once as the engine has rows,
        and fed by the same bounded pieces, so that no answer stands still for them.

        Raises:
            ModelError, InvalidValue: as ``option_probabilities``.
        """
        prompts, told = self._prompts(requests), [list[Tensor]() for _ in requests]
        for start in range(0, len(requests), self.room.rows):
            few = slice(start, start + self.room.rows)
            with closing(self._begun(requests[few], prompts[few], told[few])) as events:
                for end in events:
                    require_told(end, requests[start + end.row].mixture)
        return torch.stack([logits for (logits,) in told]) if told else torch.empty(0, 0)

    def scales(self, mixture: Mixture) -> dict[str, Tensor]:
        """A copy of the scales that answer for an arm, (outputs) by layer, in fp32 on the CPU."""
        require_arm(mixture, self.mixtures)
        return self._bank.scales(self._tenancy.slot(mixture))

    def swap(self, mixture: Mixture, folder: Path) -> None:
        """Put another adapter in an arm's place; rows in flight finish with what they began with.

        Raises:
            ModelError: the adapter cannot be honoured exactly, or every slot is still in use.
        """
        self.prepare(mixture, folder).settle()

    def prepare(self, mixture: Mixture, folder: Path) -> Pending:
        """The first half of a swap: an adapter in a slot of its own, that answers once it is settled.

        Raises:
            ModelError: as ``swap``.
        """
        _require_adapted(mixture)
        adapter = read_for(self._base, folder, self._shapes)
        require_fits(adapter, self._bank.rank, self._bank.layers)
        return self._filled(mixture, adapter, self._base.scales(adapter, folder), keep=1)

    def use_transformers(self) -> None:
        """Go on by transformers' own forward, which is the oracle of what is quicker."""
        if self._captured is not None:
            self._batcher.between_steps(self._captured.use_transformers)
        else:
            self._batcher.between_steps(functools.partial(self._go_on_by, self._forward, Pieces(MOST, MOST)))

    @property
    def rows_in_use(self) -> int:
        """Rows that wait for an answer or are being answered."""
        return self._tenancy.users

    @property
    def is_open(self) -> bool:
        """False once the engine was closed, or its thread has ended by a fault."""
        return self._batcher.is_open

    def close(self) -> None:
        """End the thread; rows in flight finish as cancelled."""
        self._batcher.close()

    def _quicken(self) -> None:
        """Take a quicker way than transformers' where this machine has one that agrees with it."""
        if self._captured is not None:
            self._captured.warm()
        elif (native := native_steps(self._forward, self.room.context)) is not None:
            self._go_on_by(native, Pieces(FEWEST, MOST))

    def _go_on_by(self, steps: Steps, pieces: Pieces) -> None:
        """Feed rows by other steps, and prompts by other pieces; on the thread that owns the model."""
        self._batcher.steps, self._batcher.pieces = steps, pieces

    def _filled(self, mixture: Mixture, adapter: Adapter, scales: Mapping[str, Tensor], *, keep: int = 0) -> Pending:
        pending = self._tenancy.take(mixture, self._base.joined(adapter), keep=keep)
        try:
            self._batcher.between_steps(lambda: self._bank.put(pending.slot, adapter.layers, scales))
        except BaseException:
            pending.drop()
            raise
        return pending

    def _prompts(self, requests: Sequence[Request]) -> list[list[int]]:
        """The tokens of each conversation, once all requests are found to be such as can be answered."""
        prompts = [self._tokens(request.messages) for request in requests]
        for request in requests:
            require_arm(request.mixture, self.mixtures)
        return prompts

    def _begun(
        self, requests: Sequence[Request], prompts: Sequence[list[int]], told: Sequence[list[Tensor] | None]
    ) -> Events:
        """Rows on their way, each to an answer, or to its logits where there is a place for them."""
        slots = self._tenancy.hold([request.mixture for request in requests])
        try:
            rows = [self._row(n, *each) for n, each in enumerate(zip(requests, prompts, slots, told, strict=True))]
            return self._batcher.submit(rows).events()
        except BaseException:  # nobody will finish them
            for slot in slots:
                self._tenancy.leave(slot)
            raise

    def _row(self, number: int, request: Request, prompt: list[int], slot: int, told: list[Tensor] | None) -> Row:
        return Row(
            number,
            prompt,
            slot,
            Draw(request.sampling, set(prompt)),
            Transcript(self._tokenizer),
            request.sampling.max_new_tokens,
            functools.partial(self._tenancy.leave, slot),
            told,
        )

    def _tokens(self, messages: Conversation) -> list[int]:
        prompt = prompt_tokens(self._tokenizer, messages, known_tokens(self._model))
        if len(prompt) >= self.room.context:
            raise InvalidValue.of(
                "prompt",
                expected=f"fewer than {self.room.context} tokens, the conversation so far included",
                got=str(len(prompt)),
                remedy="Shorten it, or begin a new conversation.",
            )
        return prompt


def _require_adapted(mixture: Mixture) -> None:
    """Raises InvalidValue where an arm is the base, which has no adapter."""
    if mixture == BASE:
        raise InvalidValue.of("arm", expected="an arm with an adapter", got="the base", remedy="Load another base.")
