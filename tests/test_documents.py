"""Generated parts of a document."""

from __future__ import annotations

from pathlib import Path

import pytest

from medinject_demo.documents import Part, put
from medinject_demo.errors import InvalidData

TEXT = "before\n<!-- one: generated -->\nold\n<!-- one: end -->\nafter <!-- two: generated --><!-- two: end -->\n"


def test_a_part_is_replaced_and_the_rest_left() -> None:
    fresh = put(TEXT, "one", "new")
    assert fresh == TEXT.replace("old", "new")
    assert put(fresh, "one", "new") == fresh


@pytest.mark.parametrize("text", ["", "<!-- one: generated -->", "<!-- one: end -->"])
def test_a_missing_marker_is_named(text: str) -> None:
    with pytest.raises(InvalidData, match=r"README\.md: expected the markers <!-- one: generated -->"):
        put(text, "one", "new", where="README.md")


def test_a_part_is_written_into_its_document_and_what_others_wrote_meanwhile_stays(tmp_path: Path) -> None:
    document = tmp_path / "document.md"
    document.write_text(TEXT, encoding="utf-8")
    one, two = Part(document, "one"), Part(document, "two")
    one.require_place()
    two.write("other")
    one.write("new")
    assert document.read_text(encoding="utf-8") == put(put(TEXT, "one", "new"), "two", "other")


@pytest.mark.parametrize("text", [None, "without markers"])
def test_a_document_that_has_no_place_for_a_part_is_said_before_the_work(tmp_path: Path, text: str | None) -> None:
    document = tmp_path / "document.md"
    if text is not None:
        document.write_text(text, encoding="utf-8")
    with pytest.raises(InvalidData, match=r"document\.md: expected "):
        Part(document, "one").require_place()
