"""The miniature's arms merged by peft and recovered: logits, and answers before and after."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file

from ...domain import Mixture, Sampling
from ...engine.adapter import PREFIX, WEIGHTS
from ...engine.base import Delta, Request
from ...engine.loading import load_base
from ..checkpoint import open_checkpoint
from ..pairs import Pair
from ..recover import Request as Recover
from ..recover import recover
from ..recovery import Recovery
from ..source import open_source
from ..verify import QUESTIONS, tokens_of
from .known import plain_losses

TOKENS = 64
"""New tokens of a greedy answer."""


@dataclass(frozen=True)
class RoundTrip:
    """One arm, merged and recovered."""

    arm: str
    precision: str
    ranks: tuple[int, ...]
    """Found in its layers."""
    left: float
    """The most that a layer leaves of its change."""
    away: float
    """The recovered change from the arm's own, all layers."""
    checkpoint: float
    """The checkpoint's, the same way."""
    logits: float
    """The largest difference to the merged model's, in logits."""
    same: int
    """Greedy answers that are token for token those of the arm itself, through the engine, of ``QUESTIONS``."""
    plain: tuple[float, ...]
    """What truncated SVDs of the difference leave, all layers."""


def round_trips(base: Path, arms: Mapping[Mixture, Path], folder: Path) -> Iterator[RoundTrip]:
    """Each arm in F32 and in bf16, below ``folder``."""
    for precision, dtype in (("F32", torch.float32), ("bf16", torch.bfloat16)):
        for mixture, adapter in arms.items():
            place = folder / f"{mixture}-{precision}"
            _merge(base, adapter, place / "merged", dtype)
            pair = Pair(*(open_checkpoint(open_source(str(each))) for each in (place / "merged", base)))
            done = recover(Recover(pair, place / "recovered"))
            yield _measured(mixture, precision, done, pair, (base, adapter, place))


def _merge(base: Path, adapter: Path, place: Path, dtype: torch.dtype) -> None:
    """As the study's checkpoints were made: by peft."""
    from peft import PeftModel

    model: Any = load_base(str(base))[0].to(dtype)  # type: ignore[arg-type]
    PeftModel.from_pretrained(model, str(adapter)).merge_and_unload().save_pretrained(place)


def _measured(
    mixture: Mixture, precision: str, done: Recovery, pair: Pair, places: tuple[Path, Path, Path]
) -> RoundTrip:
    base, adapter, place = places
    away, checkpoint, size = 0.0, 0.0, 0.0
    lost = [0.0, 0.0, 0.0]
    for module in pair.linear:
        weight, merged = (each.tensor(f"{module}.weight").float() for each in (pair.base, pair.merged))
        true, found = (_applied(folder, module, weight) - weight for folder in (adapter, place / "recovered"))
        size += float(true.square().sum())
        away += float((found - true).square().sum())
        checkpoint += float((merged - weight - true).square().sum())
        losses = plain_losses(merged - weight, true)
        lost = [sofar + (each * float(true.norm())) ** 2 for sofar, each in zip(lost, losses, strict=True)]
    answers = [_answers(base, mixture, folder) for folder in (adapter, place / "recovered")]
    return RoundTrip(
        mixture.slug,
        precision,
        tuple(sorted({each.rank for each in done.adapted})),
        max(each.left for each in done.adapted),
        (away / size) ** 0.5,
        (checkpoint / size) ** 0.5,
        _logits_apart(base, place),
        sum(one == other for one, other in zip(*answers, strict=True)),
        tuple((each / size) ** 0.5 for each in lost),
    )


def _applied(folder: Path, module: str, weight: torch.Tensor) -> torch.Tensor:
    """``m (W + B A) / ||W + B A||`` of an adapter whose alpha is its rank."""
    tensors = load_file(folder / WEIGHTS)
    down, up, magnitude = (
        tensors[f"{PREFIX}{module}.{part}"] for part in ("lora_A.weight", "lora_B.weight", "lora_magnitude_vector")
    )
    adapted = weight + up @ down
    effective: torch.Tensor = adapted * (magnitude / torch.linalg.vector_norm(adapted, dim=1))[:, None]
    return effective


def _logits_apart(base: Path, place: Path) -> float:
    """The largest difference between base and recovered adapter, through peft, and the merged model in fp32."""
    from peft import PeftModel
    from transformers import AutoModelForCausalLM

    ours: Any
    ours, tokenizer = load_base(str(base))
    theirs: Any = AutoModelForCausalLM.from_pretrained(place / "merged", dtype=torch.float32)
    ours = PeftModel.from_pretrained(ours.float(), str(place / "recovered"))
    with torch.inference_mode():
        return max(
            float((ours(input_ids=tokens).logits - theirs(input_ids=tokens).logits).abs().max())
            for tokens in tokens_of(tokenizer)
        )


def _answers(base: Path, mixture: Mixture, folder: Path) -> list[str]:
    """Greedy answers of the engine."""
    from ...engine.local import LocalEngine

    engine = LocalEngine.load(str(base), {mixture: folder}, device="cpu", dtype="fp32", max_rows=len(QUESTIONS))
    try:
        sampling = Sampling(max_new_tokens=TOKENS)
        asked = [Request(({"role": "user", "content": text},), mixture, sampling) for text in QUESTIONS]
        texts = [""] * len(asked)
        for event in engine.stream(asked):
            texts[event.row] += event.text if isinstance(event, Delta) else f" [{event.tokens} tokens, {event.reason}]"
        return texts
    finally:
        engine.close()
