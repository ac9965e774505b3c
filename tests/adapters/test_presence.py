from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from medinject_demo.adapters.presence import BaseFiles, adapter_memory, base_files
from medinject_demo.adapters.registry import profile
from medinject_demo.engine.bank import shapes_of
from medinject_demo.engine.loading import load_base
from tests.tiny import stored_in


@pytest.fixture
def folder(tiny_registry: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(profile("tiny", tiny_registry).base, tmp_path / "base"))


def in_hub_cache(folder: Path, cache: Path) -> Path:
    """Lay a base out as the Hub's library keeps the repository group/model."""
    repository = cache / "models--group--model"
    (repository / "refs").mkdir(parents=True)
    (repository / "refs/main").write_text("0" * 40)
    return Path(shutil.copytree(folder, repository / "snapshots" / ("0" * 40)))


def test_a_whole_folder_can_be_loaded(folder: Path) -> None:
    found = base_files(str(folder))
    assert found.whole
    assert found.folder == folder


def test_the_memory_is_that_of_the_loaded_weights(folder: Path) -> None:
    model, _ = load_base(str(folder))
    numbers = sum(parameter.numel() for parameter in model.parameters())
    found = base_files(str(folder))
    assert found.memory("fp32") == 4 * numbers
    assert found.memory("bf16") == found.memory("fp16") == 2 * numbers
    assert found.memory("fp32", halves=True) == 4 * numbers  # it is stored in fp32


def test_matrices_that_stay_in_bf16_take_half_of_what_they_would(folder: Path, tmp_path: Path) -> None:
    stored_in(torch.bfloat16, str(folder), tmp_path / "half")
    model, _ = load_base(str(folder))
    matrices = sum(each.numel() for each in model.parameters() if each.dim() == 2)
    found = base_files(str(tmp_path / "half"))
    assert found.memory("fp32") - found.memory("fp32", halves=True) == 2 * matrices
    assert found.memory("fp32", "int8", halves=True) == found.memory("fp32", "int8")


def test_a_quantisation_makes_the_linear_layers_smaller_and_nothing_else(folder: Path) -> None:
    model, _ = load_base(str(folder))
    linear = sum(outputs * inputs for outputs, inputs in shapes_of(model).values())
    found = base_files(str(folder))
    assert found.memory("fp32") - found.memory("fp32", "int8") == 3 * linear
    assert found.memory("fp32") - found.memory("fp32", "int4") == 3.5 * linear


@pytest.mark.parametrize("name", ["config.json", "model.safetensors"])
def test_a_file_that_is_missing_is_named(folder: Path, name: str) -> None:
    (folder / name).unlink()
    assert base_files(str(folder)).missing == (name,)


def test_a_base_without_any_tokenizer_is_not_whole(folder: Path) -> None:
    for name in ("tokenizer.json", "tokenizer_config.json"):
        (folder / name).unlink()
    assert base_files(str(folder)).missing == ("tokenizer.json",)


def test_a_weight_file_that_is_cut_counts_as_missing(folder: Path) -> None:
    path = folder / "model.safetensors"
    path.write_bytes(path.read_bytes()[:-100])
    assert base_files(str(folder)).missing == ("model.safetensors",)


def sharded(folder: Path) -> None:
    """The same weights in two files and a list of them."""
    tensors = sorted(load_file(folder / "model.safetensors").items())
    (folder / "model.safetensors").unlink()
    shards = {"a.safetensors": dict(tensors[:5]), "b.safetensors": dict(tensors[5:])}
    for name, some in shards.items():
        save_file(some, folder / name)
    listed = {tensor: name for name, some in shards.items() for tensor in some}
    (folder / "model.safetensors.index.json").write_text(json.dumps({"weight_map": listed}))


def test_weights_in_several_files_are_counted_together(folder: Path) -> None:
    whole = base_files(str(folder)).memory("fp32")
    sharded(folder)
    assert base_files(str(folder)).memory("fp32") == whole
    (folder / "b.safetensors").unlink()
    assert base_files(str(folder)).missing == ("b.safetensors",)


@pytest.mark.parametrize("spoilt", ["", "[]", "{}", '{"weight_map": 3}'])
def test_a_spoilt_list_of_weights_is_named(folder: Path, spoilt: str) -> None:
    sharded(folder)
    (folder / "model.safetensors.index.json").write_text(spoilt)
    assert base_files(str(folder)).missing == ("model.safetensors.index.json",)


def test_a_repository_is_found_in_the_hubs_cache(folder: Path, tmp_path: Path) -> None:
    snapshot = in_hub_cache(folder, tmp_path / "cache")
    found = base_files("group/model", tmp_path / "cache")
    assert found.whole
    assert found.folder == snapshot


def test_a_download_that_was_interrupted_is_not_whole(folder: Path, tmp_path: Path) -> None:
    (in_hub_cache(folder, tmp_path / "cache") / "model.safetensors").unlink()
    assert base_files("group/model", tmp_path / "cache").missing == ("model.safetensors",)


@pytest.mark.parametrize("base", ["group/other", "/nowhere/base", "a b"])
def test_what_is_not_on_this_machine_has_no_folder(base: str, tmp_path: Path) -> None:
    assert base_files(base, tmp_path) == BaseFiles(None)
    assert not base_files(base, tmp_path).whole


def test_the_memory_of_an_adapter_is_that_of_its_tensors(tiny_registry: Path, tmp_path: Path) -> None:
    arm = next(iter(profile("tiny", tiny_registry).arms.values())).folder
    numbers = sum(tensor.numel() for tensor in load_file(arm / "adapter_model.safetensors").values())
    assert adapter_memory(arm, "bf16") == 2 * numbers
    assert adapter_memory(tmp_path / "absent", "bf16") == 0
