"""Prompts: from ``examples/`` and from the study's rows to :class:`Prompt`, and from there to chat messages.

The study's fields are ``instruction, context, answer, type, origin``; its multiple-choice rows carry their options
inside the instruction, after a line ``Choix de réponses :``. Ours add ``options``, ``specialty`` and ``rationale``.
Both load through :class:`Row`. Knows nothing of models, of the Hub, or of a page.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Annotated, Final, TypeVar

from pydantic import BaseModel, ConfigDict, StringConstraints, ValidationError, model_validator

from .domain import LETTERS, Kind, Prompt
from .errors import InvalidData

CHOICES_LINE: Final = "Choix de réponses :"
EXAMPLES: Final = Path(__file__).parent.parent / "examples" / "prompts.jsonl"

Message = dict[str, str]
"""``{"role": ..., "content": ...}``, as chat templates take it."""

Checked = TypeVar("Checked", bound=BaseModel)

_MARK: Final = re.compile(r"^[ \t]*\(([A-Z])\)", re.MULTILINE)
_Filled = Annotated[str, StringConstraints(min_length=1, strip_whitespace=True)]


class Row(BaseModel):
    """One row of the study's data, or of ``examples/prompts.jsonl``."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    instruction: _Filled
    context: str = ""
    options: tuple[_Filled, ...] = ()
    answer: _Filled
    type: Kind
    origin: str = ""
    specialty: str = ""
    rationale: str = ""

    @model_validator(mode="before")
    @classmethod
    def _options_out_of_the_instruction(cls, row: object) -> object:
        """The study writes the options into the instruction; take them out, and accept ``MCQU`` for ``mcqu``."""
        if not isinstance(row, dict):
            return row
        row = {key: value for key, value in row.items() if value is not None}
        if isinstance(row.get("type"), str):
            row["type"] = row["type"].lower()
        instruction = row.get("instruction")
        if isinstance(instruction, str) and not row.get("options") and CHOICES_LINE in instruction:
            question, _, listed = instruction.partition(CHOICES_LINE)
            row |= {"instruction": question, "options": _listed(listed)}
        return row

    @model_validator(mode="after")
    def _answer_fits_the_options(self) -> Row:
        if self.type is Kind.OEQ:
            if self.options:
                raise ValueError("options: expected none for an open question, remove them or change the type")
            return self
        if not 2 <= len(self.options) <= len(LETTERS):
            raise ValueError(f"options: expected 2 to {len(LETTERS)} options, got {len(self.options)}")
        letters = self.answer.replace(",", " ").split()
        outside = [letter for letter in letters if letter not in LETTERS[: len(self.options)]]
        if not letters or outside or len(set(letters)) != len(letters):
            allowed = ", ".join(LETTERS[: len(self.options)])
            raise ValueError(f"answer: expected distinct letters among {allowed}, got {self.answer!r}")
        if self.type is Kind.MCQU and len(letters) != 1:
            raise ValueError(f"answer: expected one letter for mcqu, got {self.answer!r}")
        return self

    def prompt(self) -> Prompt:
        """The row as a value of the domain."""
        letters = ", ".join(self.answer.replace(",", " ").split()) if self.options else self.answer
        return Prompt(
            self.type, self.instruction, self.context.strip(), self.options, letters, self.specialty, self.origin
        )


def _listed(text: str) -> list[str]:
    """The options of a list, each from its letter to the next; one that goes on below is one line again.

    Raises:
        ValueError: the letters are others, or something stands before the first.
    """
    before, *parts = _MARK.split(text)
    letters, options = parts[::2], parts[1::2]
    if before.strip() or letters != list(LETTERS[: len(letters)]):
        raise ValueError(
            f"options: expected the letters (A), (B), ... ({LETTERS[-1]}) at most, in order, each with its text"
        )
    return [" ".join(line.strip() for line in option.strip().splitlines()) for option in options]


def row_of(prompt: Prompt) -> dict[str, object]:
    """A prompt in the study's fields, ours added; ``Row`` reads it back."""
    return {
        "instruction": prompt.question,
        "context": prompt.context,
        "options": list(prompt.options),
        "answer": prompt.reference,
        "type": str(prompt.kind),
        "origin": prompt.origin,
        "specialty": prompt.specialty,
    }


def layout(prompt: Prompt) -> str:
    """The text of the user's message: vignette, question, and the options one a line (format of the study)."""
    parts = [part for part in (prompt.context, prompt.question) if part]
    if prompt.options:
        parts.append(CHOICES_LINE)
        parts += [f"({letter}) {option}" for letter, option in zip(LETTERS, prompt.options, strict=False)]
    return "\n".join(parts)


def messages(prompt: Prompt) -> list[Message]:
    """One user message, no system message: what the arms were trained on."""
    return [{"role": "user", "content": layout(prompt)}]


def load_prompts(path: Path = EXAMPLES) -> list[Prompt]:
    """Read prompts from a JSON Lines file.

    Raises:
        InvalidData: the sentence names the file, the line and the field; also where a prompt occurs twice.
    """
    prompts = [row.prompt() for row in read_lines(path, Row)]
    seen: dict[str, int] = {}
    for line, prompt in enumerate(prompts, start=1):
        if (first := seen.setdefault(prompt.id, line)) != line:
            raise InvalidData(f"{path.name}, line {line}: the same prompt as line {first}. Remove one of them.")
    return prompts


def read_lines(path: Path, kind: type[Checked]) -> list[Checked]:
    """Read a JSON Lines file, every line checked against ``kind``; blank lines are an error, as in a data set.

    Raises:
        InvalidData: the sentence names the file, the line and the field.
    """
    try:
        lines = path.read_text(encoding="utf-8").removesuffix("\n").split("\n")
    except OSError as error:
        raise InvalidData.of(str(path), expected="a JSON Lines file", got=str(error.strerror)) from error
    except UnicodeDecodeError as error:
        raise InvalidData.of(str(path), expected="UTF-8 text", got=f"byte {error.start} that is not") from error
    if lines == [""]:
        raise InvalidData.of(str(path), expected="at least one line", got="an empty file")
    return [_checked(line, f"{path.name}, line {number}", kind) for number, line in enumerate(lines, start=1)]


def check_rows(rows: Iterable[object], where: str) -> list[Row]:
    """Check rows that come as mappings (a Hub data set, a JSON array); the fault's row number is named.

    Raises:
        InvalidData: as :func:`read_lines`.
    """
    return [_checked(row, f"{where}, row {number}", Row) for number, row in enumerate(rows, start=1)]


def _checked(row: object, where: str, kind: type[Checked]) -> Checked:
    try:
        return kind.model_validate(json.loads(row) if isinstance(row, str) else row)
    except json.JSONDecodeError as error:
        raise InvalidData(
            f"{where}: expected a JSON object, got a fault at column {error.colno}: {error.msg}."
        ) from error
    except ValidationError as error:
        raise InvalidData(f"{where}: {sentence_of(error)}") from error


def sentence_of(error: ValidationError) -> str:
    """The first fault of a validation as a sentence that names its field."""
    fault = error.errors(include_url=False)[0]
    field = ".".join(str(part) for part in fault["loc"])
    if fault["type"] == "missing":
        return f"the field {field!r} is missing. Add it."
    if fault["type"] == "value_error":
        return f"{fault['msg'].removeprefix('Value error, ').rstrip('.')}."
    got = repr(fault["input"])
    return f"field {field!r}: {fault['msg']}, got {got if len(got) < 80 else got[:77] + '...'}."
