from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from medinject_demo.errors import OutputError
from medinject_demo.files import require_writable, said_in, sha256_of, whole, write_whole


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
    for attempt in (lambda: write_whole(below_a_file, "x"), lambda: require_writable(below_a_file)):
        with pytest.raises(OutputError, match=r"below: expected a place to write, got '.*'. Choose another place."):
            attempt()


def test_what_is_interrupted_leaves_the_old_file_and_no_half(tmp_path: Path) -> None:
    write_whole(tmp_path / "a.txt", "bon")
    with pytest.raises(UnicodeEncodeError), whole(tmp_path / "a.txt") as partial, partial.open("w") as file:
        file.write("moitié, puis \ud800")
    assert [(each.name, each.read_text()) for each in tmp_path.iterdir()] == [("a.txt", "bon")]


@pytest.mark.parametrize("content", [b"", b"{", b"[1]", b"\xff", b"3"])
def test_a_record_that_is_no_object_says_nothing(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "record.json").write_bytes(content)
    assert said_in(tmp_path / "record.json") == said_in(tmp_path / "none.json") == {}


def test_a_record_says_what_is_in_it_and_a_file_is_known_by_its_bytes(tmp_path: Path) -> None:
    (tmp_path / "record.json").write_text('{"é": 1}', encoding="utf-8")
    assert said_in(tmp_path / "record.json") == {"é": 1}
    assert sha256_of(tmp_path / "record.json") == hashlib.sha256('{"é": 1}'.encode()).hexdigest()
