"""What may not be sent: text that cannot be asked, and text that seems to hold personal data.

Pure and without a word of French for the reader: findings carry codes, a page writes the sentences. A finding has a
place in the text and never a copy of it, so that it can be logged. Patterns err towards silence on medical numbers
(doses, laboratory values, codes of classifications, years) and towards a question to the writer on the rest.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from .errors import Refused

MOST_CHARACTERS: Final = 8_000
"""Longest text taken, in characters: about the 2048 tokens that the study trains on."""


class Reason(StrEnum):
    """Why a text is held back."""

    EMPTY = "empty"
    TOO_LONG = "too_long"
    CONTROL = "control_characters"
    NIR = "nir"
    EMAIL = "email"
    PHONE = "phone"
    BIRTH = "birth_date_with_name"


PERSONAL: Final = frozenset({Reason.NIR, Reason.EMAIL, Reason.PHONE, Reason.BIRTH})


@dataclass(frozen=True)
class Finding:
    """A reason and where: ``text[start:end]``."""

    reason: Reason
    start: int
    end: int


def findings(text: str, most: int = MOST_CHARACTERS) -> tuple[Finding, ...]:
    """Everything for which a text is held back, in its order; empty where it may be sent.

    A text that is empty or longer than ``most`` characters is not searched further.
    """
    if not text.strip():
        return (Finding(Reason.EMPTY, 0, len(text)),)
    if len(text) > most:
        return (Finding(Reason.TOO_LONG, most, len(text)),)
    found = [finding for search in (_controls, _nirs, _emails, _phones, _births) for finding in search(text)]
    return tuple(sorted(found, key=lambda finding: (finding.start, finding.end)))


def require_clean(text: str, what: str = "prompt", most: int = MOST_CHARACTERS, *, may_be_empty: bool = False) -> None:
    """Do nothing where a text may be sent.

    Raises:
        Refused: its ``codes`` are the reasons, each once, in the order of the text.
    """
    reasons = list(dict.fromkeys(finding.reason for finding in findings(text, most)))
    if not reasons or (may_be_empty and reasons == [Reason.EMPTY]):
        return
    seems = "what seems to be " if set(reasons) <= PERSONAL else ""
    got = " and ".join(_CALLED[reason] for reason in reasons)
    expected = f"1 to {most} characters without personal data"
    raise Refused(f"{what}: expected {expected}, got {seems}{got}. Change it and try again.", *reasons)


_CALLED: Final = {
    Reason.EMPTY: "nothing",
    Reason.TOO_LONG: "more",
    Reason.CONTROL: "control characters",
    Reason.NIR: "a social security number",
    Reason.EMAIL: "an e-mail address",
    Reason.PHONE: "a phone number",
    Reason.BIRTH: "a date of birth with a name",
}


def _controls(text: str) -> Iterator[Finding]:
    """Control characters and halves of surrogate pairs; line ends and tabs are text."""
    for place, character in enumerate(text):
        if character not in "\n\r\t" and unicodedata.category(character) in ("Cc", "Cs"):
            yield Finding(Reason.CONTROL, place, place + 1)


_GAP: Final = r"[\s.\-–]{0,2}"
_NIR: Final = re.compile(
    rf"(?<![\d.,])([123478]){_GAP}(\d\d){_GAP}(\d\d){_GAP}(\d\d|2[AB]){_GAP}(\d{{3}}){_GAP}(\d{{3}})"
    rf"[\s.\-–/(|]{{0,3}}(?:cl[ée]\s*:?\s*)?(\d\d)(?!\d)",
    re.IGNORECASE,
)
_ANNOUNCED: Final = re.compile(
    rf"\b(?:NIR|s[ée]cu(?:rit[ée]\s+sociale)?|(?:n(?:um[ée]ro|[°o])?\s?(?:de\s)?)SS)\b[^\d\n]{{0,12}}"
    rf"(?P<number>[1-478]{_GAP}\d\d{_GAP}\d\d{_GAP}(?:\d\d|2[AB]){_GAP}\d{{3}}{_GAP}\d{{3}})(?!\d{{4}})",
    re.IGNORECASE,
)
"""A number behind a word that announces it, with or without its key, even where a digit is wrong."""
_NIR_MONTHS: Final = frozenset([*range(1, 13), 20, *range(30, 43), *range(50, 100)])
"""Months of birth, and the numbers that stand for an unknown one."""


def _nirs(text: str) -> Iterator[Finding]:
    """Social security numbers (INSEE's NIR): 13 characters and a key, which is 97 less their remainder by 97.

    Behind a word that announces one, the 13 are enough.
    """
    taken: set[int] = set()
    for match in _NIR.finditer(text):
        *number, key = match.groups()
        digits = "".join(number).upper().replace("2A", "19", 1).replace("2B", "18", 1)
        if int(number[2]) in _NIR_MONTHS and number[3] != "00" and int(key) == 97 - int(digits) % 97:
            taken.update(range(*match.span()))
            yield Finding(Reason.NIR, *match.span())
    for match in _ANNOUNCED.finditer(text):
        if taken.isdisjoint(range(*match.span("number"))):
            yield Finding(Reason.NIR, *match.span("number"))


_EMAIL: Final = re.compile(r"(?<![\w.+%-])[\w.+%-]{1,64}@(?:[\w-]{1,63}\.){1,8}[^\W\d_]{2,24}(?![\w-])")


def _emails(text: str) -> Iterator[Finding]:
    return (Finding(Reason.EMAIL, *match.span()) for match in _EMAIL.finditer(text))


_ENDS: Final = r"(?!\d|[.,/]\d)"
_PHONES: Final = (
    # By twos, the separator the same throughout: a date and an hour in figures are no phone. Not 08: services.
    re.compile(rf"(?<!\d)(?<!\d[.,/-])0[1-79]((?:\s?[./_–-]\s?)|\s{{0,2}})\d\d(?:\1\d\d){{3}}{_ENDS}"),
    # With the prefix of France or of an overseas department, however it is cut.
    re.compile(rf"(?<![\d+])(?:\+|00)\s?(?:33|262|590|594|596)\)?(?:[\s.\-]*\(0\))?(?:[\s.\-/]{{0,2}}\d){{9}}{_ENDS}"),
    # After a word that announces it, however it is cut.
    re.compile(
        rf"\b(?:t[ée]l(?:[ée]phone)?|portable|mobile|num[ée]ro)\b\W{{0,5}}0[1-79](?:[\s.\-/]{{0,3}}\d){{8}}{_ENDS}",
        re.I,
    ),
)


def _phones(text: str) -> Iterator[Finding]:
    """French phone numbers; one that two patterns see is reported once."""
    taken: set[int] = set()
    for pattern in _PHONES:
        for match in pattern.finditer(text):
            if taken.isdisjoint(range(*match.span())):
                taken.update(range(*match.span()))
                yield Finding(Reason.PHONE, *match.span())


_MONTH: Final = (
    r"(?:janv(?:ier|\.)?|f[ée]vr?(?:ier|\.)?|mars|avr(?:il|\.)?|mai|juin|juil(?:let|\.)?|ao[ûu]t|sept(?:embre|\.)?"
    r"|oct(?:obre|\.)?|nov(?:embre|\.)?|d[ée]c(?:embre|\.)?)"
)
_DATE: Final = (
    r"(?:(?<!\d)(?:0?[1-9]|[12]\d|3[01])(?:\s?[/.\-]\s?|\s)(?:0?[1-9]|1[0-2])(?:\s?[/.\-]\s?|\s)(?:19|20)?\d\d(?!\d)"
    rf"|(?:1er|\d{{1,2}})\s+{_MONTH}\s+(?:19|20)?\d\d(?!\d)"
    r"|(?:19|20)\d\d-\d\d-\d\d(?!\d))"
)
_BIRTH: Final = re.compile(
    rf"\b(?:n[ée](?:\(?e\)?)?\b[^\d\n]{{0,30}}?|naissance\b[^\d]{{0,25}}|D\.?D\.?N\b[^\d]{{0,10}}){_DATE}",
    re.IGNORECASE,
)
_CAPITAL: Final = r"[^\W\d_a-zß-öø-ÿ]"
_CAPITALISED: Final = rf"{_CAPITAL}(?=[\w'’-]{{0,30}}[a-zß-öø-ÿ])[\w'’-]{{1,40}}+"
_UPPER: Final = rf"{_CAPITAL}{{3,40}}+(?:['’-]{_CAPITAL}{{1,40}}+){{0,2}}"
_NAME: Final = rf"\b(?:{_CAPITALISED}|{_UPPER})\b"
_TITLED: Final = re.compile(
    rf"\b(?:M\.|Mr\.?|MM?e\.?|Mlle|M|(?i:monsieur|madame|mademoiselle|(?:pr[ée])?nom)(?:\s*:)?)\s+"
    rf"(?:(?:de|du|des|le|la)\s+|[dl]['’])?(?P<name>{_NAME})"
    rf"|\b(?i:patiente?)(?:\s*:)?\s+(?P<patient>{_CAPITAL}{{5,40}}+)\b"
)
_TWO_WORDS: Final = re.compile(
    rf"\b(?P<name>{_CAPITALISED}) (?:{_CAPITALISED}|{_UPPER})\b|\b(?P<upper>{_UPPER}) {_CAPITALISED}\b"
    rf"|\b(?P<both>{_CAPITAL}{{4,40}}+) {_CAPITAL}{{4,40}}+(?=\W{{0,4}}$)"
)
_BESIDE: Final = re.compile(rf"\b(?P<name>{_CAPITALISED}|{_CAPITAL}{{5,40}}+)\b(?:[\s,(–-]|\best\b){{0,8}}$")
_BEHIND: Final = re.compile(rf"^[\s,:(–-]{{1,4}}(?P<name>{_CAPITALISED}) (?:{_CAPITALISED}|{_UPPER})\b")
_DIRECTLY: Final = re.compile(rf"^[\s,(:–-]{{1,4}}{_DATE}")
_NAMES_BEFORE: Final = (_TITLED, _TWO_WORDS, _BESIDE)

_NO_NAMES: Final = """
    adolescent adolescente adulte antécédents bébé cas centre chez chu chru chr clinique date dame enfant ehpad
    femme fille fillette garçon grossesse hospitalisé hospitalisée homme hôpital il elle jumeau jumeaux jumelle la le
    les l'enfant madame mademoiselle maternité monsieur naissance nom nourrisson nouveau-né nouveau-née nouveau on
    patient patiente patients personne prématuré prématurée prénom service sujet syndrome maladie un une voici
    janvier février mars avril mai juin juillet août septembre octobre novembre décembre
    lundi mardi mercredi jeudi vendredi samedi dimanche
"""
"""Words with which a vignette opens, and that are no name."""
_BEFORE: Final = 80
_AFTER: Final = 40


def _births(text: str) -> Iterator[Finding]:
    """Dates of birth with a name close by, and a date right behind a name, as on a label."""
    for match in _BIRTH.finditer(text):
        start, end = match.span()
        before = text[max(0, start - _BEFORE) : start]
        behind = _named(_TITLED, text[start : end + _AFTER]) or _named(_BEHIND, text[end : end + _AFTER])
        if behind or any(_named(name, before) for name in _NAMES_BEFORE):
            yield Finding(Reason.BIRTH, start, end)
    for pattern in (_TITLED, _TWO_WORDS):
        for name in filter(_is_name, pattern.finditer(text)):
            if date := _DIRECTLY.match(text[name.end() : name.end() + _AFTER]):
                yield Finding(Reason.BIRTH, name.start(), name.end() + date.end())


def _named(pattern: re.Pattern[str], text: str) -> bool:
    return any(map(_is_name, pattern.finditer(text)))


def _is_name(match: re.Match[str]) -> bool:
    words = _NO_NAMES.split()
    return not any(each.casefold() in words for each in match.groupdict().values() if each)
