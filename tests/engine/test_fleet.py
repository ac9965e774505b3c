"""Two replicas on a Ray of this machine: the engine's laws, and what is left of them when a replica is killed."""

from __future__ import annotations

import logging
import os
import shutil
import signal
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from io import StringIO
from pathlib import Path

import psutil
import pytest

from medinject_demo.domain import ARMS, MIXTURES, Answer, FinishReason, Mixture, Sampling
from medinject_demo.engine.base import ChoiceRequest, Delta, Event, Finished, Request, answers
from medinject_demo.engine.fleet.cluster import started
from medinject_demo.engine.fleet.fleet import FleetEngine
from medinject_demo.engine.fleet.ledger import ClusterTable, Ledger
from medinject_demo.engine.fleet.plan import Plan
from medinject_demo.engine.fleet.wire import State
from medinject_demo.engine.local import LocalEngine
from medinject_demo.errors import InvalidValue, ModelError
from tests.tiny import tiny_adapter

from .laws import QUESTIONS, SHORT, EngineLaws, asked

pytest.importorskip("ray", reason="ray is missing: pip install -r requirements-fleet.txt")
pytestmark = pytest.mark.ray

NAT, TRAD, SYN = ARMS[:3]
REPLICAS, ONGOING, QUEUED = 2, 8, 8
ROOM = {"max_rows": 4, "max_context": 2000}
LONG = Sampling(max_new_tokens=1800)
PATIENCE = 240
"""Seconds: the machine may be busy, and a replica loads for some."""


@pytest.fixture(scope="module")
def own(folders: dict[Mixture, Path], tmp_path_factory: pytest.TempPathFactory) -> dict[Mixture, Path]:
    """Adapters that a test may spoil."""
    root = tmp_path_factory.mktemp("fleet")
    return {mixture: Path(shutil.copytree(folder, root / mixture.slug)) for mixture, folder in folders.items()}


@pytest.fixture(scope="module")
def fleet(base: str, own: dict[Mixture, Path]) -> Iterator[FleetEngine]:
    plan = Plan(base, own, REPLICAS, device="cpu", ongoing=ONGOING, queued=QUEUED, **ROOM)  # type: ignore[arg-type]
    fleet = started(plan)
    yield fleet
    fleet.close()


@pytest.fixture(scope="module")
def local(base: str, folders: dict[Mixture, Path]) -> Iterator[LocalEngine]:
    engine = LocalEngine.load(base, folders, device="cpu", **ROOM)  # type: ignore[arg-type]
    yield engine
    engine.close()


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


@dataclass(frozen=True)
class Death:
    """A replica killed while eight visitors' rows are answered, between the halves of a swap."""

    requests: Sequence[Sequence[Request]]
    exact: Sequence[Sequence[Answer]]
    """What the local engine answers."""
    heard: Sequence[Sequence[Event]]
    victim: State
    refused: str
    """What became of the swap."""
    log: str


@pytest.fixture(scope="module")
def death(fleet: FleetEngine, local: LocalEngine, own: dict[Mixture, Path]) -> Death:
    """Of the visitors' rows some have spoken when the replica dies, and some wait for a place."""
    requests = [[asked(QUESTIONS[n % 3], ARMS[(n + row) % 6], LONG) for row in range(2)] for n in range(8)]
    exact = [answers(local, each) for each in requests]
    every, victims, log = fleet._line.every, [], StringIO()

    def deadly(method: str, *arguments: object, **how: object) -> list[object]:
        if method == "prepare":
            victims.append(max(fleet.states(), key=lambda state: state.rows_in_use))
            kill(victims[0].process)
        return every(method, *arguments, **how)  # type: ignore[arg-type]

    handler = logging.StreamHandler(log)
    logging.getLogger("medinject_demo").addHandler(handler)
    try:
        streams = [fleet.stream(each) for each in requests]
        first = [next(events) for events in streams[:2]]
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(fleet._line, "every", deadly)
            with pytest.raises(ModelError) as refused:
                fleet.swap(NAT, own[SYN])
        with ThreadPoolExecutor(8) as visitors:
            rest = list(visitors.map(list, streams))
    finally:
        logging.getLogger("medinject_demo").removeHandler(handler)
    heard = [[*([first[n]] if n < 2 else []), *events] for n, events in enumerate(rest)]
    return Death(requests, exact, heard, victims[0], str(refused.value), log.getvalue())


def test_a_replica_killed_in_mid_answer_leaves_no_wrong_or_mixed_answer(death: Death) -> None:
    reasons = []
    for events, expected in zip(death.heard, death.exact, strict=True):
        for row, answer in enumerate(expected):
            text = "".join(each.text for each in events if isinstance(each, Delta) and each.row == row)
            (end,) = [each for each in events if isinstance(each, Finished) and each.row == row]
            reasons.append(end.reason)
            if end.reason is FinishReason.ERROR:
                assert answer.text.startswith(text)
                assert text
                assert end.error == "A replica was lost (ActorDiedError). Ask again."
            else:
                assert (text, end.reason, end.tokens) == (answer.text, answer.finish_reason, answer.tokens)
    assert death.victim.rows_in_use > ROOM["max_rows"]
    assert 0 < reasons.count(FinishReason.ERROR) <= ROOM["max_rows"]
    assert "are asked anew" in death.log


def test_a_replica_killed_before_a_swap_is_committed_changes_none_and_comes_back(
    death: Death, fleet: FleetEngine, local: LocalEngine
) -> None:
    assert death.refused.startswith("fleet: expected 2 replicas that answer, got ")
    assert eventually(lambda: whole(fleet))
    assert death.victim.process not in [state.process for state in fleet.states()]
    before = {mixture: local.fingerprint(mixture) for mixture in MIXTURES}
    assert [dict(state.fingerprints) for state in fleet.states()] == [before] * REPLICAS
    assert [told(answers(fleet, each)) for each in death.requests] == [told(each) for each in death.exact]


def test_a_swap_is_on_all_replicas_and_rows_in_flight_keep_what_they_began_with(
    fleet: FleetEngine, local: LocalEngine, own: dict[Mixture, Path]
) -> None:
    before, (old, new) = fleet.fingerprint(NAT), answers(local, [asked("Bonjour", arm, LONG) for arm in (NAT, SYN)])
    streams = [fleet.stream([asked("Bonjour", NAT, LONG)]) for _ in range(4)]
    fleet.swap(NAT, own[SYN])
    try:
        assert {state.fingerprints[NAT] for state in fleet.states()} == {fleet.fingerprint(SYN)}
        for events in streams:
            assert "".join(event.text for event in events if isinstance(event, Delta)) == old.text
        for _ in range(4):
            assert answers(fleet, [asked("Bonjour", NAT, LONG)])[0].text == new.text
    finally:
        fleet.swap(NAT, own[NAT])
    assert fleet.fingerprint(NAT) == before


def test_an_adapter_that_cannot_be_honoured_changes_no_replica(
    fleet: FleetEngine, local: LocalEngine, own: dict[Mixture, Path], tmp_path: Path
) -> None:
    before = [state.fingerprints for state in fleet.states()]
    for _ in range(5):  # more often than there are spare slots
        with pytest.raises(ModelError, match="expected a whole PEFT folder"):
            fleet.swap(NAT, tmp_path)
    with pytest.raises(InvalidValue, match="got the base"):
        fleet.swap(MIXTURES[0], own[NAT])
    assert [state.fingerprints for state in fleet.states()] == before
    request = [asked("Bonjour", NAT, LONG)]
    assert told(answers(fleet, request)) == told(answers(local, request))


def test_of_two_pages_that_swap_at_once_one_is_refused(
    fleet: FleetEngine, own: dict[Mixture, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The other page swaps between the halves of this one's; then each sees what it did."""
    every = fleet._line.every
    other = FleetEngine(fleet._line, Ledger(fleet.plan.identity, ClusterTable()), fleet.plan)
    before = {mixture: fleet.fingerprint(mixture) for mixture in MIXTURES}

    def slow(method: str, *arguments: object, **how: object) -> list[object]:
        given = every(method, *arguments, **how)  # type: ignore[arg-type]
        if method == "prepare":
            monkeypatch.setattr(fleet._line, "every", every)
            other.swap(TRAD, own[SYN])
        return given

    monkeypatch.setattr(fleet._line, "every", slow)
    with pytest.raises(ModelError, match="swap: expected one at a time, got another in between"):
        fleet.swap(NAT, own[SYN])
    assert fleet.fingerprint(TRAD) == other.fingerprint(TRAD) == before[SYN]
    fleet.swap(TRAD, own[TRAD])
    assert {mixture: other.fingerprint(mixture) for mixture in MIXTURES} == before
    assert [dict(state.fingerprints) for state in fleet.states()] == [before] * REPLICAS


def test_a_replica_killed_as_a_swap_is_committed_comes_back_with_it_once_its_files_are_the_fleets(
    fleet: FleetEngine,
    local: LocalEngine,
    base: str,
    own: dict[Mixture, Path],
    folders: dict[Mixture, Path],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Another arm's files have changed meanwhile: with these, it would answer otherwise than the one that lives."""
    commit, killed = fleet._ledger.commit, fleet.states()[0].process

    def deadly(record: object) -> None:
        tiny_adapter(base, own[TRAD], TRAD, scale=0.7)
        kill(killed)
        commit(record)  # type: ignore[arg-type]

    with monkeypatch.context() as patch:
        patch.setattr(fleet._ledger, "commit", deadly)
        fleet.swap(NAT, own[SYN])
    assert fleet.fingerprint(NAT) == fleet.fingerprint(SYN)
    new, same = answers(local, [asked("Bonjour", arm, LONG) for arm in (SYN, TRAD)])
    assert answers(fleet, [asked("Bonjour", NAT, LONG)])[0].text == new.text
    refused = "expected the fingerprint " + fleet.fingerprint(TRAD)
    assert eventually(lambda: refused in fleet.trouble())
    assert told(answers(fleet, [asked("Bonjour", TRAD, LONG)])) == [told([same])[0]]
    with pytest.raises(ModelError, match="expected 2 replicas that answer, got 1"):
        fleet.swap(NAT, own[NAT])
    shutil.copytree(folders[TRAD], own[TRAD], dirs_exist_ok=True)
    assert eventually(lambda: whole(fleet))
    assert fleet.trouble() == ""
    assert killed not in [state.process for state in fleet.states()]
    assert {state.fingerprints[NAT] for state in fleet.states()} == {fleet.fingerprint(SYN)}
    fleet.swap(NAT, own[NAT])
    assert fleet.fingerprint(NAT) == local.fingerprint(NAT)


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
