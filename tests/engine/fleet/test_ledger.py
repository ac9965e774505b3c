"""What a fleet remembers, in a table that is a dictionary; and its plan."""

from __future__ import annotations

import pickle
from dataclasses import replace
from pathlib import Path

import pytest

from medinject_demo.domain import ARMS, BASE, FinishReason, Sampling
from medinject_demo.engine.base import ChoiceRequest, Delta, Finished, Request
from medinject_demo.engine.fleet.ledger import Arm, Committed, Ledger, require_same
from medinject_demo.engine.fleet.plan import ONGOING, ROWS, Plan
from medinject_demo.engine.fleet.wire import Accepted, Prepared, Refused, State
from medinject_demo.errors import InvalidData, InvalidValue, ModelError

NAT, TRAD = ARMS[:2]
FIRST = Committed(0, {BASE: Arm("", "b"), NAT: Arm("/nat", "n")})
PLAN = Plan("base", {NAT: Path("/nat")}, 2)


class Dictionary(dict[str, str]):
    def add(self, key: str, text: str) -> bool:
        return self.setdefault(key, text) is text

    def forget(self, prefix: str) -> None:
        for key in [key for key in self if key.startswith(prefix)]:
            del self[key]


def test_nothing_is_in_force_before_the_first_replica() -> None:
    assert Ledger("fleet", Dictionary()).latest() is None


def test_the_first_replica_writes_and_the_others_read() -> None:
    ledger = Ledger("fleet", Dictionary())
    assert ledger.found(FIRST) == FIRST
    assert ledger.found(FIRST.swapped(NAT, Arm("/autre", "x"))).number == 1
    other = Committed(0, {BASE: Arm("", "autre")})
    assert ledger.found(other) == FIRST


def test_the_newest_record_is_in_force_and_folders_are_those_to_load() -> None:
    ledger = Ledger("fleet", Dictionary())
    ledger.found(FIRST)
    second = FIRST.swapped(TRAD, Arm("/trad", "t"))
    ledger.commit(second)
    assert ledger.latest() == ledger.latest(FIRST) == second
    assert second.folders == {NAT: Path("/nat"), TRAD: Path("/trad")}
    assert second.fingerprints == {BASE: "b", NAT: "n", TRAD: "t"}


def test_where_a_fleet_was_deleted_and_deployed_anew_its_records_begin_anew() -> None:
    ledger = Ledger("fleet", Dictionary())
    ledger.found(FIRST)
    known = FIRST.swapped(NAT, Arm("/autre", "x"))
    ledger.commit(known)
    ledger.forget()
    ledger.found(FIRST)
    assert ledger.latest(known) == FIRST
    ledger.forget()
    assert ledger.latest(known) is None


def test_of_two_swaps_at_once_one_is_refused() -> None:
    ledger = Ledger("fleet", Dictionary())
    ledger.found(FIRST)
    mine, other = (FIRST.swapped(NAT, Arm(folder, folder)) for folder in ("/mine", "/other"))
    ledger.commit(other)
    with pytest.raises(ModelError, match="swap: expected one at a time, got another in between"):
        ledger.commit(mine)
    assert ledger.latest() == other


def test_fleets_of_other_plans_do_not_share_records() -> None:
    table = Dictionary()
    Ledger(PLAN.identity, table).found(FIRST)
    assert Ledger(replace(PLAN, release="2").identity, table).latest() is None
    Ledger(PLAN.identity, table).forget()
    assert table == {}


@pytest.mark.parametrize("got", [{BASE: "b", NAT: "autre"}, {BASE: "b"}])
def test_a_replica_that_differs_is_named(got: dict[object, str]) -> None:
    with pytest.raises(ModelError, match=r"replica r1, arm nat: expected the fingerprint n, got (autre|none). Put the"):
        require_same("r1", FIRST.fingerprints, got)  # type: ignore[arg-type]


@pytest.mark.parametrize("replicas", [0, -1])
def test_a_fleet_has_a_replica(replicas: int) -> None:
    with pytest.raises(InvalidValue, match="replicas: expected at least 1"):
        replace(PLAN, replicas=replicas)


def test_a_fleet_chooses_no_gpu_by_number() -> None:
    with pytest.raises(InvalidValue, match="device of a fleet: expected auto or cpu or cuda, got 'cuda:1'"):
        replace(PLAN, device="cuda:1")


@pytest.mark.parametrize(
    ("device", "gpus", "wanted"), [("auto", 0, False), ("auto", 2, True), ("cpu", 2, False), ("cuda", 3, True)]
)
def test_each_replica_has_a_gpu_or_none_has(device: str, gpus: int, wanted: bool) -> None:
    options = replace(PLAN, device=device).actor_options(cpus=1, gpus=gpus)
    assert options == ({"num_cpus": 1, "num_gpus": 1} if wanted else {"num_cpus": 1})


@pytest.mark.parametrize(("device", "gpus"), [("auto", 1), ("cuda", 0)])
def test_fewer_gpus_than_replicas_are_refused(device: str, gpus: int) -> None:
    with pytest.raises(InvalidValue, match=f"expected a GPU for each of 2 replicas, got {gpus}"):
        replace(PLAN, device=device).actor_options(cpus=1, gpus=gpus)


def test_a_replica_holds_no_more_calls_than_its_engine_lets_wait() -> None:
    from medinject_demo.engine.batch import MOST_WAITING

    assert ONGOING * ROWS == MOST_WAITING


@pytest.mark.parametrize(
    "value",
    [
        Request(({"role": "user", "content": "été"},), NAT, Sampling(seed=3)),
        ChoiceRequest(({"role": "user", "content": "été"},), NAT, "AB"),
        (Delta(1, "œdème 💪"), Finished(1, FinishReason.ERROR, 3, 0.5, "panne")),
        Accepted(("a", "b")),
        State("r", 1, 0, {BASE: "b"}, 2, "cpu float32"),
        Prepared("r", "f"),
        PLAN,
    ],
)
def test_what_crosses_is_the_same_on_the_other_side(value: object) -> None:
    assert pickle.loads(pickle.dumps(value)) == value


def test_a_refusal_keeps_its_class_where_an_engine_raises_it() -> None:
    assert isinstance(Refused.of(InvalidValue("x")).error, InvalidValue)
    assert isinstance(Refused.of(InvalidData("x")).error, ModelError)
    assert str(Refused.of(ModelError("une phrase")).error) == "une phrase"
