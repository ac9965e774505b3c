"""The engine on this machine: one base, its arms in the slots of a bank, all rows in one batch.

Knows nothing of prompts' kinds, votes or pages: conversations in, events out (``base.Engine``).
"""

from __future__ import annotations

import functools
import hashlib
import threading
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Final

import torch
from torch import Tensor

from ..domain import BASE, Mixture
from ..errors import InvalidValue, ModelError
from .adapter import Adapter, read_adapter
from .bank import BASE_SLOT, AdapterBank, shapes_of
from .base import ChoiceRequest, Conversation, Event, Request, require_arm, require_words
from .batch import Batcher, Row
from .cache import RowCache
from .choices import last_logits, letter_probabilities
from .decode import Draw, Transcript
from .device import device_of, dtype_of
from .loading import load_base
from .quantization import quantize_weights, require_quantization
from .scales import scales_of
from .steps import CapturedSteps, Forward, cuda_graph

LOWEST_RANK: Final = 16
"""Ranks up to this fit a bank even where the first adapters are thinner, so that another can be swapped in."""


@dataclass(frozen=True)
class Base:
    """Where a base came from: what its adapters' fingerprints and scales depend on, in whatever precision it runs."""

    name: str
    fingerprint: str
    stored: Any = field(repr=False)
    """The model while it holds the weights as they are stored; None once they are cast or quantised."""

    def joined(self, adapter: Adapter) -> str:
        """Hash of an adapter and the base together, 16 hexadecimal digits."""
        return hashlib.sha256(f"{self.fingerprint} {adapter.fingerprint}".encode()).hexdigest()[:16]

    def scales(self, adapter: Adapter, folder: Path) -> dict[str, Tensor]:
        """The scales of an adapter's layers, where they must be computed from the weights as they are stored."""

        @functools.cache
        def whole() -> Any:
            return load_base(self.name)[0] if self.stored is None else self.stored

        return scales_of(adapter, self.joined(adapter), folder, lambda name: whole().get_submodule(name).weight)


class LocalEngine:
    """Answers of several arms of one base, in one batch. Made by ``load``."""

    def __init__(self, model: Any, tokenizer: Any, base: Base, *, slots: int, rank: int, rows: int, context: int):
        self._model, self._tokenizer, self._base, self._context = model, tokenizer, base, context
        self._shapes = shapes_of(model)
        self._bank = AdapterBank(model, slots, rank)
        self._prints = {BASE: base.fingerprint}
        self._slots = {BASE: BASE_SLOT}
        self._users: dict[int, int] = {}
        self._lock = threading.Lock()
        forward = Forward(model, self._bank, RowCache(rows, context))
        step = CapturedSteps(forward, rows, context, cuda_graph) if model.device.type == "cuda" else forward.step
        self._batcher = Batcher(
            forward,
            _stops(model, tokenizer),
            most_rows=rows,
            context=context,
            step=step,
            # quanto's four-bit tensors cannot be read in inference mode
            no_gradients=torch.inference_mode if base.stored is not None else torch.no_grad,
        )

    @classmethod
    def load(
        cls,
        base: str,
        adapters: Mapping[Mixture, Path],
        *,
        device: str = "auto",
        dtype: str = "auto",
        quantization: str = "none",
        max_rows: int = 64,
        max_context: int | None = None,
    ) -> LocalEngine:
        """Load a base and its arms, and check that each arm answers otherwise than the base and than the others.

        Scales are computed from the weights as they are stored, before these are cast or quantised; a quantised base is
        made on the CPU, so that the device never holds it whole.

        Raises:
            ModelError: the base or an adapter cannot be loaded or honoured exactly, or two arms are the same.
            InvalidValue: a setting is none of those that are known.
        """
        require_quantization(quantization)
        where = device_of(device)
        precision = dtype_of(dtype, where)
        model: Any
        model, tokenizer = load_base(base)  # in evaluation mode
        model.requires_grad_(False)
        _move(model, where if quantization == "none" else torch.device("cpu"))
        origin = Base(base, _base_print(base, model), model)
        shapes = shapes_of(model)
        read = {mixture: read_adapter(folder, shapes) for mixture, folder in adapters.items()}
        scales = {mixture: origin.scales(read[mixture], folder) for mixture, folder in adapters.items()}
        if quantization != "none" or model.dtype != precision:
            origin = replace(origin, stored=None)
        quantize_weights(model.to(precision), quantization)
        _move(model, where)
        context = min(max_context or 4096, int(getattr(model.config, "max_position_embeddings", 4096)))
        rank = max([LOWEST_RANK, *(adapter.rank for adapter in read.values())])
        engine = cls(model, tokenizer, origin, slots=len(read) + 3, rank=rank, rows=max_rows, context=context)
        for mixture, adapter in read.items():
            engine._install(mixture, adapter, scales[mixture])
        engine._require_different_arms()
        return engine

    @property
    def mixtures(self) -> tuple[Mixture, ...]:
        """The arms that can answer, the base first."""
        return tuple(
            sorted(self._slots, key=lambda mixture: (sum(mixture.levels), [-level for level in mixture.levels]))
        )

    def fingerprint(self, mixture: Mixture) -> str:
        """Hash of the adapter's tensors and the base's, 16 hexadecimal digits."""
        require_arm(mixture, self.mixtures)
        return self._prints[mixture]

    def stream(self, requests: Sequence[Request]) -> Iterator[Event]:
        """Answer all requests at once; closing the iterator frees their rows within a step.

        Raises:
            ModelError: an arm is not there, or too many rows wait.
            InvalidValue: a conversation is empty, or longer than the context.
        """
        prompts = [self._tokens(request.messages) for request in requests]
        for request in requests:
            require_arm(request.mixture, self.mixtures)
        with self._lock:
            rows = [self._row(place, *each) for place, each in enumerate(zip(requests, prompts, strict=True))]
        try:
            return self._batcher.submit(rows).events()
        except ModelError:
            for row in rows:
                row.leave()
            raise

    def option_probabilities(self, requests: Sequence[ChoiceRequest]) -> list[dict[str, float]]:
        """Each letter's probability as the next token, written with or without a space before it; one forward."""
        if not requests:
            return []
        prompts = [self._tokens(request.messages) for request in requests]
        for request in requests:
            require_arm(request.mixture, self.mixtures)
        logits = self._next_logits(prompts, [request.mixture for request in requests])
        return [
            letter_probabilities(self._tokenizer, row, request.letters)
            for row, request in zip(logits, requests, strict=True)
        ]

    def swap(self, mixture: Mixture, folder: Path) -> None:
        """Put another adapter in an arm's place; rows in flight finish with what they began with.

        Raises:
            ModelError: the adapter cannot be honoured exactly, or every slot is still in use.
        """
        if mixture == BASE:
            raise InvalidValue.of("arm", expected="an arm with an adapter", got="the base", remedy="Load another base.")
        adapter = read_adapter(folder, self._shapes)
        if adapter.rank > self._bank.rank:
            raise ModelError.of(
                f"adapter {str(folder)!r}",
                expected=f"a rank up to {self._bank.rank}",
                got=str(adapter.rank),
                remedy="Start the engine with it, so that room is made.",
            )
        self._install(mixture, adapter, self._base.scales(adapter, folder))

    def close(self) -> None:
        """End the thread; rows in flight finish as cancelled."""
        self._batcher.close()

    def _install(self, mixture: Mixture, adapter: Adapter, scales: Mapping[str, Tensor]) -> None:
        with self._lock:
            slot = self._bank.take()
        if slot is None:
            raise ModelError.of("swap", expected="a free slot", got="none", remedy="Try again in a moment.")
        self._batcher.between_steps(lambda: self._bank.put(slot, adapter.layers, scales))
        with self._lock:
            old = self._slots.get(mixture)
            self._slots[mixture] = slot
            self._prints[mixture] = self._base.joined(adapter)
            if old is not None and not self._users.get(old):
                self._bank.free(old)

    def _row(self, place: int, request: Request, prompt: list[int]) -> Row:
        slot = self._slots[request.mixture]
        self._users[slot] = self._users.get(slot, 0) + 1
        return Row(
            place,
            prompt,
            slot,
            Draw(request.sampling, set(prompt)),
            Transcript(self._tokenizer),
            request.sampling.max_new_tokens,
            lambda: self._left(slot),
        )

    def _left(self, slot: int) -> None:
        with self._lock:
            self._users[slot] -= 1
            if not self._users[slot] and slot not in self._slots.values():
                self._bank.free(slot)

    def _tokens(self, messages: Conversation) -> list[int]:
        require_words(messages)
        said = [dict(message) for message in messages]
        encoded = self._tokenizer.apply_chat_template(said, add_generation_prompt=True, return_dict=True)
        prompt: list[int] = list(encoded["input_ids"])
        if len(prompt) >= self._context:
            raise InvalidValue.of(
                "prompt",
                expected=f"fewer than {self._context} tokens, the conversation so far included",
                got=str(len(prompt)),
                remedy="Shorten it, or begin a new conversation.",
            )
        return prompt

    def _next_logits(self, prompts: Sequence[Sequence[int]], mixtures: Sequence[Mixture]) -> Tensor:
        """Logits after each prompt by its arm, (rows, vocabulary), in one forward between two steps."""

        def forward() -> Tensor:
            self._bank.use([self._slots[mixture] for mixture in mixtures])
            return last_logits(self._model, prompts)

        return self._batcher.between_steps(forward)

    def _require_different_arms(self) -> None:
        """Raises ModelError where two arms give the same logits, as an adapter dropped in silence would."""
        asked: Conversation = ({"role": "user", "content": "Quel est le traitement de la grippe ?"},)
        arms = self.mixtures
        logits = self._next_logits([self._tokens(asked)] * len(arms), arms)
        for place, one in enumerate(arms):
            for other in arms[place + 1 :]:
                if torch.equal(logits[place], logits[arms.index(other)]):
                    raise ModelError.of(
                        f"arms {one} and {other}",
                        expected="answers that differ",
                        got="the same logits",
                        remedy="Check their adapters: one may be empty, or a copy of the other.",
                    )


def _stops(model: Any, tokenizer: Any) -> frozenset[int]:
    """The tokens that end an answer."""
    named = model.generation_config.eos_token_id
    several = named if isinstance(named, list) else [named]
    return frozenset(each for each in (*several, tokenizer.eos_token_id) if each is not None)


def _move(model: Any, device: torch.device) -> None:
    try:
        model.to(device)
    except torch.OutOfMemoryError as error:
        raise ModelError.of(
            f"device {device}",
            expected="room for the base",
            got="out of memory",
            remedy="Quantise it (int8 or int4), or use a smaller one.",
        ) from error


def _base_print(base: str, model: Any) -> str:
    """Hash of a base: its weight files' bytes, or its name and commit where it comes from the Hub."""
    folder = Path(base)
    digest = hashlib.sha256()
    if not folder.is_dir():
        digest.update(f"{base}@{getattr(model.config, '_commit_hash', None)}".encode())
    for path in sorted(folder.glob("*.safetensors")):
        with path.open("rb") as file:
            digest.update(hashlib.file_digest(file, "sha256").digest())
    return digest.hexdigest()[:16]
