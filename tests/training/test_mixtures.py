from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from medinject_demo.domain import ARMS, BASE, STUDY_SIZE, Kind, Mixture, Prompt, Provenance
from medinject_demo.errors import InvalidValue, NotEnoughRows
from medinject_demo.training.mixtures import blend, data_fingerprint, dealt, shares

ALL = Mixture.parse("all")
arms = st.sampled_from(ARMS)


def pools(rows: int) -> dict[Provenance, list[Prompt]]:
    return {each: [Prompt(Kind.OEQ, f"{each} {row}", origin=each) for row in range(rows)] for each in Provenance}


@given(arms, st.integers(3, 100_000))
def test_shares_sum_to_the_size_and_differ_by_one_at_most(mixture: Mixture, size: int) -> None:
    given_ = shares(mixture, size)
    assert tuple(given_) == mixture.provenances
    assert sum(given_.values()) == size
    assert max(given_.values()) - min(given_.values()) <= 1


@given(arms, st.integers(3, 100_000))
def test_a_share_that_does_not_divide_goes_to_the_first(mixture: Mixture, size: int) -> None:
    counts = list(shares(mixture, size).values())
    assert counts == sorted(counts, reverse=True)


def test_the_studys_arms_are_of_one_size() -> None:
    assert {sum(shares(mixture, STUDY_SIZE).values()) for mixture in ARMS} == {33_493}
    assert list(shares(ALL, STUDY_SIZE).values()) == [11_165, 11_164, 11_164]


def test_the_base_is_not_trained() -> None:
    with pytest.raises(InvalidValue, match=r"mixture: expected one of the seven arms, got 'base'"):
        shares(BASE, 100)


@pytest.mark.parametrize("size", [2, 0, -1])
def test_a_size_below_the_number_of_sources_is_refused(size: int) -> None:
    with pytest.raises(InvalidValue, match=rf"size: expected at least 3 rows for all, got {size}"):
        shares(ALL, size)


@given(arms, st.integers(3, 60), st.integers(0, 5))
def test_a_blend_draws_its_shares_without_replacement(mixture: Mixture, size: int, seed: int) -> None:
    mixed = blend(mixture, pools(60), size, seed)
    assert Counter(Provenance(prompt.origin) for prompt in mixed.prompts) == Counter(shares(mixture, size))
    assert len(set(mixed.prompts)) == len(mixed.prompts) == size


@given(arms, st.integers(0, 2**32))
def test_one_seed_gives_one_blend(mixture: Mixture, seed: int) -> None:
    assert blend(mixture, pools(20), 12, seed) == blend(mixture, pools(20), 12, seed)


def test_another_seed_gives_another_blend() -> None:
    assert len({blend(ALL, pools(50), 30, seed).fingerprint for seed in range(20)}) == 20


def test_each_arm_draws_on_its_own() -> None:
    drawn = {str(each): frozenset(blend(each, pools(200), 60, 42).prompts) for each in ARMS}
    assert len(set(drawn.values())) == len(ARMS)
    assert not drawn["all"] <= drawn["nat"] | drawn["trad"] | drawn["syn"]


def test_the_sources_of_a_blend_are_shuffled_together() -> None:
    origins = [prompt.origin for prompt in blend(ALL, pools(50), 90, 42).prompts]
    assert origins != sorted(origins, key=[*map(str, Provenance)].index)


def test_sources_outside_the_mixture_are_not_needed() -> None:
    native = {Provenance.NATIVE: pools(5)[Provenance.NATIVE]}
    assert len(blend(Mixture.parse("nat"), native, 5, 1).prompts) == 5


def test_a_blend_says_how_many_rows_are_missing_and_what_to_do() -> None:
    short = pools(2_000) | {Provenance.TRANSLATED: pools(10)[Provenance.TRANSLATED]}
    with pytest.raises(NotEnoughRows) as refused:
        blend(ALL, short, 3_300, 42)
    assert str(refused.value) == (
        "source 'trad': expected 1,100 rows for all of 3,300, got 10: 1,090 are missing. Add rows or lower the size."
    )


def test_a_source_that_is_not_there_misses_all_its_rows() -> None:
    with pytest.raises(NotEnoughRows, match=r"source 'nat': expected 10 rows for nat of 10, got 0: 10 are missing"):
        blend(Mixture.parse("nat"), {}, 10, 42)


def test_a_blend_is_said_in_a_line() -> None:
    assert str(blend(Mixture.parse("nat-syn"), pools(10), 5, 1)) == "nat-syn: 3 nat + 2 syn = 5 items"


@given(st.permutations(range(4)))
def test_the_fingerprint_is_that_of_the_rows_in_their_order(order: list[int]) -> None:
    rows = pools(4)[Provenance.NATIVE]
    same = data_fingerprint(rows) == data_fingerprint([rows[place] for place in order])
    assert same == (order == [0, 1, 2, 3])


def test_every_column_is_in_the_fingerprint() -> None:
    row = Prompt(Kind.MCQU, "q", "c", ("a", "b"), "A", "s", "nat")
    others = [
        Prompt(Kind.MCQ, "q", "c", ("a", "b"), "A", "s", "nat"),
        Prompt(Kind.MCQU, "q", "c", ("a", "b"), "B", "s", "nat"),
        Prompt(Kind.MCQU, "q", "", ("a", "b"), "A", "s", "nat"),
        Prompt(Kind.MCQU, "q", "c", ("b", "a"), "A", "s", "nat"),
        Prompt(Kind.MCQU, "q", "c", ("a", "b"), "A", "s", "syn"),
    ]
    assert len({data_fingerprint([each]) for each in (row, *others)}) == 1 + len(others)


def test_dealt_pools_are_shared_out_as_equal_sizes_need_them() -> None:
    hands = dealt(pools(140))
    assert {str(mixture): [len(rows) for rows in hand.values()] for mixture, hand in hands.items()} == {
        **{key: [60] for key in ("nat", "trad", "syn")},
        **{key: [30, 30] for key in ("nat-trad", "nat-syn", "trad-syn")},
        "all": [20, 20, 20],
    }


def test_no_two_arms_are_dealt_the_same_row() -> None:
    rows = [row for hand in dealt(pools(140)).values() for given in hand.values() for row in given]
    assert len(rows) == len(set(rows)) == 3 * 140
