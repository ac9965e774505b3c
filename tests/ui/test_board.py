from __future__ import annotations

import math
import re
from datetime import UTC, datetime
from html.parser import HTMLParser
from pathlib import Path

import pytest

from medinject_demo.domain import MIXTURES, Verdict
from medinject_demo.errors import StoreError
from medinject_demo.pairing import pairs
from medinject_demo.ui import board, board_view
from medinject_demo.ui.texts import name
from medinject_demo.votes.records import Counts, PairCount
from medinject_demo.votes.store import VoteStore
from tests.duels import store_at
from tests.votes.samples import ballot, battle

AT = datetime(2026, 3, 6, 9, 5, 7, tzinfo=UTC)
BASE, NATIVE, TRANSLATED = MIXTURES[:3]


class Cells(HTMLParser):
    """The texts of the cells of each table, row by row, and the attributes of the tags seen."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tables: list[list[list[str]]] = []
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.open.append(tag)
        self.tags.append((tag, dict(attrs)))
        if tag == "table":
            self.tables.append([])
        elif tag == "tr":
            self.tables[-1].append([])
        elif tag in ("td", "th"):
            self.tables[-1][-1].append("")

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if {"td", "th"} & set(self.open):
            self.tables[-1][-1][-1] += data


def counts(**given: PairCount) -> Counts:
    """Counts of the pairs named as ``base_nat``; the others are zero."""
    table = {pair: given.get("_".join(arm.slug for arm in pair), PairCount()) for pair in pairs()}
    met = sum(each.battles for each in table.values())
    votes = sum(each.votes for each in table.values())
    return Counts(met, votes, min(votes, 3), 0, table)


def even(each: int) -> Counts:
    """Every pair with this many battles, half of them decisive."""
    wins = (each // 4, each // 4)
    rest = each - sum(wins)
    return Counts(28 * each, 28 * each, 9, 0, {pair: PairCount(each, wins, rest) for pair in pairs()})


def broken(folder: Path, monkeypatch: pytest.MonkeyPatch) -> VoteStore:
    def fail() -> None:
        raise StoreError("votes: expected a database that answers, got none.")

    store = store_at(folder)
    monkeypatch.setattr(store, "counts", fail)
    return store


@pytest.mark.parametrize("lang", ["fr", "en"])
@pytest.mark.parametrize("seen", [counts(), counts(base_nat=PairCount(1, (1, 0))), even(2), even(180)])
def test_the_board_is_well_formed_at_any_number_of_votes(lang: str, seen: Counts) -> None:
    cells = Cells(board_view.board(lang, seen))
    assert cells.tables[0][1:][-1][0].endswith(name(lang, MIXTURES[-1]))
    assert len(cells.tables) == (2 if seen.votes else 1)


def test_the_map_has_each_of_the_28_pairs_once_at_its_place() -> None:
    each = {f"{one}_{other}": PairCount(place + 1) for place, (one, other) in enumerate(pairs())}
    rows = Cells(board_view.board("fr", counts(**each))).tables[0][1:]
    numbers = [[cell for cell in row[1:] if cell] for row in rows]
    assert [len(row) for row in numbers] == [1, 2, 3, 4, 5, 6, 7]
    assert sorted(int(cell) for row in numbers for cell in row) == list(range(1, 29))
    assert numbers[1] == ["2", "8"]  # the translated arm against the base, then against the native one


def test_every_table_can_be_scrolled_by_keyboard_and_has_a_name() -> None:
    tags = Cells(board_view.board("fr", even(4))).tags
    regions = [attributes for tag, attributes in tags if attributes.get("role") == "region"]
    assert len(regions) == 2
    assert all(each["tabindex"] == "0" and each["aria-label"] for each in regions)
    assert all("scope" in attributes for tag, attributes in tags if tag == "th")


def test_an_arm_is_named_in_full_to_a_screen_reader() -> None:
    heads = Cells(board_view.board("fr", counts())).tables[0][0]
    assert heads[5] == "N+TNatif + traduit"


def test_without_votes_the_board_says_so_and_lists_no_pair() -> None:
    text = board_view.board("fr", counts())
    assert "Pas assez de votes" in text
    assert "Aucun vote pour l’instant" in text
    assert "Verdicts par paire" not in text


def test_nothing_is_said_of_a_pair_below_ten_decisive_votes() -> None:
    few = PairCount(40, (5, 4), both_good=31)
    enough = PairCount(10, (4, 6))
    rows = Cells(board_view.board("fr", counts(base_nat=few, base_trad=enough))).tables[1]
    assert [row[-1] for row in rows[1:]] == ["Pas assez de votes (9/10)", "10 votes décisifs"]
    assert "Paires qui ont assez de votes\u00a0: 1 sur 28." in board_view.board("fr", counts(base_trad=enough))


def test_the_sentence_of_the_rule_is_true_of_its_threshold() -> None:
    def two_sided(wins: int) -> float:
        return 2 * math.fsum(math.comb(board_view.ENOUGH, k) for k in range(wins, 11)) / 2**board_view.ENOUGH

    assert board_view.ENOUGH == 10
    assert two_sided(9) < 0.05 < two_sided(8)


def test_with_enough_votes_everywhere_the_board_warns_of_style_and_lists_all_pairs() -> None:
    text = board_view.board("fr", even(40))
    assert "Pas assez de votes" not in text
    assert "longueur des réponses" in text
    assert len(Cells(text).tables[1]) == 29
    assert "non listées" not in text


def test_the_row_of_a_pair_holds_its_numbers_in_the_order_of_the_heads() -> None:
    seen = counts(base_nat=PairCount(21, (7, 6), both_good=5, both_bad=2, unsure=1))
    head, row = Cells(board_view.board("en", seen)).tables[1]
    assert head[1:7] == ["Duels", "First preferred", "Second preferred", "Both good", "Both bad", "Unsure"]
    assert row == ["Base model and Native", "21", "7", "6", "5", "2", "1", "13 decisive votes"]


def test_pairs_without_a_duel_are_counted_and_not_listed() -> None:
    assert "Pairs without any duel voted on, not listed: 27." in board_view.board(
        "en", counts(base_nat=PairCount(1, (1, 0)))
    )


@pytest.mark.parametrize(("lang", "said"), [("fr", "5\u202f040"), ("en", "5,040")])
def test_thousands_are_set_apart_as_the_language_does(lang: str, said: str) -> None:
    assert f'<dd class="figure">{said}</dd>' in board_view.board(lang, even(180))


def test_the_shades_go_from_none_to_the_most_in_equal_steps() -> None:
    assert [board_view.shade(each, 8) for each in range(9)] == [0, 1, 1, 2, 2, 3, 3, 4, 4]
    assert board_view.shade(0, 0) == 0
    assert board_view.shade(1, 1) == board_view.SHADES


def test_each_shade_has_its_colour_in_light_and_dark() -> None:
    sheet = (Path(board.__file__).parent / "assets/board.css").read_text(encoding="utf-8")
    for step in range(1, board_view.SHADES + 1):
        assert len(re.findall(rf"^(?:\.dark )?#board \.shade-{step} {{", sheet, re.MULTILINE)) == 2


@pytest.mark.parametrize(
    ("lang", "said"), [("fr", "État au 06/03/2026 à\u00a009:05:07 (UTC)"), ("en", "As of 2026-03-06 09:05:07 (UTC)")]
)
def test_the_time_of_reading_is_said_in_utc(lang: str, said: str) -> None:
    text = board_view.as_of(lang, AT)
    assert said in text.replace("à ", "à\u00a0")
    assert 'datetime="2026-03-06T09:05:07+00:00"' in text


def test_nothing_is_read_before_the_tab_is_opened() -> None:
    assert board.drawn("fr", None) == ("", "Lecture des votes…")


def test_a_store_that_cannot_be_read_is_one_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seen = board.look(broken(tmp_path, monkeypatch), lambda: AT)
    assert seen == board.Seen(AT, None)
    at, text = board.drawn("fr", seen)
    assert at == ""
    assert "Les votes ne peuvent pas être lus" in text
    assert "expected" not in text


def test_what_was_seen_is_drawn_again_in_another_language_without_a_reading() -> None:
    seen = board.Seen(AT, even(40))
    assert [board.drawn(lang, seen)[1][:60] for lang in ("fr", "en")] == [
        board_view.board(lang, even(40))[:60] for lang in ("fr", "en")
    ]


def test_the_document_says_what_the_store_counts(tmp_path: Path) -> None:
    store = store_at(tmp_path)
    store.cast(battle("one", TRANSLATED, BASE), "me", ballot(Verdict.LEFT))
    store.cast(battle("two", BASE, TRANSLATED), "you", ballot(Verdict.RIGHT), blind=False)
    said = board.document(store.counts())
    assert (said["battles"], said["votes"], said["voters"], said["after_reveal"]) == (2, 2, 2, 1)
    (met,) = [each for each in said["pairs"] if each["battles"]]
    assert met == {
        "arms": ["base", "trad"],
        "battles": 2,
        "wins": [0, 1],
        "both_good": 0,
        "both_bad": 0,
        "unsure": 0,
        "decisive": 1,
        "enough": False,
    }
    assert len(said["pairs"]) == 28


def test_the_counts_of_the_board_are_those_of_the_store(tmp_path: Path) -> None:
    assert board.look(store_at(tmp_path), lambda: AT) == board.Seen(AT, store_at(tmp_path).counts())
