"""Every text in both languages, and French as it is printed."""

from __future__ import annotations

import ast
import re
import string
from pathlib import Path

import pytest

from medinject_demo.domain import MIXTURES
from medinject_demo.duel import Refusal
from medinject_demo.limiter import CODES
from medinject_demo.privacy import Reason
from medinject_demo.ui.texts import Lang, accepted, catalogue, name, number, say, typeset

UI = Path(__file__).parents[2] / "medinject_demo" / "ui"
TEXTS = sorted(catalogue().items())


def fields(text: str) -> set[str]:
    return {field for _, field, _, _ in string.Formatter().parse(text) if field}


@pytest.mark.parametrize(("key", "said"), TEXTS, ids=[key for key, _ in TEXTS])
def test_every_text_is_there_in_both_languages_with_the_same_fields(key: str, said: dict[Lang, str]) -> None:
    assert said[Lang.FR].strip()
    assert said[Lang.EN].strip()
    assert fields(said[Lang.FR]) == fields(said[Lang.EN])


@pytest.mark.parametrize(("key", "said"), [each for each in TEXTS if each[0].startswith("refused.")])
def test_who_ranks_is_refused_in_words_that_are_true_of_rankings(key: str, said: dict[Lang, str]) -> None:
    for text in said.values():
        assert not re.search(r"\bduels?\b|\bvote[drz]?\b|\bvoté|\bvoting\b", text, re.IGNORECASE)


@pytest.mark.parametrize(("key", "said"), TEXTS, ids=[key for key, _ in TEXTS])
def test_french_is_set_as_french_is_printed(key: str, said: dict[Lang, str]) -> None:
    text = said[Lang.FR]
    assert not re.search(r" [;:?!»%]", text), "a plain space before high punctuation may break the line"
    assert not re.search(r"[^\s\u00a0\u202f:/\d][?!;»](?!\w)", text), "high punctuation takes a space before it"
    assert "'" not in text
    assert '"' not in text


def test_every_refusal_and_every_reason_has_its_sentence() -> None:
    for code in (*Refusal, *Reason, *CODES, "store", "model", "value", "other"):
        assert f"refused.{code}" in catalogue()


def test_every_arm_has_its_name() -> None:
    assert len({name(lang, mixture) for lang in Lang for mixture in MIXTURES}) == 16


def test_no_text_is_left_over_and_none_is_missing() -> None:
    """Keys as they stand in the code; those with a field stand for all that begin alike."""
    written: set[str] = set()
    for path in UI.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                written.add(node.value)
            elif isinstance(node, ast.JoinedStr):
                written.add("".join(str(part.value) if isinstance(part, ast.Constant) else "*" for part in node.values))
    whole = {each for each in written if "*" not in each}
    begun = tuple(each.partition("*")[0] for each in written if "*" in each and "." in each.partition("*")[0])
    begun += tuple(each for each in whole if each.endswith(("_", ".")) and "." in each)
    assert [key for key in catalogue() if key not in whole and not key.startswith(begun)] == []
    prefixes = tuple(f"{path.stem}." for path in (UI / "words").glob("*.toml"))
    asked = {each for each in whole if each.startswith(prefixes) and re.fullmatch(r"[a-z_-]+\.[a-z_-]+", each)}
    assert {each for each in asked if not each.endswith("_")} <= set(catalogue()) | {"page.js", "page.css"}


@pytest.mark.parametrize(
    ("header", "lang"),
    [
        ("fr-FR,fr;q=0.9,en;q=0.8", Lang.FR),
        ("en-US,en;q=0.9", Lang.EN),
        ("de-DE,de;q=0.9,en;q=0.7,fr;q=0.5", Lang.EN),
        ("de", Lang.FR),
        ("", Lang.FR),
        (";;,,*", Lang.FR),
    ],
)
def test_the_browsers_first_language_of_ours_is_taken_and_french_otherwise(header: str, lang: Lang) -> None:
    assert accepted(header) is lang


def test_typesetting() -> None:
    assert typeset("L'eau : « oui » ; 5 % ?") == "L’eau\u00a0: «\u00a0oui\u00a0»\u202f; 5\u00a0%\u202f?"


@pytest.mark.parametrize(
    ("text", "together"),
    [
        ("touches 1 à 5", "1\u00a0à\u00a05"),
        ("de {low} à {high}", "{low}\u00a0à\u00a0{high}"),
        ("appelez le 15 ou le 112", "le\u00a0112"),
        ("Maj + Entrée va à la ligne", "Maj\u00a0+\u00a0Entrée va à la"),
    ],
)
def test_a_range_a_number_to_dial_and_keys_pressed_together_stay_on_one_line(text: str, together: str) -> None:
    assert together in typeset(text)


def test_a_number_and_its_unit_stay_on_one_line() -> None:
    assert typeset("de {low} à {high} s, 400 points, {size} ko") == (
        "de {low}\u00a0à\u00a0{high}\u00a0s, 400\u00a0points, {size}\u00a0ko"
    )
    assert (
        typeset("{matters} {unit} au plus ; {source} sont 28")
        == "{matters}\u00a0{unit} au plus\u202f; {source} sont 28"
    )
    for key in ("board.seconds", "compare.seconds", "board.file_size", "board.rule", "board.scale"):
        assert not re.search(r"[\d}] (?:s|ko|points?)\b", catalogue()[key][Lang.FR])


def test_a_text_that_is_not_there_is_an_error() -> None:
    with pytest.raises(KeyError):
        say("fr", "duel.nothing")


@pytest.mark.parametrize(
    ("value", "digits", "french", "english"),
    [(0.1, None, "0,1", "0.1"), (2, 1, "2,0", "2.0"), (33493, None, "33\u202f493", "33,493"), (7, None, "7", "7")],
)
def test_a_number_is_written_as_in_its_language(value: float, digits: int | None, french: str, english: str) -> None:
    assert (number("fr", value, digits), number("en", value, digits)) == (french, english)
