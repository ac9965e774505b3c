"""The gate before the page and its interface: who is held back, what is told, and that nothing typed is lost."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from gradio_client import Client
from gradio_client.exceptions import AppError

from medinject_demo.engine.base import ScriptedEngine
from medinject_demo.limiter import Limiter, limits_of
from medinject_demo.prompts import layout, load_prompts
from medinject_demo.serving import opened
from medinject_demo.settings import Settings
from medinject_demo.ui.frame import Playground
from medinject_demo.ui.gate import Gate
from tests.duels import arena_at

from .test_duel import CHOICES, QUESTION, asked
from .visitor import Visitor, same_words

FREE = Settings(asks_per_voter="none", asks_per_address="none", votes_per_voter="none", votes_per_address="none")


@contextmanager
def guarded(folder: Path, *, proxies: int = 0, **limits: str) -> Iterator[tuple[str, Playground]]:
    """The real page with these limits and no other: its URL, its services."""
    arena = arena_at(folder, engine=ScriptedEngine(same_words))
    gate = Gate(Limiter(limits_of(replace(FREE, **limits))), "sel", proxies)  # type: ignore[arg-type]
    behind = Playground(arena._engine, arena, arena._store, load_prompts(), "mini", "Miniature", gate=gate)
    with closing(arena._store), opened(behind) as url:
        yield url.rstrip("/"), behind


def fought(client: Client, session: str) -> dict[str, Any]:
    job = client.submit(QUESTION, session, api_name="/battle")
    states = list(job)
    job.result()
    return dict(states[-1])


def from_address(url: str, address: str) -> Client:
    """A client that claims an address, as anybody can."""
    return Client(url, verbose=False, headers={"X-Forwarded-For": address})


def answered(client: Client, session: str) -> bool:
    try:
        fought(client, session)
    except AppError as error:
        return "Try again in" not in str(error)
    return True


def test_a_question_too_many_waits_and_stays_where_it_was_written(tmp_path: Path) -> None:
    with guarded(tmp_path, asks_per_voter="1/minute") as (url, services), closing(Visitor(url, "eager")) as visitor:
        asked(visitor)
        visitor.press("verdict-left")
        visitor.press("duel-next")
        asked(visitor, "Une autre question ?")
        status = visitor.value("duel-status")
        assert "Vous posez vos questions plus vite" in status
        assert "Réessayez dans" in status
        assert visitor.value("duel-question") == "Une autre question ?"
        assert len(services.arena._duels) == 1


def test_a_further_turn_and_a_new_answer_are_questions_too(tmp_path: Path) -> None:
    with guarded(tmp_path, asks_per_voter="1/minute") as (url, _), closing(Visitor(url, "turns")) as visitor:
        asked(visitor)
        visitor.write("duel-message", "Et chez l'enfant ?")
        for button in ("duel-send", "duel-regenerate"):
            visitor.press(button)
            assert "plus vite" in visitor.value("duel-status")
        assert visitor.value("duel-message") == "Et chez l'enfant ?"
        assert visitor.value("duel-left").count("toux") == 1


def test_a_vote_too_many_is_said_not_stored_and_its_reasons_stay(tmp_path: Path) -> None:
    with guarded(tmp_path, votes_per_voter="1/minute") as (url, services), closing(Visitor(url, "votes")) as visitor:
        asked(visitor)
        visitor.press("verdict-left")
        visitor.press("duel-next")
        asked(visitor, "Une autre question ?")
        visitor.write("duel-comment", "Trop long.")
        visitor.press("verdict-right")
        status = visitor.value("duel-status")
        assert "votre dernier choix n’a pas été enregistré" in status
        assert visitor.value("duel-comment") == "Trop long."
        assert not visitor.sees("duel-revealed")
        assert services.store.counts().votes == 1


def test_a_withdrawal_counts_as_a_vote(tmp_path: Path) -> None:
    with guarded(tmp_path, votes_per_voter="1/minute") as (url, services), closing(Visitor(url, "undoes")) as visitor:
        asked(visitor)
        visitor.press("verdict-left")
        visitor.press("duel-undo")
        assert "plus vite" in visitor.value("duel-status")
        assert services.store.counts().votes == 1


def test_a_comparison_is_a_question_and_its_text_stays(tmp_path: Path) -> None:
    with guarded(tmp_path, asks_per_voter="1/minute") as (url, _), closing(Visitor(url, "compares")) as visitor:
        for _ in range(2):
            visitor.write("compare-question", "Quoi ?")
            visitor.press("compare-ask")
        assert "plus vite" in visitor.value("compare-alert")
        assert visitor.value("compare-question") == "Quoi ?"


def test_options_weighed_anew_are_a_question_and_what_was_shown_stays(tmp_path: Path) -> None:
    with guarded(tmp_path, asks_per_voter="1/minute") as (url, _), closing(Visitor(url, "weighs")) as visitor:
        visitor.write("compare-question", layout(CHOICES))
        visitor.press_through("compare-ask")
        shown = visitor.value("compare-letters")
        visitor.write("compare-average", True)
        visitor.press("compare-average", "input")
        assert "plus vite" in visitor.value("compare-alert")
        assert visitor.value("compare-letters") == shown != ""


def test_a_program_is_told_how_long_to_wait(tmp_path: Path) -> None:
    with guarded(tmp_path, asks_per_voter="1/minute", votes_per_voter="1/minute") as (url, services):
        with closing(Client(url, verbose=False)) as client:
            battle = fought(client, "me")["battle"]
            with pytest.raises(AppError, match=r"expected at most 1 per minute, got one more. Try again in \d+ s"):
                fought(client, "me")
            client.predict(battle, "me", "left", api_name="/vote")
            with pytest.raises(AppError, match=r"^votes: expected at most 1 per minute.* Try again in \d+ s"):
                client.predict(battle, "me", "right", api_name="/vote")
        assert services.store.counts().votes == 1


def test_a_program_that_compares_is_counted_by_its_address(tmp_path: Path) -> None:
    with guarded(tmp_path, asks_per_address="1/minute") as (url, _), closing(Client(url, verbose=False)) as client:
        assert client.predict("Quoi ?", ["base", "all"], api_name="/compare")
        with pytest.raises(AppError, match="questions of this address"):
            client.predict("Quoi ?", ["base", "all"], api_name="/compare")


def test_the_board_is_a_question_too(tmp_path: Path) -> None:
    with guarded(tmp_path, asks_per_address="1/minute") as (url, _), closing(Client(url, verbose=False)) as client:
        assert client.predict(api_name="/board")["votes"] == 0
        with pytest.raises(AppError, match="questions of this address"):
            client.predict(api_name="/board")


def test_a_link_that_is_followed_is_a_question_and_a_page_without_one_is_none(tmp_path: Path) -> None:
    with guarded(tmp_path, asks_per_voter="1/minute") as (url, _), closing(Visitor(url, "follows")) as visitor:
        for _ in range(2):
            visitor.arrive("")
        visitor.arrive("unknown")
        assert "Aucun duel n’est visible" in visitor.value("duel-status")
        visitor.arrive("unknown")
        assert "plus vite que le site ne le permet" in visitor.value("duel-status")


def test_a_fresh_token_does_not_get_past_the_limit_of_the_address(tmp_path: Path) -> None:
    with guarded(tmp_path, asks_per_address="2/minute") as (url, _), closing(Client(url, verbose=False)) as client:
        assert [answered(client, f"token {number}") for number in range(4)] == [True, True, False, False]


def test_a_header_that_no_configured_proxy_wrote_changes_nothing(tmp_path: Path) -> None:
    with guarded(tmp_path, asks_per_address="1/minute") as (url, _):
        seen = []
        for number in range(3):
            with closing(from_address(url, f"203.0.113.{number}")) as client:
                seen.append(answered(client, f"token {number}"))
        assert seen == [True, False, False]


def test_behind_a_configured_proxy_each_client_has_its_own_limit(tmp_path: Path) -> None:
    claims = ["203.0.113.1", "203.0.113.2", "198.51.100.9, 203.0.113.1"]
    with guarded(tmp_path, proxies=1, asks_per_address="1/minute") as (url, _):
        seen = []
        for number, claim in enumerate(claims):
            with closing(from_address(url, claim)) as client:
                seen.append(answered(client, f"token {number}"))
        assert seen == [True, True, False]


def test_where_the_limiter_fails_the_vote_is_stored(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_given: object) -> None:
        raise RuntimeError("can't start new thread")

    with guarded(tmp_path, votes_per_voter="1/minute") as (url, services), closing(Visitor(url, "honest")) as visitor:
        monkeypatch.setattr(services.gate.limiter, "_taken", fail)
        asked(visitor)
        visitor.press("verdict-left")
        assert "Vote enregistré" in visitor.value("duel-status")
        assert services.store.counts().votes == 1


def test_an_address_is_nowhere_in_the_clear(tmp_path: Path) -> None:
    with guarded(tmp_path, proxies=1, asks_per_address="9/minute", votes_per_address="9/minute") as (url, services):
        with closing(from_address(url, "203.0.113.77")) as client:
            client.predict(fought(client, "me")["battle"], "me", "left", api_name="/vote")
        names: Mapping[str, Any] = services.gate.limiter._storage.events
        assert len(names) == 2
        assert not any("203.0.113" in name for name in names)
    files = list(tmp_path.glob("votes.db*"))
    assert files
    assert not any(b"203.0.113.77" in file.read_bytes() for file in files)
