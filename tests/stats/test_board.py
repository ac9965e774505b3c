"""The board: what it counts, what it says and when, and what it leaves open."""

from __future__ import annotations

import itertools
from datetime import UTC, datetime

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from medinject_demo.domain import BASE, MIXTURES
from medinject_demo.errors import InvalidData
from medinject_demo.stats.board import HOME, POINTS, Board, Rule, Standing, board
from medinject_demo.stats.comparisons import Comparisons, Tally
from medinject_demo.stats.selection import Selection, SetAside, select

from .votes import SLUGS, drawn, swapped, votes

NOW = datetime(2026, 11, 27, 12, tzinfo=UTC)
NAT, TRAD = MIXTURES[1], MIXTURES[2]


def of(frame: pd.DataFrame, selection: Selection = Selection()) -> Board:
    return board(frame, selection, as_of=NOW)


def one_sided(count: int, voters: int, share: float = 0.9) -> pd.DataFrame:
    """``nat`` meets the base on alternating sides and wins so many of its votes."""
    said = []
    for number in range(count):
        wins = number % 10 < 10 * share
        left = number // 10 % 2 == 0
        said.append((*(("nat", "base") if left else ("base", "nat")), "left" if wins == left else "right"))
    return votes(said, voter=[f"voter {number % voters}" for number in range(count)])


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 10_000), st.integers(0, 60))
def test_every_vote_is_counted_once_on_each_side(seed: int, count: int) -> None:
    frame = drawn(count, seed)
    whole = of(frame)
    assert (whole.comparisons, whole.ballots) == (count, count)
    assert sum(row.tally.votes for row in whole.rows) == 2 * count
    assert sum(row.tally.wins for row in whole.rows) == frame["verdict"].isin(["left", "right"]).sum()
    for row in whole.rows:
        beside = [whole.cells[row.arm, other].tally for other in MIXTURES if other != row.arm]
        assert sum(beside, Tally()) == row.tally
    for one, other in itertools.combinations(MIXTURES, 2):
        there, back = whole.cells[one, other].tally, whole.cells[other, one].tally
        assert (there.wins, there.losses, there.ties, there.unsure) == (back.losses, back.wins, back.ties, back.unsure)


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 10_000))
def test_the_sides_are_of_no_matter_to_the_board(seed: int) -> None:
    frame = drawn(80, seed)
    one, other = of(frame), of(swapped(frame))
    for row in one.rows:
        there = other.row(row.arm)
        assert (row.tally, row.voters, row.controlled.standing) == (
            there.tally,
            there.voters,
            there.controlled.standing,
        )
        assert row.controlled.points.low == pytest.approx(there.controlled.points.low, abs=1e-3)


def test_the_base_is_at_1000_and_the_others_where_their_difference_puts_them() -> None:
    whole = of(drawn(300))
    points = whole.row(BASE).raw.points
    assert (points.value, points.low, points.high) == (HOME, HOME, HOME)
    difference = whole.raw.difference(NAT, BASE)
    assert whole.row(NAT).raw.points.value == pytest.approx(HOME + POINTS * difference.value)
    assert whole.row(NAT).raw.points.high == pytest.approx(HOME + POINTS * difference.high)
    assert pytest.approx(400, rel=1e-6) == POINTS * 2.302585


def test_rows_come_by_strength_and_arms_without_votes_last() -> None:
    whole = of(one_sided(60, 12))
    assert [row.arm for row in whole.rows[:2]] == [NAT, BASE]
    assert all(row.tally.votes == 0 and row.failures is None for row in whole.rows[2:])
    points = [row.controlled.points.value for row in of(drawn(500)).rows]
    assert points == sorted(points, reverse=True)


def test_an_arm_is_ahead_once_it_is_sure_and_its_rival_behind() -> None:
    whole = of(one_sided(200, 20))
    assert whole.row(BASE).controlled.standing is Standing.REFERENCE
    assert whole.row(NAT).controlled.standing is Standing.AHEAD
    assert whole.cells[NAT, BASE].standing is Standing.AHEAD
    assert whole.cells[BASE, NAT].standing is Standing.BEHIND
    assert of(one_sided(200, 20, 0.1)).row(NAT).controlled.standing is Standing.BEHIND


def test_arms_are_level_only_where_the_interval_is_narrow() -> None:
    many, few = of(one_sided(600, 60, 0.5)), of(one_sided(40, 20, 0.5))
    assert many.row(NAT).controlled.standing is Standing.LEVEL
    assert many.row(NAT).controlled.points.half_width <= Rule().level_within
    assert few.row(NAT).controlled.points.half_width > Rule().level_within
    assert few.row(NAT).controlled.standing is Standing.TOO_FEW


def test_a_narrow_interval_that_reaches_far_to_one_side_is_not_level() -> None:
    row = of(one_sided(100, 100, 0.6)).row(NAT).controlled
    assert row.points.half_width <= Rule().level_within
    assert row.points.low < HOME < HOME + Rule().level_within < row.points.high
    assert row.standing is Standing.TOO_FEW


@pytest.mark.parametrize(("count", "voters"), [(18, 9), (200, 2)])
def test_too_few_votes_or_voters_say_nothing_however_one_sided(count: int, voters: int) -> None:
    whole = of(one_sided(count, voters, 1.0))
    assert {row.controlled.standing for row in whole.rows} == {Standing.TOO_FEW, Standing.REFERENCE}
    assert {cell.standing for cell in whole.cells.values()} == {Standing.TOO_FEW}
    assert {row.raw.ranks for row in whole.rows} == {(1, 8)}


def test_too_few_prompts_say_nothing_however_one_sided() -> None:
    frame = one_sided(200, 20, 1.0)
    two, three = (of(frame.assign(prompt=[str(number % count) for number in range(200)])) for count in (2, 3))
    assert {row.controlled.standing for row in two.rows} == {Standing.TOO_FEW, Standing.REFERENCE}
    assert {row.raw.ranks for row in two.rows} == {(1, 8)}
    assert three.row(NAT).controlled.standing is Standing.AHEAD
    assert (three.prompts, three.row(NAT).prompts, three.row(TRAD).prompts) == (3, 3, 0)


def test_a_row_is_provisional_below_so_many_prompts() -> None:
    frame = one_sided(300, 30)
    ten, nine = (of(frame.assign(prompt=[str(number % count) for number in range(300)])) for count in (10, 9))
    assert (ten.row(NAT).provisional, nine.row(NAT).provisional) == (False, True)


def test_lengths_that_never_overlap_tell_base_and_style_not_apart() -> None:
    frame = one_sided(200, 20)
    base_left = (frame["left"] == "base").to_numpy()
    left, right = base_left * 230 + 10, ~base_left * 230 + 10
    long = frame.assign(words_left=left, words_right=right)
    assert (of(long).apart, of(long).overlaps) == (1, False)
    short = frame.assign(words_left=right, words_right=left)
    assert (of(short).apart, of(short).overlaps) == (1, False)
    mixed = frame.assign(words_left=range(200), words_right=range(199, -1, -1))
    assert of(mixed).overlaps
    assert (of(frame).apart, of(frame).overlaps) == (0, True)
    assert (of(long.head(19)).apart, of(long.head(19)).overlaps) == (None, True)


def test_two_groups_of_arms_that_never_met_are_not_compared() -> None:
    said = [("nat", "base", "left"), ("base", "nat", "right")] * 60
    said += [("trad", "syn", "left"), ("syn", "trad", "right")] * 60
    whole = of(votes(said))
    assert whole.cells[TRAD, BASE].standing is Standing.TOO_FEW
    assert whole.cells[NAT, BASE].standing is Standing.AHEAD
    assert whole.met == 2


def test_ranks_leave_open_what_is_not_sure() -> None:
    open_ones = of(drawn(10))
    assert {row.raw.ranks for row in open_ones.rows} == {(1, 8)}
    best, worst = of(one_sided(400, 40)).row(NAT).raw.ranks
    assert (best, worst) == (1, 7)  # ahead of the base for sure; of the six others nothing is known


def test_a_row_is_provisional_below_so_many_votes_or_voters() -> None:
    assert not of(one_sided(100, 10)).row(NAT).provisional
    assert of(one_sided(99, 10)).row(NAT).provisional
    assert of(one_sided(100, 9)).row(NAT).provisional


def test_both_bad_is_a_rate_of_its_own_and_a_tie_in_the_model() -> None:
    said = [("nat", "trad", "both_bad")] * 30 + [("nat", "trad", "both_good")] * 10
    whole = of(votes(said))
    row = whole.row(NAT)
    assert (row.tally.both_bad, row.tally.both_good, row.tally.ties) == (30, 10, 40)
    assert row.failures is not None
    assert row.failures.value == pytest.approx(0.75, abs=0.02)
    assert row.failures.low < 0.75 < row.failures.high
    assert whole.raw.difference(NAT, TRAD).value == pytest.approx(0, abs=1e-9)


def test_votes_after_the_reveal_and_suspect_ones_do_not_count_but_are_said() -> None:
    frame = drawn(60)
    frame["blind"] = [number >= 10 for number in range(60)]
    frame["suspect"] = [number % 10 == 5 for number in range(60)]
    whole = of(frame)
    assert whole.set_aside == SetAside(not_blind=9, suspect=6)
    assert whole.comparisons == 45
    assert whole.raw == of(frame.drop(index=[*range(10), 15, 25, 35, 45, 55])).raw


def test_a_selection_takes_its_part_of_the_votes() -> None:
    frame = drawn(200).assign(profile=["physician" if number % 4 == 0 else "public" for number in range(200)])
    chosen, _ = select(frame, Selection(kind="mcq", profile="physician"))
    assert set(chosen["kind"]) == {"mcq"}
    assert set(chosen["profile"]) == {"physician"}
    assert len(chosen) == ((frame["kind"] == "mcq") & (frame["profile"] == "physician")).sum() > 0
    assert of(frame, Selection(specialty="none has it")).comparisons == 0


def test_a_ranking_is_one_ballot_of_one_voter() -> None:
    frame = votes([("nat", "trad", "left"), ("nat", "syn", "left"), ("trad", "syn", "both_good")], voter=["v"] * 3)
    whole = of(frame.assign(ballot="one", battle="one"))
    assert (whole.comparisons, whole.ballots, whole.voters) == (3, 1, 1)


def test_an_arm_or_a_verdict_that_nobody_knows_is_refused() -> None:
    with pytest.raises(InvalidData, match=r"^votes: left: expected one of base, .*, got 'other'"):
        Comparisons.of(drawn(3).assign(left=["nat", "other", "nat"]))
    with pytest.raises(InvalidData, match="votes: verdict"):
        Comparisons.of(drawn(3).assign(verdict="perhaps"))


def test_the_time_is_the_callers() -> None:
    assert of(drawn(5)).as_of == NOW


def test_every_arm_is_on_the_board() -> None:
    assert sorted(row.arm.slug for row in of(drawn(5)).rows) == sorted(SLUGS)


def shared(battles: int, guests: int) -> pd.DataFrame:
    """Duels that ``nat`` wins against the base, each shared with so many guests who all say the same."""
    said = [("nat", "base", "left") if battle % 2 else ("base", "nat", "right") for battle in range(battles)]
    frame = votes([each for each in said for _ in range(guests)])
    names = [f"battle {number // guests}" for number in range(battles * guests)]
    return frame.assign(battle=names, prompt=names)


def test_three_hundred_guests_of_one_duel_put_no_arm_ahead() -> None:
    whole = of(shared(1, 300))
    assert whole.row(NAT).controlled.standing is Standing.TOO_FEW
    assert whole.row(NAT).provisional
    told = board(shared(1, 300), rule=Rule(least_votes=1), as_of=NOW)
    assert {row.raw.standing for row in told.rows} == {Standing.TOO_FEW, Standing.REFERENCE}


@pytest.mark.parametrize("battles", [1, 8, 30])
def test_guests_of_the_same_duels_make_no_interval_narrower(battles: int) -> None:
    alone, together = (of(shared(battles, guests)).row(NAT).raw.points for guests in (1, 50))
    assert together.value == pytest.approx(alone.value, abs=1e-3)
    assert together.half_width >= 0.99 * alone.half_width


def test_the_votes_of_one_battle_weigh_together_as_one() -> None:
    frame = votes([("nat", "base", "left")] * 3 + [("base", "nat", "left")]).assign(battle=["shared"] * 3 + ["own"])
    frame["suspect"] = [True, False, False, False]
    counted, _ = select(frame)
    assert counted["weight"].tolist() == [0.5, 0.5, 1]


def ranked(count: int) -> pd.DataFrame:
    """Rankings of all eight by as many voters, all in the order of the study turned round."""
    pairs = list(itertools.combinations(SLUGS, 2))
    said = [((one, other, "right"), (other, one, "left")) for one, other in pairs]
    frame = votes([each[number % 2] for number in range(count) for each in said])
    names = [f"ranking {number // len(pairs)}" for number in range(count * len(pairs))]
    return frame.assign(ballot=names, battle=names, voter=names, cluster=names)


def test_a_ranking_is_one_battle_of_each_of_its_arms() -> None:
    assert {row.battles for row in of(ranked(3)).rows} == {3}
    assert {row.controlled.standing for row in of(ranked(3)).rows} == {Standing.TOO_FEW, Standing.REFERENCE}
    assert {row.raw.ranks for row in of(ranked(19)).rows} == {(1, 8)}
    assert Standing.AHEAD in {row.controlled.standing for row in of(ranked(20)).rows}
    assert all(row.provisional for row in of(ranked(99)).rows)


def test_rankings_say_nothing_of_failures_and_their_ties_have_a_name_of_their_own() -> None:
    duels = votes([("nat", "trad", "both_bad")] * 30 + [("nat", "trad", "both_good")] * 10)
    ranking = votes([("nat", "trad", "both_good"), ("nat", "syn", "left"), ("trad", "syn", "left")])
    rankings = [ranking.assign(ballot=f"r{one}", battle=f"r{one}") for one in range(50)]
    one, both = of(duels).row(NAT), of(pd.concat([duels, *rankings], ignore_index=True)).row(NAT)
    assert both.failures == one.failures
    assert (both.tally.both_good, both.tally.both_bad, both.tally.alike, both.tally.ties) == (10, 30, 50, 90)
    assert of(pd.concat(rankings, ignore_index=True)).row(NAT).failures is None
