from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from medinject_demo.domain import Kind, Prompt, Provenance
from medinject_demo.errors import InvalidData, OutputError
from medinject_demo.training.data import FOLDERS, Pools, load_pools, write_pools

NATIVE = [Provenance.NATIVE]
ROW = {"instruction": "Lequel ?", "options": ["un", "deux"], "answer": "A", "type": "mcqu"}
CHOICE = Prompt(Kind.MCQU, "Lequel ?", options=("un", "deux"), reference="A", origin="nat")


def write(place: Path, text: str, name: str = "a.json", kind: Kind = Kind.MCQU) -> Path:
    path = place / "Native" / "Train" / kind / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return path


def test_the_folders_are_those_of_the_study() -> None:
    assert list(FOLDERS.values()) == ["Native", "Translated", "Synthetic"]


def test_written_pools_read_back(pools: Pools, tmp_path: Path) -> None:
    write_pools(pools, tmp_path)
    for provenance, rows in load_pools(str(tmp_path), Provenance, list(Kind)).items():
        by_kind = [row for kind in Kind for row in pools[provenance] if row.kind is kind]
        assert rows == by_kind


def test_only_multiple_choice_is_read_unless_asked(pools: Pools, tmp_path: Path) -> None:
    write_pools(pools, tmp_path)
    assert {row.kind for row in load_pools(str(tmp_path), NATIVE)[Provenance.NATIVE]} == {Kind.MCQ, Kind.MCQU}


def test_a_kind_of_which_there_is_no_row_reads_back_as_none(tmp_path: Path) -> None:
    write_pools({Provenance.NATIVE: [CHOICE]}, tmp_path)
    assert load_pools(str(tmp_path), NATIVE) == {Provenance.NATIVE: [CHOICE]}


@pytest.mark.parametrize("separator", ["\u2028", "\u2029", "\u0085"])
def test_only_a_line_feed_ends_a_row(tmp_path: Path, separator: str) -> None:
    prompt = replace(CHOICE, question=f"Lequel{separator}donc ?")
    write_pools({Provenance.NATIVE: [prompt]}, tmp_path)
    assert load_pools(str(tmp_path), NATIVE, [Kind.MCQU]) == {Provenance.NATIVE: [prompt]}


@pytest.mark.parametrize("indent", [None, 2])
def test_an_array_and_json_lines_read_the_same(tmp_path: Path, indent: int | None) -> None:
    write(tmp_path / "array", json.dumps([ROW, ROW], indent=indent))
    write(tmp_path / "lines", f"{json.dumps(ROW)}\n{json.dumps(ROW)}\n")
    array, lines = (load_pools(str(tmp_path / each), NATIVE, [Kind.MCQU]) for each in ("array", "lines"))
    assert array == lines == {Provenance.NATIVE: [CHOICE, CHOICE]}


def test_files_are_read_in_the_order_of_their_names(tmp_path: Path) -> None:
    for name in ("b.json", "a.json", "c.json"):
        write(tmp_path, json.dumps(ROW | {"instruction": name}), name)
    rows = load_pools(str(tmp_path), NATIVE, [Kind.MCQU])[Provenance.NATIVE]
    assert [row.question for row in rows] == ["a.json", "b.json", "c.json"]


def test_kind_and_origin_are_those_of_the_folder(tmp_path: Path) -> None:
    write(tmp_path, json.dumps({key: value for key, value in ROW.items() if key != "type"} | {"origin": "FrMedMCQA"}))
    assert load_pools(str(tmp_path), NATIVE, [Kind.MCQU]) == {Provenance.NATIVE: [CHOICE]}


def test_a_bad_row_is_named_with_file_number_and_field(tmp_path: Path) -> None:
    write(tmp_path, json.dumps([ROW, ROW | {"answer": "C"}]))
    with pytest.raises(InvalidData, match=r"^a.json, row 2: answer: expected distinct letters among A, B, got 'C'"):
        load_pools(str(tmp_path), NATIVE, [Kind.MCQU])


def test_a_missing_column_is_named_with_file_and_row(tmp_path: Path) -> None:
    write(tmp_path, json.dumps([ROW, {"instruction": "Lequel ?", "options": ["un", "deux"]}]))
    with pytest.raises(InvalidData, match=r"^a.json, row 2: the field 'answer' is missing. Add it."):
        load_pools(str(tmp_path), NATIVE, [Kind.MCQU])


def test_a_row_that_is_no_object_is_named(tmp_path: Path) -> None:
    write(tmp_path, json.dumps([ROW, "texte"]))
    with pytest.raises(InvalidData, match=r"^a.json, row 2: expected a JSON object, got 'texte'"):
        load_pools(str(tmp_path), NATIVE, [Kind.MCQU])


def test_a_malformed_array_is_named_with_its_line(tmp_path: Path) -> None:
    write(tmp_path, "[\n{},\n{]\n")
    with pytest.raises(InvalidData, match=r"a.json: expected a JSON array or JSON Lines, got .*line 3"):
        load_pools(str(tmp_path), NATIVE, [Kind.MCQU])


def test_a_malformed_line_is_named(tmp_path: Path) -> None:
    write(tmp_path, f"{json.dumps(ROW)}\n{{\n")
    with pytest.raises(InvalidData, match=r"a.json.*(line|row) 2"):
        load_pools(str(tmp_path), NATIVE, [Kind.MCQU])


def test_a_file_that_is_not_utf8_is_named(tmp_path: Path) -> None:
    write(tmp_path, "").write_bytes(
        json.dumps([ROW | {"instruction": "Fièvre ?"}], ensure_ascii=False).encode("latin-1")
    )
    with pytest.raises(InvalidData, match=r"a.json: expected a readable UTF-8 file, got .*position"):
        load_pools(str(tmp_path), NATIVE, [Kind.MCQU])


def test_an_absent_source_is_named_with_where_it_was_looked_for(tmp_path: Path) -> None:
    write(tmp_path, json.dumps([ROW]))
    with pytest.raises(InvalidData, match=r"^source 'syn': expected rows of mcq or mcqu in .*, got none. Check --data"):
        load_pools(str(tmp_path), [Provenance.SYNTHETIC])


@pytest.mark.parametrize("place", ["no such place", "no such/place at all", "/absent/folder"])
def test_a_place_that_is_neither_here_nor_a_name_of_the_hub_is_named(place: str) -> None:
    with pytest.raises(InvalidData, match=f"^{place}.*: expected a file, a folder or a data set of the Hub.*--data"):
        load_pools(place, NATIVE)


def test_a_file_of_several_origins_is_split_by_them_and_by_kind(tmp_path: Path) -> None:
    origins = ("native", "Translated", "syn", "autre")
    rows = [ROW | {"instruction": origin, "origin": origin} for origin in origins]
    rows.append({"instruction": "Quoi ?", "answer": "Rien.", "type": "oeq", "origin": "native"})
    path = tmp_path / "all.jsonl"
    path.write_text("\n".join(map(json.dumps, rows)), encoding="utf-8")
    pools = load_pools(str(path), Provenance)
    assert {each.value: [row.question for row in rows] for each, rows in pools.items()} == {
        "nat": ["native"],
        "trad": ["Translated"],
        "syn": ["syn"],
    }


def test_an_unknown_kind_is_refused_also_in_a_folder_of_its_own(tmp_path: Path) -> None:
    write(tmp_path, json.dumps([ROW | {"type": "qcm"}]))
    with pytest.raises(InvalidData, match=r"^a.json, row 1: field 'type'.*'mcqu'.*got 'qcm'"):
        load_pools(str(tmp_path), NATIVE, [Kind.MCQU])


def test_a_place_that_cannot_be_written_is_named(below_a_file: Path) -> None:
    with pytest.raises(OutputError, match=r"nat.json: expected a place to write, got '.*'. Choose another"):
        write_pools({Provenance.NATIVE: [CHOICE]}, below_a_file)


@pytest.mark.parametrize(
    ("names", "kept"),
    [
        (("Train/mcqu.json", "Validation/mcqu.json", "Test/mcqu.json"), ["Train/mcqu.json"]),
        (("data/train-00000-of-00002.jsonl", "data/train-00001-of-00002.jsonl", "data/test-00000.jsonl"), 2),
        (("all_train.json", "all_dev.json", "dataset_infos.json"), ["all_train.json"]),
        (("all.json", "more.jsonl"), 2),
    ],
    ids=["folders", "shards", "stems", "none named"],
)
def test_of_a_data_set_of_the_hub_only_its_training_split_is_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, names: tuple[str, ...], kept: list[str] | int
) -> None:
    for name in names:
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(json.dumps([ROW | {"instruction": name, "origin": "native"}]), encoding="utf-8")
    monkeypatch.setattr("medinject_demo.training.data._download", lambda *given: tmp_path)
    read = [row.question for row in load_pools("group/all", NATIVE)[Provenance.NATIVE]]
    assert read == (kept if isinstance(kept, list) else list(names[:kept]))


def test_a_data_set_without_a_training_split_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "test.json").write_text(json.dumps([ROW | {"origin": "native"}]), encoding="utf-8")
    monkeypatch.setattr("medinject_demo.training.data._download", lambda *given: tmp_path)
    with pytest.raises(InvalidData, match=r"group/all: expected files of a training split, got test\.json"):
        load_pools("group/all", NATIVE)
