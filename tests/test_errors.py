from __future__ import annotations

import inspect

import pytest

from medinject_demo import errors

FAMILY = [each for _, each in inspect.getmembers(errors, inspect.isclass)]


@pytest.mark.parametrize("error", FAMILY, ids=lambda error: error.__name__)
def test_every_error_belongs_to_the_family_drawn_in_the_docstring(error: type[Exception]) -> None:
    assert issubclass(error, errors.MedInjectError)
    assert error.__name__ in (errors.__doc__ or "")


def test_a_sentence_says_expected_got_remedy() -> None:
    error = errors.InvalidValue.of("size", expected="a number", got="'x'", remedy="Give a number.")
    assert str(error) == "size: expected a number, got 'x'. Give a number."
    assert isinstance(error, errors.InvalidValue)


def test_a_sentence_without_remedy_ends_there() -> None:
    assert str(errors.OutputError.of("place", expected="a folder", got="a file")).endswith("got a file.")


def test_a_refusal_carries_its_codes_beside_its_sentence() -> None:
    error = errors.Refused("prompt: expected words, got none.", "empty", "too_long")
    assert str(error) == "prompt: expected words, got none."
    assert error.codes == ("empty", "too_long")


def test_a_refusal_carries_what_a_page_says_besides() -> None:
    assert errors.Refused("questions: too many.", "often", wait="12 s").fields == {"wait": "12 s"}
    assert errors.Refused("prompt: nothing.").fields == {}
