"""Two replicas: what they have room for, and what tests ask and say of them."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Sequence

from medinject_demo.domain import Answer, Sampling
from medinject_demo.engine.fleet.fleet import FleetEngine
from medinject_demo.errors import ModelError

REPLICAS, ONGOING, QUEUED = 2, 8, 8
ROOM = {"max_rows": 4, "max_context": 2000}
LONG = Sampling(max_new_tokens=1800)
PATIENCE = 240
"""Seconds: the machine may be busy, and a replica loads for some."""


def eventually(holds: Callable[[], bool]) -> bool:
    latest = time.monotonic() + PATIENCE
    while not holds() and time.monotonic() < latest:
        time.sleep(0.05)
    return holds()


def whole(fleet: FleetEngine) -> bool:
    try:
        fleet.require_whole()
    except ModelError:
        return False
    return True


def kill(process: int) -> None:
    os.kill(process, signal.SIGKILL)


def told(answers: Sequence[Answer]) -> list[tuple[object, ...]]:
    return [(each.mixture, each.fingerprint, each.text, each.tokens, each.finish_reason) for each in answers]
