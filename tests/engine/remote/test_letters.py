"""How probable letters are, by what a server tells of its tokens."""

from __future__ import annotations

import math
import threading

import pytest

from medinject_demo.domain import ARMS, BASE
from medinject_demo.engine.base import ChoiceRequest
from medinject_demo.engine.remote import RemoteEngine
from medinject_demo.errors import ModelError

from ..laws import asked
from .asking import PATIENT, Connect, at, refusing
from .served import Exchange, Script, Scripted, scripted

NAT = ARMS[0]


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

    @pytest.mark.parametrize(
        ("letters", "told"),
        [
            ("AÉ", {"É": [195, 137], " É": [32, 195, 137]}),
            ("AB", {"B": [65], " B": [1065]}),
            ("AB", {"B": [7, 8], " B": [32, 7, 8]}),
        ],
        ids=["several tokens", "another's", "several without a spaced one"],
    )
    def test_a_letter_that_is_no_token_of_its_own_is_refused_as_by_the_local_engine(
        self, server: Scripted, engine: RemoteEngine, letters: str, told: dict[str, list[int]]
    ) -> None:
        plain = server.tokenizes

        def tokenizes(exchange: Exchange) -> None:
            known = told.get(exchange.body["prompt"])
            exchange.answer(200, {"tokens": known}) if known else plain(exchange)

        server.tokenizes = tokenizes
        with pytest.raises(ModelError, match=f"letters: expected each a token of its own, got '{letters}'. Use the"):
            self.weighed(engine, letters)

    def test_a_space_that_is_a_token_of_its_own_is_not_the_letters(
        self, server: Scripted, engine: RemoteEngine
    ) -> None:
        """A letter is then one token where the space has its own, even if without it several write it."""

        def tokenizes(exchange: Exchange) -> None:
            text = exchange.body["prompt"]
            before = [32] * text.startswith(" ") + [7] * (text == "B")
            exchange.answer(200, {"tokens": [*before, *map(ord, text.strip())]})

        server.tokenizes = tokenizes
        a, b = math.exp(-1), math.exp(-1.22)
        assert self.weighed(engine) == pytest.approx({"A": a / (a + b), "B": b / (a + b)})

    def test_of_two_ways_one_that_takes_several_tokens_is_left_out(
        self, server: Scripted, engine: RemoteEngine
    ) -> None:
        plain = server.tokenizes

        def tokenizes(exchange: Exchange) -> None:
            plain(exchange) if exchange.body["prompt"] != " B" else exchange.answer(200, {"tokens": [7, 1065]})

        server.tokenizes = tokenizes
        (a, _), b = self.expected, math.exp(-1.22)
        assert self.weighed(engine) == pytest.approx({"A": a / (a + b), "B": b / (a + b)})
