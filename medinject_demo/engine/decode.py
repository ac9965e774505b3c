"""From logits to tokens and from tokens to text, row by row. Knows nothing of models, caches or adapters.

Rows are independent: a row's tokens depend on its own logits, settings and seed only, whoever shares the batch.
``transformers``' processors are the oracle, in their order: repetition penalty, temperature, top-k, top-p, min-p.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from ..domain import Sampling

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

NEVER = float("-inf")
COLDEST = 1e-6
"""The least that logits are divided by: what lies below draws the best token too, and would leave fp32."""


@dataclass
class Draw:
    """How one row draws its tokens: its settings, its own generator, and the tokens it has seen, prompt included."""

    sampling: Sampling
    seen: set[int] = field(default_factory=set)

    def __post_init__(self) -> None:
        self._generator = torch.Generator().manual_seed(self.sampling.seed)

    @property
    def plain(self) -> bool:
        """True where the next token is the one with the highest logit, whatever was said before."""
        return self.sampling.greedy and self.sampling.repetition_penalty == 1

    def uniform(self) -> float:
        """The row's next number between 0 and 1."""
        return torch.rand((), generator=self._generator, dtype=torch.float64).item()


def next_tokens(logits: Tensor, best: Sequence[int], rows: Sequence[Draw]) -> list[int]:
    """One token a row, from logits (rows, vocabulary) and the best of each.

    A greedy row takes its best, once seen tokens are penalised; another draws from its own.
    """
    tokens = list(best)
    free = [place for place, row in enumerate(rows) if not row.plain]
    if not free:
        return tokens
    chosen = [rows[place] for place in free]
    scores = penalised(logits[free].nan_to_num().float(), chosen)
    found: list[int] = scores.argmax(-1).tolist()
    drawing = [place for place, row in enumerate(chosen) if not row.sampling.greedy]
    if drawing:
        left = kept(scores[drawing], [chosen[place].sampling for place in drawing])
        for place, token in zip(drawing, draw(left, [chosen[place].uniform() for place in drawing]), strict=True):
            found[place] = token
    for place, token in zip(free, found, strict=True):
        tokens[place] = token
    return tokens


def penalised(scores: Tensor, rows: Sequence[Draw]) -> Tensor:
    """Logits of seen tokens divided (or multiplied, where negative) by the row's repetition penalty."""
    if all(row.sampling.repetition_penalty == 1 for row in rows):
        return scores
    scores = scores.clone()
    for place, row in enumerate(rows):
        if row.sampling.repetition_penalty != 1 and row.seen:
            seen = torch.tensor(sorted(row.seen), device=scores.device)
            own, penalty = scores[place, seen], row.sampling.repetition_penalty
            scores[place, seen] = torch.where(own < 0, own * penalty, own / penalty)
    return scores


def kept(scores: Tensor, settings: Sequence[Sampling]) -> Tensor:
    """Logits (rows, vocabulary) over the row's temperature, -inf where top-k, top-p or min-p leave a token out."""

    def column(name: str) -> Tensor:
        values = [getattr(each, name) for each in settings]
        return torch.tensor(values, device=scores.device, dtype=scores.dtype)[:, None]

    scores = scores / column("temperature").clamp(min=COLDEST)
    ordered, order = scores.sort(dim=-1, descending=True)
    place = torch.arange(scores.shape[-1], device=scores.device)[None]
    top_k = column("top_k")
    smallest = ordered.gather(-1, (top_k.long() - 1).clamp(0, scores.shape[-1] - 1))
    ordered = ordered.masked_fill((top_k > 0) & (ordered < smallest), NEVER)  # ties with the k-th stay, as there
    # top-p: what lies beyond the mass, the first token that crosses it kept; a share of 1 leaves nothing out
    mass = ordered.softmax(-1)
    before = mass.cumsum(-1) - mass
    top_p = column("top_p")
    ordered = ordered.masked_fill((top_p < 1) & (before >= top_p) & (place > 0), NEVER)
    chances = ordered.softmax(-1)
    ordered = ordered.masked_fill(chances < column("min_p") * chances[:, :1], NEVER)
    return torch.full_like(scores, NEVER).scatter(-1, order, ordered)


def draw(scores: Tensor, uniforms: Sequence[float]) -> list[int]:
    """One token a row by inverting the cumulative distribution at the row's uniform number."""
    mass = scores.double().softmax(-1).cumsum(-1)
    wanted = torch.tensor(uniforms, device=scores.device, dtype=torch.float64)[:, None] * mass[:, -1:]
    tokens = torch.searchsorted(mass, wanted, right=True).clamp(max=scores.shape[-1] - 1)
    chosen: list[int] = tokens[:, 0].tolist()
    return chosen


class Transcript:
    """The text of one row as its tokens come: never half a character, and no special token."""

    def __init__(self, tokenizer: PreTrainedTokenizerBase) -> None:
        from tokenizers.decoders import DecodeStream

        self._tokenizer: Any = tokenizer
        self._stream = DecodeStream(skip_special_tokens=True)

    def add(self, token: int) -> str:
        """What can be shown now that this token is there; "" while a character is not whole."""
        return self._stream.step(self._tokenizer.backend_tokenizer, token) or ""
