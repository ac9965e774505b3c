"""The engine of other machines, against a real socket on which everything goes wrong."""

from __future__ import annotations

import json
import math
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from medinject_demo.domain import ARMS, BASE, MIXTURES, FinishReason, Mixture, Sampling
from medinject_demo.engine.base import ChoiceRequest, Delta, Event, Finished, Request, answers
from medinject_demo.engine.endpoint import Endpoint
from medinject_demo.engine.remote import Patience, RemoteEngine
from medinject_demo.engine.remote.engine import MOST_OPEN
from medinject_demo.errors import InvalidValue, ModelError
from medinject_demo.serving import free_port

from .laws import EngineLaws, asked
from .served import SLUGS, Exchange, Script, Scripted, scripted, well

NAT, TRAD = ARMS[:2]
HASTY = Patience(connect=5, first=0.2, between=0.2, attempts=3)
"""For servers that say nothing for ever; one that answers is given a minute."""
PATIENT = Patience(connect=5, first=60, between=60, attempts=3)
Connect = Callable[..., RemoteEngine]


@pytest.fixture
def server() -> Iterator[Scripted]:
    with scripted() as server:
        yield server


@pytest.fixture
def pauses() -> list[float]:
    """Seconds that the engine would have waited before another attempt."""
    return []


@pytest.fixture
def connect(server: Scripted, pauses: list[float]) -> Iterator[Connect]:
    made = []

    async def pause(seconds: float) -> None:
        pauses.append(seconds)

    def connected(**options: Any) -> RemoteEngine:
        options = {"patience": PATIENT, "pause": pause} | options
        endpoints = options.pop("endpoints", None) or at(server.url)
        made.append(RemoteEngine.connect(endpoints, **options))
        return made[-1]

    yield connected
    for engine in made:
        engine.close()


@pytest.fixture
def engine(connect: Connect) -> RemoteEngine:
    return connect()


def at(url: str, *slugs: str, **fields: Any) -> dict[Mixture, Endpoint]:
    """Every arm, or those named, at one server under its slug."""
    return {
        mixture: Endpoint(url, (mixture.slug,), **fields) for mixture in MIXTURES if mixture.slug in (slugs or SLUGS)
    }


def heard(engine: RemoteEngine, *requests: Request) -> tuple[list[str], list[Finished]]:
    """The texts and the ends of rows, in their order."""
    texts, ends = [""] * len(requests), {}
    for event in engine.stream(requests):
        if isinstance(event, Delta):
            texts[event.row] += event.text
        else:
            ends[event.row] = event
    return texts, [ends[row] for row in range(len(requests))]


def failed(engine: RemoteEngine, question: str = "non") -> str:
    """The error of a row that fails, beside another that does not."""
    texts, (bad, good) = heard(engine, asked(question), asked("oui"))
    assert bad.reason is FinishReason.ERROR
    assert (texts[1], good.reason, good.error) == ("base dit œdème 💪 oui", FinishReason.STOP, "")
    assert texts[0] in ("", "début")  # what the server had said, and no word of the error
    return bad.error


def refusing(status: int, words: str, **headers: str) -> Script:
    return lambda exchange: exchange.refuse(status, words, **headers)


def first_fails(failure: Script) -> Script:
    """Fails at the first attempt, and then answers well."""
    tried: list[bool] = []

    def script(exchange: Exchange) -> None:
        tried.append(True)
        (failure if len(tried) == 1 else well)(exchange)

    return script


class TestRemoteEngine(EngineLaws):
    pass


class TestStreams:
    def test_bytes_cut_anywhere_give_whole_characters(self, server: Scripted, engine: RemoteEngine) -> None:
        def cut(exchange: Exchange) -> None:
            said = {"choices": [{"delta": {"content": "été 💪 œ"}, "finish_reason": "stop"}]}
            exchange.open()
            for byte in f"data: {json.dumps(said, ensure_ascii=False)}\r\n\r\ndata: [DONE]\n\n".encode():
                exchange.raw(bytes([byte]))
            exchange.raw(b"")

        server.scripts["oui"] = cut
        texts, (end,) = heard(engine, asked("oui"))
        assert (texts, end.reason) == (["été 💪 œ"], FinishReason.STOP)

    def test_a_character_of_two_surrogates_in_two_events_is_one_piece(
        self, server: Scripted, engine: RemoteEngine
    ) -> None:
        def halves(exchange: Exchange) -> None:
            exchange.open()
            for text in ("a\ud83d", "\udcaab", "c\ud83d"):
                exchange.piece(text, ascii_only=True)
            exchange.end()

        server.scripts["oui"] = halves
        pieces = [event.text for event in engine.stream([asked("oui")]) if isinstance(event, Delta)]
        assert pieces == ["a", "💪b", "c"]  # half a character at the end is held back

    def test_comments_other_fields_and_empty_events_are_no_text(self, server: Scripted, engine: RemoteEngine) -> None:
        def chatty(exchange: Exchange) -> None:
            exchange.open()
            exchange.raw(b": keep-alive\n\nretry: 5\n\nevent: message\n")
            exchange.piece("oui")
            exchange.raw(b": keep-alive\n\n")
            exchange.data({"choices": [{"delta": {"content": None, "reasoning": "hm"}}]})
            exchange.data({"id": "1", "choices": []})
            exchange.end(tokens=4)

        server.scripts["oui"] = chatty
        texts, (end,) = heard(engine, asked("oui"))
        assert (texts, end.tokens, end.reason) == (["oui"], 4, FinishReason.STOP)

    def test_without_usage_the_pieces_are_counted(self, server: Scripted, engine: RemoteEngine) -> None:
        def silent(exchange: Exchange) -> None:
            exchange.open()
            exchange.piece("un ")
            exchange.piece("deux", "length")
            exchange.end(None)

        server.scripts["oui"] = silent
        _, (end,) = heard(engine, asked("oui"))
        assert (end.tokens, end.reason) == (2, FinishReason.LENGTH)

    def test_a_break_after_the_finish_reason_takes_nothing_from_the_answer(
        self, server: Scripted, engine: RemoteEngine
    ) -> None:
        def abrupt(exchange: Exchange) -> None:
            exchange.open()
            exchange.piece("entier", "stop")
            exchange.hang_up()

        server.scripts["oui"] = abrupt
        texts, (end,) = heard(engine, asked("oui"))
        assert (texts, end.reason, len(server.bodies)) == (["entier"], FinishReason.STOP, 1)

    def test_all_that_decides_a_draw_is_sent_even_where_it_is_off(self, server: Scripted, engine: RemoteEngine) -> None:
        """Or vLLM takes what the model's ``generation_config.json`` says."""
        drawn = Sampling(
            max_new_tokens=7, temperature=0.5, top_p=0.9, top_k=3, min_p=0.1, repetition_penalty=1.1, seed=9
        )
        heard(engine, asked("oui", sampling=drawn), asked("non", sampling=Sampling(max_new_tokens=7)))
        sent = {body["messages"][0]["content"]: body for body in server.bodies}
        names = ("temperature", "top_p", "top_k", "min_p", "repetition_penalty", "seed", "max_tokens")
        assert [sent["oui"][name] for name in names] == [0.5, 0.9, 3, 0.1, 1.1, 9, 7]
        assert [sent["non"][name] for name in names] == [0, 1, -1, 0, 1, 0, 7]
        assert sent["oui"]["stream_options"] == {"include_usage": True}

    def test_a_server_of_another_kind_is_sent_no_field_that_is_off(self, server: Scripted, connect: Connect) -> None:
        server.cards = [{"id": "base"}, {"id": "nat", "owned_by": "me"}]
        heard(connect(), asked("oui"), asked("non", NAT, Sampling(top_k=3)))
        sent = {body["model"]: body for body in server.bodies}
        assert not {"top_k", "min_p", "repetition_penalty"} & sent["base"].keys()
        assert sent["nat"]["top_k"] == 3
        assert "min_p" not in sent["nat"]

    def test_the_key_goes_with_every_request_and_appears_nowhere(self, server: Scripted, connect: Connect) -> None:
        keys = []

        def locked(exchange: Exchange) -> None:
            keys.append(exchange.headers["authorization"])
            exchange.refuse(403, "no")

        server.scripts["non"] = locked
        engine = connect(key="motdepasse")
        assert "motdepasse" not in failed(engine) + repr(vars(engine))
        assert keys == ["Bearer motdepasse"]

    @pytest.mark.parametrize("key", ["clé", "mot de passe", "mot\npasse", "mot\x00"])
    def test_a_key_that_no_header_holds_is_refused_and_not_shown(
        self, server: Scripted, connect: Connect, key: str
    ) -> None:
        with pytest.raises(InvalidValue, match="MEDINJECT_ENGINE_KEY: expected a key of printable ASCII") as refused:
            connect(key=key)
        assert key not in str(refused.value)
        assert refused.value.__cause__ is refused.value.__context__ is None  # nor in a trace


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


class TestStart:
    def test_arms_that_are_not_served_are_left_out_and_said(self, server: Scripted, connect: Connect) -> None:
        engine = connect()
        assert engine.mixtures == (BASE, NAT, TRAD)
        assert engine.name == "vllm"
        assert len(engine.remarks) == 5
        assert f"Arm all is missing: {server.url} serves no model 'all'." in engine.remarks

    def test_the_first_name_that_is_served_is_taken(self, server: Scripted, connect: Connect) -> None:
        names = {BASE: ("absent", "base"), NAT: ("nat", "trad")}
        heard(connect(endpoints={arm: Endpoint(server.url, each) for arm, each in names.items()}), asked("oui", NAT))
        assert server.bodies[0]["model"] == "nat"

    def test_arms_of_several_servers_answer_in_one_stream(self, server: Scripted, connect: Connect) -> None:
        with scripted() as other:
            engine = connect(endpoints=at(server.url, "base") | at(other.url, "nat"))
            texts, _ = heard(engine, asked("oui"), asked("oui", NAT))
            assert texts == ["base dit œdème 💪 oui", "nat dit œdème 💪 oui"]
            assert (len(server.bodies), len(other.bodies)) == (1, 1)

    def test_one_server_that_is_down_leaves_the_others_their_arms(self, server: Scripted, connect: Connect) -> None:
        gone = f"http://127.0.0.1:{free_port()}/v1"
        engine = connect(endpoints=at(server.url, "base", "nat") | at(gone, "trad"))
        assert engine.mixtures == (BASE, NAT)
        assert engine.remarks[0].startswith(f"{gone}/models: ")

    @pytest.mark.parametrize(
        ("looks", "said"),
        [
            (refusing(401, "no key"), r"/models answered 401 Unauthorized: no key\. Set MEDINJECT_ENGINE_KEY"),
            (lambda exchange: exchange.answer(200, "<html>"), "answered what is no JSON: '<html>'"),
            (lambda exchange: exchange.answer(200, {"models": []}), "/models answered no list of models"),
            (lambda exchange: exchange.answer(200, {"data": []}), "Arm base is missing"),
        ],
    )
    def test_a_server_without_any_arm_is_refused_with_its_reason(
        self, server: Scripted, connect: Connect, looks: Script, said: str
    ) -> None:
        server.looks = looks
        with pytest.raises(ModelError, match=rf"expected at least one that is served, got none\..*{said}"):
            connect()

    def test_no_server_at_all_is_refused_with_its_address_and_no_password(self, connect: Connect) -> None:
        port = free_port()
        with pytest.raises(ModelError, match=f"http://127.0.0.1:{port}/v1/models: ") as refused:
            connect(endpoints=at(f"http://me:motdepasse@127.0.0.1:{port}/v1"))
        assert "motdepasse" not in str(refused.value)

    @pytest.mark.parametrize("field", ["name", "root", "answers"])
    def test_two_arms_of_one_model_are_refused(self, server: Scripted, connect: Connect, field: str) -> None:
        endpoints = at(server.url, "base", "nat")
        if field == "name":
            endpoints[NAT] = Endpoint(server.url, ("base",))
        if field == "root":
            server.cards = [{"id": name, "root": "/models/one"} for name in ("base", "nat")]
        if field == "answers":
            server.cards.append({"id": "copie"})
            endpoints |= {NAT: Endpoint(server.url, ("copie",)), TRAD: Endpoint(server.url, ("copie2",))}
            server.cards.append({"id": "copie2"})
        with pytest.raises(ModelError, match=r"expected answers that differ, got (one model|the same probabilities)"):
            connect(endpoints=endpoints)

    def test_a_server_without_probabilities_serves_and_says_what_was_not_checked(
        self, server: Scripted, connect: Connect
    ) -> None:
        server.weighs = refusing(400, "logprobs are not supported")
        engine = connect()
        assert "Whether arm nat differs was not checked: " in " ".join(engine.remarks)
        assert heard(engine, asked("oui"))[1][0].reason is FinishReason.STOP

    def test_fingerprints_follow_what_the_server_tells_and_not_the_time(
        self, server: Scripted, connect: Connect
    ) -> None:
        def prints(**card: object) -> str:
            server.cards = [{"id": "base", "owned_by": "vllm"} | card]
            return connect().fingerprint(BASE)

        assert prints(created=1) == prints(created=2)
        assert prints(root="/a") != prints(root="/b")
        assert prints().startswith("remote-")


class TestMagnitude:
    @pytest.fixture
    def dora(self, tmp_path: Path) -> Path:
        (tmp_path / "adapter_config.json").write_text('{"peft_type": "LORA", "use_dora": true}', encoding="utf-8")
        return tmp_path

    def test_a_module_whose_folder_holds_dora_is_refused_whoever_serves_it(
        self, server: Scripted, connect: Connect, dora: Path
    ) -> None:
        server.cards = [{"id": "nat", "owned_by": "vllm", "root": str(dora), "parent": "base"}]
        with pytest.raises(
            ModelError, match=r"arm nat, model 'nat' of .*: expected full weights or a plain LoRA"
        ) as said:
            connect()
        assert f"got the DoRA adapter of {dora}, whose magnitude such a server would drop" in str(said.value)
        assert server.bodies == []

    @pytest.mark.parametrize("owner", ["", "tgi", "lorax"])
    def test_a_declared_dora_adapter_is_refused_at_a_server_that_may_drop_it(
        self, server: Scripted, connect: Connect, dora: Path, owner: str
    ) -> None:
        server.cards = [{"id": "nat", "owned_by": owner}]
        with pytest.raises(ModelError, match="declare merged = true"):
            connect(endpoints=at(server.url, "nat", folder=dora))

    @pytest.mark.parametrize("owner", ["vllm", "sglang"])
    def test_a_server_that_refuses_dora_itself_serves_none(
        self, server: Scripted, connect: Connect, dora: Path, owner: str
    ) -> None:
        server.cards = [{"id": "nat", "owned_by": owner}]
        assert connect(endpoints=at(server.url, "nat", folder=dora)).mixtures == (NAT,)

    def test_full_weights_have_no_magnitude_to_drop(self, server: Scripted, connect: Connect, dora: Path) -> None:
        server.cards = [{"id": "nat", "root": str(dora)}]
        assert connect(endpoints=at(server.url, "nat", folder=dora, merged=True)).mixtures == (NAT,)

    @pytest.mark.parametrize("card", [{"id": "group/nat"}, {"id": "nat", "root": "group/nat"}])
    def test_a_model_of_the_merged_checkpoints_name_is_full_weights(
        self, server: Scripted, connect: Connect, dora: Path, card: dict[str, str]
    ) -> None:
        server.cards = [dict(card)]
        endpoint = Endpoint(server.url, ("nat", "group/nat"), dora, checkpoint="group/nat")
        assert connect(endpoints={NAT: endpoint}).mixtures == (NAT,)

    @pytest.mark.parametrize("content", ['{"use_dora": false}', "[]", "{", ""])
    def test_a_plain_adapter_is_served(self, server: Scripted, connect: Connect, tmp_path: Path, content: str) -> None:
        (tmp_path / "adapter_config.json").write_text(content, encoding="utf-8")
        server.cards = [{"id": "nat", "root": str(tmp_path)}]
        assert connect(endpoints=at(server.url, "nat", folder=tmp_path)).mixtures == (NAT,)


class TestLetters:
    def weighed(self, engine: RemoteEngine, letters: str = "AB") -> dict[str, float]:
        (each,) = engine.option_probabilities([ChoiceRequest(asked("oui").messages, NAT, letters)])
        return each

    expected = math.exp(-1) + math.exp(-1.11), math.exp(-1.22) + math.exp(-1.33)
    """Masses of A and B by the arm nat, with and without a space before them."""

    def test_a_server_that_weighs_any_token_gives_exact_shares(self, engine: RemoteEngine) -> None:
        a, b = self.expected
        assert self.weighed(engine) == pytest.approx({"A": a / (a + b), "B": b / (a + b)})

    def test_a_letter_that_is_improbable_has_its_own_small_share(self, engine: RemoteEngine) -> None:
        a, b, c = *self.expected, 2 * math.exp(-9)
        assert self.weighed(engine, "ABC")["C"] == pytest.approx(c / (a + b + c))

    @pytest.mark.parametrize("tokenizes", [refusing(404, "no"), lambda exchange: exchange.answer(200, {"tokens": []})])
    def test_the_most_probable_tokens_do_where_no_letter_is_missing(
        self, server: Scripted, engine: RemoteEngine, tokenizes: Script
    ) -> None:
        server.tokenizes = tokenizes
        a, b = self.expected
        assert self.weighed(engine) == pytest.approx({"A": a / (a + b), "B": b / (a + b)})

    def test_a_letter_that_is_not_among_them_is_an_error_and_no_figure(
        self, server: Scripted, engine: RemoteEngine
    ) -> None:
        server.tokenizes = refusing(404, "no")
        with pytest.raises(ModelError, match=r"letters of arm nat: expected .*, got none of C among the 5 tokens"):
            self.weighed(engine, "ABC")

    @pytest.mark.parametrize(("least", "given"), [(-20.0, True), (-3.0, False)])
    def test_a_way_of_writing_that_is_not_among_them_may_be_missing_where_it_cannot_matter(
        self, server: Scripted, engine: RemoteEngine, least: float, given: bool
    ) -> None:
        def weighs(exchange: Exchange) -> None:
            tops = [{"token": each, "logprob": way} for each, way in (("A", -0.5), ("B", -1.5), ("x", least))]
            exchange.answer(200, {"choices": [{"logprobs": {"content": [{"top_logprobs": tops}]}}]})

        server.tokenizes, server.weighs = refusing(404, "no"), weighs
        if given:
            assert self.weighed(engine)["A"] == pytest.approx(1 / (1 + math.exp(-1)))
        else:
            with pytest.raises(ModelError, match="Serve the arm with vLLM"):
                self.weighed(engine)

    def test_a_server_that_does_not_answer_keeps_no_other_from_weighing(
        self, server: Scripted, connect: Connect
    ) -> None:
        asked_for, left = threading.Event(), threading.Event()

        def silent(exchange: Exchange) -> None:
            asked_for.set()
            left.wait(60)
            exchange.hang_up()

        with scripted() as other:
            engine = connect(endpoints=at(other.url, "base") | at(server.url, "nat"), patience=PATIENT)
            other.tokenizes = silent
            question = ChoiceRequest(asked("oui").messages, BASE, "AB")
            waiting = threading.Thread(target=self.failing, args=(engine, question), daemon=True)
            waiting.start()
            assert asked_for.wait(60)
            assert sum(self.weighed(engine).values()) == pytest.approx(1)
            assert waiting.is_alive()
            other.tokenizes = refusing(500, "died")
            left.set()
            waiting.join(60)

    def failing(self, engine: RemoteEngine, question: ChoiceRequest) -> None:
        with pytest.raises(ModelError):
            engine.option_probabilities([question])

    def test_a_server_that_ignores_the_tokens_that_are_named_is_noticed(
        self, server: Scripted, engine: RemoteEngine
    ) -> None:
        plain = server.weighs

        def ignoring(exchange: Exchange) -> None:
            exchange.body.pop("logprob_token_ids", None)
            plain(exchange)

        server.weighs = ignoring
        a, b = self.expected
        assert self.weighed(engine)["A"] == pytest.approx(a / (a + b))
        with pytest.raises(ModelError, match="got none of C"):
            self.weighed(engine, "ABC")

    @pytest.mark.parametrize(
        ("weighs", "said"),
        [
            (refusing(500, "died"), "answered 500 Internal Server Error: died"),
            (lambda exchange: exchange.answer(200, {"choices": [{"logprobs": None}]}), "gives no log-probabilities"),
            (lambda exchange: exchange.answer(200, []), "gives no log-probabilities"),
        ],
    )
    def test_a_server_that_fails_is_one_sentence_and_no_figure(
        self, server: Scripted, engine: RemoteEngine, weighs: Script, said: str
    ) -> None:
        server.weighs = weighs
        with pytest.raises(ModelError, match=said):
            self.weighed(engine)

    def test_a_tokenizer_that_fails_for_once_is_not_taken_for_none(
        self, server: Scripted, engine: RemoteEngine
    ) -> None:
        plain, server.tokenizes = server.tokenizes, refusing(500, "died")
        with pytest.raises(ModelError, match="/tokenize answered 500"):
            self.weighed(engine)
        server.tokenizes = plain
        assert self.weighed(engine, "ABC")["C"] < 0.001


class TestContext:
    def test_a_conversation_longer_than_the_context_is_refused_with_both_lengths(
        self, server: Scripted, connect: Connect
    ) -> None:
        server.cards = [
            {"id": "base", "owned_by": "vllm", "max_model_len": 100},
            {"id": "nat", "owned_by": "vllm", "parent": "base", "max_model_len": None},
        ]
        engine = connect()
        for arm in (BASE, NAT):
            with pytest.raises(InvalidValue, match=r"expected fewer than 100 tokens.*got 120\. Shorten it"):
                engine.stream([asked("oui", arm), asked("x" * 120, arm)])
        assert server.bodies == []
        heard(engine, asked("x" * 90, NAT, Sampling(max_new_tokens=512)))
        assert server.bodies[0]["max_tokens"] == 100  # vLLM refuses to be asked for more than its context

    def test_where_the_server_does_not_count_it_is_the_servers_to_refuse(
        self, server: Scripted, connect: Connect
    ) -> None:
        server.cards = [{"id": "base", "max_model_len": 100}]
        server.tokenizes = refusing(404, "no")
        server.scripts["x" * 120] = refusing(400, "too long")
        _, (end,) = heard(connect(), asked("x" * 120))
        assert "400 Bad Request: too long" in end.error


def test_whole_answers_carry_the_fingerprint_of_the_start(engine: RemoteEngine) -> None:
    (answer,) = answers(engine, [asked("oui", NAT)])
    assert (answer.text, answer.fingerprint) == ("nat dit œdème 💪 oui", engine.fingerprint(NAT))
