"""Which fleet that runs in a cluster is the one that is asked for."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from medinject_demo.domain import ARMS
from medinject_demo.engine.fleet.cluster import _require_plan
from medinject_demo.engine.fleet.plan import Plan
from medinject_demo.errors import ModelError

RUNNING = Plan("base", {ARMS[0]: Path("/adapters/nat")}, 2, "mini", "cuda")


@pytest.mark.parametrize("device", ["auto", "cuda"])
def test_a_fleet_of_the_same_plan_is_joined_whatever_device_auto_became(device: str) -> None:
    _require_plan(replace(RUNNING, device=device), RUNNING)


@pytest.mark.parametrize(
    "other",
    [
        {"base": "another"},
        {"adapters": {ARMS[0]: Path("/elsewhere/nat")}},
        {"adapters": {}},
        {"device": "cpu"},
        {"quantization": "int8"},
        {"replicas": 3},
        {"profile": "qwen3-4b"},
        {"max_rows": 8},
        {"max_context": 512},
    ],
    ids=lambda other: next(iter(other)),
)
def test_a_fleet_of_another_plan_is_refused(other: dict[str, Any]) -> None:
    with pytest.raises(ModelError, match=r"fleet, .*: expected .*, got .*Ask for what runs there, or delete it"):
        _require_plan(replace(RUNNING, **other), RUNNING)
