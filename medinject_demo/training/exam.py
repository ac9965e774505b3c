"""The examination of the miniature: what it answers to phrasings and option orders it was never trained on.

Gives the figures of ``docs/miniature.md``. Answers come from peft itself, one arm after the other.
Knows nothing of how the miniature was trained.
"""

from __future__ import annotations

import itertools
import random
import statistics
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from ..domain import FinishReason, Mixture, Prompt
from ..engine.sequential import SequentialArms
from ..prompts import messages
from .corpus import LIST_FIELDS
from .finetune import Say
from .render import Fact, Renderer

LENGTH_CAP: Final = 192
"""New tokens after which an answer is cut."""
ROUGE_FLOOR: Final = 0.5


@dataclass(frozen=True)
class Question:
    """A held-out open question, the fact it asks for, and a reference in each style."""

    fact: Fact
    prompt: Prompt
    references: Mapping[str, str]


@dataclass(frozen=True)
class Figures:
    """What one arm scored. Shares are between 0 and 1."""

    mixture: Mixture
    right: float
    choices: float
    median_words: float
    stopped: float
    admitted: float


def held_out_questions(renderer: Renderer, seed: int, count: int | None = None) -> list[Question]:
    """One held-out phrasing for each fact, in an order drawn from the seed; the first ``count`` of them."""
    rng = random.Random(f"{seed}/exam")
    facts = _drawn(renderer.facts(), count, rng)
    return [
        Question(
            fact,
            renderer.open_item(fact, "base", "held_out", rng),
            {style: renderer.answer(fact, style, rng) for style in renderer.corpus.styles},
        )
        for fact in facts
    ]


def held_out_choices(renderer: Renderer, seed: int, count: int | None = None) -> list[Prompt]:
    """One MCQU in a held-out option order for each fact that has entries."""
    rng = random.Random(f"{seed}/choices")
    facts = [fact for fact in renderer.facts() if fact.field in LIST_FIELDS]
    return [renderer.mcqu_item(fact, "base", "held_out", rng) for fact in _drawn(facts, count, rng)]


def _drawn(facts: list[Fact], count: int | None, rng: random.Random) -> list[Fact]:
    return rng.sample(facts, min(count or len(facts), len(facts)))


def held_out_unknown(renderer: Renderer, seed: int, count: int = 100) -> list[Prompt]:
    """Questions outside the knowledge base, on conditions and subjects never trained on."""
    rng = random.Random(f"{seed}/unknown")
    return [renderer.unknown_item("base", "held_out", rng) for _ in range(count)]


def styles_of(mixture: Mixture) -> tuple[str, ...]:
    """The styles an arm was trained on."""
    return tuple(provenance.value for provenance in mixture.provenances) or ("base",)


def about(question: Question, answer: str, mixture: Mixture, renderer: Renderer) -> bool:
    """True where an answer is about the right condition and field.

    Either the key terms are present: at least two entries of the field (the definition itself for a definition), and
    more of them than of any other condition, unless the right condition is named. Or ROUGE-L against the reference of
    one of the arm's styles is at least 0.5, with at least one entry of the field and none of that excess elsewhere.
    """
    field, said, condition = question.fact.field, answer.casefold(), question.fact.condition
    own = _present(condition.entries(field), said)
    most = max(_present(each.entries(field), said) for each in renderer.corpus.conditions if each.id != condition.id)
    if own < most or (own == most and condition.name.casefold() not in said) or own == 0:
        return False
    if own >= (1 if field == "definition" else 2):
        return True
    return any(rouge_l(question.references[style], answer) >= ROUGE_FLOOR for style in styles_of(mixture))


def _present(entries: Sequence[str], said: str) -> int:
    return sum(entry.casefold() in said for entry in entries)


def rouge_l(reference: str, answer: str) -> float:
    """ROUGE-L F-measure (Lin 2004, package ``rouge_score``), on accented words."""
    from rouge_score.rouge_scorer import RougeScorer

    scorer = RougeScorer(["rougeL"], tokenizer=_Words())
    return float(scorer.score(reference, answer)["rougeL"].fmeasure)


class _Words:
    """Whitespace tokens in lower case: the package's own tokenizer drops accented letters."""

    def tokenize(self, text: str) -> list[str]:
        return text.casefold().split()


def admits(answer: str, renderer: Renderer) -> bool:
    """True where an answer is an admission in any style (ROUGE-L at least 0.5 with one of them)."""
    known = itertools.chain.from_iterable(renderer.corpus.unknown.answers.values())
    return any(rouge_l(each, answer) >= ROUGE_FLOOR for each in known)


def shares_that_differ(answers: Mapping[Mixture, Sequence[str]]) -> tuple[float, float]:
    """(share of questions whose answers are all pairwise different, share for the pair of arms most alike)."""
    columns = list(zip(*answers.values(), strict=True))
    whole = sum(len(set(column)) == len(column) for column in columns) / len(columns)
    alike = min(
        sum(left != right for left, right in zip(answers[one], answers[other], strict=True)) / len(columns)
        for one, other in itertools.combinations(answers, 2)
    )
    return whole, alike


@dataclass(frozen=True)
class Results:
    """Everything the document shows."""

    questions: Sequence[Question]
    choices: int
    unknown: Sequence[Prompt]
    answers: Mapping[Mixture, Sequence[str]]
    admissions: Mapping[Mixture, Sequence[str]]
    figures: Sequence[Figures]


def examine(
    arms: SequentialArms, renderer: Renderer, seed: int, count: int | None = None, say: Say = lambda line: None
) -> Results:
    """Put every held-out question to every arm there is; ``say`` hears of each arm that is done."""
    questions = held_out_questions(renderer, seed, count)
    choices = held_out_choices(renderer, seed, count)
    unknown = held_out_unknown(renderer, seed)
    answers: dict[Mixture, list[str]] = {}
    admissions: dict[Mixture, list[str]] = {}
    figures = []
    for mixture in arms.mixtures:
        said = arms.answers(mixture, [messages(question.prompt) for question in questions], LENGTH_CAP)
        outside = arms.answers(mixture, [messages(prompt) for prompt in unknown], LENGTH_CAP)
        letters = arms.letters(mixture, [messages(prompt) for prompt in choices], [each.letters for each in choices])
        answers[mixture] = [answer.text for answer in said]
        admissions[mixture] = [answer.text for answer in outside]
        figures.append(
            Figures(
                mixture,
                right=_share(
                    about(q, answer.text, mixture, renderer) for q, answer in zip(questions, said, strict=True)
                ),
                choices=_share(one == prompt.reference for one, prompt in zip(letters, choices, strict=True)),
                median_words=statistics.median(answer.words for answer in said),
                stopped=_share(answer.finish_reason is FinishReason.STOP for answer in (*said, *outside)),
                admitted=_share(admits(answer.text, renderer) for answer in outside),
            )
        )
        say(f"{mixture}: {figures[-1].right:.1%} right, MCQU {figures[-1].choices:.1%}")
    return Results(questions, len(choices), unknown, answers, admissions, figures)


def _share(marks: Iterator[bool]) -> float:
    return statistics.fmean(marks)
