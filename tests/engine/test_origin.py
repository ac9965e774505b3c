"""Which base an adapter was made for, and what tells one base from another."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import huggingface_hub
import pytest
import torch
from torch import nn

from medinject_demo.domain import ARMS, Mixture
from medinject_demo.engine.local import LocalEngine
from medinject_demo.engine.origin import Base, require_made_for
from medinject_demo.errors import ModelError


def model(value: float = 0.0) -> nn.Module:
    made = nn.Linear(2, 2)
    nn.init.constant_(made.weight, value)
    nn.init.zeros_(made.bias)
    return made


def weights(folder: Path, content: bytes, name: str = "model.safetensors") -> Path:
    folder.mkdir(exist_ok=True)
    (folder / name).write_bytes(content)
    return folder


def adapter(folder: Path, *, made_for: str | None = None, named: str = "a/base") -> Path:
    folder.mkdir(exist_ok=True)
    (folder / "adapter_config.json").write_text(json.dumps({"base_model_name_or_path": named}))
    if made_for is not None:
        (folder / "training.json").write_text(json.dumps({"base_weights": made_for}))
    return folder


def cached(monkeypatch: pytest.MonkeyPatch, found: str | None) -> None:
    monkeypatch.setattr(huggingface_hub, "try_to_load_from_cache", lambda *_: found)


def test_a_folder_is_known_by_its_bytes_wherever_it_lies(tmp_path: Path) -> None:
    folders = [weights(tmp_path / name, name[:1].encode()) for name in ("1", "1 again", "2")]
    one, same, other = (Base.of(str(folder), model()).fingerprint for folder in folders)
    assert one == same != other
    assert len(one) == 16


def test_a_repository_is_known_by_its_name_and_commit(monkeypatch: pytest.MonkeyPatch) -> None:
    prints = set()
    for name, commit in (("a/base", "c1"), ("a/base", "c2"), ("b/base", "c1"), ("a/base", "c1")):
        cached(monkeypatch, f"/hub/models/snapshots/{commit}/config.json")
        prints.add(Base.of(name, model()).fingerprint)
    assert len(prints) == 3


def test_a_repository_without_a_known_commit_is_known_by_its_tensors(monkeypatch: pytest.MonkeyPatch) -> None:
    cached(monkeypatch, None)
    prints = [Base.of("a/base", model(value)).fingerprint for value in (1.0, 1.0, 2.0)]
    assert prints[0] == prints[1] != prints[2]


def test_an_adapter_made_for_other_weights_is_refused_with_both_hashes(tmp_path: Path) -> None:
    base = Base.of(str(weights(tmp_path / "base", b"1")), model())
    own = hashlib.sha256(b"1").hexdigest()[:16]
    require_made_for(adapter(tmp_path / "own", made_for=own), base)
    with pytest.raises(ModelError, match=rf"got one made for weights of the hash 0{{16}}, not {own}"):
        require_made_for(adapter(tmp_path / "other", made_for="0" * 16), base)


@pytest.mark.parametrize(
    ("named", "base", "refused"),
    [
        ("a/base", "a/base", False),
        ("a/other", "a/base", True),
        ("./models/base", "a/base", False),
        ("/models/base", "a/base", False),
        ("a/other", "/models/base", False),
        ("A/Base", "a/base", False),
        ("A/other", "a/base", True),
        ("models/base", "a/base", False),
        ("checkpoints/other", "a/base", False),
    ],
)
def test_an_adapter_made_for_another_repository_is_refused(
    tmp_path: Path, named: str, base: str, refused: bool
) -> None:
    origin, folder = Base(base, "print"), adapter(tmp_path, named=named)
    if refused:
        with pytest.raises(ModelError, match=r"got one made for [aA]/other"):
            require_made_for(folder, origin)
    else:
        require_made_for(folder, origin)


@pytest.mark.parametrize("known", ["cached", "read"])
def test_a_name_of_one_slash_is_refused_where_it_is_known_for_another_repository(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, known: str
) -> None:
    folder = adapter(tmp_path, named="models/base")
    cached(monkeypatch, "/hub/config.json" if known == "cached" else None)
    if known == "read":
        record = {"base": {"name": "models/base", "commit": "1" * 40}}
        (folder / "recovery.json").write_text(json.dumps(record))
    with pytest.raises(ModelError, match="got one made for models/base"):
        require_made_for(folder, Base("a/base", "print"))


def test_a_name_of_one_slash_that_may_be_a_folder_is_logged(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    require_made_for(adapter(tmp_path, named="models/base"), Base("a/base", "print"))
    assert "names the base models/base, which may be a folder: only the shapes tell that it is a/base" in caplog.text
    caplog.clear()
    require_made_for(adapter(tmp_path, named="A/base"), Base("a/base", "print"))
    assert not caplog.text


def test_a_folder_of_this_machine_is_no_repository_whatever_its_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "a/other").mkdir(parents=True)
    require_made_for(adapter(tmp_path / "own", named="a/other"), Base("a/base", "print"))
    assert "which may be a folder" in caplog.text


def test_the_hash_of_the_weights_stands_above_any_name(tmp_path: Path) -> None:
    own = adapter(tmp_path, made_for="1" * 16, named="a/other")
    require_made_for(own, Base("a/base", "print", "1" * 16))
    with pytest.raises(ModelError, match=r"weights of the hash 1{16}, not 2{16}"):
        require_made_for(own, Base("a/other", "print", "2" * 16))


def test_a_repository_without_a_known_commit_is_known_by_names_shapes_and_kinds_too(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    cached(monkeypatch, None)
    same_bytes = [
        {"one": torch.zeros(2, 3)},
        {"other": torch.zeros(2, 3)},
        {"one": torch.zeros(3, 2)},
        {"one": torch.zeros(2, 3, dtype=torch.int32)},
    ]
    prints = {Base.of("a/base", Tensors(each)).fingerprint for each in same_bytes}
    assert len(prints) == len(same_bytes)


class Tensors:
    """A model as far as its fingerprint asks."""

    def __init__(self, tensors: dict[str, torch.Tensor]) -> None:
        self._tensors = tensors

    def state_dict(self) -> dict[str, torch.Tensor]:
        return self._tensors


def test_where_nothing_tells_the_base_the_shapes_have_to_do(tmp_path: Path) -> None:
    require_made_for(tmp_path, Base("a/base", "print"))
    (tmp_path / "empty").mkdir()
    for origin in (Base("a/base", "print"), Base.of_folder(str(tmp_path / "empty"))):
        require_made_for(adapter(tmp_path / "own", made_for="0" * 16), origin)


def test_a_base_in_shards_is_known_by_all_of_them(tmp_path: Path) -> None:
    shards = ((b"1", b"2"), (b"1", b"2"), (b"1", b"3"), (b"3", b"2"), (b"1",))
    found = []
    for number, contents in enumerate(shards):
        for at, content in enumerate(contents):
            weights(tmp_path / str(number), content, f"model-{at}.safetensors")
        found.append(Base.of_folder(str(tmp_path / str(number))).weights)
    assert None not in found
    assert found[0] == found[1]
    assert len(set(found)) == 4
    own = adapter(tmp_path / "own", made_for=found[0])
    require_made_for(own, Base.of_folder(str(tmp_path / "1")))
    with pytest.raises(ModelError, match=f"got one made for weights of the hash {found[0]}, not {found[2]}"):
        require_made_for(own, Base.of_folder(str(tmp_path / "2")))


def test_a_base_of_one_file_is_known_by_its_hash_whatever_lies_beside_it(tmp_path: Path) -> None:
    folder = weights(tmp_path / "base", b"1")
    alone = Base.of_folder(str(folder)).weights
    weights(folder, b"2", "other.safetensors")
    assert Base.of_folder(str(folder)).weights == alone == hashlib.sha256(b"1").hexdigest()[:16]


def test_an_engine_loads_and_swaps_no_adapter_of_another_base(
    base: str, folders: dict[Mixture, Path], tmp_path: Path
) -> None:
    foreign = tmp_path / "foreign"
    foreign.mkdir()
    for path in folders[ARMS[1]].iterdir():
        (foreign / path.name).write_bytes(path.read_bytes())
    (foreign / "training.json").write_text(json.dumps({"base_weights": "0" * 16}))
    with pytest.raises(ModelError, match="expected an adapter of this base"):
        LocalEngine.load(base, {ARMS[1]: foreign}, device="cpu")
    engine = LocalEngine.load(base, {ARMS[0]: folders[ARMS[0]]}, device="cpu")
    with pytest.raises(ModelError, match="expected an adapter of this base"):
        engine.swap(ARMS[0], foreign)
    engine.close()
