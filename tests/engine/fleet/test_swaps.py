"""Another adapter on all replicas or on none, whoever swaps besides and whichever replica is killed meanwhile."""

from __future__ import annotations

import logging
import shutil
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from io import StringIO
from pathlib import Path

import pytest

from medinject_demo.domain import ARMS, MIXTURES, Answer, FinishReason, Mixture
from medinject_demo.engine.base import Delta, Event, Finished, Request, answers
from medinject_demo.engine.fleet.fleet import FleetEngine
from medinject_demo.engine.fleet.ledger import ClusterTable, Ledger
from medinject_demo.engine.fleet.wire import State
from medinject_demo.engine.local import LocalEngine
from medinject_demo.errors import InvalidValue, ModelError
from tests.tiny import tiny_adapter

from ..laws import QUESTIONS, asked
from .replicas import LONG, REPLICAS, ROOM, eventually, kill, told, whole

pytest.importorskip("ray", reason="ray is missing: pip install -r requirements-fleet.txt")
pytestmark = pytest.mark.ray

NAT, TRAD, SYN = ARMS[:3]


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
