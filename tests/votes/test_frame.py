"""The frame of the votes: one row for each comparison, the same whether read vote by vote or at once."""

from __future__ import annotations

import dataclasses
import math

import pandas as pd
import pytest

from medinject_demo.domain import MIXTURES, Battle, Kind, Prompt, Sampling, Turn, Verdict
from medinject_demo.votes.frame import COLUMNS, exact, frame, pair_propensity
from medinject_demo.votes.records import Ballot, Profile
from medinject_demo.votes.store import VoteStore

from .samples import BALLOT, LEFT, PROMPT, RIGHT, answer, ballot, battle

OPEN = Prompt(Kind.OEQ, "Pourquoi ?", reference="Parce que.", specialty="néphrologie")


def ranked(name: str) -> Battle:
    answers = tuple(
        answer(mixture, text) for mixture, text in zip(MIXTURES[2:6], ["A", "B", "(A,C)", "mot"], strict=True)
    )
    return Battle(name, PROMPT, Sampling(), answers, 1 / math.comb(8, 4), "owner")


@pytest.fixture
def filled(store: VoteStore) -> VoteStore:
    follow_up = Turn("Et ?", Sampling(), (answer(LEFT, "encore **un** mot"), answer(RIGHT, "rien")))
    store.cast(battle("one"), "a", BALLOT, equivalent=(True, None), seconds=3.5)
    store.cast(battle("two", LEFT, RIGHT, follow_up, prompt=OPEN), "b", ballot(Verdict.BOTH_BAD), seconds=None)
    store.cast(battle("one"), "b", ballot(Verdict.UNSURE), blind=False)
    store.cast(ranked("three"), "c", Ballot.ranked([2, 1, 2, 3], profile="physician"), equivalent=(None,) * 4)
    store.cast(battle("four", RIGHT, LEFT), "a", ballot(Verdict.RIGHT))
    store.cast(battle("four", RIGHT, LEFT), "a", None)
    return store


def test_a_vote_is_a_row_and_a_ranking_of_four_is_six(filled: VoteStore) -> None:
    rows = filled.frame()
    assert tuple(rows.columns) == COLUMNS
    assert rows["battle"].tolist() == ["one", "two", "one", *["three"] * 6]
    ranking = rows[rows["battle"] == "three"]
    assert ranking["ballot"].nunique() == 1
    assert ranking["verdict"].tolist() == ["right", "both_good", "left", "left", "left", "left"]
    assert ranking["profile"].unique().tolist() == [Profile.PHYSICIAN]
    assert ranking["propensity"].tolist() == pytest.approx([1 / 28] * 6)


def test_a_row_says_what_the_vote_and_its_battle_were(filled: VoteStore) -> None:
    first, second, *_ = filled.frame().to_dict("records")
    assert (first["left"], first["right"], first["verdict"]) == (LEFT.slug, RIGHT.slug, "left")
    assert (first["prompt"], first["kind"], first["specialty"]) == (PROMPT.id, "mcq", "cardiologie")
    assert (first["words_left"], first["words_right"]) == (4, 3)
    assert (first["headers_left"], first["bold_left"], first["emoji_left"], first["lists_left"]) == (1, 1, 1, 0)
    assert (first["seconds"], first["turns"], first["blind"], first["suspect"]) == (3.5, 1, True, False)
    assert first["equivalent_left"]
    assert pd.isna(first["equivalent_right"])
    assert (second["turns"], second["words_left"], second["bold_left"]) == (2, 7, 2)
    assert pd.isna(second["exact_left"])


def test_reading_at_once_gives_what_the_plain_way_gives(filled: VoteStore) -> None:
    pd.testing.assert_frame_equal(filled.frame(), frame(filled.live_votes(), filled.battle))


def test_a_vote_that_is_doubted_stays_and_is_marked(filled: VoteStore) -> None:
    live = filled.live_votes()
    doubted = [dataclasses.replace(vote, reasons=frozenset({"burst"})) for vote in live[:1]]  # type: ignore[arg-type]
    assert frame(doubted)["suspect"].tolist() == [True]
    assert not frame(live)["suspect"].any()


def test_without_its_battle_no_two_votes_share_a_prompt(filled: VoteStore) -> None:
    rows = frame(filled.live_votes())
    assert rows["prompt"].tolist() == rows["battle"].tolist()
    assert rows["exact_left"].isna().all()


def test_no_vote_is_a_frame_of_all_columns(store: VoteStore) -> None:
    rows = store.frame()
    assert (len(rows), tuple(rows.columns)) == (0, COLUMNS)
    pd.testing.assert_frame_equal(rows, frame([]))


@pytest.mark.parametrize("text", ["A, C", "C A", "(A) (C)", "**A** et **C**", "Réponses : A, C.", "AC", "A\nC\n"])
def test_the_letters_of_the_reference_are_exact_in_any_order_and_dress(text: str) -> None:
    assert exact(text, "A, C")


@pytest.mark.parametrize(
    "text", ["", "A", "A, B, C", "A, C car le sodium baisse", "a, c", "La réponse est A, C", "Ac", "A, C" + "." * 100]
)
def test_other_letters_fewer_or_prose_are_not_exact(text: str) -> None:
    assert not exact(text, "A, C")


def test_each_pair_of_arms_drawn_together_is_as_probable_as_in_a_uniform_duel() -> None:
    for among in range(3, 9):
        for count in range(3, among + 1):
            assert pair_propensity(1 / math.comb(among, count), count) == pytest.approx(2 / (among * (among - 1)))


@pytest.mark.parametrize("equivalent", [(), (None,) * 2, (True,), (None,) * 9])
def test_a_ranking_that_an_earlier_import_kept_with_other_places_is_read(
    store: VoteStore, equivalent: tuple[bool | None, ...]
) -> None:
    store.cast(ranked("three"), "c", Ballot.ranked([2, 1, 2, 3]), equivalent=equivalent)
    rows = store.frame()
    pd.testing.assert_frame_equal(rows, frame(store.live_votes(), store.battle))
    assert len(rows) == 6


def test_a_ranking_that_an_earlier_import_kept_beside_a_verdict_is_a_ranking(store: VoteStore) -> None:
    both = dataclasses.replace(Ballot.ranked([2, 1, 2, 3]), verdict=Verdict.UNSURE)
    store.cast(ranked("three"), "c", both, equivalent=(None,) * 4)
    rows = store.frame()
    pd.testing.assert_frame_equal(rows, frame(store.live_votes(), store.battle))
    assert len(rows) == sum(each.votes for each in store.counts().pairs.values()) == 6
