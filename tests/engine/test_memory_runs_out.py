"""Memory that runs out: whose rows end, what stays as it was, and that the next answer is exact."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from medinject_demo.domain import ARMS, BASE, MIXTURES, FinishReason, Mixture, Sampling
from medinject_demo.engine import bank
from medinject_demo.engine.base import Finished, answers
from medinject_demo.engine.local import LocalEngine
from medinject_demo.errors import ModelError
from medinject_demo.training.untrained import untrained
from tests.tiny import EXAMPLES, TINY, tiny_adapter

from .conftest import by
from .laws import QUESTIONS, asked

NAT, TRAD = ARMS[:2]


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Of two layers: memory may be there for one and not for the other."""
    folder = tmp_path_factory.mktemp("memory") / "base"
    untrained(EXAMPLES, folder, replace(TINY, layers=2))
    return str(folder)


@pytest.fixture(scope="module")
def folders(base: str, tmp_path_factory: pytest.TempPathFactory) -> dict[Mixture, Path]:
    root = tmp_path_factory.mktemp("arms")
    return {mixture: tiny_adapter(base, root / mixture.slug, mixture) for mixture in ARMS[:3]}


@pytest.fixture
def engine(way: str, base: str, folders: dict[Mixture, Path]) -> Iterator[LocalEngine]:
    engine = by(way, LocalEngine.load(base, folders, device="cpu", max_rows=6, max_context=300))
    yield engine
    engine.close()


def test_a_cache_that_grows_in_part_only_is_no_danger(engine: LocalEngine, monkeypatch: pytest.MonkeyPatch) -> None:
    """Memory that runs out while lines are made longer ends the rows that it was for; the next are exact."""
    long = [
        asked(question, mixture, Sampling(max_new_tokens=150)) for mixture in MIXTURES[:3] for question in QUESTIONS[:2]
    ]
    engine._batcher._stops = frozenset()
    expected = [answer.text for answer in answers(engine, long)]
    cache = engine._batcher._forward.cache
    for layer in (0, 1):
        cache._keys[layer], cache._values[layer] = (
            each[:, :, :64].contiguous() for each in (cache._keys[layer], cache._values[layer])
        )
    cache.generation += 1
    grown, longer = [], cache._longer

    def failing(held: torch.Tensor, tokens: int) -> torch.Tensor:
        grown.append(tokens)
        if len(grown) == 3:  # the keys of the second layer
            raise torch.OutOfMemoryError("out of memory")
        return longer(held, tokens)

    monkeypatch.setattr(cache, "_longer", failing)
    ends = [event for event in engine.stream(long) if isinstance(event, Finished)]
    assert {end.reason for end in ends} == {FinishReason.ERROR}
    assert [answer.text for answer in answers(engine, long)] == expected


def test_a_swap_without_memory_changes_nothing_and_can_be_tried_again(
    engine: LocalEngine, folders: dict[Mixture, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    requests = [asked(question, mixture) for question in QUESTIONS for mixture in (BASE, NAT, TRAD)]
    expected = [answer.text for answer in answers(engine, requests)]
    made, longer = [], bank._longer

    def failing(stack: torch.Tensor, adapters: int) -> torch.Tensor:
        made.append(adapters)
        if len(made) == 6:
            raise torch.OutOfMemoryError("out of memory")
        return longer(stack, adapters)

    with monkeypatch.context() as broken:
        broken.setattr(bank, "_longer", failing)
        with pytest.raises(ModelError, match="expected memory for it, got none left"):
            engine.swap(NAT, folders[TRAD])
    assert [answer.text for answer in answers(engine, requests)] == expected
    engine.swap(NAT, folders[TRAD])
    assert answers(engine, [asked(QUESTIONS[0], NAT)])[0].text == answers(engine, [asked(QUESTIONS[0], TRAD)])[0].text
