"""An order of answers as it is written, « B > A = C »: > after what is better, = between what is tied.

What the list of the page writes into its field, and what a visitor may write there instead. The field is empty until
somebody has ordered something: an order that nobody gave is none. Knows no component.
"""

from __future__ import annotations

from typing import Final

from ..domain import LETTERS
from ..errors import Refused
from ..votes.rankings import Ranking

UNREADABLE: Final = "unreadable_order"
"""Code of the refusal of a text that is no order."""
UNTOUCHED: Final = "untouched_order"
"""Code of the refusal of an order that nobody has given."""


def tied(places: int) -> str:
    """All tied: valid where it is written, and what the list shows before anything is."""
    return " = ".join(LETTERS[:places])


def written(ranking: Ranking) -> str:
    """A ranking as text; tied answers in display order."""
    ranks = sorted(set(ranking))
    groups = ([LETTERS[place] for place, each in enumerate(ranking) if each == rank] for rank in ranks)
    return " > ".join(" = ".join(group) for group in groups)


def ranks_of(text: str, places: int) -> list[int]:
    """The rank of each place.

    Raises:
        Refused: nothing was ordered, or a letter is missing, said twice or none of these.
    """
    if not text.strip():
        sentence = f"ranking: expected an order, got none. Give one, or {tied(places)!r} where none is better."
        raise Refused(sentence, UNTOUCHED, order=tied(places))
    groups = [[letter.strip() for letter in group.split("=")] for group in text.upper().split(">")]
    ranks = {letter: rank for rank, group in enumerate(groups, start=1) for letter in group}
    letters = list(LETTERS[:places])
    if sorted(letter for group in groups for letter in group) != letters:
        expected = f"each of {', '.join(letters)} once, as in {' > '.join(letters[::-1])}"
        raise Refused(f"ranking: expected {expected}, got {text[:60]!r}. Write it so.", UNREADABLE)
    return [ranks[letter] for letter in letters]
