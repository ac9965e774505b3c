"""What a transaction leaves to be done is done once, or owed until it is."""

from __future__ import annotations

import pytest

from medinject_demo.errors import StoreError
from medinject_demo.votes.database import Database
from medinject_demo.votes.owed import Owed, owe_examination, owe_scrub, rename


def owe(database: Database, *voters: str) -> None:
    database.write(lambda connection: owe_examination(connection, voters))


def examined(database: Database) -> list[str]:
    seen: list[str] = []
    Owed(database).examine(lambda voter: seen.append(voter) or 0)
    return seen


def test_who_is_owed_an_examination_several_times_is_examined_once(database: Database) -> None:
    owe(database, "a", "b", "a")
    owe(database, "a")
    assert examined(database) == ["a", "b"]
    assert examined(database) == []


def test_an_examination_that_fails_is_owed_still_and_those_before_it_are_not(database: Database) -> None:
    owe(database, "a", "b", "c")

    def failing(voter: str) -> int:
        if voter == "b":
            raise StoreError("la base ne répond pas.")
        return 0

    with pytest.raises(StoreError):
        Owed(database).examine(failing)
    assert examined(database) == ["b", "c"]


def test_what_comes_while_a_voter_is_examined_is_owed_anew(database: Database) -> None:
    owe(database, "a")
    Owed(database).examine(lambda voter: owe(database, voter) or 0)  # type: ignore[func-returns-value]
    assert examined(database) == ["a"]


def test_what_is_owed_of_who_is_forgotten_names_nobody(database: Database) -> None:
    owe(database, "a")
    owe(database, "a", "b")
    database.write(lambda connection: rename(connection, "a", "forgotten-1"))
    assert examined(database) == ["b", "forgotten-1"]


def test_a_scrub_is_owed_until_it_succeeds(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    assert not Owed(database).scrub()
    database.write(owe_scrub)

    def busy(self: Database) -> None:
        raise StoreError("quelqu'un lit.")

    with monkeypatch.context() as patch:
        patch.setattr(Database, "scrub", busy)
        for _ in range(2):
            with pytest.raises(StoreError):
                Owed(database).scrub()
    assert Owed(database).scrub()
    assert not Owed(database).scrub()


def test_a_debt_of_a_transaction_that_failed_is_none(database: Database) -> None:
    def work(connection: object) -> None:
        owe_examination(connection, ["a"])  # type: ignore[arg-type]
        raise StoreError("non.")

    with pytest.raises(StoreError):
        database.write(work)
    assert examined(database) == []
