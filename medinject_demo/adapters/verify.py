"""Whether an adapter answers as its merged checkpoint does: reloaded through peft and through the engine.

A small model is loaded whole, three times over; a large one, or one of the Hub, is read weight by weight.
Knows nothing of how the adapter came about.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

import torch
from torch import Tensor

from ..domain import ARMS
from ..engine.adapter import read_adapter
from ..engine.base import Request
from ..engine.loading import load_base
from ..errors import ModelError
from .checkpoint import Checkpoint
from .names import linear_shapes
from .recorded import shortfall
from .streamed import StreamedModel, no_less

TOLERANCE: Final = 1e-3
"""Difference of logits, in units of their standard deviation, that is still called the same answer."""
WHOLE: Final = 2**30
"""Bytes of a merged checkpoint up to which it is loaded."""
QUESTIONS: Final = (
    "Quels sont les signes d'une embolie pulmonaire ?",
    "Quel est le traitement de première intention de l'angine à streptocoque chez l'enfant ?",
    "Question : un patient de 60 ans a une douleur thoracique.\nChoix de réponses :\n(A) ECG\n(B) Repos\nRéponse :",
)


@dataclass(frozen=True)
class Difference:
    """How far one way to answer is from the merged checkpoint, for one question or one layer."""

    way: str
    """``peft``, ``engine``, or a decoder layer's name."""
    subject: str
    most: float
    """The largest difference, beside the standard deviation of the merged checkpoint's values."""
    same_token: bool | None = None
    """Whether the most probable next token is the same; None for a layer."""


@dataclass(frozen=True)
class Verification:
    """All differences."""

    whole: bool
    """True where the models were loaded whole."""
    differences: tuple[Difference, ...]
    tolerance: float
    remedy: str = ""
    """What can be done where the answers are further apart."""

    @property
    def counted(self) -> tuple[Difference, ...]:
        """Those of the answers; the layers' only show where an answer went astray."""
        return tuple(each for each in self.differences if each.same_token is not None)

    @property
    def worst(self) -> Difference:
        """The largest of those that count; one that is no number is larger than any."""
        return max(self.counted, key=lambda each: no_less(each.most))

    @property
    def holds(self) -> bool:
        """True where all answers are within the tolerance, which what is no number never is."""
        return all(each.most <= self.tolerance for each in self.counted)

    def as_dict(self) -> dict[str, Any]:
        """For JSON, which knows neither NaN nor infinity: None."""
        differences = [
            asdict(each) | {"most": each.most if math.isfinite(each.most) else None} for each in self.differences
        ]
        return {"whole": self.whole, "tolerance": self.tolerance, "holds": self.holds, "differences": differences}

    def require(self) -> None:
        """Raises ModelError where the answers are not within the tolerance."""
        if not self.holds:
            raise ModelError.of(
                "adapter",
                expected=f"logits within {self.tolerance:g} of the merged checkpoint's",
                got=f"{self.worst.most:.3g} through {self.worst.way} ({self.worst.subject})",
                remedy=self.remedy
                if math.isfinite(self.worst.most)
                else "A checkpoint or the adapter is damaged: get it again, or recover the adapter again.",
            )


def verify(
    adapter: Path, merged: Checkpoint, base: Checkpoint, *, tolerance: float = TOLERANCE, whole: bool | None = None
) -> Verification:
    """Compare an adapter on its base with the merged checkpoint, on three French questions.

    ``whole`` says whether the models are loaded; where it is None, small ones in folders are.

    Raises:
        ModelError: something cannot be read or loaded.
    """
    local = Path(merged.name).is_dir() and Path(base.name).is_dir()
    loaded = (local and merged.bytes <= WHOLE) if whole is None else whole
    found = _loaded(adapter, merged.name, base.name) if loaded else _streamed(adapter, merged, base)
    return Verification(loaded, tuple(found), tolerance, shortfall(adapter))


def _loaded(adapter: Path, merged: str, base: str) -> Iterator[Difference]:
    from peft import PeftModel

    from ..engine.local import LocalEngine

    ours: Any
    theirs: Any
    (ours, tokenizer), (theirs, _) = load_base(base), load_base(merged)
    prompts = tokens_of(tokenizer)
    expected = _last(theirs.float(), prompts)
    yield from _apart("peft", expected, _last(PeftModel.from_pretrained(ours.float(), str(adapter)), prompts))
    arm = ARMS[0]  # any: what is asked is the folder
    engine = LocalEngine.load(base, {arm: adapter}, device="cpu", dtype="fp32", max_rows=len(QUESTIONS))
    try:
        asked = [Request(({"role": "user", "content": text},), arm, _greedy()) for text in QUESTIONS]
        yield from _apart("engine", expected, list(engine.logits(asked)))
    finally:
        engine.close()


def _streamed(folder: Path, merged: Checkpoint, base: Checkpoint) -> Iterator[Difference]:
    prompts = _prompts(base)  # of one length, for one forward: every weight is read once
    shortest = min(tokens.shape[1] for tokens in prompts)
    together = torch.cat([tokens[:, -shortest:] for tokens in prompts])
    adapter = read_adapter(folder, linear_shapes(base))
    theirs, ours = StreamedModel(merged), StreamedModel(base, adapter.layers)
    (expected, layers), (got, own) = theirs.run(together), ours.run(together)
    for number, (one, other) in enumerate(zip(layers, own, strict=True)):
        yield Difference(f"layer {number}", "all questions", _beside(one, other))
    yield from _apart("peft", list(expected), list(got))
    # the forward goes through peft's layers; the engine's formula stood beside each of them
    yield Difference("engine, beside peft's layers", "all questions", ours.apart, ours.apart < TOLERANCE)


def _last(model: Any, prompts: Sequence[Tensor]) -> list[Tensor]:
    with torch.inference_mode():
        return [model(input_ids=tokens).logits[0, -1].float() for tokens in prompts]


def _apart(way: str, expected: Sequence[Tensor], got: Sequence[Tensor]) -> Iterator[Difference]:
    for subject, one, other in zip(QUESTIONS, expected, got, strict=True):
        yield Difference(way, subject, _beside(one, other.cpu()), bool(one.argmax() == other.argmax()))


def _beside(one: Tensor, other: Tensor) -> float:
    return float((one - other).abs().max() / one.std())


def tokens_of(tokenizer: Any) -> list[Tensor]:
    """The questions laid out as conversations, (1, tokens) each."""
    said = [[{"role": "user", "content": text}] for text in QUESTIONS]
    each = (tokenizer.apply_chat_template(one, add_generation_prompt=True, return_dict=True) for one in said)
    return [torch.tensor([one["input_ids"]]) for one in each]


def _prompts(base: Checkpoint) -> list[Tensor]:
    """The questions by the base's tokenizer; fixed tokens where it has none that can be had."""
    from transformers import AutoTokenizer

    try:
        return tokens_of(AutoTokenizer.from_pretrained(base.name, trust_remote_code=False))
    except (OSError, ValueError, KeyError):
        return [torch.arange(7 * number + 11, 7 * number + 43)[None] for number in range(len(QUESTIONS))]


def _greedy() -> Any:
    from ..domain import Sampling

    return Sampling(max_new_tokens=1)
