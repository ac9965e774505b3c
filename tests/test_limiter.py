"""What is within the limits passes, what is beyond waits its time, and a limiter that fails lets all pass."""

from __future__ import annotations

import logging
import threading
from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace

import pytest
from limits import parse_many

from medinject_demo import limiter as module
from medinject_demo.errors import InvalidValue, Refused
from medinject_demo.limiter import CODES, TIDY, Act, Limiter, Whose, limits_of, waiting
from medinject_demo.settings import Settings

VISITORS = 25
"""Of a demonstration on a stage, all behind one address."""


class Clock:
    """The clock of the library and of the limiter, which a test moves."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now = 1_000_000.0
        time = SimpleNamespace(time=lambda: self.now)
        monkeypatch.setattr("limits.storage.memory.time", time)
        monkeypatch.setattr(module, "time", time)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    return Clock(monkeypatch)


def limiter(voter: str = "3/minute", address: str = "5/minute") -> Limiter:
    windows = {Whose.VOTER: tuple(parse_many(voter)), Whose.ADDRESS: tuple(parse_many(address))}
    return Limiter({(act, whose): each for act in Act for whose, each in windows.items()})


def admitted(limits: Limiter, voter: str = "v", address: str = "a", act: Act = Act.ASK) -> bool:
    try:
        limits.admit(act, {Whose.VOTER: voter, Whose.ADDRESS: address})
    except Refused:
        return False
    return True


def refusal(limits: Limiter, voter: str = "v", address: str = "a", act: Act = Act.ASK) -> Refused:
    with pytest.raises(Refused) as refused:
        limits.admit(act, {Whose.VOTER: voter, Whose.ADDRESS: address})
    return refused.value


def test_what_is_beyond_the_limit_is_refused_and_told_how_long_to_wait(clock: Clock) -> None:
    limits = limiter()
    for _ in range(3):
        assert admitted(limits)
        clock.now += 10
    error = refusal(limits)
    assert str(error) == "questions: expected at most 3 per minute, got one more. Try again in 30 s."
    assert (error.codes, error.fields) == (("asked_too_often",), {"wait": "30 s"})


def test_after_the_wait_that_was_told_there_is_room(clock: Clock) -> None:
    limits = limiter()
    for _ in range(3):
        admitted(limits)
        clock.now += 7
    wait = int(str(refusal(limits).fields["wait"]).partition(" ")[0])
    clock.now += wait - 1.5
    assert not admitted(limits)
    clock.now += 1.5 + 0.01
    assert admitted(limits)


def test_an_order_that_is_refused_lengthens_no_wait(clock: Clock) -> None:
    limits = limiter()
    assert all(admitted(limits) for _ in range(3))
    for _ in range(50):
        clock.now += 1
        assert refusal(limits)
    clock.now += 10.01
    assert admitted(limits)


def test_a_voter_who_is_refused_costs_the_address_nothing(clock: Clock) -> None:
    limits = limiter()
    assert [admitted(limits) for _ in range(20)].count(True) == 3
    assert [admitted(limits, voter="another") for _ in range(3)] == [True, True, False]


def test_an_address_has_its_own_limit_and_its_own_word(clock: Clock) -> None:
    limits = limiter()
    assert all(admitted(limits, voter=f"voter {number}") for number in range(5))
    error = refusal(limits, voter="one more", act=Act.ASK)
    assert error.codes == ("crowded_address",)
    assert str(error).startswith("questions of this address: expected at most 5 per minute")
    assert admitted(limits, voter="one more", address="elsewhere")


def test_questions_and_votes_are_counted_apart(clock: Clock) -> None:
    limits = limiter()
    assert all(admitted(limits) for _ in range(3))
    assert admitted(limits, act=Act.VOTE)
    for _ in range(2):
        admitted(limits, act=Act.VOTE)
    assert refusal(limits, act=Act.VOTE).codes == ("voted_too_often",)


def test_of_two_windows_that_are_full_the_longer_wait_is_told(clock: Clock) -> None:
    limits = limiter("2/minute; 2/hour", "100/minute")
    assert all(admitted(limits) for _ in range(2))
    assert refusal(limits).fields == {"wait": "60 min"}


def test_who_tells_neither_token_nor_address_is_not_counted() -> None:
    limits = limiter()
    for _ in range(100):
        limits.admit(Act.ASK, {})


@pytest.mark.parametrize("act", Act)
def test_a_whole_audience_behind_one_address_may_be_as_fast_as_each_of_them_may(act: Act) -> None:
    limits = limits_of(Settings())
    for voter, address in zip(limits[act, Whose.VOTER], limits[act, Whose.ADDRESS], strict=True):
        assert voter.get_expiry() == address.get_expiry()
        assert address.amount >= VISITORS * voter.amount


def test_a_demonstration_of_an_hour_meets_no_limit(clock: Clock) -> None:
    """25 visitors behind one address, each a duel and a vote every 15 seconds."""
    limits = Limiter(limits_of(Settings()))
    for _ in range(240):
        for visitor in range(VISITORS):
            assert admitted(limits, voter=f"visitor {visitor}")
            assert admitted(limits, voter=f"visitor {visitor}", act=Act.VOTE)
        clock.now += 15


def test_a_robot_is_held_by_its_token_and_by_its_address_where_it_changes_tokens(clock: Clock) -> None:
    limits = Limiter(limits_of(Settings()))
    assert [admitted(limits) for _ in range(1_000)].count(True) == 20
    fresh = [admitted(limits, voter=f"token {number}", address="b") for number in range(1_000)]
    assert fresh.count(True) == 600


@pytest.mark.parametrize("broken", ["test", "hit", "get_window_stats"])
def test_a_limiter_that_fails_lets_everybody_through_and_says_so_in_the_log(
    broken: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(*_given: object, **_named: object) -> None:
        raise RuntimeError("can't start new thread")

    limits = limiter(voter="1/minute")
    limits.admit(Act.VOTE, {Whose.VOTER: "v"})
    monkeypatch.setattr(limits._windows, broken, fail)
    with caplog.at_level(logging.ERROR):
        limits.admit(Act.VOTE, {Whose.VOTER: "v" if broken == "get_window_stats" else "w"})
    assert "an order is not counted" in caplog.text
    assert "can't start new thread" in caplog.text


def test_orders_that_come_at_once_are_counted_one_by_one() -> None:
    limits = limiter("40/minute", "100/minute")
    ready = threading.Barrier(8)

    def order(_: int) -> int:
        ready.wait()
        return [admitted(limits) for _ in range(20)].count(True)

    with ThreadPoolExecutor(8) as pool:
        assert sum(pool.map(order, range(8))) == 40


def test_a_name_is_forgotten_once_its_windows_are_over() -> None:
    limits = limiter("1/second", "1000000/second")
    for number in range(TIDY // 2):
        admitted(limits, voter=f"token {number}")
    assert len(limits._storage.events) > TIDY // 4
    limits._storage.events.update({key: [] for key in limits._storage.events})  # as the library leaves what is over
    for _ in range(TIDY):
        admitted(limits, voter="one")
    assert len(limits._storage.events) <= 2


@pytest.mark.parametrize("text", ["", "20", "20/parsec", "0/minute", "-1/minute", "20/minute;", "none at all"])
def test_what_is_no_limit_is_refused_by_its_variable(text: str) -> None:
    with pytest.raises(InvalidValue, match=r"^MEDINJECT_VOTES_PER_VOTER: expected limits such as 20/minute; 300/hour"):
        limits_of(Settings(votes_per_voter=text))


def test_none_is_no_limit() -> None:
    limits = Limiter(limits_of(Settings(asks_per_voter="none", asks_per_address="None")))
    assert all(admitted(limits) for _ in range(2_000))


@pytest.mark.parametrize(
    ("seconds", "told"), [(-3, "1 s"), (0.2, "1 s"), (59.01, "60 s"), (90, "90 s"), (91, "2 min"), (3601, "61 min")]
)
def test_a_wait_is_never_told_shorter_than_it_is(seconds: float, told: str) -> None:
    assert waiting(seconds) == told


def test_the_codes_do_not_change() -> None:
    assert CODES == ("asked_too_often", "voted_too_often", "crowded_address")
