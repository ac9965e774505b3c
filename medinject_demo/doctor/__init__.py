"""What can run on this machine, what cannot, and what to do about it.

Downloads nothing, loads no model, writes nothing but the library that a processor answers by, where it is not made yet.
The servers of the profile to be served are asked what they have. The environment, the project's folder, the registry
and the cache of the Hub are arguments.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

from ..adapters.presence import hub_cache
from ..adapters.registry import REGISTRY, Profile, load_registry, serving
from ..engine.device import host
from ..errors import MedInjectError
from ..settings import Settings
from . import configuration, machine
from .findings import Finding, Level, Report
from .profiles import Look

__all__ = ["Finding", "Level", "Report", "examine"]

ROOT: Final = Path(__file__).parents[2]


def examine(
    environ: Mapping[str, str], *, root: Path = ROOT, registry: Path = REGISTRY, cache: Path | None = None
) -> Report:
    """Look at everything; ``cache`` is the Hub's, the library's own where None."""
    settings, in_force = configuration.in_force(environ)
    here, (devices, on_devices) = host(), machine.devices()
    hub = cache or hub_cache()
    compiles, on_compiler = machine.compiled(devices)
    look = Look(machine.Place.of(here, devices, compiles=compiles), settings.quantization, cache, settings.engine_key)
    chosen, profiles = _profiles(settings, registry, look)
    findings = (
        *machine.libraries(root),
        *machine.surroundings(here, {"disk": root} | ({} if hub is None else {"Hub cache": hub})),
        *on_devices,
        on_compiler,
        machine.quantization(settings.quantization),
        machine.fleet(),
        *in_force,
        *profiles,
        configuration.votes(settings.database_url),
        *configuration.dataset(settings),
    )
    return Report(findings, _verdict(findings, settings, chosen))


def _profiles(settings: Settings, registry: Path, look: Look) -> tuple[Profile | None, list[Finding]]:
    """The profile that would be served, None where there is none such, and what is to say of all."""
    try:
        known = load_registry(registry)
        chosen = serving(settings.model, registry, settings.engine_url, cache=look.cache)
    except MedInjectError as error:
        subject, _, what = str(error).partition(": ")
        return None, [Finding("profiles", subject, Level.FAIL, what.rstrip("."))]
    others = [finding for each in known.values() if each.name != chosen.name for finding in look.at(each, chosen=False)]
    return chosen, [*look.at(chosen, chosen=True), *others]


def _verdict(findings: Sequence[Finding], settings: Settings, chosen: Profile | None) -> str:
    """What ``make run`` would do, in a sentence or two."""
    faults = [each for each in findings if each.level is Level.FAIL]
    if chosen is None or faults:
        more = f" ({len(faults) - 1} more above)" if len(faults) > 1 else ""
        return f"`make run` would not serve the page here: {faults[0].sentence}{more}"
    if chosen.remote:
        return f"`make run` would serve the profile {chosen.name}: the arms that its server has."
    arms = ", ".join(map(str, chosen.installed)) if len(chosen.installed) > 1 else "its base alone"
    auto = " (auto)" if settings.model == "auto" else ""
    return f"`make run` would serve the profile {chosen.name}{auto}: {arms}."
