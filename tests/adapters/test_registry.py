from __future__ import annotations

from pathlib import Path

import pytest

from medinject_demo.adapters.registry import ADAPTER_FILES, Profile, load_registry, profile, serving
from medinject_demo.domain import ARMS, BASE, Mixture
from medinject_demo.engine.device import Accelerator
from medinject_demo.engine.endpoint import Endpoint
from medinject_demo.errors import InvalidData, InvalidValue, ModelError

GOOD = """
[petit]
title = "Un modèle"
notice = "Aucune valeur médicale."
base = "groupe/modele"

[petit.arms]
nat = { folder = "petit/nat", merged = "groupe/NAT" }
all = { folder = "petit/all" }
"""


def registry(folder: Path, text: str) -> Path:
    path = folder / "registry.toml"
    path.write_text(text, encoding="utf-8")
    return path


@pytest.mark.parametrize("name", ["mini", "qwen3-4b"])
def test_the_bundled_profiles_have_the_seven_arms(name: str) -> None:
    assert set(profile(name).arms) == set(ARMS)


def test_the_qwen_arms_name_the_checkpoint_they_come_from() -> None:
    assert {arm.merged for arm in profile("qwen3-4b").arms.values()} == {
        f"MedInjection/QWEN-4B-{mixture.slug.upper()}" for mixture in ARMS
    }


@pytest.mark.parametrize("each", load_registry().values(), ids=lambda each: each.name)
def test_every_bundled_profile_says_that_it_is_no_medical_advice(each: Profile) -> None:
    assert "médica" in each.notice


def test_folders_are_relative_to_the_file(tmp_path: Path) -> None:
    arm = profile("petit", registry(tmp_path, GOOD)).arms[Mixture.parse("nat")]
    assert arm.folder == tmp_path / "petit/nat"
    assert arm.merged == "groupe/NAT"


def test_a_base_written_as_a_path_is_a_folder_else_a_repository(tmp_path: Path) -> None:
    path = registry(tmp_path, GOOD)
    (tmp_path / "groupe/modele").mkdir(parents=True)
    assert profile("petit", path).base == "groupe/modele"
    path = registry(tmp_path, GOOD.replace('"groupe/modele"', '"./groupe/modele"'))
    assert profile("petit", path).base == str(tmp_path / "groupe/modele")


@pytest.mark.parametrize("missing", [None, *ADAPTER_FILES])
def test_an_arm_is_installed_once_all_its_files_are_there(tmp_path: Path, missing: str | None) -> None:
    folder = tmp_path / "petit/all"
    folder.mkdir(parents=True)
    for name in set(ADAPTER_FILES) - {missing}:
        (folder / name).touch()
    installed = profile("petit", registry(tmp_path, GOOD)).installed
    assert installed == ((BASE,) if missing else (BASE, Mixture.parse("all")))


def test_an_unknown_model_is_refused_with_the_known_ones(tmp_path: Path) -> None:
    with pytest.raises(InvalidValue, match=r"model: expected one of petit, got 'grand'"):
        profile("grand", registry(tmp_path, GOOD))


@pytest.mark.parametrize("slug", ["base", "trad-nat", "NAT"])
def test_an_unknown_arm_is_named_with_its_profile(tmp_path: Path, slug: str) -> None:
    path = registry(tmp_path, GOOD + f'{slug} = {{ folder = "x" }}\n')
    with pytest.raises(InvalidData, match=rf"^registry.toml, \[petit\].arms: expected arms among nat, .* got '{slug}'"):
        load_registry(path)


@pytest.mark.parametrize("arm", ["{ }", "3", "{ folder = 3 }", '{ folder = "" }', '"petit/syn"'])
def test_an_arm_without_folder_is_named(tmp_path: Path, arm: str) -> None:
    path = registry(tmp_path, GOOD + f"syn = {arm}\n")
    with pytest.raises(InvalidData, match=r"^registry.toml, \[petit\].arms.syn: field 'folder': expected a path"):
        load_registry(path)


@pytest.mark.parametrize("field", ["title", "notice", "base"])
@pytest.mark.parametrize("spoilt", ["", "{field} = 3", '{field} = ""'])
def test_a_field_that_is_no_text_is_named(tmp_path: Path, field: str, spoilt: str) -> None:
    lines = [spoilt.format(field=field) if each.startswith(f"{field} =") else each for each in GOOD.splitlines()]
    with pytest.raises(InvalidData, match=rf"^registry.toml, \[petit\]: field '{field}': expected a text, got"):
        load_registry(registry(tmp_path, "\n".join(lines)))


def test_a_profile_that_is_no_table_is_named(tmp_path: Path) -> None:
    with pytest.raises(InvalidData, match=r"^registry.toml, \[petit\]: expected a table, got 3"):
        load_registry(registry(tmp_path, "petit = 3"))


def test_arms_that_are_no_table_are_named(tmp_path: Path) -> None:
    text = GOOD.partition("[petit.arms]")[0] + "arms = 3\n"
    with pytest.raises(InvalidData, match=r"^registry.toml, \[petit\].*arms.*expected a table, got 3"):
        load_registry(registry(tmp_path, text))


def test_wrong_toml_is_named_with_its_line(tmp_path: Path) -> None:
    with pytest.raises(InvalidData, match=r"registry.toml: expected valid TOML, got .*line 2.* Mend that line."):
        load_registry(registry(tmp_path, "[petit]\ntitle = \n"))


def test_a_registry_that_is_not_utf8_is_refused(tmp_path: Path) -> None:
    (tmp_path / "registry.toml").write_bytes(GOOD.encode("latin-1"))
    with pytest.raises(InvalidData, match=r"registry.toml: expected valid TOML"):
        load_registry(tmp_path / "registry.toml")


def test_a_registry_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(InvalidData, match=r"absent.toml: expected the registry of profiles, got No such file"):
        load_registry(tmp_path / "absent.toml")


def test_a_profile_whose_base_is_not_there_says_how_to_get_it(tmp_path: Path) -> None:
    absent = profile("petit", registry(tmp_path, GOOD.replace('"groupe/modele"', '"./groupe/modele"')))
    with pytest.raises(ModelError, match=r"profile 'petit': expected its base in .*groupe/modele, got none\. Build it"):
        absent.require_base()


def test_a_base_on_the_hub_is_not_looked_for_on_this_machine(tmp_path: Path) -> None:
    profile("petit", registry(tmp_path, GOOD)).require_base()


def test_without_a_gpu_auto_is_the_miniature_and_any_other_name_is_its_profile(tmp_path: Path) -> None:
    assert serving("auto", cache=tmp_path) == profile("mini")
    assert serving("petit", registry(tmp_path, GOOD)).name == "petit"
    with pytest.raises(InvalidValue, match="expected one of petit, got 'grand'"):
        serving("grand", registry(tmp_path, GOOD))


def test_an_arm_that_is_not_there_is_named_with_the_command_that_makes_it(tmp_path: Path) -> None:
    petit = profile("petit", registry(tmp_path, GOOD))
    petit.require_arm(BASE)
    with pytest.raises(ModelError, match=r"^arm all: expected an adapter in .*petit/all, got none\. Put a PEFT ") as no:
        petit.require_arm(Mixture.parse("all"))
    assert f"train --mixture all --base groupe/modele --output {tmp_path / 'petit/all'}" in str(no.value)
    with pytest.raises(ModelError, match=r"adapters recover --model petit --mixture nat$"):
        petit.require_arm(Mixture.parse("nat"))


def test_an_arm_that_a_profile_does_not_have_is_refused_with_those_it_has(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"^profile 'petit': expected an arm among base, nat, all, got 'syn'"):
        profile("petit", registry(tmp_path, GOOD)).require_arm(Mixture.parse("syn"))


def test_the_miniatures_arms_are_made_by_one_command() -> None:
    assert all(profile("mini").remedy(mixture).endswith("make miniature") for mixture in ARMS)


SERVED = """
[loin]
title = "Loin"
notice = "Aucune valeur médicale."
url = "http://me:motdepasse@base:8000"
model = "qwen"

[loin.arms]
nat = { model = "nat" }
trad = { model = "groupe/TRAD", url = "https://autre/v1/" }
syn = { folder = "loin/syn", merged = "groupe/SYN" }
all = { model = "all", merged = true }
"""


def test_arms_of_servers_have_an_address_and_the_names_they_may_have(tmp_path: Path) -> None:
    loin = profile("loin", registry(tmp_path, SERVED))
    here = "http://me:motdepasse@base:8000/v1"
    syn = Endpoint(here, ("syn", "groupe/SYN"), tmp_path / "loin/syn", "groupe/SYN")
    assert list(loin.remote.values()) == [
        Endpoint(here, ("qwen",)),
        Endpoint(here, ("nat",)),
        Endpoint("https://autre/v1", ("groupe/TRAD",)),
        syn,
        Endpoint(here, ("all",), merged=True),
    ]
    assert syn.place == "http://base:8000/v1"
    assert loin.installed == (BASE, *map(Mixture.parse, ("nat", "trad", "syn", "all")))
    loin.require_arm(Mixture.parse("trad"))


def test_without_an_address_this_machine_answers(tmp_path: Path) -> None:
    assert profile("petit", registry(tmp_path, GOOD)).remote == {}


def test_an_address_that_is_set_takes_the_place_of_every_other(tmp_path: Path) -> None:
    loin = serving("loin", registry(tmp_path, SERVED), "http://ici:1")
    assert {each.url for each in loin.remote.values()} == {"http://ici:1/v1"}
    petit = serving("petit", registry(tmp_path, GOOD), "http://ici:1/v2")
    assert [each.models for each in petit.remote.values()] == [
        ("base", "groupe/modele"),
        ("nat", "groupe/NAT"),
        ("all",),
    ]
    assert petit.remote[Mixture.parse("nat")].folder == tmp_path / "petit/nat"


def test_auto_with_a_server_is_what_the_server_has() -> None:
    assert serving("auto", engine_url="http://ici:1").name == "remote"
    assert set(serving("auto", engine_url="http://ici:1").remote) == {BASE, *ARMS}


@pytest.mark.parametrize(
    "url",
    [
        "ftp://host",
        "host:8000",
        "http://",
        "http://me:motdepasse@",
        "http://host?key=motdepasse",
        "http://[::1",
        "http://host:port",
        "http://me:motdepasse/@host",
    ],
)
def test_an_address_that_is_none_is_refused_without_its_password(tmp_path: Path, url: str) -> None:
    with pytest.raises(InvalidValue, match="server: expected an address such as http://host:8000/v1, got") as refused:
        serving("auto", engine_url=url)
    assert "motdepasse" not in str(refused.value)
    with pytest.raises(InvalidData, match=r"^registry.toml, \[loin\]: server: expected an address"):
        load_registry(registry(tmp_path, SERVED.replace("http://me:motdepasse@base:8000", url)))


def test_a_profile_that_has_no_server_and_no_base_says_what_to_set() -> None:
    with pytest.raises(
        ModelError, match=r"profile 'remote': expected the address of the server .* MEDINJECT_ENGINE_URL"
    ):
        profile("remote").require_base()
    with pytest.raises(ModelError, match=r"arm nat of profile 'remote': expected the address of the server"):
        profile("remote").require_arm(Mixture.parse("nat"))


@pytest.mark.parametrize("model", ["3", '""'])
def test_a_name_of_a_model_that_is_no_text_is_named(tmp_path: Path, model: str) -> None:
    with pytest.raises(InvalidData, match=r"arms.nat: field 'model': expected a name, got"):
        load_registry(registry(tmp_path, SERVED.replace('"nat"', model)))


STUDIED = """
[mini]
title = "Petit"
notice = "Sans valeur."
base = "./petit"
[qwen3-4b]
title = "Grand"
notice = "Recherche."
base = "./grand"
[qwen3-4b.arms]
nat = { folder = "grand/nat", merged = "groupe/NAT" }
syn = { folder = "grand/syn", merged = "groupe/SYN" }
"""


def installed(tmp_path: Path, *, base: bool, arm: bool) -> Path:
    """A registry whose large profile has its base, or an arm, or both."""
    for folder in ("grand/nat", "grand/syn"):
        (tmp_path / folder).mkdir(parents=True)
    if base:
        small = Path(profile("mini").base)
        for name in ("config.json", "tokenizer.json", "model.safetensors"):
            (tmp_path / "grand" / name).symlink_to(small / name)
    for name in ADAPTER_FILES if arm else ():
        (tmp_path / "grand/nat" / name).touch()
    return registry(tmp_path, STUDIED)


@pytest.mark.parametrize("base", [True, False])
@pytest.mark.parametrize("arm", [True, False])
@pytest.mark.parametrize("gpu", [True, False])
def test_auto_is_the_study_where_a_gpu_its_base_and_an_arm_are_here(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, base: bool, arm: bool, gpu: bool
) -> None:
    card = Accelerator("cuda:0", "NVIDIA T4", "7.5", 2**34, 2**34, "fp16")
    monkeypatch.setattr("medinject_demo.engine.device.accelerators", lambda: (card,) if gpu else ())
    chosen = serving("auto", installed(tmp_path, base=base, arm=arm), cache=tmp_path)
    assert chosen.name == ("qwen3-4b" if base and arm and gpu else "mini")


def test_auto_is_the_miniature_where_the_driver_is_broken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken() -> tuple[Accelerator, ...]:
        raise OSError("libcudart.so.13: cannot open shared object file")

    monkeypatch.setattr("medinject_demo.engine.device.accelerators", broken)
    assert serving("auto", installed(tmp_path, base=True, arm=True), cache=tmp_path).name == "mini"


def test_one_command_installs_every_arm_that_is_missing(tmp_path: Path) -> None:
    studied = profile("qwen3-4b", installed(tmp_path, base=True, arm=True))
    assert studied.missing == (Mixture.parse("syn"),)
    assert studied.install == "python -m medinject_demo adapters recover --missing"
    assert studied.remedy(Mixture.parse("syn")).endswith("adapters recover --mixture syn")


def test_no_command_is_promised_where_nothing_is_published(tmp_path: Path) -> None:
    assert profile("petit", registry(tmp_path, GOOD)).install == ""
