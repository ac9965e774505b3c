from __future__ import annotations

import json
import math
import shutil
from pathlib import Path
from typing import Any

import pytest
import torch
from peft import PeftModel
from safetensors.torch import load_file, save_file

from medinject_demo.adapters.checkpoint import open_checkpoint
from medinject_demo.adapters.names import linear_shapes
from medinject_demo.adapters.source import open_source
from medinject_demo.adapters.streamed import StreamedModel, by_formula, by_peft
from medinject_demo.adapters.verify import Difference, Verification, tokens_of, verify
from medinject_demo.domain import Mixture
from medinject_demo.engine.adapter import WEIGHTS, LayerWeights, read_adapter
from medinject_demo.engine.loading import load_base
from medinject_demo.errors import ModelError
from tests.tiny import tiny_adapter, tiny_base


@pytest.fixture(scope="module")
def merged(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A base, an adapter and what peft merges of them."""
    place = tmp_path_factory.mktemp("merged")
    base = tiny_base(place / "base")
    tiny_adapter(base, place / "adapter", Mixture.parse("nat"))
    model: Any
    model, tokenizer = load_base(base)
    PeftModel.from_pretrained(model, str(place / "adapter")).merge_and_unload().save_pretrained(place / "merged")
    tokenizer.save_pretrained(place / "merged")
    return place


def verified(place: Path, adapter: Path, *, whole: bool) -> Verification:
    checkpoints = (open_checkpoint(open_source(str(place / name))) for name in ("merged", "base"))
    return verify(adapter, *checkpoints, whole=whole)


@pytest.mark.parametrize("whole", [True, False])
def test_the_adapter_of_a_merge_answers_as_the_merge_does(merged: Path, whole: bool) -> None:
    found = verified(merged, merged / "adapter", whole=whole)
    assert found.holds
    assert found.worst.most < 1e-4
    assert {each.way for each in found.differences} >= {"peft"}
    found.require()


@pytest.mark.parametrize("whole", [True, False])
def test_an_adapter_with_another_magnitude_is_found_out(merged: Path, tmp_path: Path, whole: bool) -> None:
    other = Path(shutil.copytree(merged / "adapter", tmp_path / "other"))
    tensors = load_file(other / WEIGHTS)
    save_file({name: each * (1.05 if "magnitude" in name else 1) for name, each in tensors.items()}, other / WEIGHTS)
    found = verified(merged, other, whole=whole)
    assert not found.holds
    with pytest.raises(
        ModelError, match=r"adapter: expected logits within 0.001 of the merged checkpoint's, got 0\.\d+"
    ):
        found.require()


@pytest.mark.parametrize(
    ("record", "remedy"),
    [
        (None, "No record tells that it was recovered from this checkpoint"),
        ({"matrices": [{"kind": "DoRA", "precision": "BF16"}]}, "from a merge in BF16, which rounds: give --tolerance"),
        ({"matrices": [{"kind": "DoRA", "precision": "F32"}]}, "merged in F32, whose rounding is far less: recover it"),
        ({"matrices": [{"kind": "DoRA", "precision": "F32"}], "beyond": ["a"]}, "Its card names what it leaves out"),
        ({"matrices": [{"kind": "DoRA", "precision": "F32"}], "left_out": [{}]}, "Its card names what it leaves out"),
        ({"matrices": [{"kind": "unchanged", "precision": "BF16"}]}, "No record tells"),
    ],
)
def test_the_remedy_is_that_of_the_recorded_merge(
    merged: Path, tmp_path: Path, record: dict[str, Any] | None, remedy: str
) -> None:
    other = Path(shutil.copytree(merged / "adapter", tmp_path / "other"))
    if record is not None:
        (other / "recovery.json").write_text(json.dumps(record), encoding="utf-8")
    checkpoints = (open_checkpoint(open_source(str(merged / name))) for name in ("merged", "base"))
    with pytest.raises(ModelError, match=remedy):
        verify(other, *checkpoints, tolerance=1e-12, whole=False).require()


def _spoilt(folder: Path, place: Path, question: int) -> Path:
    """A copy of a checkpoint in which one token of a question, and of no earlier one, is no number."""
    tokens = tokens_of(load_base(str(folder))[1])
    last = [set(each[0, -min(one.shape[1] for one in tokens) :].tolist()) for each in tokens]
    own = min(last[question].difference(*last[:question]))
    spoilt = Path(shutil.copytree(folder, place))
    tensors = load_file(spoilt / "model.safetensors")
    tensors["model.embed_tokens.weight"][own] = float("nan")
    save_file(tensors, spoilt / "model.safetensors", metadata={"format": "pt"})
    return spoilt


@pytest.mark.parametrize("question", [0, 1, 2])
@pytest.mark.parametrize("whole", [True, False])
def test_an_answer_that_is_no_number_is_never_the_same(
    merged: Path, tmp_path: Path, whole: bool, question: int
) -> None:
    broken = _spoilt(merged / "merged", tmp_path / "broken", question)
    base = open_checkpoint(open_source(str(merged / "base")))
    found = verify(merged / "adapter", open_checkpoint(open_source(str(broken))), base, whole=whole)
    assert not found.holds
    assert math.isnan(found.worst.most)
    assert json.loads(json.dumps(found.as_dict(), allow_nan=False))["holds"] is False
    with pytest.raises(ModelError, match=r"within 0.001 of the merged checkpoint's, got nan .*damaged"):
        found.require()


@pytest.mark.parametrize("place", [0, 1, 2])
def test_a_difference_that_is_no_number_is_the_worst_wherever_it_stands(place: int) -> None:
    said = [Difference("peft", str(number), 0.0, True) for number in range(3)]
    said[place] = Difference("peft", "broken", math.nan, True)
    found = Verification(True, tuple(said), 1e-3)
    assert (found.holds, found.worst.subject) == (False, "broken")


def test_layers_that_give_no_number_are_infinitely_apart(merged: Path, tmp_path: Path) -> None:
    checkpoint = open_checkpoint(open_source(str(_spoilt(merged / "base", tmp_path / "broken", 0))))
    model = StreamedModel(checkpoint, read_adapter(merged / "adapter", linear_shapes(checkpoint)).layers)
    model.run(tokens_of(load_base(str(merged / "base"))[1])[0])
    assert model.apart == math.inf


def test_a_model_read_weight_by_weight_answers_as_one_that_is_loaded(merged: Path) -> None:
    tokens = torch.arange(5, 40)[None]
    loaded: Any = load_base(str(merged / "merged"))[0]
    with torch.inference_mode():
        expected = loaded(input_ids=tokens).logits[:, -1]
    got, layers = StreamedModel(open_checkpoint(open_source(str(merged / "merged")))).run(tokens)
    torch.testing.assert_close(got, expected, rtol=1e-4, atol=1e-5)
    assert len(layers) == loaded.config.num_hidden_layers


def test_the_engines_formula_is_peft_to_rounding() -> None:
    generator = torch.Generator().manual_seed(1)
    weight, given, down, up, magnitude = (
        torch.randn(*shape, generator=generator) for shape in ((24, 32), (2, 5, 32), (4, 32), (24, 4), (24,))
    )
    for each in (LayerWeights(down, up, 0.5, magnitude), LayerWeights(down, up, 2.0, None)):
        torch.testing.assert_close(by_formula(each, weight, given), by_peft(each, weight, given), rtol=1e-4, atol=1e-4)
