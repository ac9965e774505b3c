"""What ``compose.yaml`` names exists, as far as that can be told without Docker."""

from __future__ import annotations

import re
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest
import yaml

from medinject_demo.adapters.registry import load_registry
from medinject_demo.domain import ARMS
from medinject_demo.settings import Settings

ROOT = Path(__file__).parent.parent
VARIABLES = {each.metadata["variable"] for each in fields(Settings)}


FILES = ("compose.yaml", "compose.fleet.yaml")


def written(name: str) -> str:
    return (ROOT / name).read_text(encoding="utf-8")


@pytest.fixture
def services() -> dict[str, Any]:
    return dict(yaml.safe_load(written("compose.yaml"))["services"])


@pytest.fixture
def with_a_fleet() -> dict[str, Any]:
    """Those of the other file, where one that extends another is the other and what it adds."""
    document = yaml.safe_load(written("compose.fleet.yaml"))
    found = {}
    for name, service in document["services"].items():
        extended = service.get("extends")
        base = yaml.safe_load(written(extended["file"]))["services"][extended["service"]] if extended else {}
        found[name] = base | service
        assert {volume.partition(":")[0] for volume in found[name].get("volumes", ()) if volume[0] != "."} <= set(
            document["volumes"]
        )
    return found


def test_pages_join_the_cluster_of_the_fleet_and_ask_for_the_model_that_it_deploys(
    with_a_fleet: dict[str, Any],
) -> None:
    pages, fleet = with_a_fleet["pages"], with_a_fleet["fleet"]
    assert "--port=6379" in fleet["command"][-1]
    assert "serve deploy deploy/fleet.yaml" in fleet["command"][-1]
    assert "--address=fleet:6379" in pages["command"][-1]
    assert pages["command"][-1].endswith("--ray-address auto")
    (deployed,) = yaml.safe_load(written("deploy/fleet.yaml"))["applications"]
    assert pages["environment"]["MEDINJECT_MODEL"] == deployed["args"]["model"]
    for each in (pages, fleet):
        assert each["build"]["args"]["FLEET"]
        assert each["environment"]["RAY_AUTH_MODE"] == "token"
    assert not any("ports" in service for name, service in with_a_fleet.items() if name != "front")
    for service in with_a_fleet.values():
        assert set(service.get("depends_on", ())) <= with_a_fleet.keys()
    given = {name: value for name, value in pages["environment"].items() if name.startswith("MEDINJECT")}
    assert given.keys() <= VARIABLES
    Settings.from_env(given)


def test_no_secret_and_no_vote_goes_into_an_image_or_a_commit() -> None:
    kept_out = written(".dockerignore").splitlines()
    assert {".env*", "data", ".git"} <= set(kept_out)
    assert {".env*", "data/"} <= set(written(".gitignore").splitlines())


def test_the_pages_are_given_settings_that_there_are(services: dict[str, Any]) -> None:
    given = services["pages"]["environment"]
    assert given.keys() <= VARIABLES
    assert {"MEDINJECT_SECRET", "MEDINJECT_DATABASE_URL", "MEDINJECT_ENGINE_URL"} <= given.keys()
    assert given["MEDINJECT_MODEL"] in load_registry()
    Settings.from_env(given)


def test_every_service_that_another_waits_for_or_speaks_to_is_there(services: dict[str, Any]) -> None:
    for service in services.values():
        assert set(service.get("depends_on", ())) <= services.keys()
    given = services["pages"]["environment"]
    assert "@votes/" in given["MEDINJECT_DATABASE_URL"]
    assert given["MEDINJECT_ENGINE_URL"].startswith("http://models:")
    assert "dynamic a pages 7860" in (ROOT / "deploy/Caddyfile").read_text(encoding="utf-8")


def test_the_server_serves_the_arms_under_the_names_that_the_pages_ask_for(services: dict[str, Any]) -> None:
    command = services["models"]["command"]
    modules = command[command.index("--lora-modules") + 1 :]
    names = {"base", *(module.partition("=")[0] for module in modules)}
    assert "--served-model-name=base" in command
    assert names == {each.models[0] for each in load_registry()["remote"].endpoints.values()}
    assert len(modules) == len(ARMS)


@pytest.mark.parametrize("file", FILES)
def test_every_secret_must_be_set(file: str) -> None:
    for reference in re.findall(r"\$\{[^}]*\}", written(file)):
        assert reference.endswith(":?set it in .env}") or reference == "${TORCH_INDEX:-}"


def test_the_image_is_made_of_files_that_are_there() -> None:
    for line in (ROOT / "Dockerfile").read_text(encoding="utf-8").splitlines():
        if line.startswith("COPY"):
            assert all((ROOT / name).exists() for name in line.split()[1:-1])
