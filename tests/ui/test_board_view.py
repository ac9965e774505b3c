"""The whole board: well formed and honest at any number of votes, in both languages."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest

from medinject_demo.stats.report import Report
from medinject_demo.stats.selection import Selection
from medinject_demo.ui import board_view
from medinject_demo.ui.texts import name
from medinject_demo.votes.records import Profile

from .cells import Cells
from .reports import AT, report

NOTHING, FIVE, FIFTY, MANY = report(0, 6.0), report(5, 4.0), report(50, 1.5), report(50_000, 0.05)


def drawn(lang: str, shown: Report, *, miniature: bool = False) -> str:
    return board_view.board(lang, shown, miniature=miniature)


@pytest.mark.parametrize("lang", ["fr", "en"])
@pytest.mark.parametrize("shown", [NOTHING, FIVE, FIFTY, report(), MANY], ids=["0", "5", "50", "500", "50000"])
def test_the_board_is_well_formed_at_any_number_of_votes(lang: str, shown: Report) -> None:
    text = drawn(lang, shown)
    cells = Cells(text)
    assert bool(cells.tables) == (shown.board.comparisons > 0)
    assert not re.search(r"\bNone\b(?! of)", text)
    assert "nan" not in re.sub(r"<[^>]*>", "", text).split()


@pytest.mark.parametrize("shown", [FIVE, report(), MANY])
def test_every_table_can_be_scrolled_by_keyboard_and_has_a_name_and_a_note(shown: Report) -> None:
    text = drawn("fr", shown)
    cells = Cells(text)
    regions = [each for _, each in cells.tags if each.get("role") == "region"]
    assert len(regions) == len(cells.tables)
    assert all(each["tabindex"] == "0" and each["aria-label"] for each in regions)
    assert all("scope" in each for tag, each in cells.tags if tag == "th")
    notes = {each["id"] for _, each in cells.tags if "id" in each}
    assert {each["aria-describedby"] for tag, each in cells.tags if tag == "table"} <= notes


@pytest.mark.parametrize("shown", [NOTHING, FIVE, report(), MANY])
def test_no_identifier_stands_twice(shown: Report) -> None:
    ids = [each["id"] for _, each in Cells(drawn("fr", shown)).tags if "id" in each]
    assert len(ids) == len(set(ids))


def test_french_is_printed_as_french_is() -> None:
    said = re.sub(r"<[^>]*>", "\n", drawn("fr", report()))
    assert not re.search(r"\d\.\d|\d,\d{3}\b", said), "a decimal point, or thousands apart by a comma"
    assert not re.search(r" [%;:?!»]|« ", said), "a plain space where the line must not break"


def test_without_votes_the_board_says_so_and_draws_nothing() -> None:
    text = drawn("fr", NOTHING)
    assert "Aucun vote" in text
    assert "Duel à l’aveugle" in text
    assert "<table" not in text


def test_a_part_without_votes_is_not_a_collection_without_votes() -> None:
    text = drawn("fr", report(0, 6.0, selection=Selection(kind="mcq")))
    assert "Aucun vote à l’aveugle ne répond à ces filtres" in text
    assert "Le premier peut être le vôtre" not in text


def test_votes_left_out_are_counted_with_their_reason() -> None:
    text = drawn("fr", report(4_000))
    assert re.search(r"pas à l’aveugle</dt><dd class=\"figure\">100<", text)
    assert re.search(r"suspects</dt><dd class=\"figure\">40<", text)
    assert "rien n’est effacé" in text


def test_both_bad_is_a_failure_rate_of_its_own() -> None:
    assert re.search(r'Les deux mauvaises</dt><dd class="figure">10\u00a0%<', drawn("fr", report()))


def test_who_is_ahead_level_and_behind_is_said_with_the_style_controlled() -> None:
    text = drawn("fr", report(2_800, 0.25))
    assert "À style égal, face au modèle de base" in text
    assert f"Devant\u00a0: {name('fr', report().board.rows[0].arm)}" in text
    assert "À égalité\u00a0: Synthétique." in text


def test_below_the_rule_nothing_is_said() -> None:
    text = drawn("fr", FIVE)
    assert "Aucun modèle ne se distingue encore du modèle de base." in text
    assert "Devant\u00a0:" not in text


def test_on_open_questions_it_says_that_no_arm_was_trained_on_them_and_that_style_comes_first() -> None:
    for kind in (None, "oeq"):
        text = drawn("fr", report(selection=Selection(kind=kind)))
        assert "Aucun des sept modèles affinés n’a été entraîné sur des questions ouvertes." in text
        assert "le classement brut mesure donc d’abord le style" in text
    assert "questions ouvertes." not in drawn("fr", report(selection=Selection(kind="mcqu")))


@pytest.mark.parametrize(("apart", "said"), [(None, False), (0.94, False), (0.96, True), (1.0, True)])
def test_where_lengths_hardly_overlap_it_says_that_base_and_style_cannot_be_told_apart(
    apart: float | None, said: bool
) -> None:
    french, english = (drawn(lang, report(apart=apart)) for lang in ("fr", "en"))
    assert ("Les longueurs du modèle de base et des modèles affinés ne se recouvrent presque pas" in french) == said
    assert ("hardly overlap" in english) == said
    if said:
        assert f"{100 * apart:.0f}\u00a0% de leurs comparaisons" in french


def test_the_miniature_was_trained_on_them_and_its_votes_say_nothing_of_the_study() -> None:
    text = drawn("fr", report(), miniature=True)
    assert "ceux de la miniature, qui répondent ici, l’ont été" in text
    assert "Aucun vote sur la miniature ne dit quoi que ce soit de l’étude." in text


@pytest.mark.parametrize(
    ("lang", "said"), [("fr", "État au 06/03/2026 à\u00a009:05:07 (UTC)"), ("en", "As of 2026-03-06 09:05:07 (UTC)")]
)
def test_the_time_is_said_in_utc_with_the_part_of_the_votes(lang: str, said: str) -> None:
    text = board_view.as_of(lang, report().board)
    assert said in text
    assert f'datetime="{AT.isoformat(timespec="seconds")}"' in text
    assert {"fr": "Tous les votes", "en": "All votes"}[lang] in text


def test_a_specialty_is_text_whatever_it_holds() -> None:
    part = Selection(specialty="<b>x</b>")
    assert "<b>" not in board_view.as_of("fr", replace(report().board, selection=part))


def test_the_part_of_the_votes_is_said_in_words() -> None:
    part = Selection("oeq", "cardiologie", Profile.PHYSICIAN)
    said = "Votes retenus\u00a0: Question ouverte, Cardiologie, Médecin"
    assert board_view.selected("fr", part) == said
    assert board_view.selected("fr", replace(part, specialty="ORL")).count("ORL") == 1
    assert said in board_view.as_of("fr", replace(report().board, selection=part))
