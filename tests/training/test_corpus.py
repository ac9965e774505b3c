from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from medinject_demo.errors import InvalidData
from medinject_demo.training.corpus import FIELDS, LIST_FIELDS, REGISTERS, STYLES, Corpus, Phrasings


def spoil(path: Path, old: str, new: str) -> None:
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new, 1), encoding="utf-8")


def spoil_condition(folder: Path, number: int, **changes: object) -> None:
    path = folder / "conditions.jsonl"
    lines = path.read_text(encoding="utf-8").splitlines()
    row = json.loads(lines[number - 1]) | changes
    kept = {key: value for key, value in row.items() if value is not None}
    lines[number - 1] = json.dumps(kept, ensure_ascii=False)
    path.write_text("\n".join(lines), encoding="utf-8")


def phrasings(corpus: Corpus) -> list[Phrasings]:
    questions, unknown = corpus.questions, corpus.unknown
    tables = [each for registers in questions.open.values() for each in registers.values()]
    return [*tables, *questions.mcqu.values(), *questions.mcq.values(), unknown.conditions, unknown.prompts]


def plain(text: str) -> str:
    return re.sub(r"[\W_]+", " ", text.casefold()).strip()


def test_there_are_enough_conditions_and_specialties(corpus: Corpus) -> None:
    assert len(corpus.conditions) >= 80
    assert len({condition.specialty for condition in corpus.conditions}) >= 14


def test_every_field_is_asked_in_every_register_and_answered_in_every_style(corpus: Corpus) -> None:
    assert set(corpus.questions.open) == set(FIELDS)
    assert all(set(registers) == set(REGISTERS) for registers in corpus.questions.open.values())
    assert all(set(FIELDS) <= set(corpus.styles[style]) for style in STYLES)
    assert all(corpus.unknown.answers[style] for style in STYLES)


def test_every_list_field_has_its_multiple_choice_stems(corpus: Corpus) -> None:
    assert set(LIST_FIELDS) <= set(corpus.questions.mcqu)
    assert set(LIST_FIELDS) <= set(corpus.questions.mcq)


def test_no_held_out_phrasing_is_trained_on(corpus: Corpus) -> None:
    for each in phrasings(corpus):
        assert not {plain(text) for text in each.train} & {plain(text) for text in each.held_out}


def test_no_composed_question_is_a_held_out_one(corpus: Corpus) -> None:
    held_out = {
        plain(text) for registers in corpus.questions.open.values() for r in registers.values() for text in r.held_out
    }
    for register in REGISTERS:
        for sort, openers in corpus.questions.openers[register].halves().items():
            for field in FIELDS:
                subjects = getattr(corpus.questions.subjects[field], sort)
                composed = {plain(o.replace("{subject}", s).replace("{Subject}", s)) for o in openers for s in subjects}
                assert not composed & held_out


def test_no_phrasing_is_listed_twice(corpus: Corpus) -> None:
    for each in phrasings(corpus):
        assert len({plain(text) for text in (*each.train, *each.held_out)}) == len(each.train) + len(each.held_out)


def test_what_is_unknown_is_no_condition_of_the_corpus(corpus: Corpus) -> None:
    unknown = corpus.unknown.conditions
    known = {name.casefold() for each in corpus.conditions for name in (each.definite, each.name, *each.aliases)}
    assert not known & {name.casefold() for name in (*unknown.train, *unknown.held_out)}


def test_a_condition_is_found_by_its_slug(corpus: Corpus) -> None:
    assert "fibrillation-atriale" in {condition.id for condition in corpus.conditions}


def test_the_definition_is_its_only_entry(corpus: Corpus) -> None:
    condition = corpus.conditions[0]
    assert condition.entries("definition") == (condition.definition,)
    assert condition.entries("causes") == condition.causes


def test_a_malformed_line_is_named(corpus_folder: Path) -> None:
    spoil(corpus_folder / "conditions.jsonl", '"id": "insuffisance-cardiaque",', '"id": insuffisance-cardiaque,')
    with pytest.raises(
        InvalidData, match=r"^conditions.jsonl, line 2: expected a JSON object, got a fault at column 8"
    ):
        Corpus.load(corpus_folder)


def test_a_missing_field_is_named_with_its_line(corpus_folder: Path) -> None:
    spoil_condition(corpus_folder, 3, treatment=None)
    with pytest.raises(InvalidData, match=r"^conditions.jsonl, line 3: the field 'treatment' is missing. Add it.$"):
        Corpus.load(corpus_folder)


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"id": "Avec Majuscule"}, "id"),
        ({"definite": "un infarctus"}, "definite"),
        ({"aliases": []}, "aliases"),
        ({"case": "Sans point final"}, "case"),
        ({"causes": ["un tabac", "un sucre"]}, "causes"),
        ({"symptoms": ["fièvre, toux", "fatigue", "pâleur"]}, "symptoms.0"),
        ({"symptoms": ["fièvre", "fatigue.", "pâleur"]}, "symptoms.1"),
        ({"treatments": ["repos"]}, "treatments"),
    ],
)
def test_a_bad_field_is_named_with_its_line(corpus_folder: Path, changes: dict[str, object], field: str) -> None:
    spoil_condition(corpus_folder, 4, **changes)
    with pytest.raises(InvalidData, match=rf"^conditions.jsonl, line 4: field '{field}': .*, got"):
        Corpus.load(corpus_folder)


@pytest.mark.parametrize("change", [{"id": "infarctus-du-myocarde"}, {"name": "Crise cardiaque"}, {"aliases": ["IDM"]}])
def test_a_name_used_twice_is_named_with_both_lines(corpus_folder: Path, change: dict[str, object]) -> None:
    spoil_condition(corpus_folder, 5, **change)
    with pytest.raises(InvalidData, match=r"^conditions.jsonl, line 5: the name .* is already used on line 1.$"):
        Corpus.load(corpus_folder)


@pytest.mark.parametrize("name", ["questions.toml", "styles.toml", "unknown.toml"])
def test_wrong_toml_is_named_with_its_line(corpus_folder: Path, name: str) -> None:
    path = corpus_folder / name
    path.write_text("x = \n" + path.read_text(encoding="utf-8"), encoding="utf-8")
    with pytest.raises(InvalidData, match=rf"{name}: expected valid TOML, got .*line 1.* Mend that line."):
        Corpus.load(corpus_folder)


@pytest.mark.parametrize("name", ["conditions.jsonl", "questions.toml", "styles.toml", "unknown.toml"])
def test_a_file_that_is_not_there_is_named(corpus_folder: Path, name: str) -> None:
    (corpus_folder / name).unlink()
    with pytest.raises(InvalidData, match=rf"{name}: expected a .* file, got No such file"):
        Corpus.load(corpus_folder)


@pytest.mark.parametrize(
    "name",
    [
        "conditions.jsonl",
        "questions.toml",
        "styles.toml",
        "unknown.toml",
    ],
)
def test_a_file_that_is_not_utf8_is_named(corpus_folder: Path, name: str) -> None:
    path = corpus_folder / name
    path.write_bytes(path.read_text(encoding="utf-8").encode("latin-1", errors="replace"))
    with pytest.raises(InvalidData, match=rf"{name}: expected"):
        Corpus.load(corpus_folder)


@pytest.mark.parametrize(
    ("name", "table"),
    [
        ("questions.toml", "definition.formal"),
        ("questions.toml", "causes.case"),
        ("questions.toml", "mcqu.causes"),
        ("questions.toml", "mcq.symptoms"),
        ("styles.toml", "nat.causes"),
        ("styles.toml", "base.definition"),
    ],
)
def test_a_missing_table_is_named(corpus_folder: Path, name: str, table: str) -> None:
    spoil(corpus_folder / name, f"[{table}]", f"[{table}-autre]")
    with pytest.raises(InvalidData, match=rf"{name}: the table \[{table}\] is missing"):
        Corpus.load(corpus_folder)


def test_missing_answers_of_a_style_are_named(corpus_folder: Path) -> None:
    spoil(corpus_folder / "unknown.toml", "\nnat = [", "\nautre = [")
    with pytest.raises(InvalidData, match=r"unknown.toml: the answers of style 'nat' are missing"):
        Corpus.load(corpus_folder)


def test_a_field_of_the_wrong_type_is_named(corpus_folder: Path) -> None:
    with (corpus_folder / "styles.toml").open("a", encoding="utf-8") as styles:
        styles.write('\n[nat.autre]\nframes = "un texte"\n')
    with pytest.raises(InvalidData, match=r"^styles.toml: field 'nat.autre.frames': .*, got 'un texte'"):
        Corpus.load(corpus_folder)


def test_a_style_that_has_nothing_to_say_is_named(corpus_folder: Path) -> None:
    path = corpus_folder / "styles.toml"
    text = re.sub(
        r"(?s)\[nat\.causes\]\nframes = \[.*?\n\]", "[nat.causes]\nframes = []", path.read_text(encoding="utf-8")
    )
    path.write_text(text, encoding="utf-8")
    with pytest.raises(InvalidData, match=r"styles.toml.*nat.causes"):
        Corpus.load(corpus_folder)


def test_a_placeholder_that_nothing_fills_is_named(corpus_folder: Path) -> None:
    spoil(corpus_folder / "questions.toml", "{du}", "{dus}")
    with pytest.raises(InvalidData, match=r"questions.toml.*\{?dus"):
        Corpus.load(corpus_folder)
