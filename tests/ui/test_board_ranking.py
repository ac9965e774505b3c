from __future__ import annotations

from dataclasses import replace

import pytest

from medinject_demo.domain import BASE, MIXTURES
from medinject_demo.stats.board import Board, Rule, Standing, Tally
from medinject_demo.ui.board_ranking import axis_of, ranking, ranks, rule
from medinject_demo.ui.texts import name

from .cells import Cells
from .reports import report


def rows(lang: str, board: Board) -> list[list[str]]:
    (table,) = Cells(ranking(lang, board)).tables
    return table[1:]


def test_the_arms_stand_in_the_order_of_the_board_with_both_strengths() -> None:
    board = report().board
    shown = rows("en", board)
    assert [row[1].removesuffix(" provisional") for row in shown] == [name("en", row.arm) for row in board.rows]
    for cells, row in zip(shown, board.rows, strict=True):
        for text, rating in ((cells[3], row.controlled), (cells[4], row.raw)):
            assert text.startswith(f"{rating.points.value:,.0f}")
            assert row.arm == BASE or f"{rating.points.low:,.0f} to {rating.points.high:,.0f}" in text


def test_the_base_is_the_reference_and_has_no_interval() -> None:
    board = report().board
    cells = rows("fr", board)[[row.arm for row in board.rows].index(BASE)]
    assert cells[3:5] == ["1\u202f000 référence"] * 2


def test_every_arm_has_a_bar_for_each_model_at_its_place() -> None:
    board = report().board
    cells = Cells(ranking("fr", board))
    axis = axis_of(board)
    for key in ("controlled", "raw"):
        bars = cells.of("span", key)[1:]  # the first is the legend's
        wanted = [axis.at(getattr(row, key).points.value) for row in board.rows]
        assert [each["style"].split("--value:")[1].split("%")[0] for each in bars] == [f"{at:.2f}" for at in wanted]


def test_standings_are_said_in_words() -> None:
    cells = Cells(ranking("fr", report().board))
    for standing in (Standing.AHEAD, Standing.BEHIND, Standing.REFERENCE):
        assert cells.of("span", standing)
    assert "pas assez de votes" in ranking("fr", report(50, 1.5).board)


def test_what_cannot_be_told_is_pale() -> None:
    few, many = (Cells(ranking("fr", each.board)) for each in (report(50, 1.5), report(5_000, 0.1)))
    assert len(few.of("span", "muted")) == 2 * 7  # not the base's own
    assert many.of("span", "muted") == []


def test_provisional_rows_are_marked() -> None:
    board = report().board
    marked = [row.arm for row, cells in zip(board.rows, rows("fr", board), strict=True) if "provisoire" in cells[1]]
    assert marked == [row.arm for row in board.rows if row.provisional] == [MIXTURES[3]]


def test_an_arm_that_met_no_other_has_no_figure_and_no_bar() -> None:
    board = report().board
    first, *rest = board.rows
    board = replace(board, rows=(*rest, replace(first, tally=Tally(), failures=None)))
    text = ranking("fr", board)
    last = Cells(text).tables[0][-1]
    assert (last[0], last[2].strip(), last[6]) == ("–", "", "–")
    assert len(Cells(text).of("span", "bar")) == 2 * 7


def test_a_rank_is_a_range_where_votes_do_not_tell() -> None:
    rating = report().board.rows[0].controlled
    assert ranks("fr", replace(rating, ranks=(2, 5))) == "2\u00a0à\u00a05"
    assert ranks("fr", replace(rating, ranks=(2, 2))) == "2"


def test_the_rule_quotes_its_own_numbers() -> None:
    numbers = {"least_votes": 31, "least_voters": 7, "settled_votes": 333, "settled_voters": 44}
    said = rule("en", Rule(**numbers, level_within=55.0, least_prompts=5, settled_prompts=23))
    for number in (
        "31 duels",
        "7 voters",
        "5 questions",
        "23 questions",
        "55 points",
        "333 duels",
        "44 voters",
        "at 95%",
        "1,000",
    ):
        assert number in said


@pytest.mark.parametrize(
    ("lang", "alone", "again"),
    [
        ("fr", "vaut pour lui seul", "regarder le classement à plusieurs reprises"),
        ("en", "stands for itself", "looking at the board again and again"),
    ],
)
def test_it_is_said_what_is_corrected_and_what_is_not(lang: str, alone: str, again: str) -> None:
    said = rule(lang, Rule())
    assert "Holm" in said
    assert "28" in said
    assert alone in said
    assert again in said


def test_the_scale_is_what_is_said_of_it() -> None:
    from medinject_demo.stats.board import POINTS
    from medinject_demo.stats.estimate import Estimate

    for points, wins in ((100, 64), (400, 91)):
        logit = points / POINTS
        assert round(100 * Estimate(logit, 0, logit, logit).chance.value) == wins
        assert f"{wins} fois sur 100" in rule("fr", Rule())


def test_a_narrow_page_shows_the_head_of_a_column_before_each_figure() -> None:
    cells = Cells(ranking("fr", report().board))
    labels = {each["data-label"] for tag, each in cells.tags if tag == "td" and each["class"] != "plot"}
    assert "À style égal\u00a0:" in labels
    assert len(labels) == 5
    roles = {each.get("role") for tag, each in cells.tags if tag in ("table", "tr", "td", "th")}
    assert roles == {"table", "row", "cell", "columnheader", "rowheader"}
