from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from medinject_demo.adapters.based import present
from medinject_demo.adapters.convert import convert
from medinject_demo.adapters.hub import upload_of
from medinject_demo.adapters.published import published
from medinject_demo.adapters.recover import recover
from medinject_demo.adapters.registry import Arm, Profile
from medinject_demo.domain import ARMS
from medinject_demo.engine.origin import Base
from medinject_demo.engine.scales import keep_scales
from medinject_demo.errors import ModelError
from tests.adapters.pairs import RANK, made, request_of

NAT, TRAD = ARMS[:2]


@pytest.fixture(scope="module")
def original(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A base, a merged checkpoint, the adapter recovered from them, and a plain one converted from that."""
    place = tmp_path_factory.mktemp("home")
    merged, base = made(place)
    for name in ("config.json", "tokenizer.json"):
        (base / name).write_text("{}", encoding="utf-8")
    recover(request_of(merged, base, place / "out/nat", rank=RANK))
    convert(place / "out/nat", base, place / "out/trad", 8, force=True)
    return place


@pytest.fixture
def home(original: Path, tmp_path: Path) -> Path:
    """The same for a test to spoil; its records name the original's folders."""
    shutil.copytree(original / "out", tmp_path / "out")
    return tmp_path


def arms(home: Path, merged: str = "") -> list[Arm]:
    return [Arm(NAT, home / "out/nat", merged), Arm(TRAD, home / "out/trad")]


def texts(arm: Arm, base: Base) -> dict[str, str]:
    files = published(arm, base).files
    read = {name: each if isinstance(each, bytes) else each.read_bytes() for name, each in files.items()}
    return {name: each.decode() for name, each in read.items() if not name.endswith(".safetensors")}


def test_what_is_pushed_holds_no_path_of_this_machine(original: Path, home: Path) -> None:
    base = present(str(original / "base"))
    for arm in arms(home):
        before = {path.name: path.read_bytes() for path in arm.folder.iterdir()}
        assert any(str(original).encode() in content for content in before.values())
        said = texts(arm, base)
        assert set(said) == {"adapter_config.json", "README.md", "recovery.json"}
        assert not [name for name, text in said.items() if str(original) in text]
        assert json.loads(said["adapter_config.json"])["base_model_name_or_path"] == f"sha256:{base.weights}"
        assert f"base_model: sha256:{base.weights}" in said["README.md"]
        assert {path.name: path.read_bytes() for path in arm.folder.iterdir()} == before
    profile = Profile("x", "t", "n", str(original / "base"), {arm.mixture: arm for arm in arms(home)})
    assert str(original).encode() not in upload_of(profile, [], "group/adapters").manifest


def test_a_checkpoint_without_a_repository_is_named_by_its_weights(original: Path, home: Path) -> None:
    said = json.loads(texts(arms(home)[0], present(str(original / "base")))["recovery.json"])
    assert said["merged"]["name"] == f"sha256:{Base.of_folder(str(original / 'merged')).weights}"
    assert said["matrices"]


def test_the_repositories_of_the_registry_are_what_base_and_checkpoint_are(home: Path) -> None:
    arm = arms(home, "group/NAT")[0]
    said = texts(arm, Base("group/base", "print"))
    record = json.loads(said["recovery.json"])
    assert (record["merged"]["name"], record["base"]["name"]) == ("group/NAT", "group/base")
    assert "from the merged checkpoint `group/NAT` and its base `group/base`" in said["README.md"]
    assert "sha256:" not in "".join(said.values())


def test_a_checkpoint_that_was_read_at_a_commit_keeps_its_name(home: Path) -> None:
    record = json.loads((home / "out/nat/recovery.json").read_text(encoding="utf-8"))
    record["merged"] |= {"name": "group/read", "commit": "1" * 40}
    (home / "out/nat/recovery.json").write_text(json.dumps(record), encoding="utf-8")
    (home / "out/nat/README.md").write_text("A card.", encoding="utf-8")
    said = texts(arms(home, "group/NAT")[0], Base("group/base", "print"))
    assert json.loads(said["recovery.json"])["merged"]["name"] == "group/read"


def test_a_checkpoint_that_nothing_tells_any_more_is_refused_with_the_remedy(home: Path) -> None:
    record = json.loads((home / "out/nat/recovery.json").read_text(encoding="utf-8"))
    record["merged"]["name"] = str(home / "gone")
    (home / "out/nat/recovery.json").write_text(json.dumps(record), encoding="utf-8")
    with pytest.raises(ModelError, match=r"tell others the checkpoint, got '.*gone' alone. Write the repository"):
        published(arms(home)[0], Base("group/base", "print"))


@pytest.mark.parametrize("path", ["/home/somebody/notes", "~/notes", "`/srv/models/x`", "file=/srv/models"])
def test_a_path_in_a_card_that_nobody_can_rename_is_refused(original: Path, home: Path, path: str) -> None:
    with (home / "out/nat/README.md").open("a", encoding="utf-8") as card:
        card.write(f"\nSee {path}.\n")
    with pytest.raises(ModelError, match=r"README.md: expected no path of this machine in what is pushed, got [~/]"):
        published(arms(home)[0], present(str(original / "base")))


@pytest.mark.parametrize("text", ["https://example.org/a/b", "native/translated/synthetic", "‖W′ − W‖ / ‖W‖", "1 / 2"])
def test_an_address_or_a_fraction_is_no_path(original: Path, home: Path, text: str) -> None:
    (home / "out/nat/README.md").write_text(f"See {text}.\n", encoding="utf-8")
    assert texts(arms(home)[0], present(str(original / "base")))["README.md"] == f"See {text}.\n"


def test_a_folder_of_one_word_is_renamed_where_it_is_a_name_and_nowhere_else(home: Path) -> None:
    (home / "out/nat/recovery.json").unlink()
    settings = home / "out/nat/adapter_config.json"
    settings.write_text(json.dumps({"base_model_name_or_path": "base", "base": 1}), encoding="utf-8")
    card = "---\nbase_model: base\n---\nThe base `base` is a base.\n"
    (home / "out/nat/README.md").write_text(card, encoding="utf-8")
    said = texts(arms(home)[0], Base("group/base", "print"))
    assert json.loads(said["adapter_config.json"]) == {"base_model_name_or_path": "group/base", "base": 1}
    assert said["README.md"] == "---\nbase_model: group/base\n---\nThe base `group/base` is a base.\n"


def test_a_folder_whose_name_begins_with_anothers_is_not_taken_for_it(home: Path) -> None:
    record = json.loads((home / "out/nat/recovery.json").read_text(encoding="utf-8"))
    record["base"]["name"], record["merged"]["name"] = "/models/one", "/models/one.merged"
    (home / "out/nat/recovery.json").write_text(json.dumps(record), encoding="utf-8")
    (home / "out/nat/README.md").write_text("/models/one.merged, made of /models/one.", encoding="utf-8")
    said = texts(arms(home, "group/NAT")[0], Base("group/base", "print"))
    assert said["README.md"] == "group/NAT, made of group/base."


def test_a_text_that_names_nothing_of_here_is_pushed_as_it_is(home: Path) -> None:
    card = home / "out/nat/README.md"
    card.write_bytes(b"Carte en latin-1 : \xe9t\xe9\n")
    assert published(arms(home, "group/NAT")[0], Base("group/base", "print")).files["README.md"] == card


def test_only_known_files_and_the_scales_of_the_present_base_are_pushed(original: Path, home: Path) -> None:
    folder = home / "out/nat"
    (own,) = folder.glob("scales-*.safetensors")
    for name in ("optimizer.safetensors", "trainer_state.json", "notes.md", "fetched.json", "adapter_model.bin"):
        (folder / name).write_text("{}", encoding="utf-8")
    keep_scales({}, folder, "0" * 16)
    known = {"README.md", "adapter_config.json", "adapter_model.safetensors", "recovery.json"}
    assert set(published(arms(home)[0], present(str(original / "base"))).files) == {*known, own.name}
    elsewhere = Base("group/base", "print")
    assert set(published(arms(home, "group/NAT")[0], elsewhere).files) == known


def test_an_adapter_of_another_base_than_the_profiles_is_not_pushed(original: Path, home: Path) -> None:
    shutil.copytree(original / "base", home / "base")
    (home / "base/model-00002-of-00002.safetensors").write_bytes(b"other")
    with pytest.raises(ModelError, match="expected an adapter of this base"):
        published(arms(home)[0], present(str(home / "base")))
