"""What decides votes beside the arms, found where it was planted."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from medinject_demo.stats.bias import Bias, bias
from medinject_demo.stats.preference import STYLES, fit
from medinject_demo.stats.shares import share

from .votes import drawn, votes


def of(frame: pd.DataFrame) -> Bias:
    return bias(frame, fit(frame, styles=STYLES))


def test_the_left_that_wins_too_often_is_found() -> None:
    said = [("nat", "trad", "left"), ("trad", "nat", "left")] * 60 + [("nat", "trad", "right")] * 20
    said += [("trad", "nat", "right")] * 20
    found = of(votes(said)).position
    assert found.left_wins.value == pytest.approx(0.75, abs=0.01)
    assert found.left_wins.low > 0.5
    assert found.observed is not None
    assert found.observed.value == pytest.approx(0.75, abs=0.01)


def test_an_arm_that_is_always_left_and_wins_is_no_bias_for_sure() -> None:
    """Side and arm cannot be told apart: the interval says so."""
    said = [("nat", "trad", "left")] * 90 + [("nat", "trad", "right")] * 10
    assert of(votes(said)).position.left_wins.low < 0.5


def test_longer_answers_that_win_are_counted_among_those_of_different_lengths() -> None:
    said = [("nat", "trad", "left")] * 8 + [("nat", "trad", "right")] * 2 + [("nat", "trad", "both_good")] * 5
    frame = votes(said, words_left=[9] * 8 + [9] * 2 + [9] * 5, words_right=[3] * 8 + [3, 9] + [3] * 5)
    found = of(frame).length
    assert found.longer_wins is not None
    assert found.longer_wins.value == pytest.approx(8 / 9, abs=0.03)
    assert found.words is not None
    assert (found.words.count, found.words.least, found.words.most) == (30, 3, 9)


def test_shares_of_ties_are_of_all_comparisons() -> None:
    said = [("nat", "trad", "left")] * 50
    said += [("nat", "trad", "both_bad")] * 30 + [("nat", "trad", "both_good")] * 10 + [("nat", "trad", "unsure")] * 10
    found = of(votes(said))
    shares = [each.value for each in (found.ties, found.both_bad, found.unsure) if each is not None]
    assert shares == pytest.approx([0.4, 0.3, 0.1], abs=0.01)


def test_seconds_and_votes_of_a_voter_are_spread() -> None:
    frame = votes([("nat", "trad", "left")] * 5, voter=["a", "a", "a", "b", "c"], seconds=[1, 2, 3, 4, None])
    found = of(frame)
    assert found.seconds is not None
    assert (found.seconds.count, found.seconds.median) == (4, 2.5)
    assert found.voters.votes is not None
    assert (found.voters.votes.count, found.voters.votes.median, found.voters.votes.most) == (3, 1, 3)
    assert found.voters.busiest_share == 0.6
    assert found.voters.effective == pytest.approx(25 / 11)


def test_a_ranking_is_one_vote_of_its_voter() -> None:
    frame = votes([("nat", "trad", "left")] * 3, voter=["a"] * 3).assign(ballot="one")
    found = of(frame).voters.votes
    assert found is not None
    assert found.most == 1


def repeated(first: str, second: str, pairs: int = 10) -> pd.DataFrame:
    """Two voters on each of some prompts, sides changed for the second."""
    frame = votes(
        [("nat", "trad", first), ("trad", "nat", second)] * pairs,
        prompt=[f"prompt {number // 2}" for number in range(2 * pairs)],
    )
    some = np.arange(2 * pairs) % 4 < 2
    turned = frame["verdict"].where(some, frame["verdict"].map({"left": "right", "right": "left"}))
    return frame.assign(verdict=turned.astype(frame["verdict"].dtype))


def test_voters_who_agree_whatever_the_side_have_alpha_1() -> None:
    found = of(repeated("left", "right")).agreement
    assert (found.alpha, found.cases, found.votes) == (pytest.approx(1), 10, 20)


def test_voters_who_always_disagree_have_alpha_below_0() -> None:
    found = of(repeated("left", "left")).agreement
    assert found.alpha is not None
    assert found.alpha < 0


def test_alpha_is_krippendorffs_of_the_table_of_voters() -> None:
    """The slow obvious way: a row for each voter, a column for each case, in both orders of its arms."""
    import krippendorff

    frame = drawn(150, voters=6)
    frame = frame[frame["verdict"] != "unsure"].drop_duplicates(["prompt", "left", "right", "voter"])
    table: dict[str, dict[str, float]] = {}
    for row in frame.to_dict("records"):
        share = {"left": 1.0, "right": 0.0}.get(row["verdict"], 0.5)
        for arms, first in (((row["left"], row["right"]), share), ((row["right"], row["left"]), 1 - share)):
            table.setdefault(row["voter"], {})[f"{row['prompt']} {'+'.join(arms)}"] = first
    cases = sorted({case for each in table.values() for case in each})
    seen = [[each.get(case, np.nan) for case in cases] for each in table.values()]
    wanted = krippendorff.alpha(reliability_data=seen, level_of_measurement="ordinal", value_domain=[0.0, 0.5, 1.0])
    assert of(frame).agreement.alpha == pytest.approx(wanted)


def test_one_voter_on_each_prompt_tells_no_agreement() -> None:
    found = of(votes([("nat", "trad", "left")] * 5)).agreement
    assert (found.alpha, found.cases) == (None, 0)


def test_votes_for_the_equivalent_answer_are_counted_where_one_alone_is() -> None:
    said = [("nat", "trad", "left")] * 10 + [("nat", "trad", "both_good")] * 3
    left = [True] * 6 + [False] * 2 + [True] * 2 + [True] * 3
    right = [False] * 6 + [True] * 2 + [True] * 2 + [False] * 3
    found = of(votes(said, equivalent_left=left, equivalent_right=right))
    assert found.equivalence_votes == 8
    assert found.equivalence is not None
    assert found.equivalence.value == pytest.approx(0.75, abs=0.03)


def test_a_share_is_near_its_count_and_wider_for_fewer_voters() -> None:
    yes = np.arange(100) < 30
    many, few = share(yes, np.arange(100)), share(yes, np.arange(100) // 10)
    assert many is not None
    assert few is not None
    assert many.value == pytest.approx(0.3, abs=0.005)
    assert many.half_width < 0.5 * few.half_width
    assert share(yes[:0], np.zeros(0, np.int64)) is None


def ranking(name: str, seconds: float) -> pd.DataFrame:
    """Three answers in order, two of them tied."""
    said = [("nat", "trad", "both_good"), ("nat", "syn", "left"), ("trad", "syn", "left")]
    return votes(said, voter=[name] * 3, seconds=[seconds] * 3).assign(ballot=name, battle=name)


def test_shares_of_verdicts_are_of_duels_for_a_ranking_gives_none() -> None:
    duels = votes([("nat", "trad", "both_bad")] * 6 + [("nat", "trad", "left")] * 3 + [("nat", "trad", "unsure")])
    one, both = of(duels), of(pd.concat([duels, *(ranking(f"r{each}", 4) for each in range(9))], ignore_index=True))
    assert (both.ties, both.both_bad, both.unsure) == (one.ties, one.both_bad, one.unsure)


def test_the_time_of_a_ranking_is_counted_once() -> None:
    duels = votes([("nat", "trad", "left")] * 2, seconds=[1, 2])
    found = of(pd.concat([duels, ranking("r", 60)], ignore_index=True)).seconds
    assert found is not None
    assert (found.count, found.median) == (3, 2)
