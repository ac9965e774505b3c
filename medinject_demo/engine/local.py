"""The engine on this machine: one base, its arms in the slots of a bank, all rows in one batch.

Knows nothing of prompts' kinds, votes or pages: conversations in, events out (``base.Engine``).
"""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from ..domain import BASE, Mixture
from ..errors import InvalidValue, ModelError
from .adapter import Adapter, read_adapter
from .bank import BASE_SLOT, AdapterBank, shapes_of
from .base import ChoiceRequest, Conversation, Event, Request, require_arm, require_words
from .batch import Batcher, Row
from .decode import Draw, Transcript
from .loading import load_base

LOWEST_RANK: Final = 16
"""Ranks up to this fit a bank even where the first adapters are thinner, so that another can be swapped in."""


class LocalEngine:
    """Answers of several arms of one base, in one batch. Made by ``load``."""

    def __init__(self, model: Any, tokenizer: Any, base_print: str, *, slots: int, rank: int, rows: int, context: int):
        self._model, self._tokenizer, self._context = model, tokenizer, context
        self._shapes = shapes_of(model)
        self._bank = AdapterBank(model, slots, rank)
        self._prints = {BASE: base_print}
        self._slots = {BASE: BASE_SLOT}
        self._users: dict[int, int] = {}
        self._lock = threading.Lock()
        self._batcher = Batcher(model, self._bank, _stops(model, tokenizer), most_rows=rows, context=context)

    @classmethod
    def load(
        cls,
        base: str,
        adapters: Mapping[Mixture, Path],
        *,
        device: str = "auto",
        dtype: str = "auto",
        max_rows: int = 64,
        max_context: int | None = None,
    ) -> LocalEngine:
        """Load a base and its arms, and check that each arm answers otherwise than the base and than the others.

        Raises:
            ModelError: the base or an adapter cannot be loaded or honoured exactly, or two arms are the same.
            InvalidValue: a setting is none of those that are known.
        """
        where = _device(device)
        model: Any
        model, tokenizer = load_base(base)
        model.requires_grad_(False).to(_dtype(dtype, where)).to(where)  # transformers loads in evaluation mode
        context = min(max_context or 4096, int(getattr(model.config, "max_position_embeddings", 4096)))
        shapes = shapes_of(model)
        read = {mixture: read_adapter(folder, shapes) for mixture, folder in adapters.items()}
        rank = max([LOWEST_RANK, *(adapter.rank for adapter in read.values())])
        engine = cls(
            model, tokenizer, _base_print(base), slots=len(read) + 3, rank=rank, rows=max_rows, context=context
        )
        for mixture, adapter in read.items():
            engine._install(mixture, adapter, adapters[mixture])
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
        return self._batcher.submit(rows).events()

    def option_probabilities(self, requests: Sequence[ChoiceRequest]) -> list[dict[str, float]]:
        """Each letter's probability as the next token, written with or without a space before it; one forward."""
        if not requests:
            return []
        prompts = [self._tokens(request.messages) for request in requests]
        for request in requests:
            require_arm(request.mixture, self.mixtures)
        logits = self._batcher.between_steps(lambda: self._last_logits(prompts, requests))
        return [self._weighed(row, request.letters) for row, request in zip(logits, requests, strict=True)]

    def swap(self, mixture: Mixture, folder: Path) -> None:
        """Put another adapter in an arm's place; rows in flight finish with what they began with.

        Raises:
            ModelError: the adapter cannot be honoured exactly, or every slot is still in use.
        """
        if mixture == BASE:
            raise InvalidValue.of("arm", expected="an arm with an adapter", got="the base", remedy="Load another base.")
        self._install(mixture, read_adapter(folder, self._shapes), folder)

    def close(self) -> None:
        """End the thread; rows in flight finish as cancelled."""
        self._batcher.close()

    def _install(self, mixture: Mixture, adapter: Adapter, folder: Path) -> None:
        if adapter.rank > self._bank.rank:
            raise ModelError.of(
                f"adapter {str(folder)!r}",
                expected=f"a rank up to {self._bank.rank}",
                got=str(adapter.rank),
                remedy="Start the engine with it, so that room is made.",
            )
        scales = self._scales(adapter, folder)
        with self._lock:
            slot = self._bank.take()
            if slot is None:
                raise ModelError.of("swap", expected="a free slot", got="none", remedy="Try again in a moment.")
        self._batcher.between_steps(lambda: self._bank.put(slot, adapter.layers, scales))
        with self._lock:
            old = self._slots.get(mixture)
            self._slots[mixture] = slot
            self._prints[mixture] = self._print_on_base(adapter)
            if old is not None and not self._users.get(old):
                self._bank.free(old)

    def _print_on_base(self, adapter: Adapter) -> str:
        """Hash of an adapter and the base together."""
        return hashlib.sha256(f"{self._prints[BASE]} {adapter.fingerprint}".encode()).hexdigest()[:16]

    def _scales(self, adapter: Adapter, folder: Path) -> dict[str, Tensor]:
        """The scales of an adapter, from beside it where an earlier start left them for the same tensors and base."""
        kept = folder / f"scales-{self._print_on_base(adapter)}.safetensors"
        try:
            with safe_open(kept, "pt") as file:
                return {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118, not a dictionary
        except (OSError, SafetensorError):
            layers = self._bank.layers
            scales = {name: each.scale(layers[name].weight) for name, each in adapter.layers.items()}
        try:
            save_file(scales, kept)
        except (OSError, SafetensorError):
            kept.unlink(missing_ok=True)  # a read-only folder: computed again at the next start
        return scales

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

    def _last_logits(self, prompts: Sequence[list[int]], requests: Sequence[ChoiceRequest]) -> Tensor:
        """Logits after each prompt, (rows, vocabulary), padded on the left."""
        longest, device = max(map(len, prompts)), self._model.device
        ids = torch.tensor([[0] * (longest - len(prompt)) + prompt for prompt in prompts], device=device)
        seen = torch.tensor([[0] * (longest - len(prompt)) + [1] * len(prompt) for prompt in prompts], device=device)
        self._bank.use(torch.tensor([self._slots[request.mixture] for request in requests], device=device))
        output = self._model(
            input_ids=ids,
            attention_mask=seen,
            position_ids=(seen.cumsum(-1) - 1).clamp(min=0),
            use_cache=False,
            logits_to_keep=1,
        )
        logits: Tensor = output.logits[:, -1].float().cpu()
        return logits

    def _weighed(self, logits: Tensor, letters: str) -> dict[str, float]:
        ways = [{self._tokenizer.encode(way, add_special_tokens=False)[-1] for way in (x, f" {x}")} for x in letters]
        ids = sorted(set().union(*ways))
        chances = dict(zip(ids, logits[ids].double().softmax(-1).tolist(), strict=True))
        return {letter: sum(chances[each] for each in way) for letter, way in zip(letters, ways, strict=True)}

    def _require_different_arms(self) -> None:
        """Raises ModelError where two arms give the same logits, as an adapter dropped in silence would."""
        asked: Conversation = ({"role": "user", "content": "Quel est le traitement de la grippe ?"},)
        arms = self.mixtures
        requests = [ChoiceRequest(asked, mixture, "A") for mixture in arms]
        prompt = self._tokens(asked)
        logits = self._batcher.between_steps(lambda: self._last_logits([prompt] * len(arms), requests))
        for place, one in enumerate(arms):
            for other in arms[place + 1 :]:
                if torch.equal(logits[place], logits[arms.index(other)]):
                    raise ModelError.of(
                        f"arms {one} and {other}",
                        expected="answers that differ",
                        got="the same logits",
                        remedy="Check their adapters: one may be empty, or a copy of the other.",
                    )


def _device(name: str) -> torch.device:
    try:
        return torch.device(("cuda" if torch.cuda.is_available() else "cpu") if name == "auto" else name)
    except RuntimeError as error:
        raise InvalidValue.of("device", expected="auto, cpu or cuda", got=repr(name)) from error


def _dtype(name: str, device: torch.device) -> torch.dtype:
    """bf16 where the device has it, fp16 on an older GPU, fp32 on a CPU."""
    if name == "auto":
        if device.type != "cuda":
            return torch.float32
        return torch.bfloat16 if torch.cuda.is_bf16_supported(including_emulation=False) else torch.float16
    known = {"fp32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}
    if name not in known:
        raise InvalidValue.of("dtype", expected=f"auto, {', '.join(known)}", got=repr(name))
    return known[name]


def _stops(model: Any, tokenizer: Any) -> frozenset[int]:
    """The tokens that end an answer."""
    named = model.generation_config.eos_token_id
    several = named if isinstance(named, list) else [named]
    return frozenset(each for each in (*several, tokenizer.eos_token_id) if each is not None)


def _base_print(base: str) -> str:
    """Hash of a base: its weight files' bytes, or its name and revision's snapshot where it comes from the Hub."""
    folder = Path(base)
    digest = hashlib.sha256(b"" if folder.is_dir() else base.encode())
    for path in sorted(folder.glob("*.safetensors")) if folder.is_dir() else ():
        with path.open("rb") as file:
            digest.update(hashlib.file_digest(file, "sha256").digest())
    return digest.hexdigest()[:16]
