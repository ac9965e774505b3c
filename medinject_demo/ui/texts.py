"""Every text of the page, French and English, from the files of ``words/``: ``say(lang, "duel.ask")``.

French is written there with plain spaces and apostrophes; the typography is set here. Knows nothing of components.
"""

from __future__ import annotations

import functools
import re
import tomllib
from collections.abc import Mapping
from enum import StrEnum
from pathlib import Path
from typing import Final

from ..domain import Mixture

FOLDER: Final = Path(__file__).parent / "words"
_BEFORE_UNIT: Final = re.compile(r"(?<=[\d}]) (?=(?:s|ms|ko|Mo|Go|points?)\b|\{unit\})")
"""The space between a number, or the field of one, and its unit."""
_TOGETHER: Final = re.compile(
    r"(?<=[\d}]) (?=à [\d{])|(?<=\bà) (?=[\d{])|(?<=\ble) (?=\d)|(?<=\bMaj) (?=\+)|(?<=\+) (?=Entrée\b)"
)
"""The spaces of a range, of a number that is dialled, and of keys that are pressed together."""


class Lang(StrEnum):
    """A language of the page."""

    FR = "fr"
    EN = "en"


def say(lang: str, key: str, **fields: object) -> str:
    """The text of a key such as ``duel.ask``, its fields filled in.

    Raises:
        KeyError: no file has this key, or a field of the text is not given.
    """
    text = catalogue()[key][Lang(lang)]
    return text.format_map(fields) if fields else text


def name(lang: str, mixture: Mixture) -> str:
    """How an arm is called."""
    return say(lang, f"arms.{mixture.slug}")


def number(lang: str, value: float, digits: int | None = None) -> str:
    """A number: French has a decimal comma and thousands a narrow space apart, English a point and commas."""
    plain = "" if isinstance(value, int) else "g"
    text = f"{value:,{plain}}" if digits is None else f"{value:,.{digits}f}"
    return text.translate({ord(","): "\u202f", ord("."): ","}) if lang == Lang.FR else text


@functools.cache
def catalogue() -> Mapping[str, Mapping[Lang, str]]:
    """Every text by key and language; the key is the file's name and the table's, with a dot between."""
    texts: dict[str, Mapping[Lang, str]] = {}
    for path in sorted(FOLDER.glob("*.toml")):
        for table, said in tomllib.loads(path.read_text(encoding="utf-8")).items():
            texts[f"{path.stem}.{table}"] = {Lang.FR: typeset(said["fr"]), Lang.EN: said["en"]}
    return texts


def accepted(header: str) -> Lang:
    """The language for an ``Accept-Language`` header: the first of ours in its order, French where there is none."""
    for part in header.split(","):
        tag = part.partition(";")[0].strip().lower().partition("-")[0]
        if tag in list(Lang):
            return Lang(tag)
    return Lang.FR


def typeset(text: str) -> str:
    """French typography: curved apostrophes; no line break before high punctuation or units, inside « » or numbers."""
    text = re.sub(r"(?<=\d) (?=\d{3}\b)", "\u202f", text)
    for together in (_BEFORE_UNIT, _TOGETHER):
        text = together.sub("\u00a0", text)
    text = re.sub(r" ([;?!])", "\u202f\\1", text)
    text = re.sub(r" ([:»%])", "\u00a0\\1", text)
    return text.replace("« ", "«\u00a0").replace("'", "’")
