from __future__ import annotations

from pathlib import Path

import pytest

from medinject_demo.errors import OutputError
from medinject_demo.training.files import replace_folder, write_whole


def test_a_file_is_written_whole_with_its_folders(tmp_path: Path) -> None:
    write_whole(tmp_path / "un/deux/œdème.md", "é")
    assert (tmp_path / "un/deux/œdème.md").read_text(encoding="utf-8") == "é"
    assert [each.name for each in (tmp_path / "un/deux").iterdir()] == ["œdème.md"]


def test_a_good_file_stays_when_the_new_one_cannot_be_written(tmp_path: Path) -> None:
    write_whole(tmp_path / "a.txt", "bon")
    (tmp_path / "a.txt.partial").mkdir()
    with pytest.raises(OutputError, match=r"a.txt: expected a place to write, got 'Is a directory'"):
        write_whole(tmp_path / "a.txt", "autre")
    assert (tmp_path / "a.txt").read_text(encoding="utf-8") == "bon"


def test_a_place_below_a_file_is_refused_with_a_remedy(below_a_file: Path) -> None:
    with pytest.raises(OutputError, match=r"below: expected a place to write, got '.*'. Choose another with --output."):
        write_whole(below_a_file, "x")


def test_a_new_folder_takes_the_place_of_the_old_one(tmp_path: Path) -> None:
    write_whole(tmp_path / "place/old.txt", "old")
    write_whole(tmp_path / "new/new.txt", "new")
    replace_folder(tmp_path / "new", tmp_path / "place")
    assert [str(each.relative_to(tmp_path)) for each in sorted(tmp_path.rglob("*"))] == ["place", "place/new.txt"]
