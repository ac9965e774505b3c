"""What all commands share: a fault of any of them in one line."""

from __future__ import annotations

import click
import pytest
from click.testing import CliRunner

from medinject_demo.cli.family import FamilyGroup


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (ModuleNotFoundError("No module named 'peft'", name="peft"), "peft is missing."),
        (ModuleNotFoundError("Please install optimum-quanto."), "Please install optimum-quanto."),
        (ModuleNotFoundError(), "a library is missing."),
    ],
    ids=["named", "a sentence", "nothing"],
)
def test_a_library_that_is_missing_is_named_by_its_name_or_in_its_own_words(
    error: ModuleNotFoundError, said: str
) -> None:
    @click.group(cls=FamilyGroup)
    def group() -> None: ...

    @group.command()
    def one() -> None:
        raise error

    result = CliRunner().invoke(group, ["one"])
    assert (result.exit_code, result.stderr) == (1, f"error: {said} Run: pip install -r requirements.txt\n")
