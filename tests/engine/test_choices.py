"""The weights of letters, by a tokenizer that has tokens for letters with a space before them."""

from __future__ import annotations

import pytest
import torch

from medinject_demo.engine.choices import letter_probabilities


class Spaced:
    """A tokenizer with a token of its own for some letters after a space; else the space is a token."""

    TOKENS = ("<s>", " ", "A", "B", "C", " A", " B")

    def encode(self, text: str, add_special_tokens: bool = True) -> list[int]:
        pieces = [text] if text in self.TOKENS else list(text)
        return [0] * add_special_tokens + [self.TOKENS.index(piece) for piece in pieces]


MASSES = torch.tensor([100.0, 50.0, 1.0, 2.0, 3.0, 4.0, 10.0])
"""Of each token; those of the letters, with and without a space, are 5, 12 and 3."""


@pytest.mark.parametrize(
    ("letters", "shares"), [("ABC", [5 / 20, 12 / 20, 3 / 20]), ("CA", [3 / 8, 5 / 8]), ("B", [1])]
)
def test_a_letter_counts_with_and_without_a_space_before_it_and_once_where_that_is_the_same_token(
    letters: str, shares: list[float]
) -> None:
    weighed = letter_probabilities(Spaced(), MASSES.log(), letters)
    assert list(weighed) == list(letters)
    assert list(weighed.values()) == pytest.approx(shares)
