"""Each rule at its threshold, and what it leaves alone."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from fractions import Fraction
from math import comb
from random import Random

import pytest

from medinject_demo.domain import Verdict
from medinject_demo.votes.suspicion import (
    CHANCE,
    MINUTE,
    MOST_A_MINUTE,
    MOST_TIMES,
    REACTION,
    RULES,
    WINDOW,
    Cast,
    Doubt,
    burst,
    doubts,
    least_of_one_side,
    least_seconds,
    one_side,
    same_question,
    too_fast,
)

START = datetime(2026, 11, 27, tzinfo=UTC)


def cast(number: int, verdict: Verdict | None = Verdict.BOTH_GOOD, *, apart: float = 30.0, **changes: object) -> Cast:
    at = START + timedelta(seconds=number * apart)
    return replace(Cast(f"vote {number}", at, f"prompt {number}", verdict, 40, 5.0, 20.0), **changes)  # type: ignore[arg-type]


def sided(sides: Iterable[Verdict]) -> list[Cast]:
    return [cast(number, side) for number, side in enumerate(sides)]


def names(numbers: Iterable[int]) -> frozenset[str]:
    return frozenset(f"vote {number}" for number in numbers)


def test_a_vote_before_an_eye_can_follow_is_doubted_and_one_just_after_is_not() -> None:
    votes = [cast(0, seconds=REACTION - 0.001), cast(1, seconds=REACTION)]
    assert too_fast(votes) == names([0])


def test_words_that_could_not_be_seen_as_they_came_take_their_time_at_the_end() -> None:
    assert least_seconds(40, streamed=0.0) == pytest.approx(REACTION + 0.8)
    assert least_seconds(40, streamed=5.0) == REACTION
    assert too_fast([cast(0, words=40, streamed=0.0, seconds=1.0)]) == names([0])


def test_nobody_has_to_read_a_long_answer_to_its_end() -> None:
    assert least_seconds(5_000, streamed=0.0) == least_seconds(100, streamed=0.0) < 2.5


def test_a_vote_whose_time_is_not_known_is_not_too_fast() -> None:
    assert too_fast([cast(0, seconds=None)]) == frozenset()


def test_the_least_on_one_side_is_where_a_fair_coin_gets_below_one_in_a_million() -> None:
    for votes in range(1, WINDOW + 1):
        least = least_of_one_side(votes)
        tails = {
            k: Fraction(2 * sum(comb(votes, i) for i in range(k, votes + 1)), 2**votes) for k in (least - 1, least)
        }
        assert tails[least - 1] >= Fraction(CHANCE)
        assert tails[least] < Fraction(CHANCE)
    assert (least_of_one_side(20), least_of_one_side(21), least_of_one_side(30)) == (21, 21, 28)


def test_twenty_one_times_the_same_side_are_doubted_and_twenty_are_not() -> None:
    assert one_side(sided([Verdict.LEFT] * 20)) == frozenset()
    assert one_side(sided([Verdict.LEFT] * 21)) == names(range(21))


def test_two_of_thirty_for_the_other_side_do_not_hide_it() -> None:
    sides = [Verdict.RIGHT] * 30
    sides[9] = sides[19] = Verdict.LEFT
    assert one_side(sided(sides)) == names(range(30))


def test_verdicts_for_no_side_and_those_after_the_reveal_are_no_part_of_it() -> None:
    mixed = [cast(number, Verdict.LEFT if number % 2 else Verdict.BOTH_BAD) for number in range(40)]
    assert one_side(mixed) == frozenset()
    assert one_side([replace(each, blind=False) for each in sided([Verdict.LEFT] * 40)]) == frozenset()
    assert one_side([cast(number, None) for number in range(40)]) == frozenset()


def test_what_was_said_long_before_a_run_is_left_alone() -> None:
    random = Random(1)
    honest = [random.choice((Verdict.LEFT, Verdict.RIGHT)) for _ in range(60)]
    doubted = one_side(sided([*honest, *[Verdict.LEFT] * WINDOW]))
    assert names(range(60, 90)) <= doubted
    assert not doubted & names(range(50))


def test_a_slight_preference_for_a_side_over_hundreds_of_votes_is_no_abuse() -> None:
    random = Random(2)
    sides = [Verdict.LEFT if random.random() < 0.6 else Verdict.RIGHT for _ in range(500)]
    assert one_side(sided(sides)) == frozenset()


def test_one_vote_more_than_a_minute_has_time_for_makes_a_burst_of_all_of_them() -> None:
    apart = MINUTE.total_seconds() / (MOST_A_MINUTE + 1)
    within = [cast(number, apart=apart) for number in range(MOST_A_MINUTE + 1)]
    assert burst(within) == names(range(MOST_A_MINUTE + 1))
    assert burst(within[:-1]) == frozenset()
    assert burst([cast(number, apart=4.0) for number in range(100)]) == frozenset()


def test_a_burst_leaves_the_calm_before_and_after_it_alone() -> None:
    quick = [cast(number, apart=1.0, at=START + timedelta(hours=1, seconds=number)) for number in range(10, 40)]
    late = cast(99, at=START + timedelta(hours=2))
    assert burst([cast(0), cast(1), *quick, late]) == names(range(10, 40))


def test_a_question_may_be_judged_once_for_each_pair_and_no_more() -> None:
    again = [cast(number, prompt="the same") for number in range(MOST_TIMES + 2)]
    assert MOST_TIMES == 28
    assert same_question(again) == names([28, 29])
    assert same_question([cast(number) for number in range(100)]) == frozenset()


def test_all_rules_are_applied_and_each_doubt_names_its_rule() -> None:
    assert set(RULES) == set(Doubt)
    bot = [cast(number, Verdict.LEFT, apart=1.0, prompt="the same", seconds=0.1) for number in range(40)]
    found = doubts(bot)
    assert {doubt for vote, doubt in found if vote == "vote 39"} == set(Doubt)
    assert doubts([]) == frozenset()


def test_the_names_kept_do_not_change() -> None:
    assert [*Doubt] == ["too_fast", "one_side", "burst", "same_question"]
