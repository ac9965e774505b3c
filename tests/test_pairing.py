"""Every pair has a known probability above zero; the pairs that met least come first."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping
from random import Random

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from medinject_demo.domain import BASE, MIXTURES, Mixture
from medinject_demo.errors import InvalidValue
from medinject_demo.pairing import (
    KEENNESS,
    PRIOR,
    UNIFORM_SHARE,
    Pair,
    draw,
    draw_several,
    gains,
    pair_of,
    pairs,
    probabilities,
    strengths,
)

ARMS = st.lists(st.sampled_from(MIXTURES), min_size=2, unique=True)
COUNTS = st.dictionaries(st.sampled_from(pairs()), st.integers(0, 100_000))
SHARES = st.floats(0.01, 1)
STRENGTHS = st.dictionaries(st.sampled_from(MIXTURES), st.floats(-2, 2))


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


@given(st.integers(0, 500), st.sampled_from(pairs()), SHARES)
def test_among_equals_the_pair_that_met_least_is_the_most_probable(count: int, pair: Pair, share: float) -> None:
    counts = {each: count + 20 * (each != pair) for each in pairs()}
    chances = probabilities(MIXTURES, counts, share)
    assert max(chances, key=chances.__getitem__) == pair or share == 1


@given(ARMS)
def test_before_any_battle_every_pair_is_as_probable(arms: list[Mixture]) -> None:
    chances = probabilities(arms, {})
    assert list(chances.values()) == pytest.approx([1 / len(chances)] * len(chances))


@given(st.permutations(MIXTURES), COUNTS, STRENGTHS)
def test_calling_the_arms_otherwise_calls_the_probabilities_otherwise(
    names: list[Mixture], counts: dict[Pair, int], strong: dict[Mixture, float]
) -> None:
    other = dict(zip(MIXTURES, names, strict=True))
    renamed = {pair_of(other[one], other[two]): count for (one, two), count in counts.items()}
    plain = probabilities(MIXTURES, counts, strong=strong)
    turned = probabilities(MIXTURES, renamed, strong={other[arm]: each for arm, each in strong.items()})
    for (one, two), chance in plain.items():
        assert turned[pair_of(other[one], other[two])] == pytest.approx(chance, rel=1e-6, abs=1e-9)


def test_an_arm_far_from_the_others_is_drawn_more_often_than_they_are() -> None:
    counts = dict.fromkeys(pairs(), 40)
    strong = {arm: 3.0 * (arm == BASE) for arm in MIXTURES}
    chances = probabilities(MIXTURES, counts, strong=strong)
    of_base = sum(chance for pair, chance in chances.items() if BASE in pair)
    assert of_base > 0.6 > 7 / 28
    assert sum(chance for pair, chance in probabilities(MIXTURES, counts).items() if BASE in pair) < 0.3


@given(ARMS, COUNTS, STRENGTHS)
def test_a_gain_is_the_slope_of_what_it_stands_for(
    arms: list[Mixture], counts: dict[Pair, int], strong: dict[Mixture, float]
) -> None:
    """The obvious way: count one duel more of a pair, and see by how much the widest variances shrink."""
    counts = {pair: count % 200 for pair, count in counts.items()}
    measured = gains(arms, counts, strong)
    top = _spread_of(arms, counts, strong)[1]
    for pair, gain in measured.items():
        step = 1e-4
        more = _spread_of(arms, counts | {pair: counts.get(pair, 0) + step}, strong)[0]
        less = _spread_of(arms, counts | {pair: counts.get(pair, 0) - step}, strong)[0]
        slope = float(((less / top) ** KEENNESS - (more / top) ** KEENNESS).sum()) * top / KEENNESS / (2 * step)
        assert gain == pytest.approx(slope, rel=1e-3, abs=1e-7 * top**2)


def _spread_of(
    arms: list[Mixture], counts: Mapping[Pair, float], strong: Mapping[Mixture, float]
) -> tuple[np.ndarray, float]:
    """The variances of the differences, and the largest."""
    everyone = pairs(arms)
    order = sorted(set(arms), key=MIXTURES.index)
    rows = np.array([[(arm == one) - (arm == two) for arm in order] for one, two in everyone], dtype=float)
    chances = 1 / (1 + np.exp(-rows @ np.array([strong.get(arm, 0.0) for arm in order])))
    mass = np.array([counts.get(pair, 0) for pair in everyone]) * chances * (1 - chances)
    whole = np.linalg.inv((rows * mass[:, None]).T @ rows + PRIOR * np.eye(len(order)) + 1)
    variances = np.einsum("ij,jk,ik->i", rows, whole, rows)
    return variances, float(variances.max())


@given(ARMS, st.sets(st.sampled_from(MIXTURES)), COUNTS, st.integers(0, 99))
def test_an_arm_that_was_seen_is_drawn_only_where_too_few_others_are_left(
    arms: list[Mixture], seen: set[Mixture], counts: dict[Pair, int], seed: int
) -> None:
    others = set(arms) - seen
    drawn = draw(arms, counts, Random(seed), seen=seen)
    left = sorted(others if len(others) >= 2 else set(arms), key=MIXTURES.index)
    assert set(drawn.arms) <= set(left)
    assert drawn.propensity == probabilities(left, counts)[pair_of(*drawn.arms)]


@given(st.sets(st.sampled_from(MIXTURES)), st.integers(3, 8), st.integers(0, 99))
def test_a_ranking_is_of_arms_that_were_not_seen_where_so_many_are_left(
    seen: set[Mixture], count: int, seed: int
) -> None:
    drawn = draw_several(MIXTURES, count, Random(seed), seen)
    left = len(MIXTURES) - len(seen)
    assert set(drawn.arms).isdisjoint(seen) or left < count
    assert drawn.propensity == 1 / math.comb(left if left >= count else len(MIXTURES), count)


@given(st.dictionaries(st.sampled_from(pairs()), st.tuples(st.integers(0, 90), st.integers(0, 90)), min_size=1))
def test_strengths_are_finite_and_their_sides_are_as_they_won(scores: dict[Pair, tuple[float, float]]) -> None:
    found = strengths(scores)
    assert all(math.isfinite(each) for each in found.values())
    turned = strengths({pair: (second, first) for pair, (first, second) in scores.items()})
    for arm, each in found.items():
        assert turned[arm] == pytest.approx(-each, abs=1e-6)


def test_strengths_find_planted_ones() -> None:
    planted = {arm: place / 3 for place, arm in enumerate(MIXTURES)}
    scores = {}
    for one, two in pairs():
        chance = 1 / (1 + math.exp(planted[two] - planted[one]))
        scores[one, two] = (1000 * chance, 1000 * (1 - chance))
    found = strengths(scores)
    for one, two in pairs():
        assert found[one] - found[two] == pytest.approx(planted[one] - planted[two], abs=0.01)


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
