"""What clients send is read or refused."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from medinject_demo.domain import MIXTURES, Answer, FinishReason, Verdict
from medinject_demo.errors import InvalidValue, MedInjectError, Refused
from medinject_demo.pairing import pairs
from medinject_demo.votes.records import Ballot, Counts, Criterion, PairCount, Profile, Style


@given(
    st.sampled_from(Verdict),
    st.tuples(*[st.frozensets(st.sampled_from(Criterion))] * 2),
    st.sampled_from(Profile),
)
def test_a_ballot_is_read_from_names(
    verdict: Verdict, criteria: tuple[frozenset[Criterion], ...], profile: Profile
) -> None:
    named = [[str(each) for each in side] for side in criteria]
    assert Ballot.read(str(verdict), named, " Clair. ", str(profile)) == Ballot(verdict, criteria, "Clair.", profile)


@given(st.text(max_size=80))
def test_a_verdict_outside_the_list_is_refused_with_the_list(verdict: str) -> None:
    if verdict not in list(Verdict):
        with pytest.raises(InvalidValue, match="expected one of left, right, both_good, both_bad, unsure, got"):
            Ballot.read(verdict)


@pytest.mark.parametrize("verdict", [None, 0, ["left"], {"left": 1}, True], ids=repr)
def test_a_verdict_that_is_no_name_is_refused(verdict: object) -> None:
    with pytest.raises(InvalidValue, match=r"^verdict"):
        Ballot.read(verdict)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("given", "what"),
    [
        ({"criteria": [["beauty"], []]}, "criterion"),
        ({"criteria": [["clarity"]]}, "criteria"),
        ({"criteria": [[], [], []]}, "criteria"),
        ({"profile": "president"}, "profile"),
    ],
)
def test_what_is_not_known_is_refused_by_its_name(given: dict[str, object], what: str) -> None:
    with pytest.raises(InvalidValue, match=f"^{what}"):
        Ballot.read("left", **given)  # type: ignore[arg-type]


@pytest.mark.parametrize("comment", ["a" * 2001, "nul\0", "06 12 34 56 78"], ids=["long", "control", "personal"])
def test_a_comment_that_may_not_be_kept_is_refused(comment: str) -> None:
    with pytest.raises(Refused, match=r"^comment"):
        Ballot.read("left", comment=comment)


def test_a_long_forgery_is_not_repeated_whole() -> None:
    with pytest.raises(MedInjectError) as refused:
        Ballot.read("x" * 10_000)
    assert len(str(refused.value)) < 200


def test_the_style_of_an_answer_is_its_length_and_its_markdown() -> None:
    text = "## Titre\n\n**Gras** 💪\n- un"
    assert Style.of(Answer(MIXTURES[0], "", text, FinishReason.STOP, 1, 1.0)) == Style(6, 1, 1, 1, 1)


def test_coverage_is_the_share_of_pairs_with_a_verdict_that_counts() -> None:
    table = {pair: PairCount(battles=1, unsure=place % 2) for place, pair in enumerate(pairs())}
    counts = Counts(28, 28, 28, 1, 0, table)
    assert (counts.met, counts.coverage) == (14, 0.5)


def test_votes_are_those_that_count_those_after_the_reveal_and_the_suspect_ones() -> None:
    assert Counts(9, 4, 10, 3, 2, {}, suspect=1).counted == 7


def test_the_names_kept_do_not_change() -> None:
    assert [*Criterion] == [
        "consensus",
        "accuracy",
        "completeness",
        "usefulness",
        "clarity",
        "safety",
        "harm",
        "off_topic",
        "instructions_ignored",
    ]
    assert [*Profile] == [
        "undeclared",
        "physician",
        "resident",
        "health_student",
        "other_health",
        "researcher",
        "public",
    ]
