"""A ranking says what its pairs say, as many comparisons as pairs, each as the ranks have it; kept and counted so."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from medinject_demo.domain import MIXTURES, Battle, Mixture, Verdict
from medinject_demo.errors import InvalidValue, Refused
from medinject_demo.pairing import pair_of
from medinject_demo.votes.rankings import FEWEST, MOST, Comparison, comparisons, ranking_of
from medinject_demo.votes.records import Ballot, PairCount, Profile, unsaid
from medinject_demo.votes.store import VoteStore

from .samples import answer, ballot, battle

RANKS = st.lists(st.integers(1, 20), min_size=FEWEST, max_size=MOST)


def of_arms(name: str, *arms: Mixture) -> Battle:
    return replace(battle(name), answers=tuple(map(answer, arms)), propensity=1 / 56)


def cast(store: VoteStore, one: Battle, *ranks: int, voter: str = "v", blind: bool = True) -> None:
    store.cast(one, voter, Ballot.ranked(ranks), equivalent=unsaid(len(ranks)), blind=blind)


@given(RANKS)
def test_the_comparisons_are_those_of_every_pair_in_display_order(ranks: list[int]) -> None:
    ranking = ranking_of(ranks)
    said = comparisons(ranking)
    assert len(said) == len({(each.left, each.right) for each in said}) == len(ranks) * (len(ranks) - 1) / 2
    for each in said:
        assert each.left < each.right
        left, right = ranks[each.left], ranks[each.right]
        expected = Verdict.BOTH_GOOD if left == right else Verdict.LEFT if left < right else Verdict.RIGHT
        assert each.verdict is expected


@given(RANKS)
def test_ranks_are_kept_without_gaps_and_in_their_order(ranks: list[int]) -> None:
    ranking = ranking_of(ranks)
    assert set(ranking) == set(range(1, max(ranking) + 1))
    assert ranking_of(ranking) == ranking
    assert [ranking[a] < ranking[b] for a in range(len(ranks)) for b in range(a)] == [
        ranks[a] < ranks[b] for a in range(len(ranks)) for b in range(a)
    ]


def test_competition_ranks_are_those_without_gaps() -> None:
    assert ranking_of([1, 1, 3, 4]) == (1, 1, 2, 3)


def test_a_ranking_by_hand() -> None:
    assert comparisons((2, 1, 2)) == (
        Comparison(0, 1, Verdict.RIGHT),
        Comparison(0, 2, Verdict.BOTH_GOOD),
        Comparison(1, 2, Verdict.LEFT),
    )


@pytest.mark.parametrize(
    "ranks",
    [[], [1, 2], [1] * 9, [0, 1, 2], [1, 2, -1], [1, 2, 3.0], [1, 2, "3"], [1, 2, True], [1, 2, None]],
    ids=repr,
)
def test_ranks_that_are_none_are_refused(ranks: list[object]) -> None:
    with pytest.raises(InvalidValue, match=r"^ranking: expected a whole number from 1 for each of 3 to 8 answers"):
        Ballot.ranked(ranks)


def test_a_comment_with_personal_data_is_held_back_with_its_ranking() -> None:
    with pytest.raises(Refused):
        Ballot.ranked([1, 2, 3], "Écrivez à marie@exemple.fr")


def test_a_verdict_is_one_comparison() -> None:
    assert ballot(Verdict.RIGHT).comparisons == (Comparison(0, 1, Verdict.RIGHT),)
    assert (ballot(Verdict.RIGHT).places, Ballot.ranked([1, 2, 2, 1]).places) == (2, 4)


def test_a_ranking_reads_back_as_it_was_cast(store: VoteStore) -> None:
    said = Ballot.ranked([2, 1, 2, 4], " Net. ", "physician")
    vote = store.cast(of_arms("r", *MIXTURES[:4]), "v", said, equivalent=unsaid(4), seconds=3.0)
    assert store.latest("r", "v") == vote
    assert vote.ballot == said
    assert (said.ranking, said.verdict, said.comment, said.profile) == ((2, 1, 2, 3), None, "Net.", Profile.PHYSICIAN)
    (live,) = store.live_votes()
    assert (live.ranking, live.arms, len(live.styles), live.propensity) == (said.ranking, MIXTURES[:4], 4, 1 / 56)
    assert len(live.ballot.comparisons) == 6


def test_a_ranking_is_one_battle_one_vote_and_a_verdict_on_each_of_its_pairs(store: VoteStore) -> None:
    base, nat, trad = MIXTURES[:3]
    cast(store, of_arms("r", trad, base, nat), 1, 2, 2)
    counts = store.counts()
    assert (counts.battles, counts.votes, counts.voters, counts.after_reveal) == (1, 1, 1, 0)
    assert {pair for pair, count in counts.pairs.items() if count.battles} == {(base, nat), (base, trad), (nat, trad)}
    assert counts.pairs[base, trad] == counts.pairs[nat, trad] == PairCount(1, (0, 1))
    assert counts.pairs[base, nat] == PairCount(1, alike=1)
    assert store.battles_by_pair() == dict.fromkeys([(base, nat), (base, trad), (nat, trad)], 1)


def test_a_ranking_changed_or_taken_back_counts_as_it_last_was(store: VoteStore) -> None:
    one = of_arms("r", *MIXTURES[:3])
    cast(store, one, 1, 2, 3)
    cast(store, one, 3, 2, 1)
    assert store.counts().pairs[pair_of(*MIXTURES[:2])].wins == (0, 1)
    store.cast(one, "v", None, equivalent=unsaid(3))
    assert (store.counts().votes, store.live_votes()) == (0, ())
    assert [vote.ballot.ranking if vote.ballot else None for vote in store.history("r", "v")] == [
        (1, 2, 3),
        (3, 2, 1),
        None,
    ]


def test_a_ranking_changed_after_the_reveal_is_left_out_of_the_pairs(store: VoteStore) -> None:
    cast(store, of_arms("r", *MIXTURES[:5]), 1, 2, 3, 4, 5, blind=False)
    counts = store.counts()
    assert (counts.votes, counts.after_reveal, sum(count.votes for count in counts.pairs.values())) == (1, 1, 0)


def test_the_counts_of_duels_and_rankings_are_those_of_their_comparisons_one_by_one(store: VoteStore) -> None:
    chance = Random(7)
    for number in range(40):
        arms = chance.sample(MIXTURES, chance.choice([2, 2, 3, 5, 8]))
        one, blind = of_arms(str(number), *arms), chance.random() < 0.7
        if len(arms) == 2:
            store.cast(one, "v", ballot(chance.choice(list(Verdict))), blind=blind)
        else:
            cast(store, one, *(chance.randint(1, 4) for _ in arms), blind=blind)
    counts, seen = store.counts(), Counter[tuple[Mixture, Mixture, str]]()
    for live in store.live_votes():
        for said in live.ballot.comparisons if live.vote.blind else ():
            left, right = live.arms[said.left], live.arms[said.right]
            won = {Verdict.LEFT: left, Verdict.RIGHT: right}.get(said.verdict)
            kind = "alike" if live.ballot.ranking and not won else str(won or said.verdict)
            seen[*pair_of(left, right), kind] += 1
    assert counts.kept == counts.votes == 40
    for (one_arm, other), count in counts.pairs.items():
        kinds = (str(one_arm), str(other), "both_good", "both_bad", "unsure", "alike")
        assert (*count.wins, count.both_good, count.both_bad, count.unsure, count.alike) == tuple(
            seen[one_arm, other, kind] for kind in kinds
        )
