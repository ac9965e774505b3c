"""The laws of any engine: a test module of an engine inherits ``EngineLaws``."""

from __future__ import annotations

import itertools
from typing import Any

import pytest

from medinject_demo.domain import BASE, FinishReason, Mixture, Sampling
from medinject_demo.engine.base import ChoiceRequest, Delta, Engine, Finished, Request, answers
from medinject_demo.errors import InvalidValue, ModelError

QUESTIONS = (
    "Quelle est la définition de la maladie numéro 3 ?",
    "Bonjour",
    "Réponse 5, été œdème 💪 : comment cela se traite-t-il chez un enfant qui a déjà eu la maladie numéro 2 ?",
)
SHORT = Sampling(max_new_tokens=12)


def asked(question: str, mixture: Mixture = BASE, sampling: Sampling = SHORT) -> Request:
    return Request(({"role": "user", "content": question},), mixture, sampling)


class EngineLaws:
    """Needs a fixture ``engine`` with at least two arms."""

    def everything(self, engine: Engine) -> list[Request]:
        return [asked(question, mixture) for mixture, question in itertools.product(engine.mixtures, QUESTIONS)]

    def test_each_row_finishes_once_and_says_nothing_after(self, engine: Engine) -> None:
        ended: set[int] = set()
        for event in engine.stream(self.everything(engine)):
            assert event.row not in ended
            if isinstance(event, Finished):
                ended.add(event.row)
                assert event.seconds >= 0
        assert ended == set(range(len(self.everything(engine))))

    def test_the_pieces_are_whole_characters(self, engine: Engine) -> None:
        for event in engine.stream(self.everything(engine)):
            if isinstance(event, Delta):
                assert event.text
                event.text.encode("utf-8")

    def test_a_greedy_row_in_any_batch_equals_the_same_row_alone(self, engine: Engine) -> None:
        together = answers(engine, self.everything(engine))
        alone = [answers(engine, [request])[0] for request in self.everything(engine)]
        assert [each.text for each in together] == [each.text for each in alone]

    def test_a_seed_gives_the_same_answer_whoever_shares_the_batch(self, engine: Engine) -> None:
        warm = Sampling(max_new_tokens=12, temperature=1.5, top_p=0.95, seed=7)
        mine = asked(QUESTIONS[0], engine.mixtures[-1], warm)
        others = [asked(QUESTIONS[2], mixture, warm) for mixture in engine.mixtures]
        (alone,) = answers(engine, [mine])
        assert answers(engine, [*others, mine])[-1].text == alone.text

    def test_no_row_says_more_than_it_may(self, engine: Engine) -> None:
        for answer in answers(engine, self.everything(engine)):
            assert answer.tokens <= SHORT.max_new_tokens
            assert answer.finish_reason in (FinishReason.STOP, FinishReason.LENGTH)

    def test_closing_the_stream_frees_its_rows(self, engine: Engine) -> None:
        events = engine.stream(self.everything(engine))
        next(iter(events))
        events.close()  # type: ignore[attr-defined]
        assert answers(engine, [asked(QUESTIONS[0])])[0].finish_reason is not FinishReason.ERROR

    def test_an_arm_that_is_not_there_is_refused_with_what_is(self, engine: Engine) -> None:
        absent = Mixture((9, 9, 9))
        with pytest.raises(ModelError, match="expected one of base"):
            engine.stream([asked("Bonjour", absent)])

    def test_no_request_is_no_event(self, engine: Engine) -> None:
        assert list(engine.stream([])) == []
        assert answers(engine, [asked(QUESTIONS[0])])[0].finish_reason is not FinishReason.ERROR

    @pytest.mark.parametrize(
        "message", [{"role": "user", "content": None}, {"role": "doctor", "content": "Bonjour"}, "Bonjour", None]
    )
    def test_a_message_of_another_form_is_refused(self, engine: Engine, message: Any) -> None:
        with pytest.raises(InvalidValue, match="expected a role of system, user, assistant and a text"):
            engine.stream([Request((message,), engine.mixtures[0])])

    @pytest.mark.parametrize("letters", ["", "ABA"])
    def test_letters_that_cannot_be_weighed_are_refused(self, engine: Engine, letters: str) -> None:
        with pytest.raises(InvalidValue, match="expected distinct letters"):
            engine.option_probabilities([ChoiceRequest(asked("Bonjour").messages, engine.mixtures[0], letters)])

    def test_an_empty_question_is_refused(self, engine: Engine) -> None:
        with pytest.raises(InvalidValue, match="Write a question"):
            engine.stream([asked("  ")])

    def test_the_letters_probabilities_sum_to_one(self, engine: Engine) -> None:
        requests = [ChoiceRequest(asked(QUESTIONS[0]).messages, mixture, "ABCD") for mixture in engine.mixtures]
        for weighed in engine.option_probabilities(requests):
            assert list(weighed) == list("ABCD")
            assert sum(weighed.values()) == pytest.approx(1)

    def test_fingerprints_tell_the_arms_apart(self, engine: Engine) -> None:
        assert len({engine.fingerprint(mixture) for mixture in engine.mixtures}) == len(engine.mixtures)
