"""The measures of the statistics: their voters are what is planted, and their figures are counted right."""

from __future__ import annotations

import json
from pathlib import Path
from random import Random

import numpy as np
import pytest
from click.testing import CliRunner

from medinject_demo.cli import cli
from medinject_demo.domain import MIXTURES, Provenance
from medinject_demo.errors import InvalidData
from medinject_demo.statistics_bench import oracles
from medinject_demo.statistics_bench.duels import needed, widest
from medinject_demo.statistics_bench.recovery import Found, recovered
from medinject_demo.statistics_bench.speed import full
from medinject_demo.statistics_bench.voters import Crowd, World, simulated
from medinject_demo.stats.comparisons import Comparisons
from medinject_demo.stats.preference import STYLES, fit

NOBODY = Crowd("", 60_000, 5_000, world=World(words=0.0, lists=0.0, unsure=0.0))


def test_the_mean_of_the_votes_on_a_pair_is_the_probability_planted() -> None:
    votes = Comparisons.of(simulated(NOBODY, np.random.default_rng(0)))
    strong, world = NOBODY.world.strengths, NOBODY.world
    for left, right in ((0, 7), (1, 2), (6, 3)):
        here = (votes.left == left) & (votes.right == right)
        chance = 1 / (1 + np.exp(-(strong[left] - strong[right] + world.position)))
        assert votes.share[here].mean() == pytest.approx(chance, abs=4 * 0.5 / here.sum() ** 0.5)


def test_strengths_are_made_of_the_effects_planted() -> None:
    """The factorial's own: the mean of the arms' signed strengths."""
    world = World()
    for of, size in world.effects:
        places = [tuple(Provenance).index(each) for each in of]
        signs = [np.prod([2 * arm.levels[place] - 1 for place in places]) for arm in MIXTURES]
        assert np.dot(signs, world.strengths) / 2 ** (3 - len(of)) == pytest.approx(size, abs=1e-9)


def test_a_voters_votes_depend_on_each_other() -> None:
    crowd = Crowd("", 4_000, 40, world=World(tastes=0.9, words=0, lists=0))
    votes = simulated(crowd, np.random.default_rng(1))
    by_voter = fit(votes).difference(MIXTURES[1], MIXTURES[0])
    alone = fit(votes.assign(cluster=range(len(votes)))).difference(MIXTURES[1], MIXTURES[0])
    assert by_voter.error > 1.3 * alone.error


def test_votes_cast_again_are_the_same_votes_of_the_same_voters() -> None:
    votes = simulated(Crowd("", 100, 10, copies=5), np.random.default_rng(2))
    assert len(votes) == 100
    assert votes["ballot"].nunique() == votes["battle"].nunique() == 100
    said = votes.drop(columns=["ballot", "battle"])
    for copy in range(1, 5):
        assert said[copy::5].reset_index(drop=True).equals(said[::5].reset_index(drop=True))


def test_a_seed_draws_the_same_votes() -> None:
    one, other = (simulated(NOBODY, np.random.default_rng(3)) for _ in range(2))
    assert one.equals(other)


def test_what_is_planted_is_found_again_and_the_raw_model_is_wrong() -> None:
    crowd = Crowd("some", 2_000, 200)
    controlled, raw = recovered(crowd, ("controlled", "raw"), 40, 1, lambda done: None)
    low, mean, _ = controlled.coverages
    assert mean > 0.9
    assert low > 0.8
    assert abs(controlled.worst_bias.bias) < 0.6 * controlled.worst_bias.deviation
    wrong = [each for each in raw.found if each.name == "nat less base"]
    assert wrong[0].coverage < 0.1
    assert wrong[0].wrong_sign > 0.9
    assert [each.name for each in controlled.found][-2:] == ["position", "length"]
    assert len(controlled.found) == 16
    assert len(raw.found) == 15


def test_naive_intervals_fail_where_votes_are_cast_over_and_over() -> None:
    crowd = Crowd("again", 1_500, 100, copies=5)
    controlled, naive = recovered(crowd, ("controlled", "naive"), 40, 2, lambda done: None)
    assert naive.coverages[1] < 0.75
    assert controlled.coverages[1] > 0.9


def test_intervals_by_voter_alone_fail_where_prompts_come_again() -> None:
    crowd = Crowd("again", 3_000, 150, prompts=20)
    controlled, by_voter = recovered(crowd, ("controlled", "by voter"), 40, 3, lambda done: None)
    assert by_voter.coverages[1] < 0.85
    assert controlled.coverages[1] > 0.92


def test_the_mean_of_the_votes_is_the_probability_planted_where_prompts_come_again() -> None:
    """Over prompts: on one of them the answers are what they are."""
    crowd = Crowd("", 60_000, 5_000, world=NOBODY.world, prompts=2_000)
    votes = Comparisons.of(simulated(crowd, np.random.default_rng(0)))
    assert votes.prompts == 2_000
    here = (votes.left == 0) & (votes.right == 7)
    logit = crowd.world.strengths[0] - crowd.world.strengths[7] + crowd.world.position
    assert votes.share[here].mean() == pytest.approx(1 / (1 + np.exp(-logit)), abs=5 * 0.5 / here.sum() ** 0.5)


def test_a_bias_has_the_error_of_so_many_runs() -> None:
    found = Found("x", 1.0, 1.2, 0.5, 100, 0.95, 0.0)
    assert found.bias == pytest.approx(0.2)
    assert found.bias_error == pytest.approx(0.05)


def test_the_pairing_needs_fewer_votes_where_the_base_is_far_from_the_others() -> None:
    strong = (-2.5, 0.0, 0.1, 0.2, 0.1, 0.2, 0.3, 0.4)
    uniform, active = (
        sum(needed(strong, Random(seed), active=way, target=0.9) for seed in range(6)) for way in (False, True)
    )
    assert active < 0.85 * uniform


def test_the_widest_interval_shrinks_with_the_root_of_the_votes() -> None:
    met = np.full(28, 100.0)
    assert widest(4 * met, 2 * met) == pytest.approx(widest(met, met / 2) / 2, rel=0.01)


def test_a_full_frame_has_what_the_board_reads() -> None:
    frame = full(200)
    assert {"kind", "specialty", "profile", "prompt", "seconds", "equivalent_left", "exact_right"} <= set(frame.columns)
    assert {f"{name}_left" for name in STYLES} <= set(frame.columns)


def test_the_examples_are_those_published() -> None:
    assert len(oracles.food()) == 30
    assert len(oracles.baseball()) == 21 * 13
    assert {share for *_, share in oracles.food()} == {0.0, 0.5, 1.0}


def test_a_file_of_evalicas_columns_is_read_and_another_refused(tmp_path: Path) -> None:
    good, bad = tmp_path / "good.csv", tmp_path / "bad.csv"
    good.write_text("left,right,winner\nA,B,left\nB,A,tie\n", encoding="utf-8")
    bad.write_text("left,right,verdict\nA,B,left\n", encoding="utf-8")
    assert oracles.read(good) == [("A", "B", 1.0), ("B", "A", 0.5)]
    with pytest.raises(InvalidData, match="expected columns left, right and winner"):
        oracles.read(bad)


def test_the_command_writes_its_part_of_the_document_and_leaves_the_rest(tmp_path: Path) -> None:
    page = tmp_path / "statistics.md"
    page.write_text(
        "before\n<!-- statistics: generated -->\nstale figures\n<!-- statistics: end -->\nafter\n", encoding="utf-8"
    )
    small = ["--runs", "3", "--duels", "2", "--repeats", "1", "--size", "300", "--read", "20"]
    result = CliRunner().invoke(cli, ["bench", "statistics", *small, "--json", "--output", str(page)])
    assert result.exit_code == 0, result.stderr
    document = json.loads(result.stdout)
    assert document["runs"] == 3
    assert {each["way"] for each in document["recoveries"]} == {"controlled", "raw", "naive", "by voter"}
    assert document["agreements"][0]["apart"] < 1e-6
    text = page.read_text(encoding="utf-8")
    assert text.startswith("before\n")
    assert text.endswith("after\n")
    assert "stale figures" not in text
    for said in ("### Planted truths", "evalica", "### Time", "fewer votes"):
        assert said in text


def test_a_document_without_markers_is_refused_before_the_work(tmp_path: Path) -> None:
    page = tmp_path / "statistics.md"
    page.write_text("no marker", encoding="utf-8")
    for place in (page, tmp_path / "none.md"):
        result = CliRunner().invoke(cli, ["bench", "statistics", "--output", str(place)])
        assert result.exit_code == 1
        assert len(result.stderr.splitlines()) == 1
        assert "expected" in result.stderr
