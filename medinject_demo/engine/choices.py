"""The weights of an exercise's letters, from the logits after its prompt. Knows nothing of models or rows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from ..errors import InvalidValue

if TYPE_CHECKING:
    from torch import Tensor


def letter_probabilities(tokenizer: Any, logits: Tensor, letters: str) -> dict[str, float]:
    """Each letter's share of the mass of all of them, from logits (vocabulary).

    A letter counts written with and without a space before it.

    Raises:
        InvalidValue: a letter is no token of its own, or two are the same one.
    """
    ways = {letter: _tokens(tokenizer, letter) for letter in letters}
    require_own_tokens(ways)
    ids = sorted(set().union(*ways.values()))
    chances = dict(zip(ids, logits[ids].double().softmax(-1).tolist(), strict=True))
    return {letter: sum(chances[each] for each in way) for letter, way in ways.items()}


def _tokens(tokenizer: Any, letter: str) -> set[int]:
    alone, space, spaced = (tokenizer.encode(each, add_special_tokens=False) for each in (letter, " ", f" {letter}"))
    return whole_in(alone, space, spaced)


def whole_in(alone: Sequence[int], space: Sequence[int], spaced: Sequence[int]) -> set[int]:
    """The tokens that write a letter whole: alone, or with the space before it, which may be a token of its own."""
    if spaced[: len(space)] == space:
        spaced = spaced[len(space) :]
    return {way[0] for way in (alone, spaced) if len(way) == 1}


def require_own_tokens(ways: Mapping[str, set[int]]) -> None:
    """Raises InvalidValue where a letter is no token of its own, or two are the same one."""
    if sum(map(len, ways.values())) > len(set().union(*ways.values())) or not all(ways.values()):
        remedy = "Use the letters A, B, C and so on."
        raise InvalidValue.of("letters", expected="each a token of its own", got=repr("".join(ways)), remedy=remedy)
