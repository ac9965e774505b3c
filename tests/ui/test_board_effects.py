from __future__ import annotations

import re
from dataclasses import replace

import pytest

from medinject_demo.domain import BASE, MIXTURES, Mixture, Provenance
from medinject_demo.stats.board import POINTS
from medinject_demo.stats.estimate import Estimate
from medinject_demo.stats.provenance import Conclusion, Effect, Outcome, Provenances, Step
from medinject_demo.ui.board_effects import effects, label, sentence, size, step_sentence
from medinject_demo.ui.texts import Lang

from .cells import Cells
from .reports import SUBSETS, estimate, report

NATIVE, TRANSLATED, SYNTHETIC = Provenance
FOUND = report().provenances


def effect(conclusion: Conclusion, *provenances: Provenance) -> Effect:
    value = {Conclusion.ADDS: 0.5, Conclusion.TAKES: -0.5}.get(conclusion, 0.1)
    return Effect(provenances, estimate(value, 0.2), conclusion)


def unknown(found: Provenances) -> Provenances:
    """The same, and nothing can be told of the preference."""
    preference = replace(
        found.preference,
        effects=tuple(replace(each, conclusion=Conclusion.UNKNOWN) for each in found.preference.effects),
        steps=tuple(replace(each, conclusion=Conclusion.UNKNOWN) for each in found.preference.steps),
    )
    return replace(found, preference=preference)


def test_what_native_data_add_is_said_in_points_with_its_interval() -> None:
    said = sentence("fr", effect(Conclusion.ADDS, NATIVE), Outcome.PREFERENCE)
    size = "87\u00a0points (de 52\u00a0à\u00a0122)"
    assert said == f"Les données natives, ajoutées à d’autres, font gagner {size} en moyenne."


def test_a_loss_is_said_without_a_sign_and_from_the_smaller_to_the_larger() -> None:
    said = sentence("fr", effect(Conclusion.TAKES, SYNTHETIC), Outcome.PREFERENCE)
    size = "87\u00a0points (de 52\u00a0à\u00a0122)"
    assert said == f"Les données synthétiques, ajoutées à d’autres, font perdre {size} en moyenne."


def test_where_the_data_cannot_tell_it_says_so() -> None:
    for subset in SUBSETS:
        for lang, said in (("fr", "es données ne permettent pas de trancher"), ("en", "he data cannot tell")):
            assert said in sentence(lang, effect(Conclusion.UNKNOWN, *subset), Outcome.PREFERENCE)
    step = Step(NATIVE, Mixture.of([TRANSLATED]), estimate(0.1, 3), Conclusion.UNKNOWN)
    assert "les données ne permettent pas de trancher" in step_sentence("fr", step, Outcome.PREFERENCE)


def test_whether_native_adds_to_translated_is_one_sentence() -> None:
    step = Step(NATIVE, Mixture.of([TRANSLATED]), estimate(0.5, 0.2), Conclusion.ADDS)
    said = "Les données natives, ajoutées aux données traduites, font gagner 87\u00a0points (de 52\u00a0à\u00a0122)."
    assert step_sentence("fr", step, Outcome.PREFERENCE) == said
    assert step_sentence("en", step, Outcome.PREFERENCE) == (
        "Native data, added to translated data, gain 87 points (52 to 122)."
    )


@pytest.mark.parametrize("lang", list(Lang))
@pytest.mark.parametrize("conclusion", list(Conclusion))
@pytest.mark.parametrize("outcome", list(Outcome))
def test_every_contrast_has_its_own_sentence(lang: Lang, conclusion: Conclusion, outcome: Outcome) -> None:
    said = [sentence(lang, effect(conclusion, *subset), outcome) for subset in SUBSETS]
    said += [
        step_sentence(lang, Step(added, to, estimate(0.5, 0.2), conclusion), outcome)
        for to in MIXTURES
        for added in Provenance
        if added not in to.provenances
    ]
    assert len(set(said)) == 7 + 12
    for each in said:
        assert re.fullmatch(r"[A-Z].*[.?)]", each)
        assert "{" not in each


def test_a_share_is_in_percentage_points_and_one_is_singular() -> None:
    assert size("fr", Estimate(0.123, 0, 0.1, 0.2), Conclusion.ADDS, Outcome.EXACTNESS) == (
        "12,3\u00a0points de pourcentage (de 10,0\u00a0à\u00a020,0)"
    )
    one = Estimate(1 / POINTS, 0, 0, 2 / POINTS)
    assert size("fr", one, Conclusion.NONE, Outcome.PREFERENCE) == "+1\u00a0point (de 0\u00a0à\u00a0+2)"
    assert size("en", Estimate(0, 0, -0.1, 0.1), Conclusion.NONE, Outcome.PREFERENCE).startswith("0 points")


def test_an_effect_is_named_by_its_provenances() -> None:
    assert label("fr", (NATIVE, TRANSLATED)) == "Natif × traduit"
    assert label("fr", ()) == "Affinage"


def test_to_be_fine_tuned_at_all_is_said_first_and_apart_from_the_data() -> None:
    said = sentence("fr", effect(Conclusion.ADDS), Outcome.PREFERENCE)
    assert said.startswith("L’affinage, quelles que soient les données, fait gagner 87\u00a0points")
    text = effects("fr", FOUND)
    assert Cells(text).tables[0][1][0] == "Affinage"
    assert "entre modèles affinés seulement" in text


def test_every_effect_has_its_bars_its_figure_and_its_sentence() -> None:
    cells = Cells(effects("fr", FOUND))
    preference, equivalence = cells.tables
    assert [row[0] for row in preference[1:]] == [label("fr", subset) for subset in SUBSETS]
    assert preference[1][2:] == [
        "+87 de +35\u00a0à\u00a0+139",
        sentence("fr", FOUND.preference.effects[0], Outcome.PREFERENCE),
    ]
    assert len(equivalence) == 8
    assert len(cells.of("span", "bar")) == 2 * 7 + 7  # raw and controlled, then one for equivalence


def test_effects_of_few_votes_voters_or_prompts_are_provisional() -> None:
    few = replace(FOUND, preference=replace(FOUND.preference, units=99))
    alone = replace(FOUND, preference=replace(FOUND.preference, clusters=9))
    narrow = replace(FOUND, preference=replace(FOUND.preference, prompts=9))
    every = (few, alone, narrow, FOUND)
    heads = [re.findall(r"<h4>Sur la préférence(.*?)</h4>", effects("fr", each)) for each in every]
    assert ["provisoire" in head for (head,) in heads] == [True, True, True, False]


def test_the_twelve_steps_are_listed() -> None:
    text = effects("fr", FOUND)
    for step in FOUND.preference.steps:
        assert step_sentence("fr", step, Outcome.PREFERENCE) in text
    assert sum(step.to == BASE for step in FOUND.preference.steps) == 3


def test_where_nothing_can_be_told_one_sentence_says_so_and_the_estimates_are_folded() -> None:
    text = effects("fr", unknown(FOUND))
    assert "Les données ne permettent de trancher sur aucun effet." in text
    assert "Les douze ajouts" not in text.split("équivalence")[0]
    assert "<summary>Voir les estimations</summary>" in text


def test_an_outcome_that_nobody_judged_says_so() -> None:
    text = effects("fr", replace(FOUND, equivalence=None))
    assert "aucune réponse n’a encore été jugée" in text
    assert "aucune réponse n’est à comparer" in text


def test_the_size_of_what_matters_is_quoted() -> None:
    assert f"tient tout entier à\u00a0{0.3 * POINTS:.0f}\u00a0points au plus" in effects("fr", FOUND)


def test_what_answers_rest_on_is_questions_and_what_preferences_rest_on_is_voters() -> None:
    preference, equivalence = effects("fr", FOUND).split("<h4>Sur l’équivalence")
    assert "votants\u00a0: 83\u202f; questions\u00a0: 71." in preference
    assert "questions\u00a0: 71." in equivalence
    assert "votants" not in equivalence
