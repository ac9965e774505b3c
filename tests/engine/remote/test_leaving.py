"""Streams that are left, an engine that is closed, and many rows at once."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import suppress

import pytest

from medinject_demo.domain import BASE, FinishReason, Sampling
from medinject_demo.engine.base import ChoiceRequest, Event, Finished
from medinject_demo.engine.remote import RemoteEngine
from medinject_demo.engine.remote.engine import MOST_OPEN
from medinject_demo.errors import ModelError

from ..laws import asked
from .asking import Connect, heard
from .served import Exchange, Scripted


class TestLeaving:
    @pytest.mark.parametrize("leave", ["close", "drop"])
    def test_leaving_a_stream_closes_its_connections_at_the_server(
        self, server: Scripted, engine: RemoteEngine, leave: str
    ) -> None:
        def endless(exchange: Exchange) -> None:
            with suppress(ConnectionError):  # one that is left before its first piece
                exchange.open()
                exchange.piece("début")
            exchange.until_left()

        server.scripts["non"] = endless
        events: Iterator[Event] | None = engine.stream([asked("non")] * 3)
        next(events)
        assert all(server.asked.acquire(timeout=60) for _ in range(3))  # one that was never sent leaves nobody
        if leave == "close":
            events.close()  # type: ignore[union-attr]
            assert list(events) == []
        events = None
        assert all(server.left.acquire(timeout=60) for _ in range(3))

    def test_a_stream_that_nobody_begins_to_read_is_closed_too(self, server: Scripted, engine: RemoteEngine) -> None:
        server.scripts["non"] = Exchange.until_left
        events = engine.stream([asked("non")])
        assert server.asked.acquire(timeout=60)
        del events
        assert server.left.acquire(timeout=60)

    def test_closing_the_engine_ends_what_is_in_flight_as_cancelled(
        self, server: Scripted, engine: RemoteEngine
    ) -> None:
        server.scripts["non"] = Exchange.until_left
        events = engine.stream([asked("non"), asked("non")])
        engine.close()
        engine.close()
        assert [end.reason for end in events if isinstance(end, Finished)] == [FinishReason.CANCELLED] * 2
        with pytest.raises(ModelError, match="expected one that is open, got a closed one"):
            engine.stream([asked("oui")])
        with pytest.raises(ModelError, match="closed"):
            engine.option_probabilities([ChoiceRequest(asked("oui").messages, BASE, "AB")])

    def test_a_stream_that_is_left_by_another_thread_ends(self, server: Scripted, engine: RemoteEngine) -> None:
        server.scripts["non"] = Exchange.until_left
        events = engine.stream([asked("non")] * 3)
        closer = threading.Timer(0.1, events.close)  # type: ignore[attr-defined]
        closer.start()
        assert all(isinstance(event, Finished) for event in events)
        assert list(events) == []
        closer.join()

    def test_closing_the_engine_ends_a_weighing_in_one_sentence(self, server: Scripted, engine: RemoteEngine) -> None:
        server.weighs = Exchange.until_left
        closer = threading.Timer(0.1, engine.close)
        closer.start()
        with pytest.raises(ModelError, match="got a closed one"):
            engine.option_probabilities([ChoiceRequest(asked("oui").messages, BASE, "AB")])
        closer.join()

    def test_small_questions_wait_for_no_answer_to_end(self, server: Scripted, connect: Connect) -> None:
        server.scripts["non"] = Exchange.until_left
        engine = connect(most_rows=1)
        events = engine.stream([asked("non")])
        assert server.asked.acquire(timeout=60)  # the only place is taken
        (each,) = engine.option_probabilities([ChoiceRequest(asked("oui").messages, BASE, "AB")])
        assert sum(each.values()) == pytest.approx(1)
        events.close()  # type: ignore[attr-defined]

    def test_two_thousand_rows_are_all_answered_by_a_bounded_number_of_connections(
        self, server: Scripted, connect: Connect
    ) -> None:
        one = Sampling(max_new_tokens=1)
        _, ends = heard(connect(most_rows=8), *[asked(f"{number}", BASE, one) for number in range(2000)])
        assert {(end.reason, end.tokens) for end in ends} == {(FinishReason.LENGTH, 1)}
        assert server.most <= 8

    def test_more_than_the_engine_keeps_are_refused_before_any_is_sent(
        self, server: Scripted, engine: RemoteEngine
    ) -> None:
        with pytest.raises(ModelError, match=rf"expected at most {MOST_OPEN} answers.*Ask for fewer at once"):
            engine.stream([asked("oui")] * (MOST_OPEN + 1))
        assert server.bodies == []
