from __future__ import annotations

import re
from dataclasses import replace

import pytest

from medinject_demo.stats.bias import Agreement, Bias, Position
from medinject_demo.stats.report import report as measured
from medinject_demo.ui.board_bias import panel

from ..stats.votes import votes
from .cells import Cells
from .reports import AT, estimate, report

BIAS, NOTHING = report().bias, report(0).bias


def said(bias: Bias, key: str, lang: str = "fr") -> str:
    """The text of the card with this title."""
    cards = re.findall(r"<div><dt>(.*?)</dt>(.*?)</div>", panel(lang, bias))
    (text,) = [re.sub(r"<[^>]*>", " ", rest) for title, rest in cards if title.startswith(key)]
    return " ".join(text.split(" ")).strip()


@pytest.mark.parametrize("lang", ["fr", "en"])
@pytest.mark.parametrize("bias", [BIAS, NOTHING])
def test_every_bias_has_its_card_with_or_without_votes(lang: str, bias: Bias) -> None:
    assert len([tag for tag, _ in Cells(panel(lang, bias)).tags if tag == "dt"]) == 10


@pytest.mark.parametrize(
    ("left", "sentence"),
    [(0.56, "gauche est favorisée"), (0.44, "droite est favorisée"), (0.51, "aucun côté n’est favorisé")],
)
def test_a_side_is_favoured_where_the_interval_leaves_half_out(left: float, sentence: str) -> None:
    bias = replace(BIAS, position=Position(estimate(left, 0.03), None))
    assert sentence in said(bias, "La gauche")


def test_position_is_with_its_interval_and_with_what_was_observed() -> None:
    text = said(BIAS, "La gauche")
    assert text.startswith("53\u00a0%")
    assert "de 51\u00a0%\u00a0à\u00a055\u00a0%" in text
    assert "Observé" in text


def test_what_is_estimated_is_called_so_and_a_share_is_the_one_observed() -> None:
    few = measured(votes([("nat", "base", "both_bad")] * 2 + [("nat", "base", "left")], words_left=[19] * 3), as_of=AT)
    titles = dict(re.findall(r"<div><dt>(.*?)</dt><dd class=\"figure\">(.*?)</dd>", panel("fr", few.bias)))
    assert titles["Les deux mauvaises"] == "67\u00a0%"
    assert titles["La réponse la plus longue l’emporte"] == "100\u00a0%"
    (estimated,) = (title for title in titles if "estimation" in title)
    assert estimated.startswith("La gauche l’emporte")


def test_the_longer_answer_and_the_lengths_are_told() -> None:
    text = said(BIAS, "La réponse la plus longue")
    assert text.startswith("68\u00a0%")
    assert "12 mots" in text


def test_styles_are_in_points_and_the_value_is_of_what_weighs_most() -> None:
    text = said(BIAS, "Poids du style")
    assert text.startswith("+104")
    assert "Longueur\u00a0: +104 (de +69\u00a0à\u00a0+139)" in text
    assert "Émojis\u00a0: \u221217" in text


def test_both_bad_is_an_absolute_failure_rate_apart_from_ties() -> None:
    assert "échec absolu" in said(BIAS, "Les deux mauvaises")
    assert said(BIAS, "Les deux mauvaises").startswith("10\u00a0%")
    assert said(BIAS, "Égalités").startswith("20\u00a0%")


def test_time_and_votes_per_voter_are_medians() -> None:
    assert said(BIAS, "Temps avant de voter").startswith("9,5\u00a0s")
    assert said(BIAS, "Votes par votant").startswith("4 ")
    assert "8\u00a0%" in said(BIAS, "Votes par votant")


def test_agreement_is_alpha_or_what_it_takes_to_know_it() -> None:
    assert said(BIAS, "Accord entre votants").startswith("0,31")
    alone = replace(BIAS, agreement=Agreement(None, 0, 0))
    assert "il faut plusieurs votants" in said(alone, "Accord entre votants")


def test_without_a_vote_that_tells_there_is_a_dash() -> None:
    for key in (
        "La réponse la plus longue",
        "Les deux mauvaises",
        "Temps avant",
        "Votes par votant",
        "Le vote préfère",
    ):
        assert said(NOTHING, key).startswith("–")
