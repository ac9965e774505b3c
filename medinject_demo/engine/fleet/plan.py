"""What a fleet is made of: what each replica loads, how many there are, and what each takes at once.

Values only: neither ray nor torch is imported.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from ...domain import Mixture
from ...errors import InvalidValue

ROWS: Final = 8
"""Rows of one call that go to one replica together: a comparison of eight arms. A batch of eight costs a replica hardly
more than one row (docs/benchmarks.md), so a duel or a comparison stays whole and only larger calls are spread."""
ONGOING: Final = 128
"""Calls of a replica at once: with ``ROWS`` rows each, as many as its engine lets wait (``batch.MOST_WAITING``)."""
NAME: Final = "medinject-fleet"
"""The application in the cluster, and the namespace of what it remembers."""
DEPLOYMENT: Final = "engine"
DEVICES: Final = ("auto", "cpu", "cuda")


@dataclass(frozen=True)
class Plan:
    """What every replica loads, with the arguments of ``LocalEngine.load``; the same files on every machine."""

    base: str
    adapters: Mapping[Mixture, Path]
    replicas: int
    profile: str = ""
    """Name of the registry's profile, for whoever joins."""
    device: str = "auto"
    quantization: str = "none"
    max_rows: int = 64
    max_context: int | None = None
    release: str = ""
    """Changed by hand, it begins anew with the adapters of the plan, whatever was swapped since."""
    ongoing: int = ONGOING
    queued: int = ONGOING
    """Calls of one page that wait while every replica holds ``ongoing``; beyond, a call is refused."""

    def __post_init__(self) -> None:
        require_replicas(self.replicas)
        if self.device not in DEVICES:
            remedy = "Ray gives each replica its own GPU."
            raise InvalidValue.of(
                "device of a fleet", expected=" or ".join(DEVICES), got=repr(self.device), remedy=remedy
            )

    @property
    def most_waiting(self) -> int:
        """Answers that may wait, of all pages together where there is one."""
        return (self.replicas * self.ongoing + self.queued) * ROWS

    @property
    def identity(self) -> str:
        """Hash of what decides the answers: two fleets of the same have the same."""
        adapters = sorted((mixture.slug, str(folder)) for mixture, folder in self.adapters.items())
        decides = [self.base, adapters, self.quantization, self.max_context, self.release]
        return hashlib.sha256(json.dumps(decides).encode()).hexdigest()[:16]

    def on_gpus(self, gpus: float) -> bool:
        """True where each replica has one of so many GPUs.

        Raises:
            InvalidValue: there are too few.
        """
        wanted = self.device == "cuda" or (self.device == "auto" and gpus > 0)
        if wanted and gpus < self.replicas:
            raise InvalidValue.of(
                "fleet",
                expected=f"a GPU for each of {self.replicas} replicas",
                got=f"{gpus:g}",
                remedy="Ask for fewer replicas, or for --device cpu.",
            )
        return wanted

    def actor_options(self, *, cpus: float, gpus: float, root: str = "") -> dict[str, Any]:
        """What Ray sets aside for a replica: one GPU where the cluster has them, else processors.

        ``root`` is where this package is to be found on every machine, where it is not installed.
        """
        options: dict[str, Any] = {"num_cpus": cpus, "num_gpus": 1} if self.on_gpus(gpus) else {"num_cpus": cpus}
        return options | ({"runtime_env": {"env_vars": {"PYTHONPATH": root}}} if root else {})


def require_replicas(count: int) -> None:
    """Raises InvalidValue where a fleet would have no replica."""
    if count < 1:
        raise InvalidValue.of("replicas", expected="at least 1", got=str(count), remedy="A fleet has one or more.")
