from __future__ import annotations

import json
import shutil
import socket
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from packaging.requirements import Requirement

from medinject_demo.adapters.registry import REGISTRY, profile
from medinject_demo.doctor import ROOT, Finding, Level, Report, examine
from medinject_demo.doctor.configuration import dataset, in_force, votes, without_secrets
from medinject_demo.doctor.machine import Place, compiled, devices, fleet, libraries, quantization, ranged
from medinject_demo.doctor.profiles import Look
from medinject_demo.engine.device import Accelerator, Host
from medinject_demo.engine.native.build import library
from medinject_demo.serving import free_port
from medinject_demo.settings import Settings

from .engine.remote.served import Scripted, scripted
from .tiny import stored_in

LARGE = Place("cuda:0", "bf16", 2**37)
CARD = Accelerator("cuda:0", "NVIDIA T4", "7.5", 15 * 2**30, 14 * 2**30, "fp16")
SECRETS = {
    "MEDINJECT_DATABASE_URL": "postgresql://me:motdepasse@host/votes?password=motdepasse",
    "MEDINJECT_ENGINE_URL": "https://me:motdepasse@host:8000/v1",
    "MEDINJECT_ENGINE_KEY": "motdepasse",
    "MEDINJECT_SECRET": "motdepasse",
    "HF_TOKEN": "motdepasse",
}


def project(folder: Path, requirements: str) -> Path:
    shutil.copy(ROOT / "pyproject.toml", folder)
    (folder / "requirements.txt").write_text(requirements, encoding="utf-8")
    return folder


def level(report: Report, subject: str) -> Level:
    return next(each.level for each in report.findings if each.subject == subject)


def looked(registry: Path, name: str, look: Look | None = None, *, chosen: bool = True) -> dict[str, Finding]:
    found = (look or Look(LARGE, "none", registry.parent)).at(profile(name, registry), chosen=chosen)
    return {each.subject.removeprefix(f"{name} "): each for each in found}


@pytest.mark.parametrize(
    ("version", "expected"),
    [
        ("2.8", Level.OK),
        ("2.13.0+cpu", Level.OK),
        ("2.9.0.dev20251101", Level.OK),
        ("2.7.1", Level.FAIL),
        ("3.0", Level.WARN),
        (None, Level.FAIL),
    ],
)
def test_below_its_range_a_library_is_a_fault_and_above_it_a_warning(version: str | None, expected: Level) -> None:
    finding = ranged(Requirement("torch>=2.8,<3"), version, "Run this.")
    assert finding.level is expected
    assert ">=2.8,<3" in finding.what
    assert (version or "got none") in finding.what
    assert bool(finding.remedy) is (expected is not Level.OK)


def test_every_library_of_the_requirements_is_looked_at_and_python(tmp_path: Path) -> None:
    lines = "# a comment\n-c constraints.txt\n\nclick>=8.3,<9  # why\nno-such-library>=1\ntorch>=99\n"
    found = {each.subject: each.level for each in libraries(project(tmp_path, lines))}
    assert found == {"python": Level.OK, "click": Level.OK, "no-such-library": Level.FAIL, "torch": Level.FAIL}


def test_the_bundled_requirements_hold_here() -> None:
    assert {each.level for each in libraries(ROOT)} == {Level.OK}


def test_a_project_without_requirements_is_a_warning(tmp_path: Path) -> None:
    (finding,) = libraries(tmp_path)
    assert finding.level is Level.WARN
    assert "requirements.txt" in finding.subject


def test_a_broken_requirement_stops_the_page_and_says_what_to_run(tmp_path: Path) -> None:
    report = examine({}, root=project(tmp_path, "no-such-library>=1\n"), cache=tmp_path)
    assert not report.servable
    assert "no-such-library: expected >=1, got none. Run: pip install -r requirements.txt" in report.verdict
    assert report.verdict.startswith("`make run` would not serve")


@pytest.mark.parametrize("missing", ["torch", "packaging.requirements", "huggingface_hub", "safetensors"])
def test_a_library_that_cannot_be_imported_is_a_finding_not_a_crash(
    missing: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setitem(sys.modules, missing, None)
    report = examine({}, cache=tmp_path)
    assert not report.servable or missing == "huggingface_hub"  # the miniature's folder is looked at without it
    faults = [each for each in report.findings if each.remedy == "Run: pip install -r requirements.txt"]
    assert faults


def test_a_broken_driver_is_a_finding_not_a_crash(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken() -> tuple[Accelerator, ...]:
        raise OSError("libcudart.so.13: cannot open shared object file\nmore")

    monkeypatch.setattr("medinject_demo.doctor.machine.accelerators", broken)
    found, (finding,) = devices()
    assert found == ()
    assert finding.sentence == (
        "torch: cannot be used: libcudart.so.13: cannot open shared object file. Run: pip install -r requirements.txt"
    )


def test_an_accelerator_is_described(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("medinject_demo.doctor.machine.accelerators", lambda: (CARD,))
    found, (finding,) = devices()
    assert Place.of(Host(2, 2**30), found) == Place("cuda:0", "fp16", 14 * 2**30)
    assert finding.what == "NVIDIA T4, compute capability 7.5, 14.0 GiB free of 15.0 GiB, computes in fp16"


def test_without_accelerator_the_processor_answers_in_fp32() -> None:
    assert Place.of(Host(2, 2**30), ()) == Place("the processor", "fp32", 2**30)


@pytest.mark.parametrize(("asked", "expected"), [("none", Level.WARN), ("int8", Level.FAIL)])
def test_a_missing_quantisation_is_a_fault_only_where_it_is_asked_for(
    asked: str, expected: Level, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    assert quantization(asked).level is expected
    assert quantization(asked).remedy == "Run: pip install optimum-quanto"


def test_a_missing_compiler_is_a_lack_where_the_processor_answers(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    there, here = compiled([])
    assert (there, here.level, here.remedy) == (True, Level.OK, "")
    library.cache_clear()
    monkeypatch.setenv("PATH", str(tmp_path))
    there, lack = compiled([])
    assert (there, lack.level) == (False, Level.WARN)
    assert lack.sentence == (
        "C compiler: no C compiler on this machine, so that the processor answers several times as slowly as it could. "
        "Install gcc."
    )
    assert compiled([CARD])[1].level is Level.OK


def test_a_compiler_that_fails_is_a_lack_with_its_reason(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "cc").write_text("#!/bin/sh\necho 'cc: error: out of memory' >&2; exit 1\n", encoding="utf-8")
    (tmp_path / "cc").chmod(0o755)
    library.cache_clear()
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    there, lack = compiled([])
    assert (there, lack.level) == (False, Level.WARN)
    assert "out of memory" in lack.what


@pytest.mark.parametrize(("there", "said"), [(True, "serve --fleet N"), (False, "not available, and not needed")])
def test_whether_a_fleet_can_run_is_said_and_is_no_fault(
    there: bool, said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: object() if there else None)
    assert said in fleet().what
    assert fleet().level is Level.OK
    assert fleet().remedy == ("" if there else "For it: pip install -r requirements-fleet.txt")


def test_a_base_and_arms_that_are_there_are_said(tiny_registry: Path) -> None:
    found = looked(tiny_registry, "tiny")
    assert found["base"].level is found["memory"].level is Level.OK
    assert found["arms"].what == "nat, trad, all installed; missing: syn"
    assert "train --mixture syn" in found["arms"].remedy


def test_arms_that_are_missing_do_not_stop_the_page(tiny_registry: Path) -> None:
    assert looked(tiny_registry, "tiny")["arms"].level is Level.WARN


@pytest.mark.parametrize(("chosen", "expected"), [(True, Level.FAIL), (False, Level.WARN)])
@pytest.mark.parametrize(
    ("name", "remedy"), [("hub", "Run: hf download group/model"), ("absent", "Put the base's files there.")]
)
def test_a_base_that_is_not_there_is_a_fault_of_the_profile_to_serve_only(
    tiny_registry: Path, name: str, remedy: str, chosen: bool, expected: Level
) -> None:
    found = looked(tiny_registry, name, chosen=chosen)
    assert found["base"].level is expected
    assert found["base"].remedy == remedy
    assert "unknown until downloaded" in found["base"].what
    assert "memory" not in found


def test_a_base_that_is_cut_is_named_with_the_file(tmp_path: Path) -> None:
    shutil.copytree(profile("mini").base, tmp_path / "mini/base")
    shutil.copy(REGISTRY, tmp_path)
    (tmp_path / "mini/base/model.safetensors").write_bytes(b"cut")
    finding = looked(tmp_path / "registry.toml", "mini")["base"]
    assert finding.level is Level.FAIL
    assert "lacks, or has cut, model.safetensors" in finding.what
    assert finding.remedy.endswith("make miniature")


def test_a_base_too_large_for_its_place_is_a_fault_with_both_sizes(tiny_registry: Path) -> None:
    small = Place("cuda:0", "bf16", 2**10)
    finding = looked(tiny_registry, "tiny", Look(small, "none"))["memory"]
    assert finding.level is Level.FAIL
    assert "in bf16" in finding.what
    assert "free on cuda:0" in finding.what
    assert "MEDINJECT_QUANTIZATION" in finding.remedy


def test_a_processor_that_reads_halves_needs_half_the_memory(tiny_registry: Path, tmp_path: Path) -> None:
    registry = shutil.copytree(tiny_registry.parent, tmp_path / "there") / tiny_registry.name
    base = registry.parent / "tiny/base"
    stored_in(torch.bfloat16, str(base), tmp_path / "half")
    shutil.copy(tmp_path / "half/model.safetensors", base)
    whole, halves, card = (
        looked(registry, "tiny", Look(place, "none"))["memory"].what
        for place in (
            Place("the processor", "fp32", None),
            Place("the processor", "fp32", None, halves=True),
            Place("cuda:0", "bf16", None, halves=True),
        )
    )
    assert "bf16 as they are stored" in halves
    assert "stored" not in whole + card
    config = json.loads((base / "config.json").read_text(encoding="utf-8")) | {"model_type": "gemma2"}
    (base / "config.json").write_text(json.dumps(config), encoding="utf-8")
    other = looked(registry, "tiny", Look(Place("the processor", "fp32", None, halves=True), "none"))["memory"].what
    assert other == whole


def test_a_machine_that_does_not_say_its_memory_is_believed(tiny_registry: Path) -> None:
    finding = looked(tiny_registry, "tiny", Look(Place("the processor", "fp32", None), "int8"))["memory"]
    assert finding.level is Level.OK
    assert finding.what.endswith("in int8 and fp32")


def test_the_settings_in_force_are_shown_without_their_secrets() -> None:
    settings, findings = in_force(SECRETS)
    shown = {each.subject: each.what for each in findings}
    assert settings.secret == "motdepasse"
    assert "motdepasse" not in "\n".join(shown.values())
    assert shown["MEDINJECT_DATABASE_URL"] == "postgresql://me:***@host/votes?***"
    assert (shown["MEDINJECT_SECRET"], shown["MEDINJECT_VOTES_DATASET"]) == ("set, not shown", "not set")


def test_no_secret_is_anywhere_in_a_report(tmp_path: Path) -> None:
    report = examine(SECRETS, cache=tmp_path)
    assert "motdepasse" not in report.as_text() + json.dumps(report.as_json())


def test_a_wrong_setting_stops_the_page_and_its_value_is_not_repeated(tmp_path: Path) -> None:
    report = examine({"MEDINJECT_DATABASE_URL": "me:motdepasse"}, cache=tmp_path)
    assert level(report, "MEDINJECT_DATABASE_URL") is Level.FAIL
    assert "expected a URL such as scheme://place, got another" in report.verdict
    assert "motdepasse" not in report.as_text()


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("sqlite:///data/votes.db", "sqlite:///data/votes.db"),
        ("postgresql+psycopg://host:5432/votes", "postgresql+psycopg://host:5432/votes"),
        ("postgresql://me@host/votes", "postgresql://me@host/votes"),
        ("postgresql://me:a@b:c@host/votes", "postgresql://me:***@host/votes"),
        ("mini", "mini"),
    ],
)
def test_a_url_loses_its_password_and_nothing_else(url: str, shown: str) -> None:
    assert without_secrets(url) == shown


def test_a_place_for_the_votes_that_can_be_made_is_good(tmp_path: Path) -> None:
    assert votes(f"sqlite:///{tmp_path}/new/votes.db").level is Level.OK
    (tmp_path / "votes.db").touch()
    assert votes(f"sqlite+pysqlite:///{tmp_path}/votes.db?timeout=3").level is Level.OK
    assert list(tmp_path.iterdir()) == [tmp_path / "votes.db"]


def test_a_place_for_the_votes_that_cannot_be_written_is_a_fault(below_a_file: Path, tmp_path: Path) -> None:
    for place in (below_a_file / "votes.db", tmp_path):  # below a file, and a folder where a file belongs
        finding = votes(f"sqlite:///{place}")
        assert finding.level is Level.FAIL
        assert "cannot be written: no vote would be stored" in finding.what


@pytest.mark.parametrize("url", ["sqlite://", "sqlite:///:memory:"])
def test_votes_in_memory_are_a_fault(url: str) -> None:
    assert votes(url).level is Level.FAIL
    assert "no vote would last" in votes(url).what


def test_a_database_server_is_not_tried() -> None:
    assert votes("postgresql://me:motdepasse@host/votes").what == "postgresql://me:***@host/votes, a server, not tried"


def test_auto_serves_the_miniature(tmp_path: Path) -> None:
    report = examine({}, cache=tmp_path)
    assert report.servable
    assert report.verdict.startswith("`make run` would serve the profile mini (auto): ")
    assert level(report, "mini base") is Level.OK
    assert level(report, "qwen3-4b base") is Level.WARN


def test_the_arms_that_would_answer_are_in_the_verdict(tiny_registry: Path) -> None:
    report = examine({"MEDINJECT_MODEL": "tiny"}, registry=tiny_registry, cache=tiny_registry.parent)
    assert report.verdict == "`make run` would serve the profile tiny: base, nat, trad, all."


def test_a_profile_that_is_not_there_is_not_served(tiny_registry: Path) -> None:
    report = examine({"MEDINJECT_MODEL": "absent"}, registry=tiny_registry, cache=tiny_registry.parent)
    assert not report.servable
    assert "absent base: " in report.verdict


@pytest.mark.parametrize(("model", "said"), [("grand", "expected one of tiny, absent, hub, got 'grand'")])
def test_an_unknown_model_stops_the_page_and_names_the_known_ones(tiny_registry: Path, model: str, said: str) -> None:
    report = examine({"MEDINJECT_MODEL": model}, registry=tiny_registry)
    assert not report.servable
    assert said in report.verdict


def test_a_registry_that_cannot_be_read_stops_the_page(tmp_path: Path) -> None:
    report = examine({}, registry=tmp_path / "absent.toml", cache=tmp_path)
    assert not report.servable
    assert "absent.toml" in report.verdict


def test_several_faults_are_counted(tiny_registry: Path, tmp_path: Path) -> None:
    root = project(tmp_path, "no-such-library>=1\nnor-this>=1\n")
    report = examine({"MEDINJECT_MODEL": "hub"}, root=root, registry=tiny_registry, cache=tmp_path)
    assert len(report.faults) == 3
    assert report.verdict.endswith("(2 more above)")


def test_nothing_is_downloaded_and_nothing_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(*_: object) -> None:
        raise AssertionError("the network was touched")

    monkeypatch.setattr(socket.socket, "connect", refused)
    monkeypatch.setattr(socket, "getaddrinfo", refused)
    monkeypatch.chdir(tmp_path)
    examine({"MEDINJECT_MODEL": "qwen3-4b"}, cache=tmp_path / "hub")
    assert list(tmp_path.iterdir()) == []


def test_the_two_forms_say_the_same(tmp_path: Path) -> None:
    report = examine({}, cache=tmp_path)
    document = json.loads(json.dumps(report.as_json()))
    assert document["verdict"] == report.verdict
    assert document["servable"] is True
    for each in document["findings"]:
        assert f"  {each['level']:<5} {each['subject']}: {each['what']}" in report.as_text().splitlines()


@pytest.mark.parametrize("width", [40, 60, 80])
def test_only_what_can_be_copied_is_wider_than_the_terminal(tmp_path: Path, width: int) -> None:
    for line in examine({}, cache=tmp_path).as_text(width).splitlines():
        assert len(line) <= width or line.startswith("        -> ") or len(line.split()) == 1


@pytest.fixture
def server() -> Iterator[Scripted]:
    with scripted() as server:
        yield server


def of_the_profiles(url: str, tmp_path: Path, **more: str) -> tuple[Report, dict[str, Finding]]:
    report = examine({"MEDINJECT_ENGINE_URL": url} | more, cache=tmp_path)
    return report, {each.subject: each for each in report.findings if each.topic == "profiles"}


def test_what_a_server_has_and_lacks_is_said(server: Scripted, tmp_path: Path) -> None:
    report, found = of_the_profiles(server.url, tmp_path)
    assert found["remote server"].what == f"{server.url} (vllm) serves base, nat, trad"
    assert found["remote arms"].level is Level.WARN
    assert "serves no model 'all'" in found["remote arms"].what
    assert report.servable
    assert report.verdict == "`make run` would serve the profile remote: the arms that its server has."
    assert server.bodies == []  # nothing is generated


def test_a_server_that_is_not_there_stops_the_page_and_its_password_is_not_repeated(tmp_path: Path) -> None:
    report, found = of_the_profiles(f"http://me:motdepasse@127.0.0.1:{free_port()}", tmp_path)
    assert found["remote server"].level is Level.FAIL
    assert "serves no arm" in report.verdict
    assert "motdepasse" not in report.as_text()


def test_a_key_that_cannot_be_one_stops_the_page_and_is_not_repeated(server: Scripted, tmp_path: Path) -> None:
    report, found = of_the_profiles(server.url, tmp_path, MEDINJECT_ENGINE_KEY="mot de passe")
    assert found["remote server"].level is Level.FAIL
    assert "expected a key of printable ASCII characters" in found["remote server"].what
    assert "mot de passe" not in report.as_text()


def test_a_server_that_would_drop_a_magnitude_stops_the_page(server: Scripted, tmp_path: Path) -> None:
    server.cards = [{"id": "nat"}]
    report, found = of_the_profiles(server.url, tmp_path, MEDINJECT_MODEL="mini")
    assert "expected full weights or a plain LoRA adapter" in found["mini server"].what
    assert not report.servable


def test_the_profile_of_servers_needs_an_address_where_it_is_chosen_only(tmp_path: Path) -> None:
    assert examine({}, cache=tmp_path).servable
    report = examine({"MEDINJECT_MODEL": "remote"}, cache=tmp_path)
    assert "expected the address of the server" in report.verdict


def test_a_doctor_without_a_client_says_what_to_install(
    server: Scripted, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "medinject_demo.engine.remote", None)
    _, found = of_the_profiles(server.url, tmp_path)
    assert found["remote server"].remedy == "Run: pip install -r requirements.txt"


def test_a_data_set_without_a_token_is_said_with_what_becomes_of_the_votes() -> None:
    assert dataset(Settings()) == []
    (finding,) = dataset(Settings(votes_dataset="group/votes"))
    assert finding.level is Level.WARN
    assert "votes stay here, and wait. Set HF_TOKEN" in finding.sentence
    (finding,) = dataset(Settings(votes_dataset="group/votes", hub_token="jeton"))
    assert (finding.level, finding.what) == (Level.OK, "group/votes, not tried")
