"""What an adapter does not hold: changes that rounding hides, and changes beyond its rank."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from torch import Tensor

from medinject_demo.adapters.findings import Kind, Matrix, judge, together
from medinject_demo.adapters.inversion import invert
from medinject_demo.adapters.recorded import shortfall
from medinject_demo.adapters.recover import recover
from medinject_demo.adapters.recovery import summary
from medinject_demo.errors import ModelError
from tests.adapters.pairs import RANK, SMALL, change, pair_of, request_of

MLP = [f"model.layers.{layer}.mlp.{name}_proj" for layer in range(SMALL.layers) for name in ("down", "gate", "up")]
NAMED = "model.layers.{0, 1, 2}.mlp.down_proj"
UPWARD = "model.layers.{0, 1, 2}.mlp.up_proj"


def noise(values: Tensor, size: Tensor) -> Tensor:
    """A full-rank change of a norm."""
    drawn = torch.randn(values.shape, generator=torch.Generator().manual_seed(len(values)))
    return drawn * (size / torch.linalg.vector_norm(drawn))


def spoil(pair: tuple[Path, Path], to: Callable[[str, Tensor, Tensor], Tensor]) -> None:
    """Make every linear layer of the merged checkpoint what becomes of its name, its values and its base's."""
    base = pair_of(*pair).base
    for module in pair_of(*pair).linear:
        name = f"{module}.weight"
        change(pair[0], name, lambda values, each=name: to(each, values, base.tensor(each).float()))


def _hidden(name: str, values: Tensor, weight: Tensor) -> Tensor:
    """In bf16: the adapter in attention, a full-rank change of one rounding in the rest."""
    if ".mlp." in name:
        values = weight + noise(weight, 1.66e-3 * torch.linalg.vector_norm(weight))
    return values.bfloat16()


def test_changes_that_rounding_hides_are_named_and_left_as_the_base_has_them(
    pair: tuple[Path, Path], tmp_path: Path
) -> None:
    spoil(pair, _hidden)
    done = recover(request_of(*pair, tmp_path / "out"))
    assert sorted(done.hidden) == MLP
    assert {each.kind for each in done.adapted} == {Kind.DORA}
    assert len(done.adapted) == 4 * SMALL.layers
    assert not [name for name in load_file(tmp_path / "out/adapter_model.safetensors") if ".mlp." in name]
    settings = json.loads((tmp_path / "out/adapter_config.json").read_text(encoding="utf-8"))
    assert settings["target_modules"] == ["k_proj", "o_proj", "q_proj", "v_proj"]
    record = json.loads((tmp_path / "out/recovery.json").read_text(encoding="utf-8"))
    assert (sorted(record["hidden"]["modules"]), record["hidden"]["kept"]) == (MLP, False)
    card = (tmp_path / "out/README.md").read_text(encoding="utf-8")
    assert NAMED in card
    assert "left as the base has them" in card
    assert "| layers | 12 adapted, 9 the base's |" in card
    assert "not told from rounding, left as the base has them: model.layers." in summary(done)
    assert NAMED in summary(done)


def test_changes_that_rounding_hides_are_kept_where_that_is_asked(pair: tuple[Path, Path], tmp_path: Path) -> None:
    spoil(pair, _hidden)
    done = recover(request_of(*pair, tmp_path / "out", keep_hidden=True))
    assert len(done.adapted) == 7 * SMALL.layers
    assert sorted(done.hidden) == MLP
    names = load_file(tmp_path / "out/adapter_model.safetensors")
    assert all(any(module in name for name in names) for module in MLP)
    card = (tmp_path / "out/README.md").read_text(encoding="utf-8")
    assert "kept as they came out, which may be noise" in card
    assert "| layers | 21 adapted, 0 the base's |" in card
    assert "not told from rounding, kept, and may be noise: model.layers." in summary(done)


def test_where_nothing_is_hidden_nothing_is_said_of_it(original: tuple[Path, Path], tmp_path: Path) -> None:
    done = recover(request_of(*original, tmp_path / "out", rank=RANK))
    assert (done.hidden, done.beyond) == ((), ())
    card = (tmp_path / "out/README.md").read_text(encoding="utf-8")
    assert "| changed, but not told from rounding | nothing |" in card
    assert "| left out beyond the rank | nothing but rounding |" in card
    assert len(summary(done).splitlines()) == 4


def _beyond(share: float) -> Callable[[str, Tensor, Tensor], Tensor]:
    """In F32: the adapter, and a full-rank change of a share of its own."""

    def to(name: str, values: Tensor, weight: Tensor) -> Tensor:
        return values + noise(values, share * torch.linalg.vector_norm(values - weight))

    return to


@pytest.mark.parametrize("rank", [None, RANK])
@pytest.mark.parametrize("share", [1e-4, 1e-3, 0.019])
def test_a_change_beyond_the_rank_that_is_no_rounding_is_refused(
    pair: tuple[Path, Path], tmp_path: Path, share: float, rank: int | None
) -> None:
    spoil(pair, _beyond(share))
    said = r"got not an adapter alone: .* times what one rounding to F32 leaves .* by --leave-out"
    with pytest.raises(ModelError, match=said):
        recover(request_of(*pair, tmp_path / "out", rank=rank))
    assert not (tmp_path / "out").exists()


def _up_alone(name: str, values: Tensor, weight: Tensor) -> Tensor:
    return _beyond(0.01)(name, values, weight) if "up_proj" in name else values


def test_a_change_beyond_the_rank_is_left_out_where_that_is_asked_and_named(
    pair: tuple[Path, Path], tmp_path: Path
) -> None:
    spoil(pair, _up_alone)
    done = recover(request_of(*pair, tmp_path / "out", rank=RANK, leave_out=True))
    assert sorted(done.beyond) == [module for module in MLP if "up_proj" in module]
    assert f"more than rounding in `{UPWARD}`" in (tmp_path / "out/README.md").read_text(encoding="utf-8")
    assert f"more than rounding: in {UPWARD}" in summary(done)
    assert "Its card names what it leaves out" in shortfall(tmp_path / "out")


def test_work_that_left_something_out_is_not_continued_by_a_walk_that_may_not(
    pair: tuple[Path, Path], tmp_path: Path
) -> None:
    spoil(pair, _beyond(0.01))

    def late(step: object) -> None:
        if len(list((tmp_path / "out.partial").glob("model*proj.safetensors"))) == 7 * SMALL.layers:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        recover(request_of(*pair, tmp_path / "out", rank=RANK, leave_out=True), late)
    with pytest.raises(ModelError, match="got not an adapter alone"):
        recover(request_of(*pair, tmp_path / "out", rank=RANK))


def _merged(size: float, dtype: torch.dtype) -> Matrix:
    """The report of an honest merge of a change of this size, each of its steps rounded."""
    generator = torch.Generator().manual_seed(4)
    weight = torch.randn(512, 512, generator=generator) * 0.03
    delta = torch.randn(512, 4, generator=generator) @ torch.randn(4, 512, generator=generator)
    delta *= size * torch.linalg.vector_norm(weight) / torch.linalg.vector_norm(delta)
    scale = 1 + 0.05 * min(1.0, 10 * size) * torch.randn(512, generator=generator)
    merged = scale.to(dtype)[:, None] * (weight.to(dtype) + delta.to(dtype))
    return judge("layer", invert(merged, weight, 4), merged, weight)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float16])
@pytest.mark.parametrize("size", [1e-3, 0.02, 0.3, 1.0, 3.0])
def test_an_honest_merge_leaves_no_more_than_rounding_whatever_its_size(size: float, dtype: torch.dtype) -> None:
    found = _merged(size, dtype)
    assert found.kind is not Kind.UNEXPLAINED
    assert found.alone


def test_modules_of_one_kind_are_named_once() -> None:
    assert together(["a.0.up", "a.2.up", "a.1.down", "head"]) == "a.{0, 2}.up, a.1.down, head"
    assert together([]) == ""
