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


@pytest.fixture
def services() -> dict[str, Any]:
    document = yaml.safe_load((ROOT / "compose.yaml").read_text(encoding="utf-8"))
    return dict(document["services"])


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


def test_every_secret_must_be_set(services: dict[str, Any]) -> None:
    for reference in re.findall(r"\$\{[^}]*\}", (ROOT / "compose.yaml").read_text(encoding="utf-8")):
        assert reference.endswith(":?set it in .env}") or reference == "${TORCH_INDEX:-}"


def test_the_image_is_made_of_files_that_are_there() -> None:
    for line in (ROOT / "Dockerfile").read_text(encoding="utf-8").splitlines():
        if line.startswith("COPY"):
            assert all((ROOT / name).exists() for name in line.split()[1:-1])
