"""A data set of the Hub and a database hold the same votes, whatever fails between them."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy.exc import DataError

from medinject_demo.domain import Kind, Prompt, Verdict
from medinject_demo.errors import StoreError
from medinject_demo.votes import hub as subject
from medinject_demo.votes.card import MADE_HERE
from medinject_demo.votes.database import Database
from medinject_demo.votes.exchange import Merged, merge
from medinject_demo.votes.failures import SCENES, _stage, failures, ids_in
from medinject_demo.votes.forgetting import forget
from medinject_demo.votes.hub import HubDataset, Outcome, synchronise
from medinject_demo.votes.links import Links
from medinject_demo.votes.records import Ballot
from medinject_demo.votes.scripted_hub import Call, Failure, ScriptedHub, scripted_hub
from medinject_demo.votes.shelf import Shelf
from medinject_demo.votes.store import VoteStore
from medinject_demo.votes.suspects import Suspicions

from .samples import BALLOT, ballot, battle
from .test_sheet import records_of

NAME = "group/votes"
SECRET = "mon oncle Hippolyte"
TYPED = Prompt(Kind.OEQ, f"Que faire pour {SECRET} ?")


@pytest.fixture
def hub() -> Iterator[ScriptedHub]:
    with scripted_hub() as hub:
        yield hub


@pytest.fixture
def other(tmp_path: Path) -> Iterator[Database]:
    database = Database(f"sqlite:///{tmp_path}/other.db")
    yield database
    database.close()


@pytest.fixture(autouse=True)
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """The library waits up to 23 seconds between its own attempts."""
    monkeypatch.setattr("huggingface_hub.utils._http.time.sleep", lambda seconds: None)


def synced(database: Database, hub: ScriptedHub) -> Outcome:
    return synchronise(Shelf(database, NAME), HubDataset(NAME, token="jeton", endpoint=hub.endpoint))


def ids(hub: ScriptedHub) -> list[str]:
    return sorted(row["vote"] for row in hub.rows)


def mine(database: Database) -> list[str]:
    return sorted(record.vote["id"] for record in records_of(database))


def erased(database: Database, voter: str) -> None:
    database.write(lambda connection: forget(connection, voter, frozenset(), lambda: "1"))


def test_what_is_here_is_pushed_once_into_a_private_data_set(
    store: VoteStore, database: Database, hub: ScriptedHub
) -> None:
    for said in (BALLOT, ballot(Verdict.RIGHT), None):
        store.cast(battle(), "v", said)
    assert synced(database, hub).pushed == 3
    assert hub.private
    assert ids(hub) == mine(database)
    commits = len(hub.commits)
    assert synced(database, hub).pushed == 0
    assert len(hub.commits) == commits


def test_the_data_set_has_a_card_with_its_disclaimers(store: VoteStore, database: Database, hub: ScriptedHub) -> None:
    store.cast(battle(), "v", BALLOT)
    synced(database, hub)
    card = hub.files["README.md"].decode()
    for said in (MADE_HERE, "Nothing here is medical advice", "salted hashes", "| `propensity` |", "data/**/*.jsonl"):
        assert said in card


def test_a_card_that_its_owner_wrote_is_left_alone(store: VoteStore, database: Database, hub: ScriptedHub) -> None:
    hub.record({"README.md": b"la mienne"})
    store.cast(battle(), "v", BALLOT)
    synced(database, hub)
    assert hub.files["README.md"] == b"la mienne"
    assert len(hub.rows) == 1


def test_shards_are_never_changed(store: VoteStore, database: Database, hub: ScriptedHub) -> None:
    store.cast(battle("a"), "v", BALLOT)
    synced(database, hub)
    before = dict(hub.files)
    store.cast(battle("b"), "v", BALLOT)
    synced(database, hub)
    assert before.items() < hub.files.items()
    assert len(hub.files) == len(before) + 1


def test_votes_come_back_after_a_restart_with_an_empty_disk(
    store: VoteStore, database: Database, other: Database, hub: ScriptedHub
) -> None:
    for name in "abc":
        store.cast(battle(name), "v", BALLOT, seconds=1.5)
    store.cast(battle("a"), "v", ballot(Verdict.RIGHT))
    synced(database, hub)
    assert synced(other, hub).sentence == "4 votes pulled, 0 pushed."
    assert records_of(other) == records_of(database)
    assert VoteStore(other).live_votes() == store.live_votes()
    VoteStore(other).cast(battle("a"), "v", None)
    assert synced(other, hub).pushed == 1


def test_two_instances_come_to_hold_the_same(
    store: VoteStore, database: Database, other: Database, hub: ScriptedHub
) -> None:
    store.cast(battle("a"), "v", BALLOT)
    VoteStore(other).cast(battle("b"), "w", BALLOT)
    for one in (database, other, database):
        synced(one, hub)
    assert ids(hub) == mine(database) == mine(other)
    assert len(ids(hub)) == 2


def test_two_instances_that_push_at_once_lose_and_double_nothing(tmp_path: Path, hub: ScriptedHub) -> None:
    databases = [Database(f"sqlite:///{tmp_path}/{number}.db") for number in range(3)]
    for number, each in enumerate(databases):
        VoteStore(each).cast(battle(f"b{number}"), "v", BALLOT)
    threads = [threading.Thread(target=synced, args=(each, hub)) for each in databases]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for each in databases:
        synced(each, hub)
        assert mine(each)
    for each in databases:
        synced(each, hub)
        assert mine(each) == ids(hub)
        each.close()
    assert len(ids(hub)) == 3


def test_a_failure_at_any_call_loses_nothing_and_doubles_nothing(tmp_path: Path) -> None:
    found = list(failures(tmp_path))
    assert {each.call for each in found} == set(Call)
    assert len(found) >= 12 * len(Failure)
    assert [each for each in found if each.lost or each.doubled or not each.completed] == []
    assert sum("done" not in each.said for each in found) > len(found) / 2


def test_a_history_that_is_not_dropped_would_be_seen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(HubDataset, "squash", lambda self: None)
    with _stage(tmp_path, SCENES[1]) as stage:
        assert not stage.failing(SCENES[1], 1, Call.INFO, Failure.ERROR).completed


def test_votes_that_are_pushed_again_would_be_seen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with _stage(tmp_path, SCENES[1]) as stage:
        monkeypatch.setattr(Shelf, "waiting", lambda self: sorted(ids_in(stage.database)))
        assert not stage.failing(SCENES[1], 1, Call.INFO, Failure.ERROR).completed


@pytest.mark.parametrize("call", [Call.INFO, Call.PREUPLOAD, Call.COMMIT])
@pytest.mark.parametrize("failure", list(Failure))
def test_a_failure_that_lasts_is_one_sentence_and_ends_with_the_hub_s(
    store: VoteStore, database: Database, hub: ScriptedHub, call: Call, failure: Failure
) -> None:
    store.cast(battle("a"), "v", BALLOT)
    synced(database, hub)
    store.cast(battle("b"), "v", BALLOT)
    hub.fault = lambda asked: failure if asked is call else None
    with pytest.raises(StoreError, match=r"^data set group/votes: expected [^\n]+$"):
        synced(database, hub)
    with suppress(StoreError):  # of a commit whose answer was cut, all was done
        synced(database, hub)
    assert len(mine(database)) == 2
    hub.fault = lambda asked: None
    synced(database, hub)
    assert ids(hub) == mine(database)


def test_a_dead_network_is_one_sentence(store: VoteStore, database: Database) -> None:
    store.cast(battle(), "v", BALLOT)
    with scripted_hub() as gone:
        pass
    with pytest.raises(StoreError, match=r"expected an answer of the Hub, got .*refused.*\. The votes are safe"):
        synced(database, gone)
    assert Shelf(database, NAME).how_many_wait() == 1


def test_who_asked_to_be_forgotten_is_in_no_file_and_no_earlier_commit(
    store: VoteStore, database: Database, hub: ScriptedHub
) -> None:
    store.cast(replace(battle("a", prompt=TYPED), voter="leaving"), "leaving", Ballot(Verdict.LEFT, comment=SECRET))
    store.cast(battle("b"), "staying", BALLOT)
    synced(database, hub)
    assert hub.mentions(SECRET)
    assert hub.mentions("leaving")
    erased(database, "leaving")
    assert synced(database, hub).rewritten == 1
    assert not hub.mentions(SECRET)
    assert not hub.mentions("leaving")
    assert ids(hub) == mine(database)
    assert not hub.mentions(TYPED.id)
    commits = len(hub.commits)
    synced(database, hub)
    assert len(hub.commits) == commits


def test_an_erasure_reaches_the_other_instances(
    store: VoteStore, database: Database, other: Database, hub: ScriptedHub
) -> None:
    store.cast(replace(battle("a", prompt=TYPED), voter="leaving"), "leaving", Ballot(Verdict.LEFT, comment=SECRET))
    synced(database, hub)
    synced(other, hub)
    Links(other).share("a")
    erased(database, "leaving")
    synced(database, hub)
    synced(other, hub)
    assert not Links(other).shared("a")
    assert records_of(other) == records_of(database)
    assert SECRET not in repr(records_of(other))
    synced(other, hub)
    assert not hub.mentions(SECRET)


def test_a_vote_changed_while_its_voter_was_forgotten_elsewhere_counts_once(
    store: VoteStore, database: Database, other: Database, hub: ScriptedHub
) -> None:
    duel = replace(battle("a", prompt=TYPED), voter="leaving")
    store.cast(duel, "leaving", Ballot(Verdict.LEFT, comment=SECRET))
    for one in (database, other):
        synced(one, hub)
    store.cast(duel, "leaving", Ballot(Verdict.RIGHT, comment=SECRET))
    erased(other, "leaving")
    for one in (other, database, other, database):
        synced(one, hub)
    for one in (database, other):
        (live,) = VoteStore(one).live_votes()
        assert (live.ballot.verdict, live.vote.voter, live.ballot.comment) == (Verdict.RIGHT, "forgotten-1", "")
    assert records_of(other) == records_of(database)
    for gone in (SECRET, "leaving"):
        assert not hub.mentions(gone)
    assert ids(hub) == mine(database)
    commits = len(hub.commits)
    assert "0 pushed" in synced(other, hub).sentence
    assert len(hub.commits) == commits


def test_a_shard_that_brings_an_erased_text_back_is_written_anew(
    store: VoteStore, database: Database, other: Database, hub: ScriptedHub
) -> None:
    store.cast(battle("a"), "leaving", Ballot(Verdict.LEFT, comment=SECRET))
    synced(database, hub)
    whole = dict(hub.files)
    erased(database, "leaving")
    synced(database, hub)
    hub.record(dict(hub.files) | whole)
    assert hub.mentions(SECRET)
    synced(database, hub)
    assert not hub.mentions(SECRET)
    assert ids(hub) == mine(database)


def test_who_is_forgotten_while_their_shard_is_pushed_is_erased_by_the_next_round(
    store: VoteStore, database: Database, hub: ScriptedHub
) -> None:
    store.cast(battle("a"), "leaving", Ballot(Verdict.LEFT, comment=SECRET))

    def forgotten_meanwhile(call: Call) -> None:
        if call is Call.COMMIT and "leaving" in repr(records_of(database)):
            erased(database, "leaving")

    hub.fault = forgotten_meanwhile
    synced(database, hub)
    assert hub.mentions(SECRET)
    synced(database, hub)
    assert not hub.mentions(SECRET)
    assert ids(hub) == mine(database)


def test_a_data_set_that_was_emptied_is_filled_again(store: VoteStore, database: Database, hub: ScriptedHub) -> None:
    store.cast(battle(), "v", BALLOT)
    synced(database, hub)
    hub.record({})
    assert synced(database, hub).pushed == 1
    assert ids(hub) == mine(database)


def test_many_votes_go_in_several_shards_and_commits(
    store: VoteStore, database: Database, hub: ScriptedHub, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(subject, "VOTES", 2)
    monkeypatch.setattr(subject, "SHARDS", 2)
    for number in range(9):
        store.cast(battle(f"b{number}"), "v", BALLOT)
    assert synced(database, hub).pushed == 9
    assert hub.calls.count(Call.COMMIT) == 3
    assert len([name for name in hub.files if name.endswith(".jsonl")]) == 5
    assert ids(hub) == mine(database)


def test_too_many_small_shards_become_few(
    store: VoteStore, database: Database, other: Database, hub: ScriptedHub, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(subject, "MOST_SHARDS", 3)
    for number in range(5):
        store.cast(battle(f"b{number}"), "v", BALLOT)
        synced(database, hub)
    synced(database, hub)
    shards = [name for name in hub.files if name.endswith(".jsonl")]
    assert len(shards) == 1
    assert ids(hub) == mine(database)
    commits = len(hub.commits)
    synced(database, hub)
    assert len(hub.commits) == commits
    synced(other, hub)
    assert mine(other) == ids(hub)


def spoilt(content: bytes) -> bytes:
    return content.replace(b'"verdict": "left"', b'"verdict": "right"')


def named_anew(content: bytes) -> bytes:
    return content.replace(b'"propensity": 0.', b'"propensity": 7.')


@pytest.mark.parametrize(
    ("change", "rename", "sentence"),
    [(spoilt, False, "expected what its name is the hash of"), (named_anew, True, "field 'propensity'")],
)
def test_a_shard_that_is_not_what_it_should_be_is_left_out_and_said(
    store: VoteStore, database: Database, other: Database, hub: ScriptedHub, change: Any, rename: bool, sentence: str
) -> None:
    store.cast(battle("a"), "v", BALLOT)
    synced(database, hub)
    files = {
        _renamed(name, change(content)) if rename and name.endswith("jsonl") else name: change(content)
        for name, content in hub.files.items()
    }
    hub.record(files)
    VoteStore(other).cast(battle("b"), "w", BALLOT)
    outcome = synced(other, hub)
    assert sentence in outcome.sentence
    assert outcome.pushed == 1
    assert len(mine(other)) == 1


@pytest.mark.parametrize(
    "line", [{"version": 2**63}, {"seconds": 10**400}, {"comment": "deep"}, "[" * 200_000, {"battle": None}]
)
def test_a_shard_with_an_impossible_row_holds_nobody_up(
    store: VoteStore, database: Database, other: Database, hub: ScriptedHub, line: Any
) -> None:
    store.cast(battle("a"), "v", BALLOT)
    synced(database, hub)
    row = line if isinstance(line, str) else json.dumps(hub.rows[0] | {"vote": "another"} | line)
    content = row.replace('"deep"', "[" * 900 + "]" * 900).encode() + b"\n"
    hub.record(dict(hub.files) | {_renamed("data/2026-01/x.jsonl", content): content})
    VoteStore(other).cast(battle("b"), "w", BALLOT)
    outcome = synced(other, hub)
    assert (len(outcome.faults), outcome.pulled.new, outcome.pushed) == (1, 1, 1)
    assert "data/2026-01/" in outcome.faults[0]


@pytest.mark.parametrize("fault", [OverflowError("too large"), DataError("INSERT", {}, ValueError("out of range"))])
def test_a_shard_whose_values_the_database_does_not_take_is_left_out_and_the_rest_goes_on(
    store: VoteStore,
    database: Database,
    other: Database,
    hub: ScriptedHub,
    monkeypatch: pytest.MonkeyPatch,
    fault: Exception,
) -> None:
    for name in "ab":
        store.cast(battle(name), "v", BALLOT)
        synced(database, hub)
    asked: list[str] = []

    def spoilt_once(connection: object, given: object) -> Merged:
        asked.append("")
        if len(asked) == 1:
            raise fault
        return merge(connection, given)  # type: ignore[arg-type]

    monkeypatch.setattr("medinject_demo.votes.shelf.merge", spoilt_once)
    outcome = synced(other, hub)
    assert (len(outcome.faults), outcome.pulled.new) == (1, 1)
    assert "expected values that the database takes" in outcome.faults[0]
    other.check(patient=False)


def _renamed(name: str, content: bytes) -> str:
    return f"{name.rpartition('/')[0]}/{subject._hash(content)}.jsonl"


def test_the_library_is_told_to_wait_no_longer_than_a_while(database: Database, hub: ScriptedHub) -> None:
    from huggingface_hub import get_session

    synced(database, hub)
    assert get_session().timeout.read == subject.PATIENCE


def test_a_token_that_may_not_write_is_one_sentence(store: VoteStore, database: Database, hub: ScriptedHub) -> None:
    store.cast(battle(), "v", BALLOT)
    answer: Callable[..., Any] = lambda path, body: (403, b'{"error": "Forbidden"}', {})  # noqa: E731
    hub._create = answer  # type: ignore[method-assign]
    with pytest.raises(StoreError, match=r"data set group/votes: expected an answer of the Hub, got .*403"):
        synced(database, hub)
    assert Shelf(database, NAME).how_many_wait() == 1


def test_a_doubt_that_is_taken_back_after_the_push_reaches_the_other_instances(
    store: VoteStore, database: Database, other: Database, hub: ScriptedHub
) -> None:
    vote = store.cast(battle(), "v", BALLOT, seconds=0.01)
    store.suspicions.sweep()
    for one in (database, other):
        synced(one, hub)
    store.suspicions.clear(vote.id)
    assert synced(database, hub).rewritten == 1
    synced(other, hub)
    assert [(each.cleared, each.left_out) for each in Suspicions(other).suspects()] == [(True, False)]
    commits = len(hub.commits)
    for one in (database, other):
        synced(one, hub)
    assert len(hub.commits) == commits
    assert ids(hub) == [vote.id]
