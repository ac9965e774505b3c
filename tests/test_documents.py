"""Generated parts of a document."""

from __future__ import annotations

import pytest

from medinject_demo.documents import put
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
