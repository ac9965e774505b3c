"""Kept answers come back by what was asked and what answered; the oldest make room."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from medinject_demo.domain import MIXTURES, Sampling
from medinject_demo.votes.database import Database
from medinject_demo.votes.kept import KeptAnswers

from .samples import answer

PRINTS = {mixture: f"print-{mixture}" for mixture in MIXTURES}
GREEDY = Sampling()


def test_answers_read_back_as_kept_and_say_so(database: Database) -> None:
    kept = KeptAnswers(database)
    given = [answer(arm, f"Œdème {arm} 💪") for arm in MIXTURES[:3]]
    kept.keep("p", GREEDY, given)
    assert kept.find("p", GREEDY, PRINTS) == {each.mixture: replace(each, cached=True) for each in given}


def test_another_prompt_sampling_fingerprint_or_precision_has_none(database: Database) -> None:
    kept, arm = KeptAnswers(database, setting="int8"), MIXTURES[1]
    kept.keep("p", GREEDY, [answer(arm)])
    assert kept.find("q", GREEDY, PRINTS) == {}
    assert kept.find("p", Sampling(max_new_tokens=3), PRINTS) == {}
    assert kept.find("p", GREEDY, {arm: "another"}) == {}
    assert KeptAnswers(database, setting="none").find("p", GREEDY, PRINTS) == {}
    assert KeptAnswers(database, setting="int8").find("p", GREEDY, PRINTS).keys() == {arm}


def test_the_first_answer_kept_stays(database: Database) -> None:
    kept = KeptAnswers(database)
    for text in ("un", "deux"):
        kept.keep("p", GREEDY, [answer(MIXTURES[0], text)])
    assert kept.find("p", GREEDY, PRINTS)[MIXTURES[0]].text == "un"


def test_there_is_a_most_and_the_oldest_go(database: Database) -> None:
    start = datetime(2026, 11, 27, tzinfo=UTC)
    times = iter(start + timedelta(seconds=each) for each in range(100))
    kept = KeptAnswers(database, most=3, now=lambda: next(times))
    for number in range(6):
        kept.keep(str(number), GREEDY, [answer(MIXTURES[0])])
    assert [bool(kept.find(str(number), GREEDY, PRINTS)) for number in range(6)] == [False] * 3 + [True] * 3


def test_25_that_keep_the_same_at_once_keep_it_once(database: Database) -> None:
    kept = KeptAnswers(database)
    with ThreadPoolExecutor(25) as pool:
        list(pool.map(lambda _: kept.keep("p", GREEDY, [answer(arm) for arm in MIXTURES]), range(25)))
    assert len(kept.find("p", GREEDY, PRINTS)) == 8


def test_text_that_no_database_takes_is_kept_without_what_is_refused(database: Database) -> None:
    kept = KeptAnswers(database)
    kept.keep("p", GREEDY, [answer(MIXTURES[0], "nul\0 demi\ud800")])
    assert kept.find("p", GREEDY, PRINTS)[MIXTURES[0]].text == "nul\ufffd demi?"
