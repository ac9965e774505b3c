"""What pairs are drawn by: battles of the moment, strengths that are not old, and no duel held up by a store."""

from __future__ import annotations

import logging
import threading
from pathlib import Path

import pytest

from medinject_demo import matchmaking
from medinject_demo.domain import MIXTURES, Verdict
from medinject_demo.matchmaking import REFRESH, Known, Matchmaker
from medinject_demo.pairing import pair_of
from medinject_demo.votes.records import Counts
from medinject_demo.votes.store import VoteStore

from .duels import arena_at, break_store, played, store_at
from .votes.samples import ballot, battle

BASE, NAT = MIXTURES[0], MIXTURES[1]


class Hands:
    """A clock that stands still until it is moved."""

    def __init__(self) -> None:
        self.time = 0.0

    def __call__(self) -> float:
        return self.time


def won(store: VoteStore, count: int, verdict: Verdict = Verdict.LEFT, prefix: str = "duel") -> None:
    for number in range(count):
        store.cast(battle(f"{prefix} {number}", NAT, BASE), "voter", ballot(verdict))


def test_before_any_vote_all_arms_are_alike(tmp_path: Path) -> None:
    known = Matchmaker(store_at(tmp_path), Hands()).known()
    assert known.battles == {}
    assert set(known.strengths.values()) == {0.0}


def test_battles_are_of_the_moment_and_strengths_of_the_last_ten_minutes(tmp_path: Path) -> None:
    store, clock = store_at(tmp_path), Hands()
    matchmaker = Matchmaker(store, clock)
    matchmaker.known()
    won(store, 6)
    clock.time = REFRESH - 1
    known = matchmaker.known()
    assert known.battles == {pair_of(BASE, NAT): 6}
    assert known.strengths[NAT] == 0
    clock.time = REFRESH
    assert matchmaker.known().strengths[NAT] > 0.5 > -0.5 > matchmaker.known().strengths[BASE]


def test_nobody_waits_where_there_are_many_battles(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(matchmaking, "MANY", 5)
    store = store_at(tmp_path)
    won(store, 6)
    matchmaker, reading, may_end = Matchmaker(store, Hands()), threading.Event(), threading.Event()
    counts = store.counts

    def slowly() -> Counts:
        reading.set()
        assert may_end.wait(10)
        return counts()

    monkeypatch.setattr(store, "counts", slowly)
    assert matchmaker.known().strengths == {}
    assert reading.wait(10)
    assert matchmaker.known().strengths == {}  # and nobody else begins to read
    may_end.set()
    with matchmaker._learning:
        assert matchmaker.known().strengths[NAT] > 0.5


def test_ties_are_half_wins_and_unsure_votes_nothing(tmp_path: Path) -> None:
    store = store_at(tmp_path)
    won(store, 4, Verdict.BOTH_GOOD)
    won(store, 4, Verdict.BOTH_BAD, "bad")
    won(store, 4, Verdict.UNSURE, "unsure")
    assert Matchmaker(store, Hands()).known().strengths[NAT] == pytest.approx(0)


def test_a_store_that_cannot_be_read_leaves_the_strengths_that_are_known(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    arena = arena_at(tmp_path)
    won(arena._store, 6)
    before = arena._matchmaker.known()
    break_store(arena, monkeypatch)
    with caplog.at_level(logging.WARNING):
        assert arena._matchmaker.known() == Known({}, before.strengths)
    assert "pairs are drawn without their counts" in caplog.text


def test_a_store_that_failed_is_asked_again_at_the_next_duel(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    arena = arena_at(tmp_path)
    won(arena._store, 6)
    with monkeypatch.context() as broken:
        break_store(arena, broken)
        assert arena._matchmaker.known() == Known()
    assert arena._matchmaker.known().strengths[NAT] > 0.5


def test_a_duel_is_drawn_and_answered_where_votes_were_cast_before(tmp_path: Path) -> None:
    arena = arena_at(tmp_path)
    won(arena._store, 3)
    assert played(arena) == "duel 0"


def test_a_battle_whose_votes_do_not_count_steers_no_pairing(tmp_path: Path) -> None:
    store, pair = store_at(tmp_path), pair_of(BASE, NAT)
    won(store, 2)
    store.cast(battle("withdrawn", NAT, BASE), "voter", ballot(Verdict.LEFT))
    store.cast(battle("withdrawn", NAT, BASE), "voter", None)
    store.cast(battle("late", NAT, BASE), "voter", ballot(Verdict.LEFT), blind=False)
    store.cast(battle("fast", NAT, BASE), "robot", ballot(Verdict.LEFT), seconds=0.01)
    store.cast(battle("duel 0", NAT, BASE), "guest", None)
    assert store.suspicions.examine("robot") == 1
    assert store.battles_by_pair() == {pair: 5}
    assert Matchmaker(store, Hands()).known().battles == {pair: 2}


def test_a_battle_that_tells_again_is_counted_again(tmp_path: Path) -> None:
    store, clock = store_at(tmp_path), Hands()
    matchmaker = Matchmaker(store, clock)
    store.cast(battle("late", NAT, BASE), "voter", ballot(Verdict.LEFT), blind=False)
    assert set(matchmaker.known().battles.values()) == {0}
    store.cast(battle("late", NAT, BASE), "guest", ballot(Verdict.LEFT))
    clock.time = REFRESH
    assert matchmaker.known().battles == {pair_of(BASE, NAT): 1}
