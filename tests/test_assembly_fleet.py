"""From a profile to a fleet: its plan, its deployment file, and what is said where it cannot be."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from medinject_demo.adapters.registry import profile
from medinject_demo.assembly import Fleet, application, fleet_plan, load_fleet
from medinject_demo.domain import ARMS, BASE
from medinject_demo.engine.fleet import cluster
from medinject_demo.engine.fleet.plan import DEPLOYMENT, NAME
from medinject_demo.errors import InvalidValue, ModelError

from .test_cli import ROOT, one_line, run

FILE = ROOT / "deploy/fleet.yaml"


def test_each_replica_loads_what_the_local_engine_does() -> None:
    mini = profile("mini")
    plan = fleet_plan(mini, mini.installed, 2, device="cpu", quantization="int8")
    assert (plan.base, plan.profile, plan.replicas) == (mini.base, "mini", 2)
    assert (plan.device, plan.quantization) == ("cpu", "int8")
    assert plan.adapters == {mixture: mini.arms[mixture].folder for mixture in ARMS}


def test_an_arm_that_is_not_there_is_said_before_ray_is_started(tiny_registry: Path) -> None:
    tiny = profile("tiny", tiny_registry)
    with pytest.raises(ModelError, match="arm syn: expected an adapter in"):
        fleet_plan(tiny, (BASE, ARMS[2]), 2)


@pytest.mark.parametrize("count", ["0", "-1", "deux", "1.5"])
def test_a_number_of_replicas_that_is_none_is_wrong_usage(count: str) -> None:
    done = run("serve", "--fleet", count)
    assert done.exit_code == 2
    assert "Invalid value for '--fleet'" in done.stderr


def test_without_ray_the_remedy_is_said(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    monkeypatch.setitem(sys.modules, "ray.serve", None)
    line = one_line(run("serve", "--fleet", 2, "--database", f"sqlite:///{tmp_path}/votes.db"))
    assert line == "error: fleet: expected ray[serve], got none. Run: pip install -r requirements-fleet.txt"


@pytest.mark.ray
@pytest.mark.parametrize(
    ("address", "said"),
    [
        ("ray://head:10001", "--ray-address: expected <host>:<port> or auto, got 'ray://head:10001'. Run the page on"),
        ("nonsense", "Ray at nonsense: expected a cluster that this machine is part of, got "),
    ],
)
def test_an_address_that_is_no_cluster_is_said(address: str, said: str, tmp_path: Path) -> None:
    pytest.importorskip("ray")
    line = one_line(run("serve", "--ray-address", address, "--database", f"sqlite:///{tmp_path}/votes.db"))
    assert said in line


@pytest.mark.ray
def test_the_deployment_file_is_one_of_ray_serve_and_builds_the_fleet(monkeypatch: pytest.MonkeyPatch) -> None:
    ray = pytest.importorskip("ray")
    from ray.serve.schema import ServeDeploySchema

    (wanted,) = ServeDeploySchema.model_validate(yaml.safe_load(FILE.read_text(encoding="utf-8"))).applications
    assert wanted.name == NAME
    assert wanted.import_path == f"{application.__module__}:{application.__name__}"
    monkeypatch.setattr(ray, "cluster_resources", lambda: {"CPU": 8.0})
    deployment = application(wanted.args)._bound_deployment
    assert (deployment.name, deployment.num_replicas) == (DEPLOYMENT, wanted.args["replicas"])
    assert deployment.ray_actor_options["num_cpus"] == 1
    assert deployment.init_args[0].base == profile("mini").base


@pytest.mark.ray
@pytest.mark.parametrize(
    ("arguments", "said"),
    [({"model": "mini", "replica": 2}, "got replica"), ({"replicas": "two"}, "expected a whole number, got 'two'")],
)
def test_a_deployment_file_with_other_arguments_is_refused(arguments: dict[str, Any], said: str) -> None:
    pytest.importorskip("ray")
    with pytest.raises(InvalidValue, match=said):
        application(arguments)


def test_a_fleet_of_gpus_by_number_is_refused() -> None:
    pytest.importorskip("ray")
    with pytest.raises(InvalidValue, match="Ray gives each replica its own GPU"):
        load_fleet(Fleet(2), profile("mini"), (BASE,), device="cuda:0")


@pytest.mark.parametrize(
    ("model", "asked", "said"),
    [
        ("qwen3-4b", {}, "fleet at auto: expected qwen3-4b, got mini. Serve with --model mini"),
        ("mini", {"quantization": "int4"}, "fleet at auto, quantization: expected int4, got int8. Leave quantization"),
        ("mini", {"device": "cuda"}, "fleet at auto, device: expected cuda, got cpu. Leave device out"),
        ("mini", {"quantization": "int8"}, ""),
        ("mini", {}, ""),
    ],
)
def test_a_fleet_that_is_joined_answers_as_was_asked_or_is_left(
    model: str, asked: dict[str, str], said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("ray")
    closed = []

    class Joined:
        plan = fleet_plan(profile("mini"), (BASE,), 2, device="cpu", quantization="int8")

        def close(self) -> None:
            closed.append(True)

    monkeypatch.setattr(cluster, "joined", lambda address: Joined())
    if said:
        with pytest.raises(ModelError) as refused:
            load_fleet(Fleet(address="auto"), profile(model), (BASE,), **asked)
        assert str(refused.value).startswith(said)
    else:
        assert isinstance(load_fleet(Fleet(address="auto"), profile(model), (BASE,), **asked), Joined)
    assert closed == [True] * bool(said)


def test_a_fleet_of_arms_that_a_server_answers_for_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MEDINJECT_ENGINE_URL", "http://127.0.0.1:9/v1")
    line = one_line(run("serve", "--fleet", 2, "--database", f"sqlite:///{tmp_path}/votes.db"))
    assert line.startswith("error: fleet: expected a profile whose files are here, got remote, for whose arms a server")
