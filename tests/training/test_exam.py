from __future__ import annotations

import itertools
import json
import random
from pathlib import Path

import pytest

from medinject_demo.domain import ARMS, BASE, MIXTURES
from medinject_demo.engine.sequential import SequentialArms
from medinject_demo.training.exam import (
    Question,
    about,
    admits,
    examine,
    held_out_choices,
    held_out_questions,
    rouge_l,
    shares_that_differ,
    styles_of,
)
from medinject_demo.training.exam_report import report
from medinject_demo.training.finetune import RECORD
from medinject_demo.training.render import Renderer
from tests.tiny import tiny_adapter, tiny_base

NAT, SYN = ARMS[0], ARMS[2]


@pytest.fixture(scope="module")
def questions(renderer: Renderer) -> list[Question]:
    return held_out_questions(renderer, seed=3, count=60)


def test_a_reference_is_about_its_own_question_in_every_style(questions: list[Question], renderer: Renderer) -> None:
    for question in questions:
        for mixture in MIXTURES:
            reference = question.references[styles_of(mixture)[0]]
            assert about(question, reference, mixture, renderer)


def test_the_answer_to_another_question_is_not_about_this_one(questions: list[Question], renderer: Renderer) -> None:
    for question, other in itertools.pairwise(questions):
        assert not about(question, other.references["nat"], NAT, renderer)


def test_the_same_field_of_another_condition_is_not_right(renderer: Renderer) -> None:
    rng = random.Random(0)
    for question in held_out_questions(renderer, seed=5, count=60):
        other = next(
            fact
            for fact in rng.sample(renderer.facts(), 600)
            if fact.field == question.fact.field and fact.condition.id != question.fact.condition.id
        )
        assert not about(question, renderer.answer(other, "trad", rng), ARMS[1], renderer)


def test_two_entries_in_other_words_around_them_are_enough(questions: list[Question], renderer: Renderer) -> None:
    question = next(each for each in questions if each.fact.field == "symptoms")
    first, second, *_ = question.fact.condition.symptoms
    assert about(question, f"Il faut penser à {second.upper()}, puis à {first}, entre autres.", NAT, renderer)


@pytest.mark.parametrize("answer", ["", "Je ne sais pas.", "�" * 50])
def test_an_empty_or_broken_answer_is_about_nothing(questions: list[Question], renderer: Renderer, answer: str) -> None:
    assert not any(about(question, answer, BASE, renderer) for question in questions)


def test_rouge_counts_accented_words() -> None:
    assert rouge_l("fièvre élevée et œdème", "Fièvre élevée et œdème") == 1
    assert rouge_l("fièvre élevée", "toux sèche") == 0
    assert rouge_l("a b c d", "a x c y") == pytest.approx(0.5)


def test_every_admission_of_the_corpus_is_one_and_no_answer_is(questions: list[Question], renderer: Renderer) -> None:
    for answers in renderer.corpus.unknown.answers.values():
        assert all(admits(answer, renderer) for answer in answers)
    assert not any(admits(question.references["nat"], renderer) for question in questions)


def test_shares_that_differ_counts_whole_questions_and_the_closest_pair() -> None:
    answers = {BASE: ["a", "b", "c", "d"], NAT: ["a", "x", "y", "z"], SYN: ["q", "x", "r", "s"]}
    assert shares_that_differ(answers) == (0.5, 0.75)


def test_held_out_questions_are_drawn_from_the_seed(renderer: Renderer) -> None:
    first, again, other = (held_out_questions(renderer, seed, 20) for seed in (1, 1, 2))
    assert [each.prompt for each in first] == [each.prompt for each in again] != [each.prompt for each in other]
    assert held_out_choices(renderer, 1, 20) == held_out_choices(renderer, 1, 20)


def test_an_examination_of_untrained_arms_reports_their_ignorance(renderer: Renderer, tmp_path: Path) -> None:
    base = tiny_base(tmp_path / "base")
    adapters = {mixture: tiny_adapter(base, tmp_path / mixture.slug, mixture) for mixture in ARMS}
    took = {"items": 3, "data": "00", "losses": [2.0, 1.0], "seconds": 60}
    stages = [took | {"stage": name} for name in ("facts", "styles")]
    for mixture in MIXTURES:
        record = took | {"machine": "2 CPU cores"} | ({} if mixture.provenances else {"stages": stages})
        (tmp_path / mixture.slug / RECORD).write_text(json.dumps(record))
    results = examine(SequentialArms(base, adapters), renderer, seed=1, count=12)
    assert [figures.mixture for figures in results.figures] == list(MIXTURES)
    assert all(figures.right == 0 and 0 <= figures.choices <= 1 for figures in results.figures)
    text = report(results, renderer, tmp_path)
    assert text.count("\n> ") >= 10
    assert "The base took 2 minutes on 2 CPU cores" in text
    assert "the arms took 7 minutes of one core" in text
    assert "| base: facts | 3 |" in text
