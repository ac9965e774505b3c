"""What a training is made of: its settings, and one conversation to learn. Knows nothing of how it is run."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

from ..domain import Prompt
from ..errors import InvalidValue
from ..prompts import Message, messages

PROJECTIONS: Final = ("q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj")


@dataclass(frozen=True)
class Recipe:
    """Settings of a training; the defaults are those of the study, except the loss:
    ``completion_only`` False is the study's, on the question too.

    ``rank`` 0 trains every weight instead of an adapter. ``packed`` fills rows of ``max_length`` tokens with whole
    examples, none of which sees another: no padding, and one shape. ``compiled`` then compiles the model for it.
    ``optimizer`` "muon" orthogonalises the updates of matrices (it is for bases, not for the thin ones of an adapter).
    ``checkpointing`` trades time for memory on large bases. ``attention`` "eager" is the faster one on a CPU and short
    items (the backward of "sdpa" took 29 % of a step there).
    """

    rank: int = 16
    alpha: int = 16
    dropout: float = 0.05
    learning_rate: float = 1e-4
    scheduler: str = "cosine"
    warmup: float = 0.05
    epochs: int = 10
    batch: int = 12
    accumulation: int = 8
    max_length: int = 2048
    seed: int = 42
    precision: str = "auto"
    attention: str = "sdpa"
    completion_only: bool = True
    checkpointing: bool = True
    packed: bool = False
    compiled: bool = False
    optimizer: str = "adamw"

    def __post_init__(self) -> None:
        for name in ("epochs", "batch", "accumulation", "max_length"):
            if getattr(self, name) < 1:
                raise InvalidValue.of(name, expected="a whole number from 1", got=repr(getattr(self, name)))
        if self.rank < 0 or not 0 <= self.dropout < 1 or not 0 <= self.seed < 2**32:
            got = f"rank {self.rank}, dropout {self.dropout}, seed {self.seed}"
            raise InvalidValue.of("recipe", expected="rank >= 0, 0 <= dropout < 1, 0 <= seed < 2**32", got=got)
        if not (math.isfinite(self.learning_rate) and self.learning_rate > 0):
            raise InvalidValue.of("learning rate", expected="a number above 0", got=repr(self.learning_rate))
        if self.precision not in ("auto", "bf16", "fp32"):
            raise InvalidValue.of("precision", expected="auto, bf16 or fp32", got=repr(self.precision))
        if self.optimizer not in ("adamw", "muon"):
            raise InvalidValue.of("optimizer", expected="adamw or muon", got=repr(self.optimizer))


@dataclass(frozen=True)
class Example:
    """One conversation to learn: the messages, and the answer the loss is taken on."""

    messages: tuple[Message, ...]
    completion: str

    @classmethod
    def of(cls, prompt: Prompt, system: str = "") -> Example:
        """A prompt and its reference; the study uses no system message."""
        opening = ({"role": "system", "content": system},) if system else ()
        return cls((*opening, *messages(prompt)), prompt.reference)

    def row(self) -> dict[str, list[Message]]:
        """The prompt-completion row that TRL takes."""
        return {"prompt": list(self.messages), "completion": [{"role": "assistant", "content": self.completion}]}
