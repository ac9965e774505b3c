"""The arms through peft itself, one active at a time: the slow, obvious way, and the oracle of every faster one.

fp32 or whatever the base is stored in, greedy. Knows nothing of prompts, votes or pages: conversations in, text out.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..domain import BASE, Answer, FinishReason, Mixture
from ..errors import ModelError
from .base import Conversation, require_arm
from .loading import first_line, load_base

if TYPE_CHECKING:
    from torch import Tensor


class SequentialArms:
    """One base and its adapters through ``set_adapter`` and ``generate``."""

    def __init__(self, base: str, adapters: Mapping[Mixture, Path], *, batch: int = 64) -> None:
        """Load the base and every adapter.

        Raises:
            ModelError: the base or an adapter is missing or cannot be loaded.
        """
        from peft import PeftModel
        from safetensors import SafetensorError

        model, self.tokenizer = load_base(base)
        self.tokenizer.padding_side = "left"
        self.batch = batch
        self.mixtures = (BASE, *adapters)
        self.model: Any = model
        model.requires_grad_(False)
        for mixture, folder in adapters.items():
            try:
                if self.model is model:
                    self.model = PeftModel.from_pretrained(model, str(folder), adapter_name=mixture.slug).eval()
                else:
                    self.model.load_adapter(str(folder), adapter_name=mixture.slug)
            except (OSError, ValueError, KeyError, RuntimeError, SafetensorError) as error:
                raise ModelError.of(
                    f"adapter {str(folder)!r}",
                    expected="a PEFT folder made for this base",
                    got=first_line(error),
                    remedy="Rebuild it with train mini, or recover it again.",
                ) from error

    def answers(self, mixture: Mixture, conversations: Sequence[Conversation], max_new_tokens: int) -> list[Answer]:
        """Greedy answers of one arm, in the order of the conversations; seconds are those of the row's batch."""
        import time

        import torch

        answers: list[Answer] = []
        with self._arm(mixture), torch.inference_mode():
            for inputs in self._batches(conversations):
                started = time.monotonic()
                output = self.model.generate(**inputs, max_new_tokens=max_new_tokens, do_sample=False)
                seconds = time.monotonic() - started
                for row in output[:, inputs["input_ids"].shape[1] :].tolist():  # new tokens, then padding
                    answers.append(self._answer(mixture, row, seconds))
        return answers

    def letters(self, mixture: Mixture, conversations: Sequence[Conversation], choices: Sequence[str]) -> list[str]:
        """The most probable next letter of each conversation among its own ``choices`` (such as "ABCD") only."""
        import torch

        chosen: list[str] = []
        with self._arm(mixture), torch.inference_mode():
            for inputs in self._batches(conversations):
                for row in self.model(**inputs).logits[:, -1]:  # (vocabulary,)
                    letters = choices[len(chosen)]
                    ids = [self.tokenizer.encode(letter, add_special_tokens=False)[0] for letter in letters]
                    chosen.append(letters[int(row[ids].argmax())])
        return chosen

    def _answer(self, mixture: Mixture, row: list[int], seconds: float) -> Answer:
        stopped = self.tokenizer.eos_token_id in row
        tokens = row[: row.index(self.tokenizer.eos_token_id)] if stopped else row
        text = str(self.tokenizer.decode(tokens, skip_special_tokens=True))
        reason = FinishReason.STOP if stopped else FinishReason.LENGTH
        return Answer(mixture, "", text, reason, len(tokens), seconds)

    def _arm(self, mixture: Mixture) -> AbstractContextManager[object]:
        require_arm(mixture, self.mixtures)
        if mixture == BASE:
            return self.model.disable_adapter() if len(self.mixtures) > 1 else nullcontext()
        self.model.set_adapter(mixture.slug)
        return nullcontext()

    def _batches(self, conversations: Sequence[Conversation]) -> Iterator[dict[str, Tensor]]:
        for start in range(0, len(conversations), self.batch):
            inputs: Any = self.tokenizer.apply_chat_template(
                [[dict(each) for each in one] for one in conversations[start : start + self.batch]],
                add_generation_prompt=True,
                padding=True,
                return_tensors="pt",
                return_dict=True,
            )
            yield inputs
