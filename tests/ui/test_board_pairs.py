from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

from medinject_demo.domain import MIXTURES
from medinject_demo.pairing import pairs
from medinject_demo.stats.board import Board, Tally
from medinject_demo.ui import board
from medinject_demo.ui.board_pairs import SHADES, coverage, details, matrix, shade

from .cells import Cells
from .reports import report


def met(tallies: dict[int, Tally]) -> Board:
    """A board on which only the pairs of these places met."""
    shown = report().board
    cells = dict(shown.cells)
    for place, pair in enumerate(pairs()):
        tally = tallies.get(place, Tally())
        turned = replace(tally, wins=tally.losses, losses=tally.wins)
        cells[pair] = replace(cells[pair], tally=tally)
        cells[pair[::-1]] = replace(cells[pair[::-1]], tally=turned)
    return replace(shown, cells=cells)


def test_the_map_has_each_of_the_28_pairs_once_at_its_place() -> None:
    rows = Cells(coverage("fr", met({place: Tally(wins=place + 1) for place in range(28)}))).tables[0][1:]
    numbers = [[cell for cell in row[1:] if cell] for row in rows]
    assert [len(row) for row in numbers] == [1, 2, 3, 4, 5, 6, 7]
    assert sorted(int(cell) for row in numbers for cell in row) == list(range(1, 29))
    assert numbers[1] == ["2", "8"]  # the translated arm against the base, then against the native one


def test_an_arm_is_named_in_full_to_a_screen_reader() -> None:
    heads = Cells(coverage("fr", report().board)).tables[0][0]
    assert heads[5] == "N+TNatif + traduit"


def test_a_cell_of_the_matrix_is_the_wins_and_losses_of_its_row_against_its_column() -> None:
    shown = met({0: Tally(wins=7, losses=2)})  # the base and the native arm
    (table,) = Cells(matrix("fr", shown)).tables
    heads = [cell.rpartition("N")[0] or cell for cell in table[0]]
    arms = [row.arm for row in shown.rows]
    base, native = arms.index(MIXTURES[0]), arms.index(MIXTURES[1])
    assert table[1 + base][1 + native].startswith("7–2")
    assert table[1 + native][1 + base].startswith("2–7")
    assert len(heads) == 9


def test_the_matrix_is_in_the_order_of_the_ranking_and_has_nothing_on_its_diagonal() -> None:
    shown = report().board
    (table,) = Cells(matrix("en", shown)).tables
    assert [row[0] for row in table[1:]] == table[0][1:]
    assert [row[1 + place] for place, row in enumerate(table[1:])] == [""] * 8


def test_colour_and_sign_of_the_matrix_repeat_a_word() -> None:
    cells = Cells(matrix("fr", report().board))
    for standing, word in (("ahead", "devant"), ("behind", "derrière"), ("level", "à égalité")):
        assert cells.of("td", standing)
        assert sum(word in cell for row in cells.tables[0] for cell in row) == len(cells.of("td", standing))


def test_a_pair_that_never_met_says_so_to_a_screen_reader() -> None:
    (table,) = Cells(matrix("fr", met({0: Tally(wins=1)}))).tables
    assert sum("aucune comparaison" in cell for row in table for cell in row) == 2 * 27


def test_the_row_of_a_pair_holds_its_numbers_in_the_order_of_the_heads() -> None:
    shown = met({0: Tally(wins=7, losses=6, both_good=5, both_bad=2, unsure=1, alike=3)})
    ((head, row),) = Cells(details("en", shown)).tables
    assert head[1:6] == ["Comparisons", "First preferred", "Second preferred", "Both good", "Both bad"]
    assert head[6:8] == ["Tied in a ranking", "Unsure"]
    assert row[:8] == ["Base model and Native", "24", "7", "6", "5", "2", "3", "1"]
    assert re.search(r"estimated: preferred \d+% of the time \(\d+% to \d+%\)", row[8])


def test_pairs_that_did_not_meet_are_counted_and_not_listed() -> None:
    assert "not listed: 27." in details("en", met({0: Tally(wins=1)}))
    assert "not listed" not in details("en", report(50_000, 0.1).board)


def test_the_shades_go_from_none_to_the_most_in_equal_steps() -> None:
    assert [shade(each, 8) for each in range(9)] == [0, 1, 1, 2, 2, 3, 3, 4, 4]
    assert shade(0, 0) == 0
    assert shade(1, 1) == SHADES


def test_each_shade_has_its_colour_in_light_and_dark() -> None:
    sheet = (Path(board.__file__).parent / "assets/board.css").read_text(encoding="utf-8")
    for step in range(1, SHADES + 1):
        assert len(re.findall(rf"^(?:\.dark )?#board \.shade-{step} {{", sheet, re.MULTILINE)) == 2
