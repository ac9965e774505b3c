"""``bench statistics``: measure everything, one after the other."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from ..engine.bench.environment import Environment
from . import oracles
from .duels import saved
from .findings import Findings
from .recovery import WAYS, recovered
from .speed import GOALS, timed

SEED = 20_260_306


@dataclass(frozen=True)
class Plan:
    """How much is measured."""

    runs: int = 2_000
    """Of each crowd."""
    duels: int = 60
    """Runs of each setting and way of drawing pairs."""
    repeats: int = 5
    """Samples of each time."""
    sizes: tuple[int, ...] = tuple(GOALS)
    read: int = 100_000
    """Votes read from SQLite."""


def measure(plan: Plan, examples: Sequence[Path], say: Callable[[str], None]) -> Findings:
    """Do what the plan says. ``examples`` are more files for evalica; ``say`` hears what is being done.

    Raises:
        MedInjectError: evalica is not installed.
        InvalidData: an example has other columns.
    """
    oracles.require_evalica()
    agreements = [oracles.beside_evalica("food.csv of its README", oracles.food())]
    agreements += [oracles.beside_evalica(path.name, oracles.read(path)) for path in examples]
    times = timed(plan.repeats, plan.sizes, plan.read, say)
    savings = saved(plan.duels, say)
    recoveries = []
    for crowd, ways in WAYS.items():
        recoveries += recovered(crowd, ways, plan.runs, SEED, _told(crowd.name, plan.runs, say))
    return Findings(
        tuple(recoveries),
        tuple(agreements),
        oracles.beside_the_textbook(),
        tuple(times),
        tuple(savings),
        plan.runs,
        str(Environment.of("cpu")),
    )


def _told(name: str, runs: int, say: Callable[[str], None]) -> Callable[[int], None]:
    """Say every tenth of the runs."""
    step = max(runs // 10, 1)
    return lambda done: say(f"{name}: {done:,} of {runs:,} runs") if done % step == 0 else None
