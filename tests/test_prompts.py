from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from medinject_demo.domain import LETTERS, Kind, Prompt
from medinject_demo.errors import InvalidData
from medinject_demo.prompts import (
    CHOICES_LINE,
    EXAMPLES,
    Row,
    check_rows,
    layout,
    load_prompts,
    messages,
    read_lines,
    row_of,
)

CHOICE = {"instruction": "Lequel ?", "options": ["un", "deux", "trois"], "answer": "B", "type": "mcqu"}
OPEN = {"instruction": "Pourquoi ?", "answer": "Parce que.", "type": "oeq"}

line = st.text(st.characters(exclude_categories=["Cs", "Cc", "Zl", "Zp"]), min_size=1).filter(
    lambda text: text == text.strip() and CHOICES_LINE not in text
)


@st.composite
def prompts(
    draw: st.DrawFn, *, kinds: tuple[Kind, ...] = tuple(Kind), contexts: st.SearchStrategy[str] = line
) -> Prompt:
    kind = draw(st.sampled_from(kinds))
    options: tuple[str, ...] = ()
    reference = draw(line)
    if kind is not Kind.OEQ:
        options = tuple(draw(st.lists(line, min_size=2, max_size=len(LETTERS), unique=True)))
        letters = st.sets(
            st.sampled_from(LETTERS[: len(options)]), min_size=1, max_size=1 if kind is Kind.MCQU else None
        )
        reference = ", ".join(sorted(draw(letters)))
    context = draw(st.just("") | contexts)
    return Prompt(kind, draw(line), context, options, reference, draw(line), draw(line))


def written(folder: Path, *rows: object) -> Path:
    path = folder / "rows.jsonl"
    path.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), encoding="utf-8")
    return path


@given(prompts())
def test_a_prompt_survives_its_row(prompt: Prompt) -> None:
    assert Row.model_validate(row_of(prompt)).prompt() == prompt


@given(prompts())
def test_a_row_survives_json(prompt: Prompt) -> None:
    assert check_rows([json.loads(json.dumps(row_of(prompt)))], "here")[0].prompt() == prompt


@given(prompts(kinds=(Kind.MCQ, Kind.MCQU), contexts=st.nothing()))
def test_options_written_into_the_instruction_are_taken_out(prompt: Prompt) -> None:
    row = row_of(prompt) | {"instruction": layout(prompt), "options": None}
    assert Row.model_validate(row).prompt() == prompt


def test_an_option_that_goes_on_below_is_whole() -> None:
    listed = "Lequel ?\n" + CHOICES_LINE + "\n(A) un\n  et demi\n\n(B) deux\n  (C)trois\n"
    row = Row.model_validate({"instruction": listed, "answer": "B", "type": "mcqu"})
    assert row.options == ("un et demi", "deux", "trois")


@pytest.mark.parametrize(
    "listed",
    ["Au choix\n(A) un\n(B) deux", "\n".join(f"({letter}) {letter}" for letter in "ABCDEFGHIJKL"), "un\ndeux"],
    ids=["words before the first", "twelve", "no letters"],
)
def test_a_list_of_which_something_would_be_lost_is_refused(listed: str) -> None:
    row = {"instruction": f"Lequel ?\n{CHOICES_LINE}\n{listed}", "answer": "A", "type": "mcqu"}
    with pytest.raises(InvalidData, match="row 1: options: expected the letters"):
        check_rows([row], "here")


def test_the_message_is_vignette_question_and_one_option_a_line() -> None:
    prompt = Prompt(Kind.MCQU, "Lequel ?", "Un cas.", ("un", "deux"), "A")
    assert layout(prompt) == "Un cas.\nLequel ?\nChoix de réponses :\n(A) un\n(B) deux"


def test_there_is_one_user_message_and_no_system_message() -> None:
    assert messages(Prompt(Kind.OEQ, "Pourquoi ?")) == [{"role": "user", "content": "Pourquoi ?"}]


def test_the_studys_spelling_of_kinds_is_read() -> None:
    assert Row.model_validate(CHOICE | {"type": "MCQU"}).type is Kind.MCQU


@pytest.mark.parametrize("answer", ["A,C", "A, C", "A C"])
def test_letters_are_read_however_they_are_separated(answer: str) -> None:
    assert Row.model_validate(CHOICE | {"type": "mcq", "answer": answer}).prompt().reference == "A, C"


@pytest.mark.parametrize("field", ["instruction", "answer", "type"])
@pytest.mark.parametrize("absent", ["no key", "null"])
def test_a_missing_column_is_named_with_its_row(field: str, absent: str) -> None:
    row = {key: value for key, value in OPEN.items() if key != field} | ({field: None} if absent == "null" else {})
    with pytest.raises(InvalidData, match=rf"^Train, row 2: the field '{field}' is missing. Add it.$"):
        check_rows([OPEN, row], "Train")


@pytest.mark.parametrize(
    ("row", "sentence"),
    [
        (OPEN | {"type": "qcm"}, "field 'type': Input should be 'mcqu', 'mcq' or 'oeq', got 'qcm'."),
        (OPEN | {"instruction": "  "}, "field 'instruction': .* at least 1 character"),
        (OPEN | {"answer": 3}, "field 'answer': .* string, got 3."),
        (OPEN | {"options": ["un", "deux"]}, "options: expected none for an open question, remove them"),
        (CHOICE | {"options": ["un"]}, "options: expected 2 to 10 options, got 1"),
        (CHOICE | {"options": [str(place) for place in range(11)]}, "options: expected 2 to 10 options, got 11"),
        (CHOICE | {"options": ["un", ""]}, r"field 'options.1': .* at least 1 character"),
        (CHOICE | {"answer": "D"}, "answer: expected distinct letters among A, B, C, got 'D'."),
        (CHOICE | {"answer": "un"}, "answer: expected distinct letters among A, B, C, got 'un'."),
        (CHOICE | {"answer": "b"}, "answer: expected distinct letters among A, B, C, got 'b'."),
        (CHOICE | {"answer": "A, A", "type": "mcq"}, "answer: expected distinct letters among A, B, C, got 'A, A'."),
        (CHOICE | {"answer": "A, B"}, "answer: expected one letter for mcqu, got 'A, B'."),
        (CHOICE | {"answer": ",", "type": "mcq"}, "answer: expected"),
    ],
)
def test_a_bad_row_is_refused_with_its_number_and_field(row: dict[str, object], sentence: str) -> None:
    with pytest.raises(InvalidData, match=rf"^file.json, row 3: {sentence}"):
        check_rows([OPEN, CHOICE, row], "file.json")


@pytest.mark.parametrize("listed", ["(A)\n(B) deux\n(C) trois", "(A) un\n(C) trois", "(B) un\n(A) deux"])
def test_options_whose_letters_do_not_follow_are_refused(listed: str) -> None:
    row = {"instruction": f"Lequel ?\n{CHOICES_LINE}\n{listed}", "answer": "B", "type": "mcqu"}
    with pytest.raises(InvalidData, match=r"row 1: (field ')?options"):
        check_rows([row], "here")


@pytest.mark.parametrize("spoilt", ["{", "", '{"instruction": "x"', "texte"])
def test_a_malformed_line_is_named(tmp_path: Path, spoilt: str) -> None:
    path = written(tmp_path, OPEN)
    path.write_text(f"{path.read_text(encoding='utf-8')}{spoilt}\n{json.dumps(CHOICE)}\n", encoding="utf-8")
    with pytest.raises(InvalidData, match=r"^rows.jsonl, line 2: expected a JSON object, got a fault at column"):
        read_lines(path, Row)


def test_a_line_that_is_no_object_is_named(tmp_path: Path) -> None:
    with pytest.raises(InvalidData, match=r"^rows.jsonl, line 2: .*, got 3"):
        read_lines(written(tmp_path, OPEN, 3), Row)


@pytest.mark.parametrize("separator", ["\u2028", "\u2029", "\u0085"])
def test_only_a_line_feed_ends_a_line(tmp_path: Path, separator: str) -> None:
    row = OPEN | {"answer": f"un{separator}deux"}
    assert [each.answer for each in read_lines(written(tmp_path, row), Row)] == [row["answer"]]


def test_a_file_without_lines_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InvalidData, match=r"rows.jsonl: expected at least one line, got an empty file"):
        read_lines(written(tmp_path), Row)


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(InvalidData, match=r"absent.jsonl: expected a JSON Lines file, got No such file"):
        load_prompts(tmp_path / "absent.jsonl")


def test_a_file_that_is_not_utf8_is_named_with_the_byte(tmp_path: Path) -> None:
    (tmp_path / "latin.jsonl").write_bytes(b'{"instruction": "Fi\xe8vre ?"}')
    with pytest.raises(InvalidData, match=r"latin.jsonl: expected UTF-8 text, got byte 19 that is not"):
        load_prompts(tmp_path / "latin.jsonl")


def test_a_prompt_that_occurs_twice_is_named_with_both_lines(tmp_path: Path) -> None:
    path = written(tmp_path, OPEN, CHOICE, OPEN | {"answer": "Autrement."})
    with pytest.raises(InvalidData, match=r"^rows.jsonl, line 3: the same prompt as line 1. Remove one of them.$"):
        load_prompts(path)


@pytest.fixture(scope="module")
def examples() -> list[Prompt]:
    return load_prompts()


def test_the_examples_hold_enough_of_each_kind(examples: list[Prompt]) -> None:
    counts = Counter(prompt.kind for prompt in examples)
    assert counts[Kind.MCQU] >= 24
    assert counts[Kind.MCQ] >= 16
    assert counts[Kind.OEQ] >= 32


def test_the_examples_span_the_specialties(examples: list[Prompt]) -> None:
    assert len({prompt.specialty for prompt in examples} - {""}) >= 14


@pytest.mark.parametrize("kind", Kind)
def test_the_examples_ask_bare_and_on_a_case(examples: list[Prompt], kind: Kind) -> None:
    assert {bool(prompt.context) for prompt in examples if prompt.kind is kind} == {True, False}


def test_every_example_has_a_reference_and_a_specialty(examples: list[Prompt]) -> None:
    assert all(prompt.reference and prompt.specialty for prompt in examples)


def test_the_options_of_an_example_are_distinct(examples: list[Prompt]) -> None:
    assert all(len(set(prompt.options)) == len(prompt.options) for prompt in examples)


def test_every_mcq_example_has_a_wrong_option(examples: list[Prompt]) -> None:
    assert all(len(prompt.right_letters) < len(prompt.options) for prompt in examples if prompt.options)


def test_the_right_letter_of_the_examples_is_not_always_the_same(examples: list[Prompt]) -> None:
    places = Counter(prompt.reference for prompt in examples if prompt.kind is Kind.MCQU)
    assert len(places) >= 4
    assert max(places.values()) <= sum(places.values()) / 2


def test_every_multiple_choice_example_says_why() -> None:
    rows = read_lines(EXAMPLES, Row)
    assert all(row.rationale for row in rows if row.type is not Kind.OEQ)
