from __future__ import annotations

from pathlib import Path

import pytest

from medinject_demo.errors import OutputError
from medinject_demo.files import write_whole
from medinject_demo.training.files import replace_folder, require_replaceable


def test_a_new_folder_takes_the_place_of_the_old_one(tmp_path: Path) -> None:
    write_whole(tmp_path / "place/old.txt", "old")
    write_whole(tmp_path / "new/new.txt", "new")
    replace_folder(tmp_path / "new", tmp_path / "place")
    assert [str(each.relative_to(tmp_path)) for each in sorted(tmp_path.rglob("*"))] == ["place", "place/new.txt"]


def test_a_folder_that_is_no_training_is_never_replaced(tmp_path: Path) -> None:
    (tmp_path / "docs").mkdir()
    (tmp_path / "docs" / "thesis.md").write_text("mine")
    (tmp_path / "file").write_text("mine")
    for place, got in (("docs", "another folder"), ("file", "a file")):
        with pytest.raises(OutputError, match=f"{place}: expected a free place or an earlier training, got {got}"):
            require_replaceable(tmp_path / place, ["training.json"])


def test_an_earlier_training_an_empty_folder_and_nothing_may_be_replaced(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "earlier").mkdir()
    (tmp_path / "earlier" / "training.json").write_text("{}")
    for place in ("empty", "earlier", "absent"):
        require_replaceable(tmp_path / place, ["training.json"])


def test_the_good_folder_is_put_back_where_the_new_one_cannot_be_moved(tmp_path: Path) -> None:
    (tmp_path / "good").mkdir()
    (tmp_path / "good" / "weights").write_text("good")
    with pytest.raises(OSError, match="absent"):
        replace_folder(tmp_path / "absent", tmp_path / "good")
    assert (tmp_path / "good" / "weights").read_text() == "good"
