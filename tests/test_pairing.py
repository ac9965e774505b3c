"""Every pair has a known probability above zero; the pairs that met least come first."""

from __future__ import annotations

import itertools
from collections import Counter
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from medinject_demo.domain import BASE, MIXTURES, Mixture
from medinject_demo.errors import InvalidValue
from medinject_demo.pairing import UNIFORM_SHARE, Pair, draw, pair_of, pairs, probabilities

ARMS = st.lists(st.sampled_from(MIXTURES), min_size=2, unique=True)
COUNTS = st.dictionaries(st.sampled_from(pairs()), st.integers(0, 100_000))
SHARES = st.floats(0.01, 1)


def test_eight_arms_make_28_pairs() -> None:
    assert len(pairs()) == len(set(pairs())) == 28


@given(ARMS)
def test_a_pair_is_the_same_whichever_arm_comes_first(arms: list[Mixture]) -> None:
    assert pair_of(arms[0], arms[1]) == pair_of(arms[1], arms[0])
    assert set(pairs(arms)) == {pair_of(one, other) for one in arms for other in arms if one != other}


@given(ARMS, COUNTS, SHARES)
def test_the_probabilities_of_the_pairs_sum_to_one(arms: list[Mixture], counts: dict[Pair, int], share: float) -> None:
    chances = probabilities(arms, counts, share)
    assert sum(chances.values()) == pytest.approx(1, abs=1e-12)
    assert set(chances) == set(pairs(arms))


@given(ARMS, COUNTS, SHARES)
def test_no_pair_falls_below_its_uniform_share(arms: list[Mixture], counts: dict[Pair, int], share: float) -> None:
    assert min(probabilities(arms, counts, share).values()) >= share / len(pairs(arms)) > 0


@given(ARMS, COUNTS, SHARES)
def test_a_pair_with_fewer_battles_is_never_less_probable(
    arms: list[Mixture], counts: dict[Pair, int], share: float
) -> None:
    chances = probabilities(arms, counts, share)
    by_battles = sorted(chances, key=lambda pair: counts.get(pair, 0))
    for fewer, more in itertools.pairwise(by_battles):
        assert chances[fewer] >= chances[more]


@given(ARMS, COUNTS, st.integers(0, 2**32))
def test_the_propensity_is_that_of_the_pair_drawn(arms: list[Mixture], counts: dict[Pair, int], seed: int) -> None:
    drawn = draw(arms, counts, Random(seed))
    assert drawn.propensity == probabilities(arms, counts)[pair_of(*drawn.arms)]
    assert set(drawn.arms) <= set(arms)
    assert drawn.arms[0] != drawn.arms[1]


def test_pairs_are_drawn_as_often_as_they_say() -> None:
    counts = {pair: place * place for place, pair in enumerate(pairs())}
    draws, generator = 10_000, Random(3)
    drawn = Counter(pair_of(*draw(MIXTURES, counts, generator).arms) for _ in range(draws))
    for pair, chance in probabilities(MIXTURES, counts).items():
        deviation = (draws * chance * (1 - chance)) ** 0.5
        assert abs(drawn[pair] - draws * chance) < 4 * deviation


def test_the_sides_are_a_fair_coin_for_every_pair() -> None:
    generator = Random(4)
    for pair in pairs(MIXTURES[:3]):
        left = sum(draw(pair, {}, generator).arms == pair for _ in range(2_000))
        assert abs(left - 1_000) < 4 * (2_000 * 0.25) ** 0.5


def test_counts_that_are_followed_cover_the_pairs_sooner_than_chance_alone() -> None:
    def draws_to_cover(share: float, seed: int) -> int:
        counts: Counter[Pair] = Counter()
        generator = Random(seed)
        while len(counts) < 28:
            counts[pair_of(*draw(MIXTURES, counts, generator, share).arms)] += 1
        return counts.total()

    followed = sum(draws_to_cover(UNIFORM_SHARE, seed) for seed in range(30))
    uniform = sum(draws_to_cover(1.0, seed) for seed in range(30))
    assert followed < 0.8 * uniform


def test_a_seed_replays_the_draws() -> None:
    one, other = Random(7), Random(7)
    assert [draw(MIXTURES, {}, one) for _ in range(50)] == [draw(MIXTURES, {}, other) for _ in range(50)]


def test_an_arm_named_twice_is_one_arm() -> None:
    assert probabilities([BASE, *MIXTURES[:2]], {}) == {(BASE, MIXTURES[1]): 1.0}


@pytest.mark.parametrize("arms", [(), (BASE,), (BASE, BASE)], ids=["none", "one", "the same twice"])
def test_fewer_than_two_arms_are_refused(arms: tuple[Mixture, ...]) -> None:
    with pytest.raises(InvalidValue, match=r"^duel: expected two arms that can answer, got (none|base)\. Install"):
        draw(arms, {}, Random(0))


@pytest.mark.parametrize("share", [0, -0.1, 1.1, float("nan")])
def test_a_share_that_would_leave_a_pair_without_probability_is_refused(share: float) -> None:
    with pytest.raises(InvalidValue, match="uniform share"):
        probabilities(MIXTURES, {}, share)
