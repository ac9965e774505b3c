"""Ray around a fleet: started here and ended with it, or joined; and the application that Serve deploys.

A Ray that is started here has no dashboard, sends no usage statistics, writes its logs to a folder that goes with it,
and listens for no HTTP: the page calls the replicas through Ray alone.
"""

from __future__ import annotations

import logging
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, Final

from ...errors import InvalidValue, ModelError
from ..device import host
from .fleet import FleetEngine
from .ledger import ClusterTable, Ledger
from .line import Line
from .plan import DEPLOYMENT, NAME, Plan
from .replica import Replica

OBJECT_STORE: Final = 100 * 2**20
"""Bytes that Ray sets aside for shared objects; events are small and pass beside it."""
CHECKED: Final = 1.0
"""Seconds between two looks of Serve at a replica."""
HUNG: Final = 60.0
"""Seconds after which a replica that does not answer such a look is started again."""
ROOT: Final = str(Path(__file__).resolve().parents[3])
FAMILY: Final = "medinject_demo.errors."
_log = logging.getLogger(__name__)
QUIET: Final = {"log_level": "WARNING", "enable_access_log": False}


def require_ray() -> None:
    """Raises ModelError where Ray Serve is not installed."""
    try:
        import ray.serve  # noqa: F401 - whether it is there
    except ImportError as error:
        remedy = "Run: pip install -r requirements-fleet.txt"
        raise ModelError.of("fleet", expected="ray[serve]", got="none", remedy=remedy) from error


def started(plan: Plan) -> FleetEngine:
    """A fleet on this machine, in a Ray that is started for it and ended by ``close``.

    Raises:
        ModelError: ray is missing or does not start, or a replica cannot be loaded.
        InvalidValue: there are fewer GPUs than replicas.
    """
    require_ray()
    cpus = max(1, host().cores // plan.replicas)
    with ExitStack() as held:
        gpus = held.enter_context(_ray_here(cpus * plan.replicas))
        return _deployed(plan, plan.actor_options(cpus=cpus, gpus=gpus), held)  # what is deployed ends with this Ray


def joined(address: str, plan: Plan | None = None) -> FleetEngine:
    """The fleet of a cluster that this machine is part of.

    With a plan, the fleet is deployed where there is none, and deleted by ``close``.

    Raises:
        ModelError: ray is missing, the cluster cannot be reached, it has no fleet, or one of another plan.
        InvalidValue: the address is one that answers cannot stream from.
    """
    require_ray()
    with ExitStack() as held:
        held.enter_context(_ray_at(address))
        found = _found()
        if found is None:
            if plan is None:
                remedy = "Run: serve deploy deploy/fleet.yaml, or give --fleet N to deploy one."
                raise ModelError.of(f"cluster {address}", expected="a fleet", got="none", remedy=remedy)
            import ray

            gpus = float(ray.cluster_resources().get("GPU", 0))
            held.callback(_deleted, plan)
            return _deployed(plan, plan.actor_options(cpus=1, gpus=gpus, root=ROOT), held)
        running = Line(found, 0).plan()
        if plan is not None:
            _require_plan(plan, running)
        return _engine(found, running, held)


def application(plan: Plan, options: dict[str, Any]) -> Any:
    """What Serve deploys: replicas of this plan, each with these resources."""
    from ray import serve

    deployment = serve.deployment(
        Replica,
        name=DEPLOYMENT,
        num_replicas=plan.replicas,
        max_ongoing_requests=plan.ongoing,
        max_queued_requests=plan.queued,
        ray_actor_options=options,
        health_check_period_s=CHECKED,
        health_check_timeout_s=HUNG,
        graceful_shutdown_timeout_s=5,
        max_constructor_retry_count=1,  # what cannot be loaded now cannot be loaded in a minute
        logging_config=QUIET,
    )
    return deployment.bind(plan)


def _deployed(plan: Plan, options: dict[str, Any], held: ExitStack) -> FleetEngine:
    from ray import serve

    logging.getLogger("ray.serve").addFilter(_only_errors)  # Serve sets the level itself, and more than once
    serve.start(proxy_location="Disabled", logging_config=QUIET)
    try:
        handle = serve.run(application(plan, options), name=NAME, route_prefix=None)
    except RuntimeError as error:
        raise _refused(error) from error
    return _engine(handle, plan, held)


def _engine(handle: Any, plan: Plan, held: ExitStack) -> FleetEngine:
    """The engine, which from now on ends what is held."""
    ledger = Ledger(plan.identity, ClusterTable())
    engine = FleetEngine(Line(handle, plan.most_waiting), ledger, plan, trouble=_trouble)
    engine.require_whole()
    engine.keep(held.pop_all())
    return engine


def _deleted(plan: Plan) -> None:
    from ray import serve
    from ray.exceptions import RayError
    from ray.serve.exceptions import RayServeException

    try:
        serve.delete(NAME)
        Ledger(plan.identity, ClusterTable()).forget()
    except (RayError, RayServeException, ModelError) as error:  # at the end of a page, which has nobody to tell
        _log.warning("the fleet could not be deleted from its cluster: %s", _said(error))


def _found() -> Any:
    """The handle of the fleet that runs in this cluster, None where none does."""
    from ray import serve
    from ray.serve.exceptions import RayServeException

    try:
        return serve.get_app_handle(NAME)
    except RayServeException:
        return None


def _require_plan(wanted: Plan, running: Plan) -> None:
    """Raises ModelError where a fleet that runs is not the one that is asked for."""
    for what, mine, theirs in (
        ("profile", wanted.profile, running.profile),
        ("replicas", wanted.replicas, running.replicas),
        ("quantization", wanted.quantization, running.quantization),
        ("base", wanted.base, running.base),
        ("adapters", _places(wanted), _places(running)),
        ("device", wanted.device, wanted.device if wanted.device == "auto" else running.device),
        ("rows of a replica", wanted.max_rows, running.max_rows),
        ("tokens of a row", wanted.max_context, running.max_context),
    ):
        if mine != theirs:
            remedy = "Ask for what runs there, or delete it with: serve shutdown"
            raise ModelError.of(f"fleet, {what}", expected=str(mine), got=str(theirs), remedy=remedy)


def _places(plan: Plan) -> str:
    return ", ".join(sorted(f"{mixture.slug} in {folder}" for mixture, folder in plan.adapters.items())) or "none"


def _refused(error: RuntimeError) -> ModelError:
    """What a replica said as it was loaded, out of what Serve says of it."""
    lines = str(error).strip().splitlines() or ["nothing"]
    return ModelError(_sentence(lines) or f"fleet: expected replicas that load, got {lines[-1]}")


def _trouble() -> str:
    """What the newest replica that could not be loaded said, while one is missing."""
    from ray import serve

    found = serve.status().applications.get(NAME)
    deployment = found.deployments.get(DEPLOYMENT) if found else None
    return _sentence(deployment.message.splitlines()) if deployment else ""


def _sentence(lines: Sequence[str]) -> str:
    """The last error of ours in a trace, "" where there is none."""
    ours = [line.partition("Error: ")[2] or line.partition("Value: ")[2] for line in lines if FAMILY in line]
    return ours[-1].strip() if ours else ""


def _said(error: Exception) -> str:
    """The first line of an error, or its class where it says nothing."""
    return next(iter(str(error).strip().splitlines()), type(error).__name__).rstrip(".")


def _only_errors(record: logging.LogRecord) -> bool:
    return record.levelno >= logging.ERROR


@contextmanager
def _ray_here(cpus: int) -> Iterator[float]:
    """A Ray of this machine; how many GPUs it has."""
    import ray
    from ray._common.usage import usage_lib

    usage_lib.set_usage_stats_enabled_via_env_var(False)
    # sockets lie below it, whose paths the system keeps short
    folder = tempfile.mkdtemp(prefix="medinject-ray-", dir="/tmp" if Path("/tmp").is_dir() else None)
    try:
        try:
            ray.init(
                address="local",
                num_cpus=cpus,
                object_store_memory=OBJECT_STORE,
                include_dashboard=False,
                log_to_driver=False,
                logging_level=logging.ERROR,
                _temp_dir=folder,
            )
        except (OSError, RuntimeError, ValueError, ray.exceptions.RayError) as error:
            raise ModelError.of("Ray", expected="to start", got=_said(error)) from error
        yield float(ray.cluster_resources().get("GPU", 0))
    finally:
        ray.shutdown()
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def _ray_at(address: str) -> Iterator[None]:
    import ray

    if address.startswith("ray://"):
        remedy = "Run the page on a machine of the cluster, with --ray-address auto."
        raise InvalidValue.of("--ray-address", expected="<host>:<port> or auto", got=repr(address), remedy=remedy)
    try:
        ray.init(address=address, log_to_driver=False, logging_level=logging.ERROR)
    except (OSError, RuntimeError, ValueError, ray.exceptions.RayError) as error:
        remedy = "Join it with: ray start --address=<host>:<port>; one that wants a token needs Ray's RAY_AUTH_TOKEN."
        expected = "a cluster that this machine is part of"
        raise ModelError.of(f"Ray at {address}", expected=expected, got=_said(error), remedy=remedy) from error
    logging.getLogger("ray.serve").addFilter(_only_errors)  # Serve sets the level itself, and more than once
    try:
        yield
    finally:
        ray.shutdown()
