from __future__ import annotations

from pathlib import Path

import pytest
import torch

from medinject_demo.domain import ARMS, BASE, FinishReason, Mixture
from medinject_demo.engine.loading import load_base
from medinject_demo.engine.sequential import SequentialArms
from medinject_demo.errors import ModelError
from tests.tiny import tiny_adapter, tiny_base

ASKED = [[{"role": "user", "content": text}] for text in ("Réponse ?", "Quelle est la définition de la maladie ?", "1")]


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> str:
    return tiny_base(tmp_path_factory.mktemp("tiny") / "base")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("adapters")


@pytest.fixture(scope="module")
def arms(base: str, folder: Path) -> SequentialArms:
    return SequentialArms(base, {mixture: tiny_adapter(base, folder / mixture.slug, mixture) for mixture in ARMS})


def said(arms: SequentialArms, mixture: Mixture) -> list[str]:
    return [answer.text for answer in arms.answers(mixture, ASKED, 12)]


def test_each_arm_answers_as_its_adapter_alone_on_the_base(arms: SequentialArms, base: str, folder: Path) -> None:
    alone = [said(SequentialArms(base, {mixture: folder / mixture.slug}), mixture) for mixture in ARMS]
    assert [said(arms, mixture) for mixture in ARMS] == alone
    assert len(set(map(tuple, alone))) > len(ARMS) // 2


def test_the_base_among_its_arms_answers_as_the_base_alone(arms: SequentialArms, base: str) -> None:
    alone = SequentialArms(base, {})
    arms.answers(ARMS[0], ASKED[:1], 1)
    assert [each.text for each in arms.answers(BASE, ASKED, 8)] == [each.text for each in alone.answers(BASE, ASKED, 8)]


def test_a_batch_of_unequal_prompts_answers_as_one_at_a_time(arms: SequentialArms) -> None:
    together = [each.text for each in arms.answers(ARMS[3], ASKED, 8)]
    assert together == [arms.answers(ARMS[3], [one], 8)[0].text for one in ASKED]


def test_a_cap_ends_an_answer_and_says_so(arms: SequentialArms) -> None:
    (answer,) = arms.answers(ARMS[0], ASKED[:1], 3)
    assert answer.tokens <= 3
    assert answer.finish_reason is (FinishReason.STOP if answer.tokens < 3 else FinishReason.LENGTH)


def test_letters_are_chosen_among_those_of_the_prompt_only(arms: SequentialArms) -> None:
    letters = arms.letters(ARMS[0], ASKED, ["AB", "CD", "E"])
    assert [letter in choices for letter, choices in zip(letters, ["AB", "CD", "E"], strict=True)] == [True] * 3


def test_an_adapter_that_is_not_there_is_named_with_the_remedy(base: str, tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"adapter .*absent.*Rebuild it with train mini"):
        SequentialArms(base, {ARMS[0]: tmp_path / "absent"})


def test_an_adapter_of_another_shape_is_refused(base: str, tmp_path: Path) -> None:
    from safetensors.torch import load_file, save_file

    folder = tiny_adapter(base, tmp_path / "nat", ARMS[0])
    tensors = load_file(folder / "adapter_model.safetensors")
    save_file({name: torch.zeros(3, 5) for name in tensors}, folder / "adapter_model.safetensors")
    with pytest.raises(ModelError, match="expected a PEFT folder made for this base"):
        SequentialArms(base, {ARMS[0]: folder})


def test_a_base_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"base .*absent.*Check its name"):
        load_base(str(tmp_path / "absent"))
