"""Servers that refuse, break off or fall silent."""

from __future__ import annotations

import pytest

from medinject_demo.domain import FinishReason
from medinject_demo.engine.remote import RemoteEngine

from ..laws import asked
from .asking import HASTY, PATIENT, Connect, failed, first_fails, heard, refusing
from .served import Exchange, Scripted


class TestFailures:
    @pytest.mark.parametrize(
        ("status", "words", "said"),
        [
            (401, "Unauthorized", "answered 401 Unauthorized: Unauthorized. Set MEDINJECT_ENGINE_KEY to a key"),
            (404, "The model `base` does not exist.", "answered 404 Not Found: The model `base` does not exist."),
            (400, "max_tokens=600 cannot be", "answered 400 Bad Request: max_tokens=600 cannot be."),
            (500, "out of memory", "answered 500 Internal Server Error: out of memory."),
        ],
    )
    def test_a_refusal_is_not_repeated_and_says_the_servers_own_words(
        self, server: Scripted, engine: RemoteEngine, pauses: list[float], status: int, words: str, said: str
    ) -> None:
        server.scripts["non"] = refusing(status, words)
        error = failed(engine)
        assert error.startswith(f"{server.url}/chat/completions {said}")
        assert pauses == []

    @pytest.mark.parametrize(
        ("content", "said"),
        [
            ({"detail": [{"msg": "field required"}]}, "field required"),
            ({"message": "busy\nnow"}, "busy now"),
            ({"error": "gone"}, "gone"),
            ("<html>Bad gateway</html>", "<html>Bad gateway</html>"),
            ("", "no words"),
            ("x" * 5000, "x" * 300 + "…"),
            ([], "[]"),
        ],
    )
    def test_the_words_are_found_wherever_a_server_puts_them(
        self, server: Scripted, engine: RemoteEngine, content: object, said: str
    ) -> None:
        server.scripts["non"] = lambda exchange: exchange.answer(500, content)
        assert failed(engine).endswith(f"500 Internal Server Error: {said}.")

    def test_a_server_that_refuses_a_field_of_vllms_says_which(self, server: Scripted, engine: RemoteEngine) -> None:
        server.scripts["non"] = refusing(400, "Unrecognized request argument supplied: top_k")
        assert failed(engine).endswith(
            "This server does not take top_k: leave them at their defaults, or ask a vLLM server."
        )

    @pytest.mark.parametrize("status", [429, 502, 503, 504])
    def test_a_server_that_is_busy_is_asked_again(
        self, server: Scripted, engine: RemoteEngine, pauses: list[float], status: int
    ) -> None:
        server.scripts["oui"] = first_fails(refusing(status, "busy"))
        texts, (end,) = heard(engine, asked("oui"))
        assert (texts, end.reason) == (["base dit œdème 💪 oui"], FinishReason.STOP)
        assert len(pauses) == 1
        assert 0 < pauses[0] <= 0.25

    @pytest.mark.parametrize(
        ("asked_for", "low", "high"),
        [("2", 2, 2), ("9999", 30, 30), ("Thu, 01 Jan 1970 00:00:00 GMT", 0, 0), ("soon", 0.1, 0.25)],
    )
    def test_it_waits_as_long_as_the_server_asks_within_reason(
        self, server: Scripted, engine: RemoteEngine, pauses: list[float], asked_for: str, low: float, high: float
    ) -> None:
        server.scripts["oui"] = first_fails(refusing(429, "slow down", Retry_After=asked_for))
        heard(engine, asked("oui"))
        assert low <= pauses[0] <= high

    def test_it_does_not_ask_for_ever(self, server: Scripted, engine: RemoteEngine, pauses: list[float]) -> None:
        server.scripts["non"] = refusing(503, "loading")
        assert "503 Service Unavailable: loading" in failed(engine)
        assert len(pauses) == PATIENT.attempts - 1

    def test_a_connection_lost_before_the_first_token_is_made_again(
        self, server: Scripted, engine: RemoteEngine, pauses: list[float]
    ) -> None:
        def opened(exchange: Exchange) -> None:
            exchange.open()
            exchange.piece("")
            exchange.hang_up()

        server.scripts |= {"rien": first_fails(Exchange.hang_up), "ouvert": first_fails(opened)}
        texts, ends = heard(engine, asked("rien"), asked("ouvert"))
        assert texts == ["base dit œdème 💪 rien", "base dit œdème 💪 ouvert"]
        assert [end.reason for end in ends] == [FinishReason.STOP] * 2
        assert len(pauses) == 2

    def test_a_connection_lost_in_mid_answer_ends_that_row_and_is_not_made_again(
        self, server: Scripted, engine: RemoteEngine, pauses: list[float]
    ) -> None:
        def broken(exchange: Exchange) -> None:
            exchange.open()
            exchange.piece("début")
            exchange.hang_up()

        server.scripts["non"] = broken
        assert "without sending complete message body" in failed(engine)
        assert [body["messages"][0]["content"] for body in server.bodies].count("non") == 1
        assert pauses == []

    def test_an_error_in_the_stream_ends_that_row(self, server: Scripted, engine: RemoteEngine) -> None:
        def dying(exchange: Exchange) -> None:
            exchange.open()
            exchange.piece("début")
            exchange.data({"error": {"message": "EngineCore died", "code": 500}})
            exchange.end()

        server.scripts["non"] = dying
        assert failed(engine).endswith(": EngineCore died")

    @pytest.mark.parametrize("garbage", ["{not json", "[]", '{"choices": [{"delta": "x"}]}', '{"choices": 3}', "null"])
    def test_an_event_that_cannot_be_read_ends_that_row_with_what_came(
        self, server: Scripted, engine: RemoteEngine, garbage: str
    ) -> None:
        def babbling(exchange: Exchange) -> None:
            exchange.open()
            exchange.piece("début")
            exchange.data(garbage)
            exchange.end()

        server.scripts["non"] = babbling
        error = failed(engine)
        assert "sent an event that cannot be read" in error
        assert garbage in error

    def test_an_answer_that_is_no_stream_is_an_error(self, server: Scripted, engine: RemoteEngine) -> None:
        server.scripts["non"] = lambda exchange: exchange.answer(200, {"choices": []}, Content_Type="application/json")
        assert "text/event-stream" in failed(engine)

    @pytest.mark.parametrize(
        ("reason", "said"),
        [
            (None, "ended the answer without a finish_reason"),
            ("content_filter", "by finish_reason 'content_filter'"),
            ("abort", "by finish_reason 'abort'"),
        ],
    )
    def test_an_answer_that_ends_in_no_known_way_is_an_error(
        self, server: Scripted, engine: RemoteEngine, reason: str | None, said: str
    ) -> None:
        def ending(exchange: Exchange) -> None:
            exchange.open()
            exchange.piece("début")
            exchange.end(reason)

        server.scripts["non"] = ending
        assert said in failed(engine)

    @pytest.mark.parametrize("said", ["", "début"])
    def test_a_server_that_falls_silent_is_left(self, server: Scripted, connect: Connect, said: str) -> None:
        def stalling(exchange: Exchange) -> None:
            exchange.open()
            exchange.piece(said)
            exchange.raw(b": keep-alive\n\n")  # a comment is no token
            exchange.until_left()

        server.scripts["non"] = stalling
        _, (end,) = heard(connect(patience=HASTY), asked("non"))
        assert end.reason is FinishReason.ERROR
        assert end.error.endswith("no token within 0.2 s")
        assert server.left.acquire(timeout=60)

    def test_a_server_that_takes_no_request_is_left(self, server: Scripted, connect: Connect) -> None:
        server.scripts["non"] = Exchange.until_left
        _, (end,) = heard(connect(patience=HASTY), asked("non"))
        assert end.error.endswith("no answer within 0.2 s")
        assert server.left.acquire(timeout=60)

    def test_a_server_that_is_gone_is_said_after_the_last_attempt(
        self, server: Scripted, engine: RemoteEngine, pauses: list[float]
    ) -> None:
        def last(exchange: Exchange) -> None:
            server.server_close()
            exchange.hang_up()

        server.scripts["oui"] = last
        _, (end,) = heard(engine, asked("oui"))
        assert end.reason is FinishReason.ERROR
        assert end.error.startswith(f"{server.url}/chat/completions: ")
        assert len(pauses) == PATIENT.attempts - 1
