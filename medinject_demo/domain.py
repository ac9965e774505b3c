"""Frozen values of the study and of a vote.

Standard library only: this module knows nothing of torch, of files, of SQL or of a page.
The study is MedInjection-FR (arXiv 2603.06905); section numbers below are of that paper.
"""

from __future__ import annotations

import hashlib
import itertools
import json
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Final

from .errors import InvalidValue

LETTERS: Final = "ABCDEFGHIJ"
"""Letters that may name an option of a multiple-choice prompt, in order."""


class Provenance(StrEnum):
    """Where an instruction pair comes from; the three factors of the study."""

    NATIVE = "nat"
    TRANSLATED = "trad"
    SYNTHETIC = "syn"


class Kind(StrEnum):
    """What is asked: one right option, several right options, an open question."""

    MCQU = "mcqu"
    MCQ = "mcq"
    OEQ = "oeq"


class Verdict(StrEnum):
    """What a voter says of two answers shown side by side."""

    LEFT = "left"
    RIGHT = "right"
    BOTH_GOOD = "both_good"
    BOTH_BAD = "both_bad"
    UNSURE = "unsure"


class FinishReason(StrEnum):
    """Why an answer ended."""

    STOP = "stop"
    LENGTH = "length"
    CANCELLED = "cancelled"
    ERROR = "error"


@dataclass(frozen=True, order=True)
class Mixture:
    """A set of provenances: one arm of the 2x2x2 factorial. The empty set is the base model.

    The slug is its only serialised form: ``base, nat, trad, syn, nat-trad, nat-syn, trad-syn, all``.
    """

    levels: tuple[int, int, int]
    """(native, translated, synthetic), each 0 or 1."""

    @classmethod
    def of(cls, provenances: Iterable[Provenance]) -> Mixture:
        """The arm trained on exactly these provenances."""
        chosen = set(provenances)
        native, translated, synthetic = (int(each in chosen) for each in Provenance)
        return cls((native, translated, synthetic))

    @classmethod
    def parse(cls, slug: str) -> Mixture:
        """Read a slug back.

        Raises:
            InvalidValue: the slug is not one of the eight.
        """
        for mixture in MIXTURES:
            if mixture.slug == slug:
                return mixture
        known = ", ".join(mixture.slug for mixture in MIXTURES)
        raise InvalidValue.of("mixture", expected=f"one of {known}", got=repr(slug))

    @property
    def provenances(self) -> tuple[Provenance, ...]:
        """The provenances mixed, in the study's order."""
        return tuple(each for each, level in zip(Provenance, self.levels, strict=True) if level)

    @property
    def slug(self) -> str:
        """The serialised form."""
        if not any(self.levels):
            return "base"
        return "all" if all(self.levels) else "-".join(self.provenances)

    def __str__(self) -> str:
        return self.slug


MIXTURES: Final[tuple[Mixture, ...]] = tuple(
    sorted(
        (Mixture((nat, trad, syn)) for nat, trad, syn in itertools.product((0, 1), repeat=3)),
        key=lambda mixture: (sum(mixture.levels), [-level for level in mixture.levels]),
    )
)
"""The complete factorial, the base first, then single sources, pairs, and all."""

BASE: Final = MIXTURES[0]
ARMS: Final = MIXTURES[1:]
"""The seven fine-tuned arms."""

STUDY_SIZE: Final = 33_493
"""Training items of every arm of the study."""


@dataclass(frozen=True)
class Prompt:
    """One question put to the arms.

    ``options`` are the texts of the choices, in order, without their letters; ``reference`` is the letter (MCQU), the
    letters joined by ", " (MCQ) or a reference answer (OEQ), empty where none is known.
    """

    kind: Kind
    question: str
    context: str = ""
    options: tuple[str, ...] = ()
    reference: str = ""
    specialty: str = ""
    origin: str = ""

    @property
    def id(self) -> str:
        """Content hash (16 hexadecimal digits): the same question has the same id on every machine."""
        content = [self.kind, self.context, self.question, *self.options]
        return hashlib.sha256(json.dumps(content, ensure_ascii=False).encode()).hexdigest()[:16]

    @property
    def letters(self) -> str:
        """The letters of the options, "" for an open question."""
        return LETTERS[: len(self.options)]

    @property
    def right_letters(self) -> frozenset[str]:
        """The letters of the right options; empty for an open question or where no reference is known."""
        return frozenset(self.reference.replace(",", " ").split()) if self.options else frozenset()

    def reordered(self, order: Sequence[int]) -> Prompt:
        """The same with its options in another order, the reference's letters following them.

        Args:
            order: for each new place, the place where its option stood.

        Raises:
            InvalidValue: it does not name each place once.
        """
        if sorted(order) != list(range(len(self.options))):
            most = len(self.options) - 1
            raise InvalidValue.of("order", expected=f"each place from 0 to {most} once", got=str(tuple(order)))
        right = [letter for letter, old in zip(LETTERS, order, strict=False) if LETTERS[old] in self.right_letters]
        options = tuple(self.options[old] for old in order)
        return replace(self, options=options, reference=", ".join(right) if self.options else self.reference)


@dataclass(frozen=True)
class Sampling:
    """How tokens are drawn. The default is the study's: greedy, 512 new tokens for open questions."""

    max_new_tokens: int = 512
    temperature: float = 0.0
    top_p: float = 1.0
    top_k: int = 0
    min_p: float = 0.0
    repetition_penalty: float = 1.0
    seed: int = 0

    def __post_init__(self) -> None:
        ranges: tuple[tuple[str, float, float, float], ...] = (
            ("max_new_tokens", self.max_new_tokens, 1, 8192),
            ("temperature", self.temperature, 0, 5),
            ("top_p", self.top_p, 1e-6, 1),
            ("top_k", self.top_k, 0, 1_000_000),
            ("min_p", self.min_p, 0, 1),
            ("repetition_penalty", self.repetition_penalty, 0.1, 10),
            ("seed", self.seed, 0, 2**63 - 1),
        )
        for name, value, low, high in ranges:
            kinds = int if name in ("max_new_tokens", "top_k", "seed") else (int, float)
            if not (isinstance(value, kinds) and low <= value <= high):  # NaN and the infinities lie in no range
                raise InvalidValue.of(name, expected=f"a number from {low:g} to {high:g}", got=repr(value))

    @property
    def greedy(self) -> bool:
        """True where the most probable token is always taken."""
        return self.temperature == 0


_MARKDOWN: Final = {
    "headers": re.compile(r"^#{1,6}\s", re.MULTILINE),
    "bold": re.compile(r"\*\*[^*\n]+\*\*"),
    "lists": re.compile(r"^\s*(?:[-*+]|\d+[.)])\s", re.MULTILINE),
    "emoji": re.compile("[\U0001f000-\U0001faff\u2600-\u27bf\u2b00-\u2bff]"),
}


@dataclass(frozen=True)
class Answer:
    """What one arm answered. ``seconds`` is wall time from the request to the last token."""

    mixture: Mixture
    fingerprint: str
    text: str
    finish_reason: FinishReason
    tokens: int
    seconds: float
    cached: bool = False
    """True where it was kept from an earlier time; ``seconds`` are those of then."""

    @property
    def words(self) -> int:
        """Length in words."""
        return len(self.text.split())

    @property
    def style(self) -> dict[str, int]:
        """Counts of markdown headers, bold spans, list entries and emoji: covariates of a style-controlled board."""
        return {name: len(pattern.findall(self.text)) for name, pattern in _MARKDOWN.items()}


@dataclass(frozen=True)
class Turn:
    """One message put to every arm of a battle, and their answers in display order.

    ``message`` is empty for the first turn, which puts the prompt itself.
    """

    message: str
    sampling: Sampling
    answers: tuple[Answer, ...]


@dataclass(frozen=True)
class Battle:
    """Answers to one prompt in display order. A tuple of answers, never fields named a and b."""

    id: str
    prompt: Prompt
    sampling: Sampling
    answers: tuple[Answer, ...]
    propensity: float = field(default=1.0)
    """Probability with which this set of arms was drawn."""
    voter: str = ""
    """Hash of whom the battle was made for."""
    follow_ups: tuple[Turn, ...] = ()
    """The turns after the first."""

    def __iter__(self) -> Iterator[Answer]:
        return iter(self.answers)

    @property
    def arms(self) -> tuple[Mixture, ...]:
        """The arms in display order."""
        return tuple(answer.mixture for answer in self.answers)

    @property
    def turns(self) -> tuple[Turn, ...]:
        """Every turn, the first included."""
        return (Turn("", self.sampling, self.answers), *self.follow_ups)
