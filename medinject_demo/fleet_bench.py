"""What a fleet costs beside one engine, and how long it lacks a replica that died: measured with the miniature.

Eight visitors ask a duel each, at once: of the engine in this process, then of fleets of one and of two replicas on the
same machine, which on the same cores cannot be faster. Knows no page.
"""

from __future__ import annotations

import json
import os
import signal
import statistics
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import asdict, dataclass
from typing import Final

from .adapters.registry import MINIATURE, Profile, profile
from .assembly import Fleet, load_engine, load_fleet
from .domain import MIXTURES, Sampling
from .engine.base import Delta, Engine, Finished, Request
from .engine.bench.environment import Environment
from .engine.fleet.cluster import require_ray
from .engine.fleet.fleet import FleetEngine
from .errors import ModelError
from .prompts import load_prompts, messages

VISITORS: Final = 8
TOKENS: Final = 64
BASELINE: Final = "one engine in this process (baseline)"
PATIENCE: Final = 300.0
"""Seconds after which a replica that does not come back is a failure."""


@dataclass(frozen=True)
class Place:
    """What was measured where the answers came from: a sample for each round of visitors."""

    name: str
    first: Sequence[float]
    """Seconds to the first piece of either answer, the median of the round's visitors."""
    rate: Sequence[float]
    """Tokens a second, of all visitors together."""


@dataclass(frozen=True)
class Cost:
    """The places measured, the baseline first, and what a death cost."""

    places: Sequence[Place]
    returns: Sequence[float]
    """Seconds from a replica's death until both answer again."""
    environment: Environment

    def as_text(self) -> str:
        """A line for each place, then the returns, then the machine."""
        lines = [" ".join(cells) for cells in self._rows()]
        return "\n".join([*lines, self._returned(), str(self.environment)])

    def as_json(self) -> str:
        """Every sample, for a machine."""
        document = {
            "places": [asdict(place) for place in self.places],
            "returns": list(self.returns),
            "environment": self.environment.as_dict(),
        }
        return json.dumps(document, ensure_ascii=False, indent=2)

    def as_markdown(self, command: str) -> str:
        """The document that is kept."""
        rows = "\n".join(f"| {' | '.join(cells)} |" for cells in self._rows())
        return (
            "# What a fleet costs\n\n"
            f"Written by `{command}`: {VISITORS} visitors at once, a duel each of at most {TOKENS} tokens an answer, "
            "with the miniature; page and replicas on one machine. Medians of the rounds, then the least and the most."
            "\n\n| where the answers come from | first token | tokens a second | of the baseline |\n|---|---|---|---|\n"
            f"{rows}\n\n{self._returned()}\n\n"
            f"On {self.environment.cores} cores two replicas cannot be faster than one: they share the cores, and each "
            "reads the weights for itself. What a fleet brings is a process that may die, another machine, a GPU more; "
            "these figures say what the way through Ray costs. The miniature's steps are short, so the way weighs more "
            "here than with a model of billions.\n\n"
            f"Machine: {self.environment}.\n"
        )

    def _rows(self) -> Iterator[tuple[str, str, str, str]]:
        base = statistics.median(self.places[0].rate)
        for place in self.places:
            first = f"{_spread([each * 1000 for each in place.first])} ms"
            yield place.name, first, _spread(place.rate), f"{statistics.median(place.rate) / base:.2f}"

    def _returned(self) -> str:
        return (
            f"From a replica's death (SIGKILL) until both answer again: {_spread(self.returns, 1)} s, "
            f"{len(self.returns)} deaths; meanwhile the other answers."
        )


def measure(rounds: int, deaths: int, say: Callable[[str], None]) -> Cost:
    """Measure every place after one round that is not counted, and say what is being done.

    Raises:
        ModelError: ray is missing, or a replica does not come back.
    """
    require_ray()
    mini = profile(MINIATURE)
    places, returns = [], []
    for name, load in _places(mini).items():
        say(name)
        with load() as engine:
            samples = [_round(engine) for _ in range(rounds + 1)][1:]
            places.append(Place(name, [first for first, _ in samples], [rate for _, rate in samples]))
            if isinstance(engine, FleetEngine) and engine.plan.replicas > 1:
                say(f"{deaths} deaths")
                returns = [_return(engine) for _ in range(deaths)]
    return Cost(places, returns, Environment.of("cpu"))


def _places(mini: Profile) -> Mapping[str, Callable[[], closing[Engine]]]:
    def local() -> closing[Engine]:
        return closing(load_engine(mini, MIXTURES, device="cpu"))

    def fleet(replicas: int) -> Callable[[], closing[Engine]]:
        return lambda: closing(load_fleet(Fleet(replicas), mini, MIXTURES, device="cpu"))

    return {BASELINE: local, "a fleet of 1 replica": fleet(1), "a fleet of 2 replicas": fleet(2)}


def _round(engine: Engine) -> tuple[float, float]:
    """Seconds to a first token, the median of the visitors, and tokens a second of all."""
    started = time.perf_counter()
    with ThreadPoolExecutor(VISITORS) as visitors:
        told = list(visitors.map(lambda requests: _visit(engine, requests), _duels()))
    seconds = time.perf_counter() - started
    return statistics.median(first for first, _ in told), sum(tokens for _, tokens in told) / seconds


def _visit(engine: Engine, requests: Sequence[Request]) -> tuple[float, int]:
    started, first, tokens = time.perf_counter(), 0.0, 0
    for event in engine.stream(requests):
        if isinstance(event, Delta):
            first = first or time.perf_counter() - started
        else:
            tokens += _whole(event).tokens
    return first, tokens


def _whole(end: Finished) -> Finished:
    """Raises ModelError where a row failed: what follows would be no measure."""
    if end.error:
        raise ModelError.of("answer", expected="one that is whole", got=end.error)
    return end


def _duels() -> list[list[Request]]:
    """A prompt for each visitor, and two arms that differ from visitor to visitor."""
    sampling = Sampling(max_new_tokens=TOKENS)
    return [
        [Request(messages(prompt), arm, sampling) for arm in (MIXTURES[n % 8], MIXTURES[(n + 3) % 8])]
        for n, prompt in enumerate(load_prompts()[:VISITORS])
    ]


def _return(fleet: FleetEngine) -> float:
    """Seconds from the death of a replica until both answer again."""
    os.kill(fleet.states()[0].process, signal.SIGKILL)
    died = time.perf_counter()
    while time.perf_counter() - died < PATIENCE:
        time.sleep(0.05)
        try:
            fleet.require_whole()
        except ModelError:
            continue
        return time.perf_counter() - died
    raise ModelError.of("replica", expected=f"to be back within {PATIENCE:g} s", got="none")


def _spread(samples: Sequence[float], digits: int = 0) -> str:
    low, middle, high = (f"{each:.{digits}f}" for each in (min(samples), statistics.median(samples), max(samples)))
    return f"{middle} ({low} to {high})"
