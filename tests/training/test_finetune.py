"""Laws of a fine-tuning run, on a base of a few thousand parameters made on the spot."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from medinject_demo.engine.loading import load_base
from medinject_demo.errors import InvalidValue, ModelError, OutputError
from medinject_demo.training.finetune import Run, _add_seconds, read_record, train
from medinject_demo.training.recipe import Recipe
from tests.tiny import EXAMPLES, tiny_base

RECIPE = Recipe(
    rank=4, alpha=4, dropout=0.0, learning_rate=1e-2, epochs=4, batch=4, accumulation=1, max_length=64, precision="fp32"
)


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> str:
    return tiny_base(tmp_path_factory.mktemp("tiny") / "base")


def a_run(base: str, output: Path, recipe: Recipe = RECIPE) -> Run:
    return Run(base, EXAMPLES, output, recipe, {"mixture": "nat", "data": "0123", "counts": {"nat": len(EXAMPLES)}})


def test_a_training_writes_a_standard_dora_folder_with_its_record_and_card(base: str, tmp_path: Path) -> None:
    output = train(a_run(base, tmp_path / "nat"), say=lambda _: None)
    config = json.loads((output / "adapter_config.json").read_text())
    assert (config["peft_type"], config["use_dora"], config["r"], config["bias"]) == ("LORA", True, 4, "none")
    assert config["base_model_name_or_path"] == base
    tensors = load_file(output / "adapter_model.safetensors")
    assert sum("lora_magnitude_vector" in name for name in tensors) == 7
    record = read_record(output)
    assert record["counts"] == {"nat": 8}
    assert record["losses"][-1] < record["losses"][0]
    card = (output / "README.md").read_text(encoding="utf-8")
    assert "nat" in card
    assert "0123" in card
    assert not (tmp_path / "nat.partial").exists()


def test_a_training_that_is_done_is_known_as_such_and_another_recipe_is_not(base: str, tmp_path: Path) -> None:
    run = a_run(base, tmp_path / "nat", replace(RECIPE, epochs=1))
    assert not run.done()
    train(run, say=lambda _: None)
    assert run.done()
    assert not replace(run, recipe=replace(run.recipe, seed=7)).done()


WHOLE = replace(RECIPE, rank=0, packed=True, optimizer="muon", batch=1)


@pytest.mark.parametrize("recipe", [RECIPE, WHOLE], ids=["adapter", "whole-packed-muon"])
def test_an_interrupted_training_continues_and_ends_with_the_weights_of_one_that_was_not(
    base: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, recipe: Recipe
) -> None:
    whole = train(a_run(base, tmp_path / "whole", recipe), say=lambda _: None)
    from transformers import TrainerCallback
    from trl import SFTTrainer

    class Interrupt(TrainerCallback):
        def on_save(self, args: object, state: object, control: object, **kwargs: object) -> None:
            if state.global_step >= 4:  # type: ignore[attr-defined]
                raise KeyboardInterrupt

    plain = SFTTrainer.__init__

    def interrupted(self: SFTTrainer, **kwargs: object) -> None:
        plain(self, callbacks=[Interrupt()], **kwargs)

    monkeypatch.setattr(SFTTrainer, "__init__", interrupted)
    run = a_run(base, tmp_path / "cut", recipe)
    with pytest.raises(KeyboardInterrupt):
        train(run, say=lambda _: None)
    assert not run.output.exists()
    monkeypatch.setattr(SFTTrainer, "__init__", plain)
    said: list[str] = []
    train(run, said.append)
    assert any("continuing" in line for line in said)
    assert read_record(run.output)["resumed"]
    weights = "adapter_model.safetensors" if recipe.rank else "model.safetensors"
    left, right = (load_file(folder / weights) for folder in (whole, run.output))
    for name, tensor in left.items():
        torch.testing.assert_close(tensor, right[name], msg=name)


def test_a_failed_training_leaves_the_good_folder_that_stood_there(base: str, tmp_path: Path) -> None:
    run = a_run(base, tmp_path / "nat", replace(RECIPE, epochs=1))
    train(run, say=lambda _: None)
    before = (run.output / "adapter_model.safetensors").read_bytes()
    with pytest.raises(ModelError):
        train(replace(run, base=str(tmp_path / "absent")), say=lambda _: None)
    assert (run.output / "adapter_model.safetensors").read_bytes() == before


def test_a_base_without_a_chat_template_is_refused_with_the_remedy(base: str, tmp_path: Path) -> None:
    model, tokenizer = load_base(base)
    tokenizer.chat_template = None
    model.save_pretrained(tmp_path / "bare")
    tokenizer.save_pretrained(tmp_path / "bare")
    with pytest.raises(ModelError, match=r"chat template, got none\. Use an instruction-tuned base"):
        train(a_run(str(tmp_path / "bare"), tmp_path / "out"), say=lambda _: None)


def test_an_unwritable_output_is_refused_before_anything_is_trained(base: str, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(OutputError, match="Choose another place"):
        train(a_run(base, tmp_path / "file" / "nat"), say=lambda _: None)


def test_full_sequence_loss_differs_from_completion_only(base: str, tmp_path: Path) -> None:
    recipe = replace(RECIPE, epochs=1)
    losses = [
        read_record(train(a_run(base, tmp_path / str(only), replace(recipe, completion_only=only)), say=print))[
            "losses"
        ]
        for only in (True, False)
    ]
    assert losses[0] != losses[1]


@pytest.mark.parametrize(
    ("name", "value"),
    [("epochs", 0), ("batch", -1), ("max_length", 0), ("precision", "fp8"), ("optimizer", "sgd")],
)
def test_an_impossible_setting_is_refused_by_name(name: str, value: object) -> None:
    with pytest.raises(InvalidValue, match=name):
        replace(RECIPE, **{name: value})


def test_a_checkpoint_cut_while_it_was_written_is_passed_over(base: str, tmp_path: Path) -> None:
    run = a_run(base, tmp_path / "nat", replace(RECIPE, epochs=1))
    with pytest.raises(ModelError):
        train(replace(run, base=str(tmp_path / "absent")), say=lambda _: None)
    cut = run.partial / "checkpoints" / "checkpoint-9"
    cut.mkdir(parents=True)
    (run.partial / "run.json").write_text(json.dumps(run.identity, sort_keys=True, ensure_ascii=False))
    assert not read_record(train(run, say=lambda _: None))["resumed"]


def test_an_unfinished_training_of_other_settings_is_thrown_away_aloud(base: str, tmp_path: Path) -> None:
    run = a_run(base, tmp_path / "nat", replace(RECIPE, epochs=1))
    run.partial.mkdir()
    (run.partial / "run.json").write_text("another")
    said: list[str] = []
    train(run, said.append)
    assert any("thrown away" in line for line in said)


def test_a_folder_that_is_no_training_is_refused_before_anything_is_trained(base: str, tmp_path: Path) -> None:
    (tmp_path / "docs").mkdir()
    (tmp_path / "docs" / "thesis.md").write_text("mine")
    with pytest.raises(OutputError, match="expected a free place or an earlier training"):
        train(a_run(base, tmp_path / "docs"), say=lambda _: None)
    assert not (tmp_path / "docs.partial").exists()


@pytest.mark.parametrize("kept", ["", "trois", "12.5"])
def test_a_clock_that_was_cut_by_a_full_disk_ends_no_training(tmp_path: Path, kept: str) -> None:
    (tmp_path / "seconds.txt").write_text(kept, encoding="utf-8")
    assert _add_seconds(tmp_path, 2.0) == (14.5 if kept == "12.5" else 2.0)
    assert _add_seconds(tmp_path, 1.0) == (15.5 if kept == "12.5" else 3.0)


def test_a_clock_that_cannot_be_written_hides_no_other_error(tmp_path: Path) -> None:
    assert _add_seconds(tmp_path / "not a folder" / "nor this", 2.0) == 2.0
    (tmp_path / "a file").touch()
    assert _add_seconds(tmp_path / "a file", 2.0) == 2.0
