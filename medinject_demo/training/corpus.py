"""The corpus of the miniature: its files read and checked. Knows nothing of models or of tokens.

``corpus/conditions.jsonl`` holds one condition a line; ``questions.toml`` the phrasings, some held out;
``styles.toml`` the frames of four styles; ``unknown.toml`` what the miniature must admit it does not know.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from string import Formatter
from typing import Annotated, Final, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, TypeAdapter, ValidationError

from ..errors import InvalidData
from ..prompts import read_lines, sentence_of

FIELDS: Final = (
    "definition",
    "causes",
    "symptoms",
    "examinations",
    "treatment",
    "complications",
    "prevention",
    "warning_signs",
)
LIST_FIELDS: Final = FIELDS[1:]
REGISTERS: Final = ("formal", "spoken", "patient", "keywords", "case")
STYLES: Final = ("base", "nat", "trad", "syn")
CORPUS: Final = Path(__file__).with_name("corpus")

_T = TypeVar("_T")
Split = Literal["train", "held_out"]
Text = Annotated[str, StringConstraints(min_length=1, strip_whitespace=True)]
Entry = Annotated[str, StringConstraints(min_length=2, max_length=48, pattern=r"^[^,;:]+[^.,;: ]$")]


class _Strict(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Condition(_Strict):
    """One condition of the knowledge base. Lists open with the entry most characteristic of the condition."""

    id: Annotated[str, StringConstraints(pattern=r"^[a-z0-9-]+$")]
    name: Text
    definite: Annotated[str, StringConstraints(pattern=r"^(l'|le |la |les )")]
    aliases: Annotated[tuple[Text, ...], Field(min_length=1)]
    specialty: Text
    case: Annotated[str, StringConstraints(pattern=r"\.$")]
    definition: Text
    causes: Annotated[tuple[Entry, ...], Field(min_length=3)]
    symptoms: Annotated[tuple[Entry, ...], Field(min_length=3)]
    examinations: Annotated[tuple[Entry, ...], Field(min_length=3)]
    treatment: Annotated[tuple[Entry, ...], Field(min_length=3)]
    complications: Annotated[tuple[Entry, ...], Field(min_length=3)]
    prevention: Annotated[tuple[Entry, ...], Field(min_length=3)]
    warning_signs: Annotated[tuple[Entry, ...], Field(min_length=3)]

    def entries(self, field: str) -> tuple[str, ...]:
        """The entries of a list field; the definition as its only entry."""
        return (self.definition,) if field == "definition" else getattr(self, field)


class Phrasings(_Strict):
    """Question templates, and those never trained on."""

    train: Annotated[tuple[Text, ...], Field(min_length=1)]
    held_out: Annotated[tuple[Text, ...], Field(min_length=1)]

    def of(self, split: Split) -> tuple[str, ...]:
        """The templates of one split."""
        return self.train if split == "train" else self.held_out


class Frames(_Strict):
    """How one style says one field: whole frames, or the parts around a list.

    The ``tuned`` frames are read by the arms only: fine-tuning brings wordings that the base has not met.
    """

    frames: tuple[Text, ...] = ()
    tuned: tuple[Text, ...] = ()
    headings: tuple[Text, ...] = ()
    openings: tuple[Text, ...] = ()
    closings: tuple[Text, ...] = ()


class Unknown(_Strict):
    """What lies outside the knowledge base, and how each style admits it."""

    conditions: Phrasings
    prompts: Phrasings
    answers: dict[str, Annotated[tuple[Text, ...], Field(min_length=1)]]


class Composition(_Strict):
    """Halves of questions, the openings or the subjects: noun phrases, indirect questions, keywords."""

    topics: tuple[Text, ...] = ()
    clauses: tuple[Text, ...] = ()
    keywords: tuple[Text, ...] = ()

    def halves(self) -> dict[str, tuple[str, ...]]:
        """What there is, by sort of half."""
        return {name: each for name in type(self).model_fields if (each := getattr(self, name))}


class Questions(_Strict):
    """Templates by field and register, halves to compose others of, and the stems of multiple-choice questions.

    Composed questions are trained on only: what is held out is whole templates, word for word.
    """

    open: dict[str, dict[str, Phrasings]]
    openers: dict[str, Composition]
    subjects: dict[str, Composition]
    mcqu: dict[str, Phrasings]
    mcq: dict[str, Phrasings]
    exercises: dict[str, Text]


@dataclass(frozen=True)
class Corpus:
    """Everything the renderers draw from."""

    conditions: tuple[Condition, ...]
    questions: Questions
    styles: dict[str, dict[str, Frames]]
    unknown: Unknown

    @classmethod
    def load(cls, folder: Path = CORPUS) -> Corpus:
        """Read and check the five files.

        Raises:
            InvalidData: the sentence names the file, the line or table, and the field at fault.
        """
        conditions = read_lines(folder / "conditions.jsonl", Condition)
        _check_unique(conditions, folder / "conditions.jsonl")
        tables, halves = _read_toml(folder / "questions.toml"), _read_toml(folder / "compositions.toml")
        questions: dict[str, object] = {
            "mcqu": tables.pop("mcqu", {}),
            "mcq": tables.pop("mcq", {}),
            "exercises": tables.pop("exercises", {}),
            "open": {field: tables.get(field, {}) for field in FIELDS},
            "openers": halves.pop("openers", {}),
            "subjects": halves,
        }
        styles_file = folder / "styles.toml"
        corpus = cls(
            tuple(conditions),
            _validated(folder / "questions.toml", Questions, questions),
            _validated(styles_file, dict[str, dict[str, Frames]], _read_toml(styles_file)),
            _validated(folder / "unknown.toml", Unknown, _read_toml(folder / "unknown.toml")),
        )
        _check_complete(corpus, folder)
        _check_templates(corpus, folder)
        _check_compositions(corpus.questions, folder / "compositions.toml")
        return corpus


def _read_toml(path: Path) -> dict[str, object]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise InvalidData.of(str(path), expected="a corpus file", got=str(error.strerror)) from error
    except UnicodeDecodeError as error:
        raise InvalidData.of(str(path), expected="UTF-8 text", got=f"byte {error.start} that is not") from error
    except tomllib.TOMLDecodeError as error:
        raise InvalidData.of(str(path), expected="valid TOML", got=str(error), remedy="Mend that line.") from error


def _validated(path: Path, kind: type[_T], value: object) -> _T:
    try:
        return TypeAdapter(kind).validate_python(value)
    except ValidationError as error:
        raise InvalidData(f"{path.name}: {sentence_of(error)}") from error


def _check_unique(conditions: list[Condition], path: Path) -> None:
    seen: dict[str, int] = {}
    for line, condition in enumerate(conditions, start=1):
        for name in {condition.id, condition.name, *condition.aliases}:
            first = seen.setdefault(name.casefold(), line)
            if first != line:
                raise InvalidData(f"{path.name}, line {line}: the name {name!r} is already used on line {first}.")


_NAMES: Final = frozenset({"le", "du", "au", "nom", "Le", "Nom"})
_SAID: Final = _NAMES | {"definition", "Definition", "items", "Items"}


def _check_placeholders(texts: Iterable[str], known: frozenset[str], where: str) -> None:
    for text in texts:
        try:
            unknown = {name for _, name, _, _ in Formatter().parse(text) if name is not None} - known
        except ValueError as error:
            raise InvalidData.of(f"{where}: {text!r}", expected="whole placeholders", got=str(error)) from error
        if unknown:
            allowed = ", ".join(sorted(known))
            raise InvalidData.of(f"{where}: {text!r}", expected=f"placeholders among {allowed}", got=unknown.pop())


def _check_templates(corpus: Corpus, folder: Path) -> None:
    questions, styles = folder / "questions.toml", folder / "styles.toml"
    for field, registers in corpus.questions.open.items():
        for register, each in registers.items():
            where, texts = f"{questions}, [{field}.{register}]", (*each.train, *each.held_out)
            _check_placeholders(texts, _NAMES | {"cas"}, where)
            for text in texts:
                if text.startswith("{cas} ") != (register == "case") or text.count("{cas}") != (register == "case"):
                    raise InvalidData.of(
                        f"{where}: {text!r}", expected="{cas} first, in [case] only", got="it elsewhere"
                    )
    for kind in ("mcqu", "mcq"):
        for field in LIST_FIELDS:
            stems = getattr(corpus.questions, kind).get(field)
            if stems is None:
                raise InvalidData(f"{questions}: the table [{kind}.{field}] is missing.")
            _check_placeholders((*stems.train, *stems.held_out), _NAMES, f"{questions}, [{kind}.{field}]")
    for name in ("short", "reading", *LIST_FIELDS):
        if name not in corpus.questions.exercises:
            raise InvalidData(f"{questions}, [exercises]: the key {name!r} is missing.")
        known = frozenset({"names"}) if name in LIST_FIELDS else frozenset[str]()
        _check_placeholders([corpus.questions.exercises[name]], known, f"{questions}, [exercises]")
    for style in STYLES:
        for field, frames in corpus.styles[style].items():
            where = f"{styles}, [{style}.{field}]"
            if not (frames.frames or (frames.openings and frames.closings)):
                raise InvalidData.of(where, expected="frames, or openings and closings", got="none")
            texts = (*frames.frames, *frames.tuned, *frames.headings, *frames.openings, *frames.closings)
            _check_placeholders(texts, _SAID, where)


def _check_compositions(questions: Questions, path: Path) -> None:
    """Every opening takes one subject, and every register has a sort of half in common with every field."""
    for register in REGISTERS:
        openers = questions.openers.get(register, Composition()).halves()
        for text in (text for texts in openers.values() for text in texts):
            where = f"{path}, [openers.{register}]"
            _check_placeholders([text], frozenset({"subject", "Subject", "cas", "nom", "Nom"}), where)
            if text.casefold().count("{subject}") != 1 or text.startswith("{cas} ") != (register == "case"):
                raise InvalidData.of(
                    f"{where}: {text!r}", expected="{subject} once, {cas} first in [case]", got="other"
                )
        for field in FIELDS:
            subjects = questions.subjects.get(field, Composition()).halves()
            if not set(openers) & set(subjects):
                raise InvalidData.of(f"{path}, [{field}]", expected=f"halves for [openers.{register}]", got="none")
            _check_placeholders((text for texts in subjects.values() for text in texts), _NAMES, f"{path}, [{field}]")


def _check_complete(corpus: Corpus, folder: Path) -> None:
    for field in FIELDS:
        for register in REGISTERS:
            if register not in corpus.questions.open[field]:
                raise InvalidData(f"{folder / 'questions.toml'}: the table [{field}.{register}] is missing.")
        for style in STYLES:
            if field not in corpus.styles.get(style, {}):
                raise InvalidData(f"{folder / 'styles.toml'}: the table [{style}.{field}] is missing.")
    for style in STYLES:
        if style not in corpus.unknown.answers:
            raise InvalidData(f"{folder / 'unknown.toml'}: the answers of style {style!r} are missing.")
