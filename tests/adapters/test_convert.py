from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
import torch
from peft import PeftModel
from safetensors.torch import load_file, save_file

from medinject_demo.adapters.convert import convert, nearest
from medinject_demo.adapters.folder import RECORD
from medinject_demo.adapters.registry import profile
from medinject_demo.domain import Mixture
from medinject_demo.engine.adapter_settings import CONFIG
from medinject_demo.engine.loading import load_base
from medinject_demo.engine.origin import Base, made_for, require_made_for
from medinject_demo.errors import InvalidValue, ModelError, OutputError
from tests.tiny import tiny_adapter, tiny_base


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, Path]:
    """A base and a DoRA adapter of it."""
    folder = tmp_path_factory.mktemp("pair")
    base = tiny_base(folder / "base")
    return base, tiny_adapter(base, folder / "nat", Mixture.parse("nat"))


def logits(base: str, adapter: Path) -> torch.Tensor:
    model, _ = load_base(base)
    with torch.inference_mode():
        answer: torch.Tensor = PeftModel.from_pretrained(model, str(adapter))(torch.arange(3, 40)[None]).logits
    return answer


def test_a_full_rank_answers_as_the_dora_adapter_does(pair: tuple[str, Path], tmp_path: Path) -> None:
    base, adapter = pair
    done = convert(adapter, base, tmp_path / "lora", 32)
    assert done.worst < 1e-5
    assert (logits(base, adapter) - logits(base, tmp_path / "lora")).abs().max() < 1e-4


def test_a_rank_beyond_the_matrix_is_filled_with_zeros_that_change_nothing(
    pair: tuple[str, Path], tmp_path: Path
) -> None:
    base, adapter = pair
    convert(adapter, base, tmp_path / "lora", 64)
    assert (logits(base, adapter) - logits(base, tmp_path / "lora")).abs().max() < 1e-4


def test_a_rank_that_loses_too_much_is_refused_with_what_it_loses(pair: tuple[str, Path], tmp_path: Path) -> None:
    base, adapter = pair
    with pytest.raises(ModelError, match=r"expected a LoRA of rank 4 .*, got one that leaves out \d.*--force"):
        convert(adapter, base, tmp_path / "lora", 4)
    assert list(tmp_path.iterdir()) == []


def test_what_is_forced_is_written_with_its_loss_in_the_card(pair: tuple[str, Path], tmp_path: Path) -> None:
    base, adapter = pair
    done = convert(adapter, base, tmp_path / "lora", 4, force=True)
    assert f"**{done.total:.2%}** of the change" in (tmp_path / "lora/README.md").read_text(encoding="utf-8")
    assert done.total > 0.01


def test_higher_ranks_lose_less(pair: tuple[str, Path], tmp_path: Path) -> None:
    base, adapter = pair
    losses = [convert(adapter, base, tmp_path / str(rank), rank, force=True).total for rank in (1, 4, 8, 16, 32)]
    assert losses == sorted(losses, reverse=True)
    assert len(set(losses)) == len(losses)


def test_the_randomised_decomposition_is_within_a_percent_of_the_whole_one() -> None:
    generator = torch.Generator().manual_seed(3)
    change = torch.randn(1100, 64, generator=generator) @ torch.randn(64, 1200, generator=generator)
    change += 0.1 * torch.randn(1100, 1200, generator=generator)
    near = nearest(change, 32)
    values = torch.linalg.svdvals(change)
    best = values[32:].square().sum().sqrt()
    assert torch.linalg.vector_norm(change - near.up @ near.down) < 1.01 * best


def test_a_rank_below_one_is_refused(pair: tuple[str, Path], tmp_path: Path) -> None:
    base, adapter = pair
    with pytest.raises(InvalidValue, match="rank: expected at least 1, got 0"):
        convert(adapter, base, tmp_path / "lora", 0)


def test_a_place_that_holds_something_else_is_left_alone(pair: tuple[str, Path], tmp_path: Path) -> None:
    base, adapter = pair
    (tmp_path / "letters.txt").write_text("mine", encoding="utf-8")
    with pytest.raises(OutputError, match="expected a free place or an earlier adapter, got another folder"):
        convert(adapter, base, tmp_path, 32)
    assert (tmp_path / "letters.txt").read_text(encoding="utf-8") == "mine"


def test_an_adapter_of_another_base_is_refused(pair: tuple[str, Path], tmp_path: Path) -> None:
    _, adapter = pair
    with pytest.raises(ModelError, match="expected an adapter of this base"):
        convert(adapter, profile("mini").base, tmp_path / "lora", 32)


def test_an_adapter_of_another_base_of_the_same_shapes_is_refused(pair: tuple[str, Path], tmp_path: Path) -> None:
    base, _ = pair
    adapter = recorded(pair, tmp_path / "nat", Base.of_folder(base).weights)
    other = shutil.copytree(base, tmp_path / "base")
    tensors = load_file(other / "model.safetensors")
    tensors["model.norm.weight"] += 1
    save_file(tensors, other / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(ModelError, match=r"got one made for weights of the hash \w{16}, not \w{16}, by its recovery"):
        convert(adapter, other, tmp_path / "lora", 32)
    assert not (tmp_path / "lora").exists()


def test_what_is_converted_says_the_base_that_it_is_made_for(pair: tuple[str, Path], tmp_path: Path) -> None:
    base, _ = pair
    weights = Base.of_folder(base).weights
    for adapter in (pair[1], recorded(pair, tmp_path / "nat", weights)):
        convert(adapter, base, tmp_path / "lora", 32)
        assert made_for(tmp_path / "lora") == (RECORD, weights)
        require_made_for(tmp_path / "lora", Base.of_folder(base))


def recorded(pair: tuple[str, Path], place: Path, weights: str | None) -> Path:
    """The adapter with a record of a recovery that names the weights of its base."""
    folder = Path(shutil.copytree(pair[1], place))
    (folder / RECORD).write_text(json.dumps({"base_weights": weights}), encoding="utf-8")
    return folder


def test_the_same_conversion_gives_the_same_bytes(pair: tuple[str, Path], tmp_path: Path) -> None:
    base, adapter = pair
    for name in ("one", "other"):
        convert(adapter, base, tmp_path / name, 8, force=True)
    for file in (CONFIG, "adapter_model.safetensors"):
        assert (tmp_path / "one" / file).read_bytes() == (tmp_path / "other" / file).read_bytes()
