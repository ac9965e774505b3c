"""Two replicas on a Ray of this machine: the engine's laws, and that what they say is what one engine says."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psutil
import pytest

from medinject_demo.domain import ARMS, MIXTURES, FinishReason, Sampling
from medinject_demo.engine.base import ChoiceRequest, Finished, Request, answers
from medinject_demo.engine.fleet.fleet import FleetEngine
from medinject_demo.engine.local import LocalEngine
from medinject_demo.errors import InvalidValue, ModelError

from ..laws import QUESTIONS, SHORT, EngineLaws, asked
from .replicas import LONG, ONGOING, PATIENCE, QUEUED, REPLICAS, eventually, told

pytest.importorskip("ray", reason="ray is missing: pip install -r requirements-fleet.txt")
pytestmark = pytest.mark.ray

NAT = ARMS[0]


def visits() -> list[list[Request]]:
    """Eight visitors' duels: arms, questions and ways to draw that differ."""
    warm = [Sampling(max_new_tokens=40, temperature=1.2, seed=seed) for seed in range(8)]
    return [
        [asked(QUESTIONS[n % 3], MIXTURES[n], warm[n] if n % 2 else SHORT), asked(QUESTIONS[0], MIXTURES[-1 - n])]
        for n in range(8)
    ]


class TestFleetEngine(EngineLaws):
    @pytest.fixture
    def engine(self, fleet: FleetEngine) -> FleetEngine:
        return fleet


def test_eight_visitors_at_once_receive_what_the_local_engine_gives(fleet: FleetEngine, local: LocalEngine) -> None:
    with ThreadPoolExecutor(8) as visitors:
        together = list(visitors.map(lambda requests: answers(fleet, requests), visits()))
    assert [told(each) for each in together] == [told(answers(local, requests)) for requests in visits()]


def test_the_letters_are_weighed_as_by_the_local_engine(fleet: FleetEngine, local: LocalEngine) -> None:
    requests = [ChoiceRequest(asked(q).messages, mixture, "ABCD") for mixture in MIXTURES for q in QUESTIONS]
    for here, there in zip(local.option_probabilities(requests), fleet.option_probabilities(requests), strict=True):
        assert there == pytest.approx(here, abs=1e-5)


def test_what_the_replicas_run_in_is_told(fleet: FleetEngine, local: LocalEngine) -> None:
    assert fleet.precision == local.precision


def test_every_replica_answers(fleet: FleetEngine) -> None:
    streams = [fleet.stream([asked("Bonjour", NAT, LONG)]) for _ in range(8)]
    busy = [state.rows_in_use for state in fleet.states()]
    for events in streams:
        events.close()
    assert min(busy) > 0


def test_closing_frees_the_rows_on_the_replica(fleet: FleetEngine) -> None:
    events = fleet.stream([asked(question, mixture, LONG) for mixture in MIXTURES for question in QUESTIONS])
    next(events)
    assert sum(state.rows_in_use for state in fleet.states()) > 0
    events.close()
    assert eventually(lambda: not any(state.rows_in_use for state in fleet.states()))
    assert list(events) == []


def test_dropping_the_events_frees_the_rows_too(fleet: FleetEngine) -> None:
    events = fleet.stream([asked("Bonjour", NAT, LONG)])
    next(events)
    del events
    assert eventually(lambda: not any(state.rows_in_use for state in fleet.states()))


def test_a_conversation_that_is_too_long_is_refused_as_by_the_local_engine(
    fleet: FleetEngine, local: LocalEngine
) -> None:
    long = [asked("œdème " * 2000, NAT)]
    with pytest.raises(InvalidValue) as here:
        local.stream(long)
    with pytest.raises(InvalidValue) as there:
        fleet.stream([asked("Bonjour", mixture) for mixture in MIXTURES] + long)
    assert str(there.value) == str(here.value)
    assert eventually(lambda: not any(state.rows_in_use for state in fleet.states()))


def test_beyond_what_may_wait_a_call_is_refused_as_by_the_local_engine(fleet: FleetEngine) -> None:
    """Every replica holds its most, as many wait: the next one is told, and those before it lose nothing."""
    waited, refusals = next(filter(lambda seen: seen[1], (crowded(fleet) for _ in range(10))))
    most = fleet.plan.most_waiting
    assert refusals[0] == (f"engine: expected at most {most} answers waiting, got {most + 1}. Try again in a moment.")
    assert waited > QUEUED
    assert answers(fleet, [asked("Bonjour", NAT)])[0].finish_reason is not FinishReason.ERROR


def crowded(fleet: FleetEngine) -> tuple[int, list[str]]:
    """Calls until one is refused: how many, and the refusals; none where the answers in the way ended first."""
    held = [fleet.stream([asked("Bonjour", NAT, LONG)]) for _ in range(REPLICAS * ONGOING)]
    refusals: list[str] = []

    def wait() -> None:
        try:
            fleet.stream([asked("Bonjour", NAT)]).close()
        except ModelError as refusal:
            refusals.append(str(refusal))

    waiting: list[threading.Thread] = []
    while not refusals and len(waiting) < 3 * QUEUED:
        waiting.append(threading.Thread(target=wait, daemon=True))
        waiting[-1].start()
        waiting[-1].join(0.05)
    for events in held:
        events.close()
    for thread in waiting:
        thread.join(PATIENCE)
    return len(waiting), refusals


def test_more_at_once_than_may_wait_is_refused_before_any_is_sent(fleet: FleetEngine) -> None:
    with pytest.raises(ModelError, match="Ask for fewer at once"):
        fleet.stream([asked("Bonjour", NAT)] * (fleet.plan.most_waiting + 1))


def test_closing_ends_what_is_in_flight_as_cancelled_and_leaves_nothing_of_ray(fleet: FleetEngine) -> None:
    """The last: the fleet is gone after it."""
    import ray

    folder = Path(ray._private.worker._global_node.get_temp_dir_path())
    children = psutil.Process().children(recursive=True)  # other tests' among them, such as a browser
    processes = [each for each in children if str(folder) in " ".join(each.cmdline())]
    assert processes
    processes += [psutil.Process(each.process) for each in fleet.states()]
    events = fleet.stream([asked("Bonjour", mixture, LONG) for mixture in [*MIXTURES, NAT]])
    said = [next(events)]
    fleet.close()
    fleet.close()
    said += events
    ends = [event for event in said if isinstance(event, Finished)]
    assert sorted(end.row for end in ends) == list(range(9))
    assert FinishReason.CANCELLED in {end.reason for end in ends}
    assert not {end.error for end in ends} - {""}
    assert folder.name.startswith("medinject-ray-")
    assert not folder.exists()
    assert eventually(lambda: not any(map(runs, processes)))
    for ask in (lambda: fleet.stream([asked("Bonjour")]), lambda: fleet.fingerprint(NAT), fleet.states):
        with pytest.raises(ModelError, match="got a closed one"):
            ask()


def runs(process: psutil.Process) -> bool:
    return bool(process.is_running() and process.status() != psutil.STATUS_ZOMBIE)
