"""Laws of packed rows and of optimizers seen as one."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from medinject_demo.engine.loading import load_base
from medinject_demo.training.recipe import Recipe
from medinject_demo.training.trainer import IGNORED, MUON_RATE, PackedRows, muon, trainer_of
from tests.tiny import EXAMPLES, tiny_base

PACKED = Recipe(rank=0, epochs=1, batch=2, accumulation=1, max_length=64, precision="fp32", packed=True)


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> str:
    return tiny_base(tmp_path_factory.mktemp("tiny") / "base")


def test_positions_begin_again_at_each_example_and_padding_carries_no_loss() -> None:
    row = {"input_ids": [5, 6, 7, 8, 9], "labels": [IGNORED, 6, IGNORED, 8, 9], "seq_lengths": [2, 3]}
    batch = PackedRows(8, padding=0)([row])
    assert batch["position_ids"].tolist() == [[0, 1, 0, 1, 2, 0, 1, 2]]
    assert batch["input_ids"].tolist() == [[5, 6, 7, 8, 9, 0, 0, 0]]
    assert batch["labels"].tolist() == [[IGNORED, 6, IGNORED, 8, 9, IGNORED, IGNORED, IGNORED]]


@pytest.mark.parametrize("attention", ["eager", "sdpa"])
def test_an_example_in_a_packed_row_is_read_as_if_it_were_alone(base: str, attention: str) -> None:
    model, _ = load_base(base, attention)
    model.float().eval()
    first, second = list(range(5, 12)), list(range(20, 30))
    row = {"input_ids": first + second, "labels": first + second, "seq_lengths": [len(first), len(second)]}
    batch = PackedRows(24, padding=0)([row])
    with torch.no_grad():
        packed = model(input_ids=batch["input_ids"], position_ids=batch["position_ids"], use_cache=False).logits[0]
        alone = [model(input_ids=torch.tensor([each])).logits[0] for each in (first, second)]
    torch.testing.assert_close(packed[:17], torch.cat(alone))


def test_packing_loses_no_example_and_cuts_none(base: str, tmp_path: Path) -> None:
    model, tokenizer = load_base(base)
    rows = trainer_of(model, tokenizer, EXAMPLES, PACKED, tmp_path).train_dataset
    assert sum(len(row["seq_lengths"]) for row in rows) == len(EXAMPLES)
    assert all(sum(row["seq_lengths"]) == len(row["input_ids"]) <= PACKED.max_length for row in rows)
    told = [label for row in rows for label in row["labels"] if label != IGNORED]
    answers = [tokenizer(example.completion + "<|im_end|>\n")["input_ids"] for example in EXAMPLES]
    assert sorted(told) == sorted(token for answer in answers for token in answer)


def test_muon_has_the_matrices_and_adamw_the_rest_each_parameter_once(base: str) -> None:
    model, _ = load_base(base)
    optimizer = muon(model.named_parameters(), 1e-3)
    matrices, others = optimizer.parts
    assert all(each.ndim == 2 for group in matrices.param_groups for each in group["params"])
    taken = [id(each) for group in optimizer.param_groups for each in group["params"]]
    assert sorted(taken) == sorted(id(each) for each in model.parameters())
    assert any(each is model.get_input_embeddings().weight for group in others.param_groups for each in group["params"])


def test_a_schedule_reaches_every_part_also_after_a_resume(base: str) -> None:
    model, _ = load_base(base)
    optimizer = muon(model.named_parameters(), 1e-3)
    optimizer.load_state_dict(optimizer.state_dict())
    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: 0.5)
    optimizer.step()
    schedule.step()
    rates = [group["lr"] for part in optimizer.parts for group in part.param_groups]
    assert rates == pytest.approx([MUON_RATE * 5e-4, 5e-4])
