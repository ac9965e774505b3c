"""Effects of the provenances: planted ones come back, and where the data cannot tell, that is what is said."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from medinject_demo.domain import BASE, MIXTURES, Mixture, Provenance
from medinject_demo.stats.preference import Preference, fit
from medinject_demo.stats.provenance import MATTERS, Conclusion, Effects, Provenances, provenances, weights

from .votes import SLUGS, votes

NAT, TRAD, SYN = Provenance
SUBSETS = [each for order in (0, 1, 2) for each in itertools.combinations(Provenance, order)]


def of(frame) -> Provenances:  # type: ignore[no-untyped-def]
    return provenances(frame, fit(frame), fit(frame))


def planted(per_pair: int, strength: dict[str, float], **columns):  # type: ignore[no-untyped-def]
    """Each ordered pair so often, wins in the share that the strengths say."""
    said = []
    for left, right in itertools.permutations(SLUGS, 2):
        chance = 1 / (1 + math.exp(strength[right] - strength[left]))
        wins = round(per_pair * chance)
        said += [(left, right, "left")] * wins + [(left, right, "right")] * (per_pair - wins)
    return votes(said, **columns)


def judged(right: dict[str, float], count: int, column: str = "equivalent"):  # type: ignore[no-untyped-def]
    """Comparisons whose answers reach a share by arm, each by a voter and on a prompt of its own."""
    said, lefts, rights = [], [], []
    for left, other in itertools.permutations(SLUGS, 2):
        for number in range(count):
            said.append((left, other, "both_good"))
            lefts.append(number < count * right[left])
            rights.append(number < count * right[other])
    return votes(said, **{f"{column}_left": lefts, f"{column}_right": rights})


def test_a_main_effect_is_the_mean_of_the_three_steps_that_are_not_from_the_base() -> None:
    found = weights([NAT])
    for arm in MIXTURES[1:]:
        alone = arm.provenances == (NAT,)
        assert found[arm] == pytest.approx(0 if alone else 1 / 3 if NAT in arm.provenances else -1 / 3)


def test_an_interaction_is_how_much_more_the_one_adds_with_the_other_beside_the_third() -> None:
    found = weights([NAT, TRAD])
    seen = {arm.slug: weight for arm, weight in found.items() if weight}
    assert seen == {"all": 1, "nat-syn": -1, "trad-syn": -1, "syn": 1}


@pytest.mark.parametrize("chosen", SUBSETS)
def test_no_effect_of_the_provenances_has_the_base_in_it(chosen: tuple[Provenance, ...]) -> None:
    found = weights(chosen)
    assert found[BASE] == (0 if chosen else -1)
    assert sum(found.values()) == pytest.approx(0)


def test_the_seven_effects_say_all_that_differences_of_eight_arms_can() -> None:
    rows = np.array([[weights(chosen)[arm] for arm in MIXTURES] for chosen in SUBSETS])
    assert np.linalg.matrix_rank(rows) == 7


@given(st.lists(st.floats(-3, 3), min_size=7, max_size=7))
def test_what_provenances_add_comes_back_wherever_the_base_is(sizes: list[float]) -> None:
    """Mixtures made of what each adds and of what each two do beside the third; only fine-tuning sees the base."""
    single, paired = dict(zip(Provenance, sizes, strict=False)), dict(zip(SUBSETS[4:], sizes[3:6], strict=True))
    made = {BASE: sizes[6]}
    for arm in MIXTURES[1:]:
        made[arm] = sum(single[each] for each in arm.provenances)
        made[arm] += sum(size for pair, size in paired.items() if set(pair) <= set(arm.provenances))

    def reached(chosen: tuple[Provenance, ...]) -> float:
        return sum(weight * made[arm] for arm, weight in weights(chosen).items())

    for pair, size in paired.items():
        assert reached(pair) == pytest.approx(size, abs=1e-9)
    for one, size in single.items():
        beside = sum(each for pair, each in paired.items() if one in pair) * 2 / 3
        assert reached((one,)) == pytest.approx(size + beside, abs=1e-9)
    assert reached(()) == pytest.approx(sum(made[arm] for arm in MIXTURES[1:]) / 7 - made[BASE], abs=1e-9)


def test_seven_equal_arms_and_a_base_below_them_are_fine_tuning_and_no_provenance() -> None:
    found = of(planted(60, {slug: float(slug != "base") for slug in SLUGS})).preference
    tuning, *others = found.effects
    assert tuning.provenances == ()
    assert tuning.conclusion is Conclusion.ADDS
    assert tuning.estimate.value == pytest.approx(1, abs=0.05)
    assert {each.estimate.sign() for each in others} == {0}
    assert [each.estimate.value for each in others] == pytest.approx([0] * 6, abs=0.02)


def test_an_effect_planted_in_the_votes_comes_back() -> None:
    strength = {arm.slug: 1.0 * (NAT in arm.provenances) for arm in MIXTURES}
    found = of(planted(40, strength)).preference
    assert found.main(NAT).estimate.value == pytest.approx(1, abs=0.05)
    assert found.main(NAT).conclusion is Conclusion.ADDS
    assert found.main(TRAD).conclusion is Conclusion.NONE
    assert found.main(TRAD).estimate.within(MATTERS)
    assert [each.order for each in found.effects] == [0, 1, 1, 1, 2, 2, 2]


def test_each_step_is_the_arm_with_less_the_arm_without() -> None:
    frame = planted(10, {slug: place / 4 for place, slug in enumerate(SLUGS)})
    model = fit(frame)
    found = provenances(frame, model, model).preference
    assert len(found.steps) == 12
    assert len({(each.added, each.to) for each in found.steps}) == 12
    for each in found.steps:
        assert each.added not in each.to.provenances
        assert each.estimate == model.difference(each.gives, each.to)
    assert {each.to for each in found.steps} == set(MIXTURES) - {Mixture.of(Provenance)}


def test_three_steps_from_the_base_to_all_add_up_whichever_way() -> None:
    frame = planted(10, {slug: place / 4 for place, slug in enumerate(SLUGS)})
    found = of(frame).preference
    steps = {(each.added, each.to): each.estimate.value for each in found.steps}
    sums = []
    for way in itertools.permutations(Provenance):
        at, total = BASE, 0.0
        for added in way:
            total += steps[added, at]
            at = Mixture.of((*at.provenances, added))
        sums.append(total)
    assert sums == pytest.approx([sums[0]] * 6)


def test_a_share_is_what_was_judged_and_its_effects_are_in_shares() -> None:
    right = {arm.slug: 0.8 if NAT in arm.provenances else 0.4 for arm in MIXTURES}
    found = of(judged(right, 20)).equivalence
    assert found is not None
    for each in found.shares:
        assert each.share is not None
        assert each.share.value == pytest.approx(right[each.arm.slug], abs=0.01)
        assert each.judged == 2 * 7 * 20
    assert found.main(NAT).estimate.value == pytest.approx(0.4, abs=0.01)
    assert found.main(NAT).conclusion is Conclusion.ADDS
    assert found.main(SYN).estimate.value == pytest.approx(0, abs=0.01)
    assert (found.units, found.clusters) == (56 * 40, 56 * 20)


def reread(prompts: int, readers: int) -> pd.DataFrame:
    """Each prompt's two answers, of which chance made some equivalent, judged by so many voters who all agree."""
    yes = np.random.default_rng(1).random((prompts, 2)) < 0.5
    names = np.repeat(np.arange(prompts), readers)
    frame = votes([("nat", "trad", "both_good")] * len(names), prompt=[f"prompt {each}" for each in names])
    return frame.assign(equivalent_left=yes[names, 0], equivalent_right=yes[names, 1])


def test_many_voters_who_judge_the_same_answers_make_no_interval_narrower() -> None:
    once, often = (of(reread(20, readers)).equivalence for readers in (1, 40))
    assert once is not None
    assert often is not None
    assert (often.units, often.clusters) == (once.units, once.clusters) == (40, 20)
    for before, after in zip(once.shares, often.shares, strict=True):
        assert after == before


def test_an_answer_on_which_voters_differ_is_equivalent_to_the_share_of_them() -> None:
    said = [("nat", "trad", "left")] * 40
    frame = votes(
        said, prompt=[f"prompt {each // 4}" for each in range(40)], equivalent_left=[True, True, True, False] * 10
    )
    found = of(frame).equivalence
    assert found is not None
    share = next(each.share for each in found.shares if each.arm.slug == "nat")
    assert share is not None
    assert share.value == pytest.approx(0.75, abs=0.02)


def test_two_prompts_conclude_nothing_of_answers_however_many_judge_them() -> None:
    frame = judged({arm.slug: float(NAT in arm.provenances) for arm in MIXTURES}, 20)
    few = frame.assign(prompt=np.where(np.arange(len(frame)) % 2 == 0, "one", "two"))
    found = of(few).equivalence
    assert found is not None
    assert {each.conclusion for each in (*found.effects, *found.steps)} == {Conclusion.UNKNOWN}


def test_an_answer_given_again_to_the_same_prompt_is_exact_once() -> None:
    said = [("nat", "base", "left")] * 50
    frame = votes(said, prompt=["one", "two"] * 25, exact_left=[True, False] * 25, exact_right=[False] * 50)
    found = of(frame).exactness
    assert found is not None
    assert {each.arm.slug: each.judged for each in found.shares if each.judged} == {"nat": 2, "base": 2}
    assert (found.units, found.clusters) == (4, 2)
    assert {each.conclusion for each in found.effects} == {Conclusion.UNKNOWN}


def test_an_arm_nobody_judged_leaves_the_effects_untold() -> None:
    right = dict.fromkeys(SLUGS, 0.5)
    frame = judged(right, 10)
    frame = frame[(frame["left"] != "all") & (frame["right"] != "all")]
    found = of(frame).equivalence
    assert found is not None
    assert next(each for each in found.shares if each.arm.slug == "all").share is None
    assert {each.conclusion for each in found.effects} == {Conclusion.UNKNOWN}
    steps = {(each.added, each.to.slug): each.conclusion for each in found.steps}
    assert steps[SYN, "nat-trad"] is Conclusion.UNKNOWN


def test_shares_of_all_or_nothing_keep_a_width() -> None:
    found = of(judged({slug: float(slug == "nat") for slug in SLUGS}, 3)).equivalence
    assert found is not None
    for each in found.shares:
        assert each.share is not None
        assert 0 <= each.share.low < each.share.high <= 1


def test_effects_of_shares_stay_within_what_is_possible() -> None:
    frame = judged(dict.fromkeys(SLUGS, 0.5), 1)[:4]
    found = of(frame).equivalence
    assert found is not None
    for each in found.effects:
        most = max(each.order, 1)
        assert -most <= each.estimate.low <= each.estimate.high <= most
    for step in found.steps:
        assert -1 <= step.estimate.low <= step.estimate.high <= 1


def test_two_voters_conclude_nothing() -> None:
    frame = planted(10, dict.fromkeys(SLUGS, 0.0))
    names = np.where(np.arange(len(frame)) % 2 == 0, "one", "two")
    found: Effects = of(frame.assign(cluster=names)).preference
    assert {each.conclusion for each in found.effects} == {Conclusion.UNKNOWN}


def test_both_models_have_their_effects() -> None:
    frame = planted(5, dict.fromkeys(SLUGS, 0.0))
    raw: Preference = fit(frame)
    other = fit(frame, ridge=5)
    found = provenances(frame, raw, other)
    assert found.raw_preference.main(NAT).estimate == raw.contrast(weights([NAT]))
    assert found.preference.main(NAT).estimate == other.contrast(weights([NAT]))
    assert found.preference.shares == ()


@pytest.mark.parametrize("column", ["equivalent", "exact"])
def test_an_answer_of_a_ranking_is_judged_once(column: str) -> None:
    """Eight answers in order are 28 comparisons, and each answer stands in seven of them."""
    pairs = list(itertools.combinations(SLUGS, 2))
    right = {
        f"{column}_{side}": [pair[place] == "nat" for pair in pairs] for place, side in enumerate(("left", "right"))
    }
    frame = votes([(*pair, "left") for pair in pairs], voter=["v"] * 28, **right)
    found = of(frame.assign(ballot="one", battle="one", prompt="one"))
    effects = found.equivalence if column == "equivalent" else found.exactness
    assert effects is not None
    assert effects.units == 8
    assert {share.judged for share in effects.shares} == {1}


def test_a_ranking_outweighs_no_duel_in_what_is_exact() -> None:
    """One ranking of four has the arm's answer exact; two later duels on the prompt have another, that is not."""
    pairs = list(itertools.combinations(("nat", "trad", "syn", "all"), 2))
    ranking = votes(
        [(*pair, "left") for pair in pairs], exact_left=[True if pair[0] == "nat" else None for pair in pairs]
    )
    duels = votes([("nat", "trad", "left")] * 2, exact_left=[False, False])
    frame = pd.concat([ranking.assign(ballot="one", battle="one"), duels], ignore_index=True).assign(prompt="one")
    exactness = of(frame).exactness
    assert exactness is not None
    share = next(each.share for each in exactness.shares if each.arm == MIXTURES[1])
    assert share is not None
    assert share.value < 0.5


def test_what_preferences_rest_on_is_battles_and_not_comparisons_or_guests() -> None:
    pairs = list(itertools.combinations(SLUGS, 2))
    ranking = votes([(*pair, "left") for pair in pairs]).assign(ballot="one", battle="one")
    guests = votes([("nat", "base", "left")] * 40).assign(battle="shared")
    assert of(pd.concat([ranking, guests], ignore_index=True)).preference.units == 2


def test_an_effect_is_none_only_where_the_interval_leaves_out_whatever_matters() -> None:
    """Narrow enough for an effect of 0, and it holds one that matters."""
    strength = {arm.slug: 0.2 * (NAT in arm.provenances) for arm in MIXTURES}
    found = of(planted(9, strength)).preference.main(NAT)
    assert found.estimate.half_width <= MATTERS < found.estimate.high
    assert found.conclusion is Conclusion.UNKNOWN
