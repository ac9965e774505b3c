"""What the lines of one table share: the subject, the work, the engine under test, loaded once.

Knows nothing of baselines or tables.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from ...domain import ARMS, FinishReason, Mixture, Sampling
from ...errors import ModelError
from ..base import Delta, Engine, Event, Finished, Request
from ..loading import first_line
from .measure import Clock
from .subject import Subject

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

    from ..local import LocalEngine


@dataclass(frozen=True)
class Work:
    """What is asked for. The defaults are those of a CPU."""

    prompt: int = 64
    """Tokens of a prompt."""
    tokens: int = 64
    """New tokens of an answer."""
    rows: int = 8
    """Answers of one batch, each through an adapter."""
    most_rows: int = 32
    """Places of the engine."""
    row_counts: tuple[int, ...] = (2, 8)
    """Batches whose tokens a second are told."""
    visitors: int = 16
    """Visitors at once, two rows each."""
    sequential: int = 4
    """Answers in one sample of peft's sequential way, the rest of the batch counted in proportion; which
    ones take turns, so that every answer is compared."""
    sequential_tokens: int = 64
    """New tokens, at most, where peft's sequential way is compared: on a GPU one of its answers takes seconds."""
    mixed_tokens: int = 64
    """New tokens, at most, where peft's mixed batch is compared."""
    buffer: int = 2**29
    """Bytes copied to learn the bandwidth."""

    @property
    def context(self) -> int:
        """Tokens for which the engine makes room: prompt and answer, in steps of 64."""
        return -(-(self.prompt + self.tokens) // 64) * 64


def work_on(device: str, tokens: int | None) -> Work:
    """The usual work of a device; on CUDA that of the table of goals (prompt 200, 256 new tokens)."""
    if device == "cpu":
        return Work(tokens=tokens or 64)
    counts, enough = (2, 8, 32, 64), 2**30  # one answer of peft takes seconds there: one a sample
    return Work(200, tokens or 256, most_rows=64, row_counts=counts, sequential=1, buffer=enough)


@dataclass
class Stage:
    """One table's worth of things; ``close`` gives the engine back."""

    subject: Subject
    work: Work
    device: str
    dtype: str
    """``fp32``, ``bf16`` or ``fp16``."""
    quantization: str
    repeats: int
    clock: Clock
    device_name: str = ""
    _loaded: list[LocalEngine | str] = field(default_factory=list)
    """The engine, or why there is none; nothing before it is asked for."""

    @property
    def engine(self) -> LocalEngine:
        """The engine under test with all arms: loaded when first asked for, and anew where a fault has ended it.

        A failure to load is told again, not retried; as a sentence, for its trace would hold what was half loaded.
        """
        if any(not isinstance(each, str) and not each.is_open for each in self._loaded):
            self.close()
        if not self._loaded:
            try:
                self._loaded.append(self.load(self.work.most_rows, self.work.context))
            except Exception as error:  # of any library: each line that needs an engine tells it
                self._loaded.append(first_line(error))
                raise
        loaded = self._loaded[0]
        if isinstance(loaded, str):
            raise ModelError(loaded)
        return loaded

    def load(self, rows: int, context: int) -> LocalEngine:
        """An engine of the subject."""
        from ..local import LocalEngine

        given: dict[str, Any] = {} if self.quantization == "none" else {"quantization": self.quantization}
        return LocalEngine.load(
            str(self.subject.base),
            self.subject.dora,
            device=self.device,
            dtype=self.dtype,
            max_rows=rows,
            max_context=context,
            **given,
        )

    def close(self) -> None:
        """Give the engine back, where there is one."""
        engines = [each for each in self._loaded if not isinstance(each, str)]
        self._loaded[:] = [each for each in self._loaded if isinstance(each, str)]
        while engines:
            engines.pop().close()
        release(self.device)

    def arms(self, count: int) -> list[Mixture]:
        """So many arms, all with an adapter, in turn."""
        return [ARMS[place % len(ARMS)] for place in range(count)]

    def requests(self, mixtures: Sequence[Mixture], tokens: int = 0, prompt: int = 0) -> list[Request]:
        """A greedy request for each arm, each with a question of its own; the same place gets the same question."""
        sampling = Sampling(max_new_tokens=tokens or self.work.tokens)
        texts = questions(self._tokenizer(), self.subject.words, prompt or self.work.prompt, len(mixtures))
        return [
            Request(({"role": "user", "content": text},), mixture, sampling)
            for mixture, text in zip(mixtures, texts, strict=True)
        ]

    def _tokenizer(self) -> PreTrainedTokenizerBase:
        from transformers import AutoTokenizer

        tokenizer: PreTrainedTokenizerBase = AutoTokenizer.from_pretrained(str(self.subject.base))
        return tokenizer


def questions(tokenizer: PreTrainedTokenizerBase, words: Sequence[str], tokens: int, count: int) -> list[str]:
    """Different questions that fill a prompt of ``tokens``, or nearly so where a word is more than one token."""

    def length(chosen: Sequence[str]) -> int:
        said = [{"role": "user", "content": " ".join(chosen)}]
        encoded: Any = tokenizer.apply_chat_template(said, add_generation_prompt=True, return_dict=True)
        return len(encoded["input_ids"])

    rng, found = random.Random(2026), []
    for _ in range(count):
        chosen = rng.choices(words, k=max(1, tokens - length(["?"]) + 1))
        while len(chosen) > 1 and length(chosen) > tokens:
            chosen.pop()
        found.append(" ".join(chosen))
    return found


def said_by(engine: Engine, requests: Sequence[Request]) -> list[str]:
    """The answers' texts.

    Raises:
        ModelError: as ``whole``.
    """
    texts = [""] * len(requests)
    for event in whole(engine, requests):
        if isinstance(event, Delta):
            texts[event.row] += event.text
    return texts


def whole(engine: Engine, requests: Sequence[Request]) -> Iterator[Event]:
    """The events of answers that have the length that was asked for.

    Raises:
        ModelError: an answer failed, or has another length: then no time of it can be compared, and no steps counted.
    """
    for event in engine.stream(requests):
        if isinstance(event, Finished):
            _require_whole(event, requests[event.row])
        yield event


def _require_whole(end: Finished, request: Request) -> None:
    wanted = request.sampling.max_new_tokens
    if end.reason is not FinishReason.LENGTH or end.tokens != wanted:
        got = f"{end.tokens}, ended by {end.reason} {end.error}".rstrip()
        raise ModelError.of(f"answer of {request.mixture}", expected=f"{wanted} tokens", got=got)


def quiet() -> None:
    """No progress bars of loading, and none of the libraries' advice to each other: a table is printed."""
    import warnings

    from transformers.utils import logging

    warnings.filterwarnings("ignore", category=FutureWarning)

    without_bars: Callable[[], None] = logging.disable_progress_bar
    without_bars()


def release(device: str) -> None:
    """Give memory that nothing holds any more back to the device."""
    import gc

    import torch

    gc.collect()
    if device == "cuda":
        torch.cuda.empty_cache()
