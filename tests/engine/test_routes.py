"""How a quicker way is compared with the oracle: by tokens that the model has, and by bounded pieces."""

from __future__ import annotations

import pytest
import torch
from transformers import AutoModelForCausalLM, Qwen3Config

from medinject_demo.engine import routes
from medinject_demo.engine.bank import AdapterBank
from medinject_demo.engine.cache import RowCache
from medinject_demo.engine.routes import PlainRoute, agrees, remembers
from medinject_demo.engine.steps import Forward

CONTEXT = 64


def forward(vocabulary: int) -> Forward:
    config = Qwen3Config(
        vocab_size=vocabulary,
        hidden_size=32,
        intermediate_size=48,
        num_hidden_layers=1,
        num_attention_heads=2,
        num_key_value_heads=1,
        head_dim=16,
    )
    model = AutoModelForCausalLM.from_config(config).eval()
    return Forward(model, AdapterBank(model, 1, 16), RowCache(4, CONTEXT))


@pytest.mark.parametrize("vocabulary", [2, 66, 96, 97, 400])
def test_a_model_of_few_tokens_is_compared_by_those_that_it_has(vocabulary: int) -> None:
    given = forward(vocabulary)
    with torch.inference_mode():
        given.reserve(CONTEXT)
        assert agrees(PlainRoute(given), given, 4, CONTEXT)
        assert remembers(given, given, CONTEXT)


def test_a_long_row_is_fed_to_the_oracle_piece_by_piece(monkeypatch: pytest.MonkeyPatch) -> None:
    given, fed = forward(400), list[int]()
    chunk = Forward.chunk

    def counted(self: Forward, lines: list[int], tokens: list[list[int]], *rest: list[int]) -> torch.Tensor:
        fed.append(max(map(len, tokens)))
        return chunk(self, lines, tokens, *rest)

    monkeypatch.setattr(Forward, "chunk", counted)
    monkeypatch.setattr(routes, "PIECE", 16)
    with torch.inference_mode():
        given.reserve(CONTEXT)
        assert agrees(PlainRoute(given), given, 4, CONTEXT)
    assert max(fed) == 16
    assert sum(fed) > CONTEXT
