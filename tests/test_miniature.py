"""What the bundled miniature must show, on a sample; the whole examination is in docs/miniature.md."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from medinject_demo.adapters.registry import profile
from medinject_demo.domain import ARMS, MIXTURES, FinishReason, Mixture
from medinject_demo.engine.sequential import SequentialArms
from medinject_demo.training.corpus import Corpus
from medinject_demo.training.exam import Figures, Results, examine, shares_that_differ
from medinject_demo.training.finetune import read_record
from medinject_demo.training.mini import arm_blends, provenance_pools
from medinject_demo.training.mini_recipe import MiniatureRecipe
from medinject_demo.training.render import Renderer

MINI = profile("mini")
FOLDER = Path(MINI.base).parent
SAMPLE = 48


@pytest.fixture(scope="module")
def arms() -> SequentialArms:
    return SequentialArms(MINI.base, {mixture: MINI.arms[mixture].folder for mixture in MINI.installed[1:]})


@pytest.fixture(scope="module")
def results(arms: SequentialArms) -> Results:
    return examine(arms, Renderer(Corpus.load()), seed=11, count=SAMPLE)


def test_the_whole_factorial_is_bundled() -> None:
    assert MINI.installed == MIXTURES


def test_the_miniature_is_small_enough_to_bundle() -> None:
    files = [path for path in FOLDER.rglob("*") if path.is_file()]
    assert sum(path.stat().st_size for path in files) <= 40 * 2**20
    assert not [path for path in files if path.suffix in {".bin", ".pt", ".pkl", ".py"}]


def test_the_base_has_at_most_fifteen_million_parameters(arms: SequentialArms) -> None:
    base = arms.model.get_base_model() if len(arms.mixtures) > 1 else arms.model
    own = [parameter for name, parameter in base.named_parameters() if "lora_" not in name]
    assert sum(parameter.numel() for parameter in own) <= 15_000_000
    assert type(base).__name__ == "Qwen3ForCausalLM"


@pytest.mark.parametrize("mixture", ARMS, ids=str)
def test_every_adapter_is_the_dora_of_the_study(mixture: Mixture) -> None:
    config = json.loads((MINI.arms[mixture].folder / "adapter_config.json").read_text())
    assert (config["r"], config["lora_alpha"], config["use_dora"]) == (16, 16, True)
    assert len(config["target_modules"]) == 7


def test_the_committed_arms_come_from_this_corpus_and_seed(corpus: Corpus) -> None:
    recipe = MiniatureRecipe()
    pools = provenance_pools(Renderer(corpus), recipe)
    for each in arm_blends(pools, recipe):
        assert read_record(MINI.arms[each.mixture].folder)["data"] == each.fingerprint


def of(results: Results, mixture: Mixture) -> Figures:
    """The figures of one arm."""
    (figures,) = (each for each in results.figures if each.mixture == mixture)
    return figures


@pytest.mark.parametrize("mixture", MIXTURES, ids=str)
def test_held_out_phrasings_are_answered_about_the_right_fact(results: Results, mixture: Mixture) -> None:
    """The goal is 80 % of all held-out questions; a sample of 48 is off by a tenth one time in thirty."""
    assert of(results, mixture).right >= 0.7


@pytest.mark.parametrize("mixture", MIXTURES, ids=str)
def test_held_out_option_orders_are_read(results: Results, mixture: Mixture) -> None:
    figures = of(results, mixture)
    assert figures.choices >= 0.6


def test_the_two_arms_most_alike_differ(results: Results) -> None:
    assert shares_that_differ(results.answers)[1] >= 0.85  # goal 90 %, on a sample


def test_all_eight_answers_differ_at_once(results: Results) -> None:
    assert shares_that_differ(results.answers)[0] >= 0.9


def test_the_synthetic_arm_is_longer_than_the_native_one(results: Results) -> None:
    median = {figures.mixture.slug: figures.median_words for figures in results.figures}
    assert median["syn"] >= 1.5 * median["nat"]


STRANGE = [
    "Bonjour",
    "asdkjh qwe",
    "🤔🤔🤔",
    "2 + 2 ?",
    "Écris un poème sur la mer.",
    "SELECT * FROM votes;",
    "é" * 200,
]


def test_whatever_is_asked_the_answer_is_whole_text_and_ends(arms: SequentialArms) -> None:
    for mixture in {arms.mixtures[0], arms.mixtures[-1]}:
        for answer in arms.answers(mixture, [[{"role": "user", "content": text}] for text in STRANGE], 192):
            assert answer.finish_reason in (FinishReason.STOP, FinishReason.LENGTH)
            assert "\ufffd" not in answer.text
            assert re.search(r"[a-zéèêàç]{4}", answer.text)


def test_the_document_shows_the_committed_miniature() -> None:
    text = (FOLDER.parents[1] / "docs/miniature.md").read_text(encoding="utf-8")
    for mixture in MIXTURES:
        assert f"`{read_record(FOLDER / mixture.slug)['data']}`" in text
