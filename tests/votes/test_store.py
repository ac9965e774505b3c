"""What is cast is kept, once, in order, and counted; on SQLite and on PostgreSQL alike."""

from __future__ import annotations

import itertools
import uuid
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from random import Random

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import event

from medinject_demo.domain import MIXTURES, Battle, FinishReason, Kind, Mixture, Prompt, Sampling, Turn, Verdict
from medinject_demo.pairing import pair_of, pairs
from medinject_demo.votes.database import Database
from medinject_demo.votes.records import Ballot, Criterion, PairCount, Profile, Style
from medinject_demo.votes.store import VoteStore

from .samples import BALLOT, LEFT, PROMPT, RIGHT, answer, ballot, battle

TEXTS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=60)
ONE_STORE = settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=20)


@st.composite
def battles(draw: st.DrawFn) -> Battle:
    arms = draw(st.permutations(MIXTURES))[:2]

    def answers() -> tuple[object, ...]:
        shape = {"text": TEXTS, "finish_reason": st.sampled_from(FinishReason), "tokens": st.integers(0, 8192)}
        seconds = st.floats(0, 1e6)
        return tuple(
            replace(answer(arm), seconds=draw(seconds), **{name: draw(each) for name, each in shape.items()})
            for arm in arms
        )

    samplings = st.builds(Sampling, temperature=st.floats(0, 5), seed=st.integers(0, 2**63 - 1))
    options = draw(st.lists(TEXTS, max_size=4).map(tuple))
    prompt = Prompt(draw(st.sampled_from(Kind)), draw(TEXTS), draw(TEXTS), options, draw(TEXTS), draw(TEXTS))
    follow_ups = [Turn(draw(TEXTS), draw(samplings), answers()) for _ in range(draw(st.integers(0, 2)))]  # type: ignore[arg-type]
    return Battle(
        uuid.uuid4().hex,  # a store keeps a battle as it first came: each example has its own
        prompt,
        draw(samplings),
        answers(),  # type: ignore[arg-type]
        draw(st.floats(1e-9, 1)),
        draw(st.text("0123456789abcdef")),
        tuple(follow_ups),
    )


@st.composite
def ballots(draw: st.DrawFn) -> Ballot:
    criteria = tuple(draw(st.frozensets(st.sampled_from(Criterion))) for _ in range(2))
    return Ballot(draw(st.sampled_from(Verdict)), criteria, draw(TEXTS), draw(st.sampled_from(Profile)))


@ONE_STORE
@given(battles(), ballots(), st.tuples(*[st.sampled_from([True, False, None])] * 2))
def test_a_battle_and_its_vote_read_back_as_they_were_cast(
    store: VoteStore, one: Battle, said: Ballot, equivalent: tuple[bool | None, ...]
) -> None:
    vote = store.cast(one, "v", said, equivalent=equivalent, seconds=1.5, blind=False)
    assert store.battle(one.id) == one
    assert store.latest(one.id, "v") == vote
    assert (vote.ballot, vote.equivalent, vote.seconds, vote.blind) == (said, equivalent, 1.5, False)


def test_text_that_no_database_takes_is_kept_without_what_is_refused(store: VoteStore) -> None:
    odd = battle()
    odd = replace(odd, answers=(answer(LEFT, "nul\0 demi\ud800"), answer(RIGHT)))
    store.cast(odd, "v", BALLOT)
    kept = store.battle(odd.id)
    assert kept is not None
    assert kept.answers[0].text == "nul\ufffd demi?"


def test_an_unknown_battle_is_none(store: VoteStore) -> None:
    assert store.battle("nothing") is None
    assert store.latest("nothing", "v") is None
    assert store.history("nothing", "v") == ()


def test_the_same_vote_again_is_not_stored_again(store: VoteStore) -> None:
    first = store.cast(battle(), "v", BALLOT, seconds=1.0)
    assert store.cast(battle(), "v", BALLOT, seconds=9.0) == first
    assert store.history("duel", "v") == (first,)


def test_a_change_is_a_new_row_and_the_old_one_stays(store: VoteStore) -> None:
    first = store.cast(battle(), "v", BALLOT)
    second = store.cast(battle(), "v", ballot(Verdict.RIGHT))
    assert store.history("duel", "v") == (first, second)
    assert [each.version for each in (first, second)] == [1, 2]
    assert [each.vote for each in store.live_votes()] == [second]


def test_a_withdrawal_is_a_new_row_and_nothing_counts_then(store: VoteStore) -> None:
    store.cast(battle(), "v", BALLOT)
    gone = store.cast(battle(), "v", None)
    assert store.cast(battle(), "v", None) == gone
    assert [each.ballot for each in store.history("duel", "v")] == [BALLOT, None]
    assert store.live_votes() == ()
    counts = store.counts()
    assert (counts.votes, counts.voters, counts.battles, counts.kept) == (0, 0, 0, 1)


def test_a_vote_after_a_withdrawal_counts(store: VoteStore) -> None:
    for said in (BALLOT, None, BALLOT):
        store.cast(battle(), "v", said)
    assert [each.ballot for each in store.history("duel", "v")] == [BALLOT, None, BALLOT]
    assert store.counts().votes == 1


def test_nothing_is_ever_updated_or_deleted(store: VoteStore, database: Database) -> None:
    statements: list[str] = []
    event.listen(database._engine, "before_cursor_execute", lambda *given: statements.append(given[2]))
    for said in (BALLOT, ballot(Verdict.UNSURE), None, BALLOT):
        store.cast(battle(), "v", said)
    kinds = Counter(statement.split()[0] for statement in statements)
    assert kinds["INSERT"] >= 6
    assert not {"UPDATE", "DELETE", "REPLACE"} & set(kinds)


def test_a_battle_is_kept_as_it_was_first_voted_on(store: VoteStore) -> None:
    store.cast(battle(), "v", BALLOT)
    store.cast(battle("duel", RIGHT, LEFT), "w", BALLOT)
    assert store.battle("duel") == battle()


def test_one_live_vote_for_each_battle_and_voter_whoever_votes_at_once(store: VoteStore) -> None:
    said = [ballot(Verdict.LEFT), ballot(Verdict.RIGHT), None, ballot(Verdict.UNSURE), ballot(Verdict.BOTH_BAD)]

    def voter(number: int) -> None:
        for each in range(4):
            store.cast(battle(), "same voter", said[(number + each) % len(said)])

    with ThreadPoolExecutor(25) as pool:
        list(pool.map(voter, range(25)))
    history = store.history("duel", "same voter")
    assert [each.version for each in history] == list(range(1, len(history) + 1))
    assert len(store.live_votes()) <= 1
    assert all(one.ballot != other.ballot for one, other in itertools.pairwise(history))


def test_25_voters_at_once_lose_no_vote(store: VoteStore) -> None:
    def voter(number: int) -> list[str]:
        return [store.cast(battle(f"duel {number}-{each}"), f"voter {number}", BALLOT).id for each in range(4)]

    with ThreadPoolExecutor(25) as pool:
        acknowledged = [name for names in pool.map(voter, range(25)) for name in names]
    assert sorted(each.vote.id for each in store.live_votes()) == sorted(acknowledged)
    assert (store.counts().battles, store.counts().votes, store.counts().voters) == (100, 100, 25)


def test_an_empty_store_counts_nothing_for_28_pairs(store: VoteStore) -> None:
    counts = store.counts()
    assert (counts.battles, counts.votes, counts.voters, counts.after_reveal, counts.coverage) == (0, 0, 0, 0, 0)
    assert list(counts.pairs) == list(pairs())
    assert set(counts.pairs.values()) == {PairCount()}
    assert store.battles_by_pair() == {}


def test_the_counts_are_those_of_the_votes_one_by_one(store: VoteStore) -> None:
    generator = Random(5)
    for number in range(60):
        left, right = generator.sample(MIXTURES[:5], 2)
        for voter in generator.sample("uvw", 2):
            for _ in range(generator.randint(1, 2)):
                said = generator.choice([None, *map(ballot, Verdict)])
                store.cast(battle(f"{number}", left, right), voter, said, blind=generator.random() < 0.7)
    counts, live = store.counts(), store.live_votes()
    assert counts.votes == len(live)
    assert counts.voters == len({each.vote.voter for each in live if each.vote.blind})
    assert counts.after_reveal == sum(not each.vote.blind for each in live)
    assert counts.battles == len({each.vote.battle for each in live if each.vote.blind})
    assert counts.kept == 60 == sum(store.battles_by_pair().values())
    for (one, other), count in counts.pairs.items():
        these = [each for each in live if each.vote.blind and set(each.arms) == {one, other}]
        assert count.battles == len({each.vote.battle for each in these})
        assert count.votes == len(these)
        assert count.wins == (sum(map(_won_by(one), these)), sum(map(_won_by(other), these)))
        kinds = Counter(each.ballot.verdict for each in these)
        rest = (count.both_good, count.both_bad, count.unsure)
        assert rest == (kinds[Verdict.BOTH_GOOD], kinds[Verdict.BOTH_BAD], kinds[Verdict.UNSURE])


def _won_by(arm: Mixture):  # type: ignore[no-untyped-def]
    winner = {Verdict.LEFT: 0, Verdict.RIGHT: 1}
    return lambda live: live.ballot.verdict in winner and live.arms[winner[live.ballot.verdict]] == arm


def test_a_live_vote_carries_what_a_board_needs(store: VoteStore) -> None:
    turn = Turn("Et chez l'enfant ?", Sampling(), (answer(LEFT, "- un"), answer(RIGHT, "deux mots")))
    vote = store.cast(battle("duel", LEFT, RIGHT, turn), "v", BALLOT, seconds=12.5)
    (live,) = store.live_votes()
    assert (live.vote, live.ballot, live.arms) == (vote, BALLOT, (LEFT, RIGHT))
    assert live.styles == (Style(words=6, headers=1, bold=1, lists=1, emoji=1), Style(words=5))
    assert (live.kind, live.specialty, live.turns) == (PROMPT.kind, PROMPT.specialty, 2)
    assert live.propensity == 1 / 28


def test_live_votes_come_in_the_order_of_their_time(database: Database) -> None:
    start = datetime(2026, 11, 22, 20, 0, tzinfo=UTC)
    times = iter([start + timedelta(seconds=each) for each in (0, 0, 5, 5, 2, 2)])
    store = VoteStore(database, now=lambda: next(times))
    for name in "abc":
        store.cast(battle(name), "v", BALLOT)
    assert [each.vote.battle for each in store.live_votes()] == ["a", "c", "b"]


def test_times_are_kept_in_utc(database: Database) -> None:
    paris = datetime(2026, 11, 22, 21, 30, tzinfo=timezone(timedelta(hours=1)))
    assert VoteStore(database, now=lambda: paris).cast(battle(), "v", BALLOT).at == "2026-11-22T20:30:00.000000+00:00"


def test_another_program_sees_what_was_cast(store: VoteStore, url: str) -> None:
    vote = store.cast(battle(), "v", BALLOT)
    other = Database(url)
    assert VoteStore(other).latest("duel", "v") == vote
    other.close()


def test_making_a_store_opens_nothing(tmp_path: Path) -> None:
    store = VoteStore(Database(f"sqlite:///{tmp_path}/folder/votes.db"))
    assert list(tmp_path.iterdir()) == []
    store.check()
    store.close()
    assert (tmp_path / "folder" / "votes.db").is_file()


def test_the_pair_counts_do_not_depend_on_the_sides(store: VoteStore) -> None:
    store.cast(battle("a", LEFT, RIGHT), "v", ballot(Verdict.LEFT))
    store.cast(battle("b", RIGHT, LEFT), "v", ballot(Verdict.RIGHT))
    assert store.battles_by_pair() == {pair_of(LEFT, RIGHT): 2}
    assert store.counts().pairs[pair_of(RIGHT, LEFT)] == PairCount(2, (2, 0))
