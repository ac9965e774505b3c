"""The decoding of a row, against transformers' own processors."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from transformers import (
    LogitsProcessorList,
    MinPLogitsWarper,
    RepetitionPenaltyLogitsProcessor,
    TemperatureLogitsWarper,
    TopKLogitsWarper,
    TopPLogitsWarper,
)

from medinject_demo.domain import Sampling
from medinject_demo.engine.decode import Draw, Transcript, draw, kept, next_tokens, penalised
from medinject_demo.engine.loading import load_base
from tests.tiny import tiny_base

samplings = st.builds(
    Sampling,
    temperature=st.sampled_from([0.3, 0.7, 1.0, 1.9]),
    top_k=st.sampled_from([0, 1, 5, 40, 500]),
    top_p=st.sampled_from([0.1, 0.5, 0.9, 1.0]),
    min_p=st.sampled_from([0.0, 0.05, 0.5]),
    repetition_penalty=st.sampled_from([0.8, 1.0, 1.3]),
    seed=st.integers(0, 2**40),
)


def taken(logits: torch.Tensor, rows: list[Draw]) -> list[int]:
    """The tokens of rows, from their logits alone."""
    return next_tokens(logits, logits.argmax(-1).tolist(), rows)


def by_transformers(logits: torch.Tensor, seen: list[int], sampling: Sampling) -> torch.Tensor:
    """One row through the processors that generate() would use, in its order."""
    chain = LogitsProcessorList()
    if sampling.repetition_penalty != 1:
        chain.append(RepetitionPenaltyLogitsProcessor(sampling.repetition_penalty))
    chain.append(TemperatureLogitsWarper(sampling.temperature))
    if sampling.top_k:
        chain.append(TopKLogitsWarper(sampling.top_k))
    if sampling.top_p < 1:
        chain.append(TopPLogitsWarper(sampling.top_p))
    if sampling.min_p:
        chain.append(MinPLogitsWarper(sampling.min_p))
    return chain(torch.tensor([seen]), logits[None].clone())[0]


@given(st.lists(samplings, min_size=1, max_size=4), st.integers(0, 2**32))
def test_what_may_be_drawn_is_what_transformers_leaves(settings: list[Sampling], seed: int) -> None:
    generator = torch.Generator().manual_seed(seed)
    logits = torch.randn(len(settings), 60, generator=generator) * 3
    seen = [torch.randint(0, 60, (5,), generator=generator).tolist() for _ in settings]
    rows = [Draw(sampling, set(own)) for sampling, own in zip(settings, seen, strict=True)]
    ours = kept(penalised(logits, rows), settings)
    for place, sampling in enumerate(settings):
        torch.testing.assert_close(ours[place], by_transformers(logits[place], seen[place], sampling))


@given(st.lists(samplings, min_size=2, max_size=4), st.integers(0, 2**32))
def test_a_row_draws_the_same_token_in_any_company(settings: list[Sampling], seed: int) -> None:
    logits = torch.randn(len(settings), 60, generator=torch.Generator().manual_seed(seed))
    together = taken(logits, [Draw(sampling) for sampling in settings])
    alone = [taken(logits[n : n + 1], [Draw(sampling)])[0] for n, sampling in enumerate(settings)]
    assert together == alone


@pytest.mark.parametrize("temperature", [1e-6, 1e-12, 1e-40, 5e-324])
def test_a_temperature_next_to_zero_draws_the_best_token(temperature: float) -> None:
    logits = torch.linspace(-40, 40, 101)[torch.randperm(101)][None]
    rows = [Draw(Sampling(temperature=temperature, seed=seed)) for seed in range(5)]
    assert taken(logits.repeat(5, 1), rows) == [int(logits.argmax())] * 5


def test_tokens_are_drawn_as_often_as_they_are_probable() -> None:
    chances = torch.tensor([0.1, 0.0, 0.6, 0.3])
    uniforms = torch.linspace(0, 1, 10_001)[:-1].tolist()
    drawn = draw(chances.log().expand(len(uniforms), 4), uniforms)
    assert torch.tensor(drawn).bincount(minlength=4).div(len(drawn)).tolist() == pytest.approx(
        chances.tolist(), abs=1e-3
    )


def test_a_greedy_row_takes_its_best_token_among_rows_that_draw() -> None:
    logits = torch.tensor([[0.0, 5.0, 1.0], [0.0, 5.0, 1.0]])
    assert taken(logits, [Draw(Sampling()), Draw(Sampling(temperature=5, seed=3))])[0] == 1


@pytest.mark.parametrize("penalty", [1.0, 3.0])
def test_a_greedy_row_takes_its_best_token_once_seen_ones_are_penalised(penalty: float) -> None:
    row = Draw(Sampling(repetition_penalty=penalty), {1})
    assert (row.plain, taken(torch.tensor([[0.0, 5.0, 4.0]]), [row])) == (penalty == 1, [1 if penalty == 1 else 2])


@given(st.text(max_size=40))
def test_a_transcript_gives_the_text_in_whole_characters(tokenizer_folder: str, text: str) -> None:
    _, tokenizer = load_base(tokenizer_folder)
    ids = tokenizer.encode(text, add_special_tokens=False)
    transcript = Transcript(tokenizer)
    assert "".join(map(transcript.add, ids)) == tokenizer.decode(ids, skip_special_tokens=True)


@pytest.fixture(scope="module")
def tokenizer_folder(tmp_path_factory: pytest.TempPathFactory) -> str:
    return tiny_base(tmp_path_factory.mktemp("tiny") / "base")
