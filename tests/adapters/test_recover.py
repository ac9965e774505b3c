from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

from medinject_demo.adapters.findings import Kind, Other, agreed_rank
from medinject_demo.adapters.inversion import invert
from medinject_demo.adapters.recover import Step, recover
from medinject_demo.adapters.work import Work
from medinject_demo.engine.adapter import LayerWeights, read_adapter
from medinject_demo.engine.origin import Base, require_made_for
from medinject_demo.engine.scales import scales_of
from medinject_demo.errors import ModelError, OutputError
from tests.adapters.pairs import RANK, SMALL, change, change_all, pair_of, request_of

LAYER = "model.layers.1.mlp.up_proj"
NORM = "model.layers.2.input_layernorm.weight"


def nothing_written(tmp_path: Path) -> bool:
    """True where there is no adapter, only finished tensors from which the next run may continue."""
    return not (tmp_path / "out").exists() and not list(tmp_path.glob("*.new.partial"))


def files(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir())}


def test_every_layer_is_found_with_its_rank(original: tuple[Path, Path], tmp_path: Path) -> None:
    done = recover(request_of(*original, tmp_path / "out"))
    assert done.kind is Kind.DORA
    assert {each.rank for each in done.matrices} == {RANK} == {each.kept for each in done.matrices}
    assert len(done.adapted) == 7 * SMALL.layers
    assert max(each.left for each in done.matrices) < 1e-4
    assert done.left_out == ()


def test_the_folder_is_one_that_peft_and_the_engine_read(original: tuple[Path, Path], tmp_path: Path) -> None:
    recover(request_of(*original, tmp_path / "out", rank=RANK))
    config = json.loads((tmp_path / "out/adapter_config.json").read_text(encoding="utf-8"))
    assert (config["r"], config["lora_alpha"], config["use_dora"]) == (RANK, RANK, True)
    assert config["target_modules"] == sorted(name.rpartition(".")[2] for name in SMALL.projections)
    shapes = {f"model.layers.{n}.{name}": shape for n in range(3) for name, shape in SMALL.projections.items()}
    assert set(read_adapter(tmp_path / "out", shapes).layers) == set(shapes)


def test_the_next_load_takes_the_scales_as_they_are(
    original: tuple[Path, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    recover(request_of(*original, tmp_path / "out", rank=RANK))
    base = pair_of(*original).base
    shapes = {f"model.layers.{n}.{name}": shape for n in range(3) for name, shape in SMALL.projections.items()}
    adapter, origin = read_adapter(tmp_path / "out", shapes), Base.of_folder(str(original[1]))
    expected = {name: each.scale(base.tensor(f"{name}.weight")) for name, each in adapter.layers.items()}

    def never(*given: object) -> Tensor:
        raise AssertionError("computed again")

    monkeypatch.setattr(LayerWeights, "scale", never)
    kept = scales_of(adapter, origin.joined(adapter), tmp_path / "out", lambda name: torch.zeros(1))
    assert all(torch.equal(kept[name], each) for name, each in expected.items())


def test_an_adapter_is_refused_on_another_base_than_the_one_it_was_recovered_with(
    pair: tuple[Path, Path], tmp_path: Path
) -> None:
    recover(request_of(*pair, tmp_path / "out", rank=RANK))
    require_made_for(tmp_path / "out", Base.of_folder(str(pair[1])))
    change(pair[1], f"{LAYER}.weight", lambda values: values + 1)  # the same shapes, in one of two shards
    with pytest.raises(ModelError, match=r"got one made for weights of the hash \w{16}, not \w{16}, by its recovery"):
        require_made_for(tmp_path / "out", Base.of_folder(str(pair[1])))


@pytest.mark.parametrize("place", [1, 9, 25, 34])
def test_an_interrupted_walk_continues_and_ends_with_the_same_bytes(
    original: tuple[Path, Path], tmp_path: Path, place: int
) -> None:
    recover(request_of(*original, tmp_path / "whole"))
    steps: list[Step] = []

    def interrupt(step: Step) -> None:
        steps.append(step)
        if len(steps) == place:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        recover(request_of(*original, tmp_path / "out"), interrupt)
    assert nothing_written(tmp_path)
    kept = len(list((tmp_path / "out.partial").glob("*.json"))) + len(list((tmp_path / "out.partial").glob("*.saf*")))
    assert kept >= place - 2
    recover(request_of(*original, tmp_path / "out"))
    assert files(tmp_path / "out") == files(tmp_path / "whole")
    assert not (tmp_path / "out.partial").exists()


def test_a_finished_matrix_whose_file_is_broken_is_done_again(original: tuple[Path, Path], tmp_path: Path) -> None:
    recover(request_of(*original, tmp_path / "whole"))

    def late(step: Step) -> None:
        if step.done == step.total:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        recover(request_of(*original, tmp_path / "out"), late)
    (tmp_path / f"out.partial/{LAYER}.safetensors").write_bytes(b"cut")
    recover(request_of(*original, tmp_path / "out"))
    assert files(tmp_path / "out") == files(tmp_path / "whole")


def test_unfinished_work_of_other_checkpoints_is_not_continued(pair: tuple[Path, Path], tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt):
        recover(request_of(*pair, tmp_path / "out"), _interrupt_at(12))
    change(pair[0], f"{LAYER}.weight", lambda values: values)
    recover(request_of(*pair, tmp_path / "out"))
    assert (tmp_path / "out/adapter_config.json").is_file()


def test_a_folder_of_somebody_else_beside_the_output_is_left_alone(pair: tuple[Path, Path], tmp_path: Path) -> None:
    (tmp_path / "out.partial").mkdir()
    (tmp_path / "out.partial/letter.txt").write_text("mine", encoding="utf-8")
    with pytest.raises(OutputError, match="expected unfinished work, got another folder"):
        recover(request_of(*pair, tmp_path / "out"))
    assert (tmp_path / "out.partial/letter.txt").is_file()


def test_an_output_that_cannot_be_written_is_said_in_a_sentence(
    original: tuple[Path, Path], below_a_file: Path
) -> None:
    with pytest.raises(OutputError, match="expected a place to write"):
        recover(request_of(*original, below_a_file / "out"))


def test_layers_that_did_not_change_are_no_part_of_the_adapter(pair: tuple[Path, Path], tmp_path: Path) -> None:
    base = pair_of(*pair).base
    change(pair[0], f"{LAYER}.weight", lambda _: base.tensor(f"{LAYER}.weight").float())
    done = recover(request_of(*pair, tmp_path / "out"))
    config = json.loads((tmp_path / "out/adapter_config.json").read_text(encoding="utf-8"))
    assert {each.module for each in done.matrices if each.kind is Kind.UNCHANGED} == {LAYER}
    assert LAYER not in config["target_modules"]
    assert len(config["target_modules"]) == 7 * SMALL.layers - 1


def test_the_base_itself_is_no_adapter(original: tuple[Path, Path], tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="got the base itself"):
        recover(request_of(original[1], original[1], tmp_path / "out"))
    assert nothing_written(tmp_path)


def test_a_plain_lora_is_written_as_one(pair: tuple[Path, Path], tmp_path: Path) -> None:
    base = pair_of(*pair).base
    generator = torch.Generator().manual_seed(5)
    for module in pair_of(*pair).linear:
        weight = base.tensor(f"{module}.weight").float()
        down, up = (torch.randn(*shape, generator=generator) for shape in ((3, weight.shape[1]), (len(weight), 3)))
        change(pair[0], f"{module}.weight", lambda _, w=weight, b=up, a=down: w + 1e-3 * b @ a)
    done = recover(request_of(*pair, tmp_path / "out"))
    config = json.loads((tmp_path / "out/adapter_config.json").read_text(encoding="utf-8"))
    assert (done.kind, config["use_dora"], config["r"]) == (Kind.LORA, False, 3)


def test_a_merge_rounded_to_bf16_is_named_with_its_floor(pair: tuple[Path, Path], tmp_path: Path) -> None:
    change_all(pair[0], ".weight", lambda values: values.bfloat16())
    done = recover(request_of(*pair, tmp_path / "out", rank=RANK))
    assert {each.precision for each in done.adapted} == {"BF16"}
    for each in done.adapted:
        assert 0.5 * each.floor < each.left < 1.5 * each.floor


def test_a_merge_in_bf16_that_is_stored_in_f32_is_named_too(pair: tuple[Path, Path], tmp_path: Path) -> None:
    change_all(pair[0], ".weight", lambda values: values.bfloat16().float())
    done = recover(request_of(*pair, tmp_path / "out", rank=RANK))
    assert {each.precision for each in done.adapted} == {"BF16"}


def test_a_head_that_the_merge_no_longer_has_is_compared_with_its_embedding(
    pair: tuple[Path, Path], tmp_path: Path
) -> None:
    shard = pair[1] / "model-00001-of-00002.safetensors"
    tensors = load_file(shard)
    save_file(tensors | {"lm_head.weight": tensors["model.embed_tokens.weight"] * 2}, shard)
    with pytest.raises(ModelError, match=r"embed_tokens.weight beside the base's lm_head.weight \(\d+ values changed"):
        recover(request_of(*pair, tmp_path / "out"))


def test_what_is_refused_at_first_sight_leaves_no_work_behind(original: tuple[Path, Path], tmp_path: Path) -> None:
    merged = Path(shutil.copytree(original[0], tmp_path / "merged"))
    change_all(merged, "proj.weight", _full)
    with pytest.raises(ModelError):
        recover(request_of(merged, original[1], tmp_path / "out"))
    assert sorted(path.name for path in tmp_path.iterdir()) == ["merged"]


def _full(values: Tensor) -> Tensor:
    return values + 0.001 * torch.randn(values.shape, generator=torch.Generator().manual_seed(len(values)))


def _across(values: Tensor) -> Tensor:
    noise = torch.randn(values.shape[1], generator=torch.Generator().manual_seed(2))
    return values * (1 + 0.01 * noise)


WRONG: list[tuple[str, Callable[[Tensor], Tensor], str]] = [
    ("a full fine-tuning", _full, r"got a full fine-tuning, or another version of the base: .*singular gap [01]\.\d\d"),
    ("another base", lambda each: torch.randn(each.shape) * 0.02, r"got another base: .* changed by 1[34]\d\.\d% of"),
]


def in_bf16(pair: tuple[Path, Path], to: Callable[[Tensor, Tensor], Tensor]) -> None:
    """Make every linear layer of the merged checkpoint what becomes of it and its base's, saved in bf16."""
    base = pair_of(*pair).base
    for module in pair_of(*pair).linear:
        name = f"{module}.weight"
        change(pair[0], name, lambda values, each=name: to(values, base.tensor(each).float()).bfloat16())


def _noise(weight: Tensor, share: float) -> Tensor:
    """A full-rank random change of a share of a matrix's norm."""
    noise = torch.randn(weight.shape, generator=torch.Generator().manual_seed(len(weight)))
    return share * torch.linalg.vector_norm(weight) / torch.linalg.vector_norm(noise) * noise


WRONG_IN_BF16 = [(0.001, "rounding"), (0.002, "rounding"), (0.003, "full"), (0.004, "full"), (0.005, "full")]
NAMED = {
    "rounding": r"got a change that cannot be told from rounding: in \d+ of \d+ changed matrices no singular value",
    "full": r"got a full fine-tuning, or another version of the base: ",
}


@pytest.mark.parametrize("rank", [None, RANK])
@pytest.mark.parametrize(("share", "named"), WRONG_IN_BF16)
def test_a_full_fine_tuning_that_bf16_nearly_hides_is_no_adapter(
    pair: tuple[Path, Path], tmp_path: Path, share: float, named: str, rank: int | None
) -> None:
    in_bf16(pair, lambda _, weight: weight + _noise(weight, share))
    with pytest.raises(ModelError, match=NAMED[named]):
        recover(request_of(*pair, tmp_path / "out", rank=rank))
    assert nothing_written(tmp_path)


def test_an_adapter_with_a_full_fine_tuning_over_it_is_refused_in_bf16_too(
    pair: tuple[Path, Path], tmp_path: Path
) -> None:
    in_bf16(pair, lambda values, weight: values + _noise(weight, 0.004))
    with pytest.raises(ModelError, match=NAMED["full"]):
        recover(request_of(*pair, tmp_path / "out", rank=RANK))
    assert nothing_written(tmp_path)


@pytest.mark.parametrize("base_in_bf16", [True, False])
@pytest.mark.parametrize("share", [0.1, 0.25, 1.0])
def test_an_adapter_is_found_whatever_roundings_its_merge_in_bf16_made(
    pair: tuple[Path, Path], tmp_path: Path, share: float, base_in_bf16: bool
) -> None:
    """The change is 2 % of the base, or a part of that; the base's values may have bits that bf16 drops."""
    if not base_in_bf16:
        change_all(pair[1], "proj.weight", lambda values: values.float() * 1.001)
    in_bf16(pair, lambda values, weight: _merged_in_bf16(values, weight, share))
    done = recover(request_of(*pair, tmp_path / "out", rank=RANK))
    assert agreed_rank(done.matrices) == RANK
    assert all(each.told for each in done.matrices)


def _merged_in_bf16(values: Tensor, weight: Tensor, share: float) -> Tensor:
    """A merge by peft's steps, each rounded: B A, W + B A, and its product with s; a share of the true change."""
    known = invert(values, values.new_zeros(()) + weight, RANK)
    change, scale = share * (known.up @ known.down), 1 + share * (known.scale - 1)
    return scale.bfloat16()[:, None] * (weight.bfloat16() + change.bfloat16())


@pytest.mark.parametrize(("name", "spoil", "said"), WRONG, ids=[each[0] for each in WRONG])
def test_what_is_no_adapter_is_refused_by_its_name(
    pair: tuple[Path, Path], tmp_path: Path, name: str, spoil: Callable[[Tensor], Tensor], said: str
) -> None:
    change_all(pair[0], "proj.weight", spoil)
    with pytest.raises(ModelError, match=said):
        recover(request_of(*pair, tmp_path / "out"))
    assert nothing_written(tmp_path)


def test_scales_of_the_input_axis_are_refused_by_their_name(pair: tuple[Path, Path], tmp_path: Path) -> None:
    base = pair_of(*pair).base
    for module in pair_of(*pair).linear:
        change(pair[0], f"{module}.weight", lambda _, m=module: _across(base.tensor(f"{m}.weight").float()))
    with pytest.raises(ModelError, match=r"got scales of the input axis, as LyCORIS trains them: .*by column only 0.0"):
        recover(request_of(*pair, tmp_path / "out"))
    assert nothing_written(tmp_path)


def test_a_nan_is_refused_with_the_tensor_that_has_it(pair: tuple[Path, Path], tmp_path: Path) -> None:
    change(pair[0], f"{LAYER}.weight", lambda values: values.index_fill(0, torch.tensor([3]), float("nan")))
    with pytest.raises(ModelError, match=rf"{LAYER}.weight: expected finite numbers, got 192 that are NaN"):
        recover(request_of(*pair, tmp_path / "out"))
    assert nothing_written(tmp_path)


def test_a_missing_shard_is_named(pair: tuple[Path, Path]) -> None:
    (pair[0] / "model-00002-of-00002.safetensors").unlink()
    with pytest.raises(ModelError, match=r"model-00002-of-00002.safetensors: expected a file of weights"):
        pair_of(*pair)


def test_a_cut_shard_is_named_with_its_size(pair: tuple[Path, Path]) -> None:
    shard = pair[0] / "model-00002-of-00002.safetensors"
    shard.write_bytes(shard.read_bytes()[:-100])
    with pytest.raises(ModelError, match=r"expected a whole file of \d+ bytes, got \d+ bytes"):
        pair_of(*pair)


def test_a_base_of_other_shapes_is_named(pair: tuple[Path, Path], tmp_path: Path) -> None:
    change(pair[1], f"{LAYER}.weight", lambda values: values[:10])
    with pytest.raises(
        ModelError, match=rf"{LAYER}.weight: expected the shape \(10, 192\) of the base .* another base"
    ):
        recover(request_of(*pair, tmp_path / "out"))


@pytest.mark.parametrize(
    ("name", "said"),
    [(NORM, r"input_layernorm.weight \(192 values changed"), ("model.embed_tokens.weight", r"embed_tokens.weight \(")],
)
def test_a_change_that_no_adapter_holds_is_refused_or_said(
    pair: tuple[Path, Path], tmp_path: Path, name: str, said: str
) -> None:
    change(pair[0], name, lambda values: values * 1.25)
    with pytest.raises(ModelError, match=said):
        recover(request_of(*pair, tmp_path / "out"))
    assert nothing_written(tmp_path)
    done = recover(request_of(*pair, tmp_path / "out", leave_out=True))
    assert [each.name for each in done.left_out] == [name]
    assert f"`{name}`: " in (tmp_path / "out/README.md").read_text(encoding="utf-8")


def test_rows_added_to_the_embedding_are_said(pair: tuple[Path, Path], tmp_path: Path) -> None:
    name = "model.embed_tokens.weight"
    change(pair[0], name, lambda values: torch.cat([values, values[:5]]))
    with pytest.raises(ModelError, match=r"embed_tokens.weight \(5 rows added\)"):
        recover(request_of(*pair, tmp_path / "out"))


def test_a_head_that_only_one_of_the_two_ties_is_no_change(pair: tuple[Path, Path], tmp_path: Path) -> None:
    shard = pair[0] / "model-00001-of-00002.safetensors"
    tensors = load_file(shard)
    save_file(tensors | {"lm_head.weight": tensors["model.embed_tokens.weight"].clone()}, shard)
    assert recover(request_of(*pair, tmp_path / "out", rank=RANK)).left_out == ()


def _interrupt_at(place: int) -> Callable[[Step], None]:
    seen: list[Step] = []

    def interrupt(step: Step) -> None:
        seen.append(step)
        if len(seen) == place:
            raise KeyboardInterrupt

    return interrupt


def test_a_tensors_name_that_is_a_path_leads_nowhere_else(tmp_path: Path) -> None:
    work = Work.open(tmp_path / "deep/out", {})
    work.keep_other(Other("../../escape", 0, 0.0))
    assert work.other("../../escape") == Other("../../escape", 0, 0.0)
    assert {path.parent for path in tmp_path.rglob("*.json")} == {work.folder}
