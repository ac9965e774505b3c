"""The rebuilding of the miniature, on a model of a few thousand parameters and a corpus of two conditions."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch

from medinject_demo.domain import ARMS, MIXTURES
from medinject_demo.training.corpus import Corpus
from medinject_demo.training.finetune import read_record
from medinject_demo.training.mini import base_stages, rebuild
from medinject_demo.training.mini_recipe import MiniatureRecipe
from medinject_demo.training.render import Renderer
from medinject_demo.training.untrained import look_back
from tests.tiny import TINY

QUICK = replace(TINY.base, compiled=False)
SMALL = replace(
    TINY,
    fact_rounds=1,
    choice_rounds=1,
    base_rounds=1,
    size=12,
    facts=QUICK,
    options=QUICK,
    choices=QUICK,
    base=QUICK,
    arm=replace(TINY.arm, epochs=1),
)


@pytest.fixture(scope="module")
def small(corpus: Corpus) -> Corpus:
    return replace(corpus, conditions=corpus.conditions[:12])


@pytest.mark.slow
def test_a_rebuilt_miniature_is_whole_and_is_kept_until_its_base_changes(small: Corpus, tmp_path: Path) -> None:
    output, work = tmp_path / "mini", tmp_path / "work"
    rebuild(output, work, SMALL, small, say=lambda _: None)
    assert {folder.name for folder in output.iterdir()} == {mixture.slug for mixture in MIXTURES}
    assert {read_record(output / mixture.slug)["items"] for mixture in ARMS} == {12}

    said: list[str] = []
    rebuild(output, work, SMALL, small, said.append)
    assert sum("already trained, kept" in line for line in said) == 1 + len(ARMS)

    before = read_record(output / "nat")["base_weights"]
    said.clear()
    rebuild(output, work, replace(SMALL, base=replace(QUICK, learning_rate=1e-4)), small, said.append)
    assert [line.split(":")[0] for line in said if "kept" in line] == [str(work / "choices")]
    assert read_record(output / "nat")["base_weights"] != before


def test_a_change_of_the_first_stage_makes_every_later_one_be_trained_again(small: Corpus, tmp_path: Path) -> None:
    renderer = Renderer(small)
    stages, others = (
        base_stages(renderer, tmp_path / "mini", tmp_path, recipe) for recipe in (SMALL, replace(SMALL, fact_rounds=2))
    )
    assert all(one.identity != other.identity for one, other in zip(stages, others, strict=True))


def test_heads_that_look_back_do_so_in_an_untrained_base() -> None:
    from transformers import Qwen3Config, Qwen3ForCausalLM

    torch.manual_seed(0)
    recipe = MiniatureRecipe()
    config = Qwen3Config(
        vocab_size=100,
        hidden_size=recipe.hidden,
        num_hidden_layers=1,
        num_attention_heads=4,
        num_key_value_heads=2,
        head_dim=64,
        intermediate_size=64,
        rope_parameters={"rope_type": "default", "rope_theta": 10_000.0},
        initializer_range=0.05,
        tie_word_embeddings=True,
        attn_implementation="eager",
    )
    model = Qwen3ForCausalLM(config).eval()
    look_back(model)
    with torch.no_grad():
        attentions = model(torch.randint(0, 100, (1, 40)), output_attentions=True).attentions[0][0]  # (heads, 40, 40)
    for head, distance in enumerate((1, 2)):
        looked_at = attentions[head, 10:].argmax(-1)
        expected = torch.arange(10, 40) - distance
        assert (looked_at == expected).float().mean() > 0.5
