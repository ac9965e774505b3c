"""The engine of other machines, against a real socket on which everything goes wrong."""

from __future__ import annotations

import json

import pytest

from medinject_demo.domain import ARMS, BASE, FinishReason, Sampling
from medinject_demo.engine.base import Delta, answers
from medinject_demo.engine.remote import RemoteEngine
from medinject_demo.errors import InvalidValue

from ..laws import EngineLaws, asked
from .asking import Connect, failed, heard, refusing
from .served import Exchange, Scripted

NAT = ARMS[0]


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
