"""From no vote at all to many: sane, frozen, finite, without a warning (they are errors in the tests)."""

from __future__ import annotations

import dataclasses
import io
import json
import math
from datetime import UTC, datetime
from typing import Any

import pandas as pd
import pytest

from medinject_demo.stats.board import Standing
from medinject_demo.stats.estimate import Estimate
from medinject_demo.stats.provenance import Conclusion
from medinject_demo.stats.report import Report, report
from medinject_demo.stats.selection import Selection
from medinject_demo.stats.tables import FIGURES, as_csv, as_document, as_markdown, as_text

from .votes import drawn, votes

NOW = datetime(2026, 11, 27, 12, tzinfo=UTC)
ALL_ALIKE = {
    "one pair": votes([("nat", "base", "left"), ("base", "nat", "left")] * 10),
    "only ties": votes([("nat", "base", "both_good")] * 10),
    "only unsure": votes([("nat", "base", "unsure")] * 10),
    "only bad": votes([("all", "syn", "both_bad")] * 10),
    "one voter": drawn(50, voters=1),
    "one vote each": drawn(50, voters=5_000),
    "a sweep": votes([("nat", "base", "left"), ("base", "nat", "right")] * 200),
    "all on the left": votes([("nat", "base", "left"), ("base", "nat", "left")] * 200),
    "one busy voter": drawn(60, voters=1).assign(cluster=["busy"] * 55 + ["a", "b", "c", "d", "e"]),
    "all equivalent": votes([("nat", "base", "left")] * 9, equivalent_left=[True] * 9, equivalent_right=[True] * 9),
    "none exact": votes([("nat", "base", "left")] * 9, exact_left=[False] * 9, exact_right=[False] * 9),
    "huge lengths": votes([("nat", "base", "left")] * 9, words_left=[10**7] * 9, words_right=[0] * 9),
}


def numbers(value: Any) -> list[float]:
    """Every number inside a result."""
    if isinstance(value, bool):
        return []
    if isinstance(value, int | float):
        return [float(value)]
    if isinstance(value, dict):
        return [number for each in value.values() for number in numbers(each)]
    if dataclasses.is_dataclass(value):
        return [number for field in dataclasses.fields(value) for number in numbers(getattr(value, field.name))]
    return [number for each in value for number in numbers(each)] if isinstance(value, tuple) else []


def estimates(value: Any) -> list[Estimate]:
    """Every estimate inside a result."""
    if isinstance(value, Estimate):
        return [value]
    if isinstance(value, dict):
        return [found for each in value.values() for found in estimates(each)]
    if dataclasses.is_dataclass(value):
        return [found for field in dataclasses.fields(value) for found in estimates(getattr(value, field.name))]
    return [found for each in value for found in estimates(each)] if isinstance(value, tuple) else []


def require_sane(said: Report) -> None:
    assert all(math.isfinite(number) for number in numbers(said))
    for each in estimates(said):
        assert each.low <= each.value <= each.high
        assert each.error >= 0
    json.dumps(as_document(said), allow_nan=False)
    hash(said.board.rows)


@pytest.mark.parametrize("count", [0, 1, 2, 3, 5, 10, 50, 500])
@pytest.mark.parametrize("seed", range(3))
def test_any_number_of_votes_gives_sane_results(count: int, seed: int) -> None:
    said = report(drawn(count, seed), as_of=NOW)
    require_sane(said)
    assert said.board.comparisons == count


@pytest.mark.parametrize("name", ALL_ALIKE)
def test_votes_that_are_all_alike_give_sane_results(name: str) -> None:
    require_sane(report(ALL_ALIKE[name], as_of=NOW))


@pytest.mark.parametrize("count", [0, 1, 5])
def test_a_handful_of_votes_says_nothing(count: int) -> None:
    said = report(drawn(count), as_of=NOW)
    assert {row.controlled.standing for row in said.board.rows} == {Standing.TOO_FEW, Standing.REFERENCE}
    found = [each.conclusion for each in (*said.provenances.preference.effects, *said.provenances.preference.steps)]
    assert set(found) == {Conclusion.UNKNOWN}
    assert all(row.provisional for row in said.board.rows)


def test_without_votes_what_cannot_be_known_is_none() -> None:
    said = report(drawn(0), as_of=NOW)
    assert all(row.failures is None for row in said.board.rows)
    assert (said.provenances.equivalence, said.provenances.exactness) == (None, None)
    bias = said.bias
    nothing = (bias.position.observed, bias.length.longer_wins, bias.length.words, bias.seconds, bias.ties)
    assert {*nothing, bias.both_bad, bias.unsure, bias.equivalence, bias.voters.votes, bias.agreement.alpha} == {None}
    assert (bias.agreement.cases, bias.voters.busiest_share, bias.voters.effective, bias.styles) == (0, 0, 0, ())


def test_everything_is_of_the_same_selection() -> None:
    frame = drawn(300)
    said = report(frame, Selection(kind="oeq"), as_of=NOW)
    count = int((frame["kind"] == "oeq").sum())
    assert said.board.comparisons == count
    assert said.bias.voters.votes is not None
    assert said.bias.length.words is not None
    assert said.bias.length.words.count == 2 * count


def test_a_frame_without_what_is_optional_is_enough() -> None:
    frame = drawn(40).drop(columns=["exact_left", "exact_right"])
    assert report(frame, as_of=NOW).provenances.exactness is None


def test_text_markdown_and_csv_have_a_line_for_each_arm() -> None:
    said = report(drawn(200), as_of=NOW)
    text, markdown, table = as_text(said), as_markdown(said), pd.read_csv(io.StringIO(as_csv(said)))
    for row in said.board.rows:
        assert any(line.startswith(row.arm.slug) for line in text.splitlines())
        assert any(line.startswith(f"| {row.arm.slug}") for line in markdown.splitlines())
    assert tuple(table.columns) == FIGURES
    assert table["arm"].tolist() == [row.arm.slug for row in said.board.rows]
    assert table["controlled_points"].tolist() == pytest.approx(
        [row.controlled.points.value for row in said.board.rows]
    )
    assert "28 of 28 pairs met" in text or "of 28 pairs met" in text


def test_a_share_of_few_votes_is_the_one_observed_and_an_estimate_is_called_one() -> None:
    said = report(votes([("nat", "base", "both_bad")] * 2 + [("nat", "base", "left")]), as_of=NOW)
    for write in (as_text, as_markdown):
        assert "67% (" in next(line for line in write(said).splitlines() if "nat" in line)
        assert "Estimated: the left is preferred " in write(said)
    document = as_document(said)
    assert document["bias"]["both_bad"]["value"] == pytest.approx(2 / 3)
    assert document["bias"]["position"]["observed"]["value"] == 1


def test_the_tables_say_where_base_and_length_cannot_be_told_apart() -> None:
    frame = drawn(200)
    words = {f"words_{side}": [300 if arm == "base" else 10 for arm in frame[side]] for side in ("left", "right")}
    apart = report(frame.assign(**words), as_of=NOW)
    for write in (as_text, as_markdown):
        assert "The base and length cannot be told apart: in 100% of" in write(apart)
        assert "cannot be told apart" not in write(report(frame, as_of=NOW))


def test_the_document_names_arms_pairs_and_times() -> None:
    document = as_document(report(drawn(30), as_of=NOW))
    assert document["board"]["as_of"] == "2026-11-27T12:00:00+00:00"
    assert {row["arm"] for row in document["board"]["rows"]} >= {"base", "all"}
    assert set(document["board"]["cells"]["base+nat"]) == {"tally", "battles", "raw", "controlled", "standing"}
    assert document["provenances"]["preference"]["effects"][4]["provenances"] == ["nat", "trad"]
