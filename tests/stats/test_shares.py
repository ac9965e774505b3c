"""Shares and their contrasts: an interval that holds the truth in the middle and at the ends, and goes no farther."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from medinject_demo.domain import MIXTURES, Provenance
from medinject_demo.stats.provenance import weights
from medinject_demo.stats.shares import ArmShares, arm_shares, share

NAT, *_ = Provenance
CHANCE = np.random.default_rng(0)
TRUTH = float((1 / (1 + np.exp(1 - 1.25**0.5 * CHANCE.standard_normal(10**6)))).mean())
MAIN = [weights([NAT])[arm] for arm in MIXTURES]
STEP = [float(arm.slug == "nat-trad") - float(arm.slug == "trad") for arm in MIXTURES]


def answered(chance: np.random.Generator, prompts: int, with_nat: float, without: float) -> ArmShares:
    """Each arm's answers to so many prompts, right in one share with native data and in another without."""
    right = [with_nat if NAT in arm.provenances else without for arm in MIXTURES]
    yes = chance.random((prompts, len(MIXTURES))) < right
    prompt, arm = np.indices(yes.shape).reshape(2, -1)
    return arm_shares(arm, yes.ravel(), prompt)


@pytest.mark.parametrize("row", [MAIN, STEP], ids=["main", "step"])
@pytest.mark.parametrize(
    ("with_nat", "without", "prompts"), [(0.99, 0.93, 20), (1.0, 0.9, 15), (0.02, 0.1, 20), (0.6, 0.5, 30)]
)
def test_a_contrast_holds_the_truth_near_the_ends_as_in_the_middle(
    row: list[float], with_nat: float, without: float, prompts: int
) -> None:
    found = [answered(np.random.default_rng([4, run]), prompts, with_nat, without).contrast(row) for run in range(200)]
    assert np.mean([each.low <= with_nat - without <= each.high for each in found]) >= 0.91


def test_where_answers_are_many_the_ends_are_those_of_the_delta_method() -> None:
    found = answered(np.random.default_rng(1), 5_000, 0.6, 0.5)
    for row in (MAIN, STEP):
        each = found.contrast(row)
        assert each.high - each.value == pytest.approx(found.quantile * each.error, rel=0.02)
        assert each.value - each.low == pytest.approx(found.quantile * each.error, rel=0.02)


def test_near_1_an_interval_reaches_farther_towards_the_middle() -> None:
    """The share with native data, all of whose answers are right, can be hardly more and may be less."""
    each = answered(np.random.default_rng(2), 20, 1.0, 0.5).contrast(MAIN)
    assert each.value - each.low > 1.05 * (each.high - each.value)


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 10_000), st.integers(1, 30), st.floats(0, 1), st.floats(0, 1))
def test_turning_a_contrast_round_turns_its_interval_round(seed: int, prompts: int, one: float, other: float) -> None:
    found = answered(np.random.default_rng(seed), prompts, one, other)
    for row in (MAIN, STEP):
        there, back = found.contrast(row), found.contrast([-weight for weight in row])
        assert (back.low, back.high) == (pytest.approx(-there.high), pytest.approx(-there.low))
        assert -1 <= there.low <= there.value <= there.high <= 1


@settings(max_examples=100, deadline=None)
@given(st.lists(st.booleans(), min_size=1, max_size=40), st.integers(1, 5))
def test_a_share_is_the_one_observed_in_an_interval_that_holds_it(yes: list[bool], voters: int) -> None:
    found = share(np.array(yes), np.arange(len(yes)) % voters)
    assert found is not None
    assert found.value == pytest.approx(sum(yes) / len(yes))
    assert 0 <= found.low <= found.value <= found.high <= 1
    assert found.low < found.high


@pytest.mark.parametrize(("prompts", "voters", "votes"), [(4, 30, 200), (20, 40, 300), (76, 20, 60)])
def test_a_share_of_votes_holds_for_other_prompts_as_for_other_voters(prompts: int, voters: int, votes: int) -> None:
    """Prompts and voters that differ: 31 % say yes. By voter alone, 53 to 79 % held it where prompts come again."""

    def held(run: int) -> bool:
        chance = np.random.default_rng([3, run])
        prompt, voter = chance.integers(0, prompts, votes), chance.integers(0, voters, votes)
        logit = -1 + chance.standard_normal(prompts)[prompt] + 0.5 * chance.standard_normal(voters)[voter]
        yes = chance.random(votes) < 1 / (1 + np.exp(-logit))
        found = share(yes, *(np.unique(each, return_inverse=True)[1] for each in (voter, prompt)))
        return found is not None and found.low <= TRUTH <= found.high

    assert np.mean([held(run) for run in range(150)]) >= 0.9


def test_two_votes_of_three_are_two_thirds_and_none_of_five_is_none() -> None:
    two, none = share(np.array([True, True, False]), np.arange(3)), share(np.zeros(5, bool), np.arange(5))
    assert two is not None
    assert none is not None
    assert two.value == pytest.approx(2 / 3)
    assert (none.value, none.low) == (0, 0)
    assert none.high > 0.1
