"""From a profile of the registry to an engine that answers for it: where the files and the engine meet.

Knows nothing of pages, votes or terminals. What needs torch is imported inside the function.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from .adapters.registry import MINIATURE, Profile, serving
from .domain import BASE, Mixture, Sampling
from .errors import InvalidValue, ModelError

if TYPE_CHECKING:
    from .engine.base import Engine
    from .engine.fleet.fleet import FleetEngine
    from .engine.fleet.plan import Plan


MINIATURE_TOKENS: Final = 192
"""New tokens of an answer of the miniature, unless asked otherwise: its longest answers end before."""


def sampling_for(profile: Profile) -> Sampling:
    """The study's sampling (greedy), with as many new tokens at most as the profile's answers need."""
    return Sampling(max_new_tokens=MINIATURE_TOKENS) if profile.name == MINIATURE else Sampling()


def load_engine(
    profile: Profile,
    mixtures: Sequence[Mixture] | None = None,
    *,
    device: str = "auto",
    quantization: str = "none",
    rows: int = 64,
    quiet: bool = True,
    key: str = "",
) -> Engine:
    """The named arms of a profile, or all that can answer, loaded or reached, with room for ``rows`` answers at once.

    ``key`` is the bearer token of the servers, where servers answer. ``quiet`` keeps the libraries from drawing
    progress bars and from telling of each attempt to reach the Hub: in a file they would hide the one line of an error.

    Raises:
        ModelError: the base or an arm is not there, or cannot be loaded.
        InvalidValue: a setting is none of those that are known, or the device is not on this machine.
    """
    if profile.remote:
        _require_nothing_of_this_machine(device, quantization)
        return _connected(profile, mixtures, rows, key)
    profile.require_base()
    mixtures = profile.installed if mixtures is None else mixtures
    for mixture in mixtures:
        profile.require_arm(mixture)
    from .engine.local import LocalEngine

    if quiet:
        hush_libraries()
    folders = {mixture: profile.arms[mixture].folder for mixture in mixtures if mixture != BASE}
    return LocalEngine.load(profile.base, folders, device=device, quantization=quantization, max_rows=rows)


def hush_libraries() -> None:
    """Keep the libraries from drawing bars, and the Hub's from telling of each attempt."""
    from huggingface_hub.utils import logging as hub
    from transformers.utils import logging

    logging.disable_progress_bar()  # type: ignore[no-untyped-call]
    hub.set_verbosity_error()  # type: ignore[no-untyped-call]


def _connected(profile: Profile, mixtures: Sequence[Mixture] | None, rows: int, key: str) -> Engine:
    """The servers' engine; where arms are named, all of them must be there."""
    from .engine.remote import RemoteEngine

    wanted = profile.installed if mixtures is None else mixtures
    for mixture in wanted:
        profile.require_arm(mixture)
    engine = RemoteEngine.connect({mixture: profile.remote[mixture] for mixture in wanted}, key=key, most_rows=rows)
    missing = [] if mixtures is None else [each for each in mixtures if each not in engine.mixtures]
    if missing:
        engine.close()
        names = ", ".join(map(str, missing))
        raise ModelError(f"arms {names}: expected them at their server, got none. {' '.join(engine.remarks)}")
    return engine


def _require_nothing_of_this_machine(device: str, quantization: str) -> None:
    """Refuse what could only be honoured where the weights are."""
    for name, given, plain in (("device", device, "auto"), ("quantization", quantization, "none")):
        if given != plain:
            remedy = "Ask for it where the server is started."
            raise InvalidValue.of(name, expected=f"{plain} where a server answers", got=repr(given), remedy=remedy)


@dataclass(frozen=True)
class Fleet:
    """Where replicas answer in place of an engine of this process."""

    replicas: int | None = None
    """None joins a fleet that runs already."""
    address: str = ""
    """Of a Ray cluster that this machine is part of; empty starts one here."""


def load_fleet(
    fleet: Fleet, profile: Profile, mixtures: Sequence[Mixture], *, device: str = "auto", quantization: str = "none"
) -> FleetEngine:
    """The named arms of a profile on the replicas of a fleet; those of the fleet, where one is joined as it is.

    Raises:
        ModelError: ray is missing, the cluster cannot be reached, an arm cannot be loaded, or another profile, device
            or quantization runs there.
        InvalidValue: a setting is none of those that are known, or there are fewer GPUs than replicas.
    """
    from .engine.fleet.cluster import joined, require_ray, started

    require_ray()
    if fleet.replicas is None:
        engine = joined(fleet.address)
        try:
            _require_same(fleet.address, engine.plan, profile, device, quantization)
        except ModelError:
            engine.close()
            raise
        return engine
    plan = fleet_plan(profile, mixtures, fleet.replicas, device=device, quantization=quantization)
    return joined(fleet.address, plan) if fleet.address else started(plan)


def _require_same(address: str, running: Plan, profile: Profile, device: str, quantization: str) -> None:
    """Refuse a fleet that answers otherwise than what was asked for; what was left at its default is the fleet's."""
    if running.profile != profile.name:
        remedy = f"Serve with --model {running.profile}, or deploy the other."
        raise ModelError.of(f"fleet at {address}", expected=profile.name, got=running.profile, remedy=remedy)
    for what, asked, plain, there in (
        ("device", device, "auto", running.device),
        ("quantization", quantization, "none", running.quantization),
    ):
        if asked not in (plain, there):
            remedy = f"Leave {what} out, or deploy another fleet."
            raise ModelError.of(f"fleet at {address}, {what}", expected=asked, got=there, remedy=remedy)


def fleet_plan(profile: Profile, mixtures: Sequence[Mixture], replicas: int, **how: Any) -> Plan:
    """What each replica of a profile loads; ``how`` as the fields of ``Plan``.

    Raises:
        ModelError: the base or an arm is not on this machine.
        InvalidValue: there would be no replica, or the device is none that a fleet can have.
    """
    from .engine.fleet.plan import Plan

    profile.require_base()
    for mixture in mixtures:
        profile.require_arm(mixture)
    folders = {mixture: profile.arms[mixture].folder for mixture in mixtures if mixture != BASE}
    return Plan(profile.base, folders, replicas, profile.name, **how)


def application(arguments: dict[str, Any]) -> Any:
    """What ``serve deploy deploy/fleet.yaml`` calls on the cluster: the file's ``args`` to an application of Serve.

    ``model`` and ``replicas`` must be given; ``device``, ``quantization``, ``max_rows``, ``max_context``, ``release``
    and ``cpus`` (of each replica without a GPU) may be.

    Raises:
        InvalidValue: an argument is none of these, or wrong.
        ModelError: the base or an arm is not on this machine.
    """
    import ray

    from .engine.fleet import cluster

    given: dict[str, Any] = {"model": MINIATURE, "replicas": 1, "cpus": 1} | arguments
    known = {"device", "quantization", "max_rows", "max_context", "release"}
    chosen, replicas, cpus = serving(str(given.pop("model"))), given.pop("replicas"), given.pop("cpus")
    if wrong := sorted(set(given) - known):
        expected = f"model, replicas, cpus, {', '.join(sorted(known))}"
        raise InvalidValue.of("args of the fleet", expected=expected, got=wrong[0])
    if not isinstance(replicas, int):
        raise InvalidValue.of("args of the fleet, replicas", expected="a whole number", got=repr(replicas))
    plan = fleet_plan(chosen, chosen.installed, replicas, **given)
    gpus = float(ray.cluster_resources().get("GPU", 0))
    return cluster.application(plan, plan.actor_options(cpus=cpus, gpus=gpus))
