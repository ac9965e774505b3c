"""The bench of the recovery: what is measured, in which order."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from ...domain import Mixture
from ...engine.adapter import WEIGHTS
from ...engine.bench.environment import Environment
from ..folder import RECORD
from ..verify import QUESTIONS
from .arms import RoundTrip, round_trips
from .known import Found, matrices
from .made import Sizes, write_pair
from .report import Report, Whole
from .whole import failing_server, interpreter, spent_on

Say = Callable[[str], None]


@dataclass(frozen=True)
class Plan:
    """What to measure."""

    ranks: Sequence[int]
    whole: bool
    """Also a pair of a 4B's size, of 25 GB, in ``work``."""
    work: Path | None


def bench(
    plan: Plan, base: Path, arms: Mapping[Mixture, Path], command: str, say: Say, sizes: Sizes | None = None
) -> Report:
    """Measure, and say each line as it comes. ``sizes`` are Qwen3-4B's where nothing else is asked."""
    sizes = sizes or Sizes()
    trips: list[RoundTrip] = []
    with tempfile.TemporaryDirectory(dir=plan.work) as made:
        for trip in round_trips(base, arms, Path(made)):
            say(
                f"{trip.arm} {trip.precision}: left {trip.left:.1e}, logits {trip.logits:.1e}, same answers {trip.same}"
            )
            trips.append(trip)
    found: list[Found] = []
    for each in matrices(plan.ranks, sizes):
        say(f"{each.name} rank {each.rank} {each.precision}: found {each.found}, left {each.left:.1e}")
        found.append(each)
    whole = None
    if plan.whole:
        with tempfile.TemporaryDirectory(dir=plan.work) as made:
            whole = measured_whole(Path(made), sizes, say)
    return Report(command, str(Environment.of("cpu")), found, trips, whole, len(QUESTIONS))


def measured_whole(folder: Path, sizes: Sizes, say: Say) -> Whole:
    """A pair made below ``folder``, recovered from there, and from a failing server with a kill half-way."""
    merged, base = write_pair(folder, sizes, 16, say)
    modules = sizes.layers * len(sizes.projections)
    say("recovering from folders")
    local = spent_on(_arguments(str(merged), str(base), folder / "local"))
    say(f"{local.seconds:.0f} s, processor {local.processor:.0f} s, peak {local.peak / 1e6:.0f} MB; now from a server")
    with failing_server(folder) as (address, answered):
        arguments = _arguments(f"{address}/merged", f"{address}/base", folder / "remote")
        first = spent_on(arguments, kill_at=(folder / "remote.partial", modules // 2))
        say(f"killed after {first.seconds:.0f} s; the same command again")
        second = spent_on(arguments)
    record = json.loads((folder / "local" / RECORD).read_text(encoding="utf-8"))["matrices"]
    weights = [folder / name / WEIGHTS for name in ("local", "remote")]
    return Whole(
        _bytes(merged),
        _bytes(base),
        weights[0].stat().st_size,
        interpreter(),
        local,
        first,
        second,
        weights[0].read_bytes() == weights[1].read_bytes(),
        len(answered),
        answered.count(503),
        tuple(sorted({each["rank"] for each in record})),
        max(each["left"] for each in record),
    )


def _bytes(place: Path) -> int:
    return sum(each.stat().st_size for each in place.glob("*.safetensors"))


def _arguments(merged: str, base: str, output: Path) -> list[str]:
    return ["adapters", "recover", "--merged", merged, "--base", base, "--output", str(output)]
