"""The fit is statsmodels' where there is no prior; its intervals hold for votes of one voter."""

from __future__ import annotations

import numpy as np
import pytest
import statsmodels.api as sm
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import beta
from scipy.stats import t as student_t

from medinject_demo.stats.logistic import LEAST, Floats, _floored, effective, logistic, renumbered, student

NONE = np.zeros((3, 3))


def sample(seed: int, count: int = 400, clusters: int = 30) -> tuple[Floats, Floats, Floats, np.ndarray]:
    chance = np.random.default_rng(seed)
    design = np.column_stack([np.ones(count), chance.standard_normal((count, 2))])
    logit = design @ np.array([0.3, -0.8, 0.5])
    share = np.where(chance.random(count) < 0.2, 0.5, chance.random(count) < 1 / (1 + np.exp(-logit)))
    return design, share, chance.uniform(0.5, 2, count), renumbered(chance.integers(0, clusters, count))


@pytest.mark.parametrize("seed", range(5))
def test_without_a_prior_the_coefficients_are_those_of_statsmodels(seed: int) -> None:
    design, share, weight, cluster = sample(seed)
    theirs = sm.GLM(share, design, family=sm.families.Binomial(), var_weights=weight).fit(tol=1e-12)
    ours = logistic(design, share, weight, cluster, NONE)
    np.testing.assert_allclose(ours.coefficients, theirs.params, atol=1e-8)


@pytest.mark.parametrize("seed", range(5))
def test_with_many_small_clusters_the_covariance_is_that_of_statsmodels(seed: int) -> None:
    """Without weights: with them it warns that it does not know clusters."""
    design, share, _, cluster = sample(seed, 6_000, 2_000)
    options = {"groups": cluster, "use_correction": False}
    theirs = sm.GLM(share, design, family=sm.families.Binomial()).fit(cov_type="cluster", cov_kwds=options)
    ours = logistic(design, share, np.ones(6_000), cluster, NONE)
    np.testing.assert_allclose(ours.covariance, theirs.cov_params(), rtol=2e-2, atol=1e-6)


@pytest.mark.parametrize("seed", range(3))
def test_with_few_clusters_the_covariance_is_near_the_jackknife(seed: int) -> None:
    """The obvious way: fit anew without each cluster in turn."""
    design, share, weight, cluster = sample(seed, 600, 8)
    precision = 0.1 * np.eye(3)
    ours = logistic(design, share, weight, cluster, precision)
    left_out = []
    for each in range(8):
        kept = cluster != each
        without = logistic(design[kept], share[kept], weight[kept], renumbered(cluster[kept]), precision)
        left_out.append(without.coefficients - ours.coefficients)
    inverse = np.linalg.inv(logistic(design, share, weight, np.zeros_like(cluster), precision).covariance)
    spread = np.array(left_out).T @ np.array(left_out) * 7 / 8
    prior = np.linalg.inv(inverse) @ precision @ np.linalg.inv(inverse)
    np.testing.assert_allclose(np.diag(ours.covariance), np.diag(spread + prior), rtol=0.1)


@pytest.mark.parametrize("seed", range(3))
def test_a_prior_is_as_rows_of_statsmodels_penalty(seed: int) -> None:
    """At the maximum the slope of the likelihood is what the prior pulls back."""
    design, share, weight, cluster = sample(seed, 50, 10)
    precision = np.diag([0.1, 0.5, 2.0])
    ours = logistic(design, share, weight, cluster, precision).coefficients
    slope = sm.GLM(share, design, family=sm.families.Binomial(), var_weights=weight).score(ours)
    np.testing.assert_allclose(slope, precision @ ours, atol=1e-6)


def test_many_rows_begun_from_a_part_end_where_few_begun_from_nothing_end() -> None:
    design, share, weight, cluster = sample(1, 1_000)
    many = [np.tile(each, (120, *[1] * (each.ndim - 1))) for each in (design, share, weight, cluster)]
    whole = logistic(many[0], many[1].ravel(), many[2].ravel(), many[3].ravel(), NONE)
    np.testing.assert_allclose(
        whole.coefficients, logistic(design, share, weight, cluster, NONE).coefficients, atol=1e-8
    )


def test_no_rows_give_the_prior() -> None:
    nothing = logistic(np.zeros((0, 3)), np.zeros(0), np.zeros(0), np.zeros(0, np.int64), 0.1 * np.eye(3))
    assert nothing.coefficients.tolist() == [0, 0, 0]
    np.testing.assert_allclose(nothing.covariance, 10 * np.eye(3))
    assert nothing.clusters == 0


def test_one_cluster_counts_its_rows_as_independent() -> None:
    design, share, weight, _ = sample(2)
    one = logistic(design, share, weight, np.zeros(len(share), np.int64), 0.1 * np.eye(3))
    fitted = 1 / (1 + np.exp(-design @ one.coefficients))
    curvature = design.T @ (design * (weight * fitted * (1 - fitted))[:, None]) + 0.1 * np.eye(3)
    np.testing.assert_allclose(one.covariance, np.linalg.inv(curvature), atol=1e-12)
    assert one.quantile == pytest.approx(student_t.ppf(0.975, 1))


def test_rows_that_are_separated_have_finite_coefficients() -> None:
    design = np.column_stack([np.ones(40), np.repeat([-1.0, 1.0], 20)])
    share = np.repeat([0.0, 1.0], 20)
    found = logistic(design, share, np.ones(40), np.arange(40), 0.1 * np.eye(2))
    assert np.isfinite(found.coefficients).all()
    assert found.coefficients[1] > 2
    assert (np.diag(found.covariance) > 0).all()


@pytest.mark.parametrize("wins", [4, 6, 10, 20])
def test_a_sweep_claims_no_more_than_a_count_of_wins_does(wins: int) -> None:
    """The lower end beside that of Jeffreys' interval for a share of all."""
    found = logistic(np.ones((wins, 1)), np.ones(wins), np.ones(wins), np.arange(wins), 0.1 * np.eye(1))
    low = found.coefficients[0] - found.quantile * found.covariance[0, 0] ** 0.5
    assert 1 / (1 + np.exp(-low)) < beta.ppf(0.025, wins + 0.5, 0.5)


@pytest.mark.parametrize("seed", range(4))
def test_in_no_direction_is_the_middle_below_a_part_of_the_models(seed: int) -> None:
    chance = np.random.default_rng(seed)
    scores, rows = chance.standard_normal((2, 4)), chance.standard_normal((50, 4))
    middle, model = scores.T @ scores, rows.T @ rows
    held = _floored(middle, model)
    assert np.linalg.eigvalsh(held - LEAST * model).min() > -1e-9
    assert np.linalg.eigvalsh(held - middle).min() > -1e-9
    np.testing.assert_allclose(_floored(model, model), model)


def test_rows_cast_again_by_the_same_cluster_say_nothing_more() -> None:
    design, share, weight, _ = sample(3, 300)
    alone = np.arange(300)
    once = logistic(design, share, weight, alone, NONE)
    again = logistic(np.repeat(design, 5, axis=0), np.repeat(share, 5), np.repeat(weight, 5), np.repeat(alone, 5), NONE)
    np.testing.assert_allclose(again.coefficients, once.coefficients, atol=1e-8)
    np.testing.assert_allclose(again.covariance, once.covariance, rtol=1e-6)


@given(st.lists(st.integers(0, 40), min_size=1))
def test_codes_renumbered_have_the_same_order_and_no_gap(codes: list[int]) -> None:
    found = renumbered(np.array(codes))
    assert set(found.tolist()) == set(range(len(set(codes))))
    assert np.array_equal(np.argsort(found, kind="stable"), np.argsort(codes, kind="stable"))


@given(st.lists(st.floats(0.1, 100), min_size=1, max_size=30))
def test_clusters_count_as_fewer_the_less_equal_they_are(sizes: list[float]) -> None:
    assert 1 - 1e-9 <= effective(np.array(sizes)) <= len(sizes) + 1e-9
    assert effective(np.full(7, sizes[0])) == pytest.approx(7)


@pytest.mark.parametrize(("clusters", "freedom"), [(0, 1), (1, 1), (2, 1), (3.5, 2.5), (40, 39)])
def test_the_quantile_is_students_with_one_less_than_clusters(clusters: float, freedom: float) -> None:
    assert student(clusters) == pytest.approx(student_t.ppf(0.975, freedom))
