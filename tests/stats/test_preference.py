"""One model of a vote: what it must not depend on, what it must follow, and the slow obvious way beside it."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from medinject_demo.domain import BASE, MIXTURES
from medinject_demo.statistics_bench import oracles
from medinject_demo.stats.estimate import NORMAL, Estimate, interval
from medinject_demo.stats.preference import RIDGE, STYLES, Weighting, fit
from medinject_demo.votes import frame as votes_frame

from .votes import SLUGS, drawn, renamed, swapped, votes

SEEDS = st.integers(0, 10_000)
SOME = settings(max_examples=25, deadline=None)


def plain_bradley_terry(duels: list[oracles.Duel], rounds: int = 5_000) -> dict[str, float]:
    """Zermelo's iteration: worth = wins / sum of meetings over sums of worths."""
    names = sorted({name for left, right, _ in duels for name in (left, right)})
    worth = dict.fromkeys(names, 1.0)
    for _ in range(rounds):
        won, met = dict.fromkeys(names, 0.0), dict.fromkeys(names, 0.0)
        for left, right, share in duels:
            won[left] += share
            won[right] += 1 - share
            for name in (left, right):
                met[name] += 1 / (worth[left] + worth[right])
        worth = {name: won[name] / met[name] for name in names}
    return {name: math.log(each) for name, each in worth.items()}


@pytest.mark.parametrize("duels", [oracles.food(), oracles.baseball()], ids=["food", "baseball"])
def test_without_prior_and_covariates_it_is_bradley_and_terry(duels: list[oracles.Duel]) -> None:
    names, ours = oracles.plain(duels)
    obvious = plain_bradley_terry(duels)
    for name, each in zip(names, ours.coefficients, strict=True):
        assert each - ours.coefficients[0] == pytest.approx(obvious[name] - obvious[names[0]], abs=1e-6)


def test_evalica_says_the_same_of_its_own_example() -> None:
    assert oracles.beside_evalica("food", oracles.food()).apart < 1e-6


def test_the_textbook_says_the_same_of_its_games() -> None:
    assert oracles.beside_the_textbook().apart <= 0.005


def test_the_textbooks_standard_errors_come_back() -> None:
    """As R's BradleyTerry2 prints them for these games; with rows independent, clusters of one game each come close."""
    names, fitted = oracles.plain(oracles.baseball())
    other = names.index("Baltimore")
    covariance = fitted.covariance
    errors = [math.sqrt(covariance[k, k] + covariance[other, other] - 2 * covariance[k, other]) for k in range(6)]
    assert errors == pytest.approx([0.3433, 0.3396, 0.3367, 0.3359, 0.3339, 0.3319], rel=0.05)


def test_two_arms_are_a_logit_worked_out_by_hand() -> None:
    """30 wins of 40 on alternating sides: log 3, with an error of 1 over the root of 40 x 3/4 x 1/4."""
    said = [("nat", "trad", "left"), ("trad", "nat", "right")] * 15
    said += [("nat", "trad", "right"), ("trad", "nat", "left")] * 5
    found = fit(votes(said), ridge=1e-6).difference(MIXTURES[1], MIXTURES[2])
    assert found.value == pytest.approx(math.log(3), abs=1e-4)
    assert found.error == pytest.approx(1 / math.sqrt(40 * 0.75 * 0.25), rel=0.04)


@SOME
@given(SEEDS, st.permutations(SLUGS))
def test_calling_the_arms_otherwise_calls_the_strengths_otherwise(seed: int, names: list[str]) -> None:
    frame, other = drawn(120, seed), dict(zip(SLUGS, names, strict=True))
    before, after = (fit(each, styles=STYLES) for each in (frame, renamed(frame, other)))
    for arm in MIXTURES:
        there = MIXTURES[SLUGS.index(other[arm.slug])]
        assert after.strength(there) == pytest.approx(before.strength(arm), abs=1e-7)
    assert after.position.value == pytest.approx(before.position.value, abs=1e-7)


@SOME
@given(SEEDS)
def test_changing_the_sides_changes_the_sign_of_the_position_alone(seed: int) -> None:
    frame = drawn(120, seed)
    before, after = (fit(each, styles=STYLES) for each in (frame, swapped(frame)))
    assert after.position.value == pytest.approx(-before.position.value, abs=1e-7)
    assert after.position.high == pytest.approx(-before.position.low, abs=1e-6)
    assert after.strengths == pytest.approx(before.strengths, abs=1e-7)
    values = [[term.coefficient.value for term in each.styles] for each in (before, after)]
    assert values[1] == pytest.approx(values[0], abs=1e-7)


@SOME
@given(SEEDS)
def test_a_tie_pulls_the_two_together(seed: int) -> None:
    frame = drawn(80, seed)
    before = fit(frame)
    one, other = max(
        ((a, b) for a in MIXTURES for b in MIXTURES if a != b), key=lambda pair: before.difference(*pair).value
    )
    ties = votes([(one.slug, other.slug, "both_good"), (other.slug, one.slug, "both_bad")] * 5)
    after = fit(pd.concat([frame, ties], ignore_index=True))
    assert after.difference(one, other).value < before.difference(one, other).value


@SOME
@given(SEEDS)
def test_the_order_of_the_votes_is_of_no_matter(seed: int) -> None:
    frame = drawn(100, seed)
    one, other = fit(frame, styles=STYLES), fit(frame.sample(frac=1, random_state=1), styles=STYLES)
    assert other.strengths == pytest.approx(one.strengths, abs=1e-9)
    assert np.array(other.covariance) == pytest.approx(np.array(one.covariance), abs=1e-9)


@SOME
@given(SEEDS)
def test_strengths_sum_to_0_and_differences_add_up(seed: int) -> None:
    found = fit(drawn(60, seed))
    assert sum(found.strengths) == pytest.approx(0, abs=1e-9)
    one, two, three = MIXTURES[1], MIXTURES[4], MIXTURES[7]
    whole = found.difference(one, two).value + found.difference(two, three).value
    assert whole == pytest.approx(found.difference(one, three).value, abs=1e-12)
    assert found.difference(one, two).high == pytest.approx(-found.difference(two, one).low)


def test_a_voter_who_votes_the_same_over_and_over_says_it_once() -> None:
    frame = drawn(100, voters=100).assign(prompt=range(100))
    again = frame.loc[frame.index.repeat(6)]
    once, often = (fit(each, ridge=1e-9).difference(MIXTURES[3], BASE) for each in (frame, again))
    assert often.value == pytest.approx(once.value, abs=1e-5)
    assert often.half_width == pytest.approx(once.half_width, rel=1e-3)
    alone = again.assign(cluster=range(len(again)), battle=range(len(again)), prompt=range(len(again)))
    naive = fit(alone, ridge=1e-9).difference(MIXTURES[3], BASE)
    assert naive.half_width < 0.5 * often.half_width


def asked_again(prompts: int, voters: int) -> pd.DataFrame:
    """The same two texts of each prompt before so many voters, who all prefer the same one."""
    nat = np.random.default_rng(5).random(prompts) < 0.6
    turned = [("nat", "trad", "left"), ("trad", "nat", "right")], [("nat", "trad", "right"), ("trad", "nat", "left")]
    said = [turned[0 if nat[each] else 1][voter % 2] for each in range(prompts) for voter in range(voters)]
    return votes(said, prompt=[f"prompt {each // voters}" for each in range(prompts * voters)])


def test_voters_who_judge_the_same_texts_say_no_more_of_the_next_prompt() -> None:
    few, many = (fit(asked_again(40, voters)).difference(MIXTURES[1], MIXTURES[2]) for voters in (2, 50))
    assert many.value == pytest.approx(few.value, abs=0.01)
    assert many.half_width >= 0.95 * few.half_width


def test_intervals_hold_for_prompts_on_which_the_arms_differ_by_chance() -> None:
    """Eight arms that are equal over prompts and not on one; what a board of 3,000 votes on 76 prompts would say."""
    held = []
    for run in range(30):
        chance = np.random.default_rng([9, run])
        good = chance.standard_normal((76, 8))
        prompt, left = chance.integers(0, 76, 3_000), chance.integers(0, 8, 3_000)
        right = (left + chance.integers(1, 8, 3_000)) % 8
        wins = chance.random(3_000) < 1 / (1 + np.exp(good[prompt, right] - good[prompt, left]))
        said = [
            (SLUGS[one], SLUGS[other], "left" if win else "right")
            for one, other, win in zip(left, right, wins, strict=True)
        ]
        voters = [f"voter {each}" for each in chance.integers(0, 150, 3_000)]
        found = fit(votes(said, voter=voters, prompt=[f"prompt {each}" for each in prompt]))
        held += [found.difference(arm, BASE).sign() == 0 for arm in MIXTURES[1:]]
    assert np.mean(held) > 0.92


def test_unsure_votes_say_nothing() -> None:
    frame = drawn(100)
    assert fit(frame[frame["verdict"] != "unsure"], styles=STYLES) == fit(frame, styles=STYLES)


def test_an_arm_that_never_won_has_a_finite_strength_and_an_arm_never_seen_the_priors_interval() -> None:
    found = fit(votes([("nat", "trad", "left"), ("trad", "nat", "right")] * 30))
    lost = found.difference(MIXTURES[2], MIXTURES[1])
    assert -12 < lost.low < lost.high < 0
    unseen = found.difference(MIXTURES[7], BASE)
    assert unseen.value == pytest.approx(0, abs=1e-9)
    assert unseen.half_width == pytest.approx(NORMAL * math.sqrt(2 / RIDGE))


def test_style_takes_the_part_of_style() -> None:
    """Every longer answer wins, whichever arm wrote it: raw strengths of the wordy arm, none with length controlled."""
    said, left, right = [], [], []
    for number in range(400):
        nat_left, longer_left = number % 2 == 0, number % 10 < (7 if number % 2 == 0 else 3)
        said.append((*(("nat", "trad") if nat_left else ("trad", "nat")), "left" if longer_left else "right"))
        left.append(200 if longer_left else 20)
        right.append(20 if longer_left else 200)
    frame = votes(said, words_left=left, words_right=right)
    raw, controlled = fit(frame), fit(frame, styles=STYLES)
    assert raw.difference(MIXTURES[1], MIXTURES[2]).sign() == 1
    assert controlled.difference(MIXTURES[1], MIXTURES[2]).sign() == 0
    (term,) = controlled.styles
    assert (term.name, term.coefficient.sign()) == ("words", 1)


def test_the_styles_are_those_of_the_frame() -> None:
    assert STYLES == votes_frame.STYLES


def test_a_style_that_never_differs_is_left_out() -> None:
    assert fit(votes([("nat", "trad", "left")] * 5), styles=STYLES).styles == ()


def test_rare_pairs_weigh_more_by_propensity() -> None:
    said = [("nat", "trad", "left"), ("trad", "nat", "left")]
    said += [("nat", "trad", "left")] * 8
    even = votes(said)
    assert fit(even, weighting=Weighting.PROPENSITY) == fit(even)
    odd = even.assign(propensity=[0.01, 0.01] + [0.2] * 8)
    plain, weighed = (fit(odd, weighting=way).difference(MIXTURES[1], MIXTURES[2]) for way in Weighting)
    assert weighed.value < plain.value


@given(st.floats(-30, 30), st.floats(0, 50), st.floats(1, 13), st.floats(0.1, 40))
def test_an_interval_is_never_wider_than_the_priors(
    value: float, variance: float, quantile: float, prior: float
) -> None:
    found = interval(value, variance, quantile, prior)
    assert found.low <= value <= found.high
    assert found.half_width <= NORMAL * math.sqrt(prior) * (1 + 1e-9) + 1e-12
    chance = found.chance
    assert 0 <= chance.low <= chance.value <= chance.high <= 1


@SOME
@given(SEEDS)
def test_a_difference_is_doubtful_where_its_interval_holds_0(seed: int) -> None:
    found = fit(drawn(150, seed).assign(prompt=range(150)))
    for arm in MIXTURES[1:]:
        assert (found.doubt(arm, BASE) < 0.05) == (found.difference(arm, BASE).sign() != 0)
        assert found.doubt(arm, BASE) == pytest.approx(found.doubt(BASE, arm))
    assert found.doubt(BASE, BASE) == 1


def test_an_interval_has_a_sign_where_it_leaves_0_out() -> None:
    assert [Estimate(1, 1, *ends).sign() for ends in ((0.1, 2), (-0.1, 2), (-2, -0.1), (0, 2))] == [1, 0, -1, 0]
