"""What a text that a visitor wrote puts to the models: a bundled prompt, options of one's own, an open question."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from ..domain import Kind, Prompt
from ..errors import InvalidData
from ..privacy import require_clean
from ..prompts import CHOICES_LINE, check_rows, layout


def question_of(text: str, known: Sequence[Prompt]) -> Prompt:
    """The prompt that a text puts: a bundled one where it is word for word, else one's own.

    A text of one's own with a line ``Choix de réponses :`` and options (A), (B)... is a multiple-choice one, as in the
    study's data, without a known answer.

    Raises:
        Refused: the text is empty, too long, or seems to hold personal data.
    """
    text = text.replace("\r\n", "\n").strip()
    for prompt in known:
        if layout(prompt) == text:
            return prompt
    require_clean(text)
    return _choices_of(text) if CHOICES_LINE in text else Prompt(Kind.OEQ, text)


def _choices_of(text: str) -> Prompt:
    """A text with options as the study writes them; an open question where they are not of that form."""
    try:
        (row,) = check_rows([{"instruction": text, "answer": "A", "type": Kind.MCQ}], "question")
    except InvalidData:
        return Prompt(Kind.OEQ, text)
    return replace(row.prompt(), reference="")  # an answer had to be named; nobody knows it
