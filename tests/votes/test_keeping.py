"""What is done beside the page holds nobody up, goes on after a failure, and says how it stands."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from medinject_demo.domain import Kind, Prompt, Verdict
from medinject_demo.errors import InvalidValue, StoreError
from medinject_demo.settings import Settings
from medinject_demo.votes.database import Database
from medinject_demo.votes.forgetting import Erased
from medinject_demo.votes.hub import HubDataset
from medinject_demo.votes.keeping import Rounds, Upkeep, kept, sentence_of, upkeep_of
from medinject_demo.votes.records import Ballot
from medinject_demo.votes.scripted_hub import Call, Failure, scripted_hub
from medinject_demo.votes.store import VoteStore
from medinject_demo.votes.suspects import Suspicions

from .samples import BALLOT, battle

OLD = Prompt(Kind.OEQ, "Un texte ancien ?")


def until(holds: Callable[[], bool], patience: float = 10) -> None:
    end = time.monotonic() + patience
    while not holds():
        assert time.monotonic() < end
        time.sleep(0.005)


def upkeep(database: Database, hub: HubDataset | None = None, days: int = 0) -> Upkeep:
    now = datetime(2026, 11, 27, 21, tzinfo=UTC)
    return Upkeep(database, hub=hub, retention_days=days, bundled=frozenset(), new_id=lambda: "1", now=lambda: now)


def test_a_round_is_done_at_once_and_one_more_at_the_end() -> None:
    done: list[int] = []

    def work() -> str:
        done.append(1)
        return "fait."

    rounds = Rounds(work, every=3600)
    rounds.start()
    until(lambda: rounds.state == "fait.")
    rounds.stop()
    assert len(done) == 2


def test_rounds_follow_each_other() -> None:
    done = threading.Semaphore(0)

    def work() -> str:
        done.release()
        return "fait."

    rounds = Rounds(work, every=0.001)
    rounds.start()
    for _ in range(5):
        assert done.acquire(timeout=10)
    rounds.stop()


def test_a_failure_is_the_state_and_the_next_round_goes_on(caplog: pytest.LogCaptureFixture) -> None:
    told = iter(["le Hub ne répond pas.", "le Hub ne répond pas."])

    def work() -> str:
        for sentence in told:
            raise StoreError(sentence)
        return "3 votes pushed."

    rounds = Rounds(work, every=0.001)
    rounds.start()
    until(lambda: rounds.state == "3 votes pushed.")
    rounds.stop()
    assert [each.message for each in caplog.records if each.levelname == "WARNING"] == ["votes: le Hub ne répond pas."]


def test_after_failures_rounds_come_less_often_but_come(monkeypatch: pytest.MonkeyPatch) -> None:
    waits: list[float] = []

    def work() -> str:
        raise StoreError("rien.")

    rounds = Rounds(work, every=1.0, most=10.0)

    def wait(seconds: float) -> bool:
        waits.append(seconds)
        if len(waits) == 40:
            rounds._stopping.set()
        return True

    monkeypatch.setattr(rounds._stopping, "wait", wait)
    rounds._run()
    assert waits[:5] == [2.0, 4.0, 8.0, 10.0, 10.0]
    assert set(waits[3:]) == {10.0}


def test_an_end_does_not_wait_for_a_round_that_hangs() -> None:
    release = threading.Event()

    def work() -> str:
        release.wait(30)
        return ""

    rounds = Rounds(work, last=0.05)
    rounds.start()
    begun = time.monotonic()
    rounds.stop()
    assert time.monotonic() - begun < 5
    release.set()


def test_a_vote_waits_for_no_round(store: VoteStore, database: Database) -> None:
    entered, release = threading.Event(), threading.Event()

    def work() -> str:
        entered.set()
        release.wait(30)
        return ""

    rounds = Rounds(work, last=0.01)
    rounds.start()
    assert entered.wait(10)
    store.cast(battle(), "v", BALLOT)
    assert store.counts().votes == 1
    release.set()
    rounds.stop()


def test_nothing_to_do_starts_no_thread(database: Database) -> None:
    assert upkeep_of(Settings(), database).idle
    with kept(upkeep(database)) as rounds:
        assert rounds is None


def test_what_is_cast_beside_the_rounds_is_in_the_data_set_at_the_end(store: VoteStore, database: Database) -> None:
    with scripted_hub() as hub:
        with kept(upkeep(database, HubDataset("group/votes", endpoint=hub.endpoint))) as rounds:
            assert rounds is not None
            until(lambda: rounds.state == "0 votes pulled, 0 pushed.")
            vote = store.cast(battle(), "v", BALLOT)
        assert [row["vote"] for row in hub.rows] == [vote.id]


def test_old_text_is_erased_by_the_day_and_said(database: Database) -> None:
    cast_at = datetime(2026, 11, 25, 23, tzinfo=UTC)
    prompt = battle("old", prompt=OLD)
    VoteStore(database, now=lambda: cast_at).cast(prompt, "v", Ballot(Verdict.LEFT, comment="un mot"))
    assert upkeep(database, days=2).round() == "nothing to do."
    assert upkeep(database, days=1).prune(1, dry=True) == Erased(comments=1, questions=1)
    said = sentence_of(Erased(comments=1, questions=1))
    assert upkeep(database, days=1).round() == said
    assert upkeep(database, days=1).round() == "nothing to do."
    assert VoteStore(database).counts().votes == 1


def test_old_text_leaves_the_data_set_too(database: Database) -> None:
    cast_at = datetime(2026, 11, 1, tzinfo=UTC)
    VoteStore(database, now=lambda: cast_at).cast(battle("old", prompt=OLD), "v", BALLOT)
    with scripted_hub() as hub:
        remote = HubDataset("group/votes", endpoint=hub.endpoint)
        upkeep(database, remote).round()
        assert hub.mentions(OLD.question)
        upkeep(database, remote, days=3).round()
        assert not hub.mentions(OLD.question)
        assert len(hub.rows) == 1


def test_the_settings_say_what_is_done(database: Database) -> None:
    settings = Settings(votes_dataset="group/votes", hub_token="jeton", retention_days=30)
    asked = upkeep_of(settings, database)
    assert not asked.idle
    assert asked._hub is not None
    assert (asked._hub.name, asked._days) == ("group/votes", 30)
    assert len(asked._bundled) == 76


def test_who_is_forgotten_is_told_of() -> None:
    said = sentence_of(Erased(3, 2, 1, 4))
    assert said.startswith("Erased: the voter of 3 rows; comments: 2; typed questions with their answers: 1; ")
    assert said.endswith(": 4.")


@pytest.fixture
def elsewhere(tmp_path: Path) -> Iterator[Database]:
    """Another instance, where a voter was too fast."""
    database = Database(f"sqlite:///{tmp_path}/elsewhere.db")
    VoteStore(database).cast(battle("fast"), "fast", BALLOT, seconds=0.01)
    yield database
    database.close()


def doubted(database: Database) -> list[str]:
    return [each.voter for each in Suspicions(database).suspects()]


def test_votes_pulled_before_a_push_that_fails_are_examined_all_the_same(
    store: VoteStore, database: Database, elsewhere: Database
) -> None:
    store.cast(battle("mine"), "v", BALLOT)
    with scripted_hub() as hub:
        remote = HubDataset("group/votes", endpoint=hub.endpoint)
        upkeep(elsewhere, remote).round()
        hub.fault = lambda call: Failure.REFUSED if call is Call.COMMIT else None
        with pytest.raises(StoreError):
            upkeep(database, remote).round()
    assert doubted(database) == ["fast"]


def test_an_examination_that_fails_is_made_up_for_by_the_next_round(
    database: Database, elsewhere: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(self: Suspicions, voter: str) -> int:
        raise StoreError("la base ne répond pas.")

    with scripted_hub() as hub:
        remote = HubDataset("group/votes", endpoint=hub.endpoint)
        upkeep(elsewhere, remote).round()
        with monkeypatch.context() as patch:
            patch.setattr(Suspicions, "examine", fails)
            with pytest.raises(StoreError):
                upkeep(database, remote).round()
        assert doubted(database) == []
        upkeep(database, remote).round()
    assert doubted(database) == ["fast"]


def test_a_pull_examines_only_who_voted_in_what_it_took(
    store: VoteStore, database: Database, elsewhere: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    store.cast(battle("mine"), "v", BALLOT)
    seen: list[str] = []
    monkeypatch.setattr(Suspicions, "examine", lambda self, voter: seen.append(voter) or 0)
    with scripted_hub() as hub:
        remote = HubDataset("group/votes", endpoint=hub.endpoint)
        upkeep(elsewhere, remote).round()
        for _ in range(2):
            upkeep(database, remote).round()
    assert seen == ["fast"]


def test_a_fault_of_ours_is_logged_and_the_next_round_goes_on(caplog: pytest.LogCaptureFixture) -> None:
    told = iter([ZeroDivisionError("faute")])

    def work() -> str:
        for fault in told:
            raise fault
        return "fait."

    rounds = Rounds(work, every=0.001)
    rounds.start()
    until(lambda: rounds.state == "fait.")
    rounds.stop()
    assert ["faute" in (each.exc_text or "") for each in caplog.records if each.levelname == "ERROR"] == [True]


def test_a_scrub_that_fails_holds_up_no_push_and_is_done_by_a_later_round(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    cast_at = datetime(2026, 11, 1, tzinfo=UTC)
    VoteStore(database, now=lambda: cast_at).cast(battle("old", prompt=OLD), "v", BALLOT)
    scrub, scrubbed = Database.scrub, list[int]()

    def busy(self: Database) -> None:
        raise StoreError("quelqu'un lit.")

    def done(self: Database) -> None:
        scrubbed.append(1)
        scrub(self)

    with scripted_hub() as hub:
        remote = HubDataset("group/votes", endpoint=hub.endpoint)
        upkeep(database, remote).round()
        monkeypatch.setattr(Database, "scrub", busy)
        for _ in range(2):
            with pytest.raises(StoreError, match="quelqu'un lit"):
                upkeep(database, remote, days=3).round()
        assert not hub.mentions(OLD.question)
        monkeypatch.setattr(Database, "scrub", done)
        for _ in range(2):
            upkeep(database, remote, days=3).round()
    assert scrubbed == [1]


def test_who_is_forgotten_again_while_copies_are_left_is_no_error(store: VoteStore, database: Database) -> None:
    store.cast(battle("a"), "a" * 32, BALLOT)
    assert upkeep(database).forget("a" * 32).votes == 1
    assert not upkeep(database).forget("a" * 32).anything
    assert upkeep(database).scrub()
    with pytest.raises(InvalidValue, match="one that is not here"):
        upkeep(database).forget("a" * 32)
