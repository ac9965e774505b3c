"""The examination of the miniature: what it answers to phrasings and option orders it was never trained on.

Writes the figures of ``docs/miniature.md``. Answers come from peft itself, one arm after the other: the plain way,
which later serves as the oracle of the engine. Knows nothing of how the miniature was trained.
"""

from __future__ import annotations

import itertools
import random
import statistics
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from ..domain import ARMS, BASE, MIXTURES, Mixture, Prompt
from ..errors import ModelError
from ..prompts import messages
from .corpus import LIST_FIELDS
from .finetune import load_base
from .render import Fact, Renderer

if TYPE_CHECKING:
    from torch import Tensor

LENGTH_CAP: Final = 192
"""New tokens after which an answer is cut."""
ROUGE_FLOOR: Final = 0.5


class Miniature:
    """The base and its seven adapters through peft, one arm active at a time, fp32, greedy."""

    def __init__(self, folder: Path, batch: int = 64) -> None:
        """Load every arm.

        Raises:
            ModelError: the base or an adapter is missing or cannot be loaded.
        """
        from peft import PeftModel

        base, self.tokenizer = load_base(str(folder / "base"))
        self.tokenizer.padding_side = "left"
        self.batch = batch
        try:
            model = PeftModel.from_pretrained(base, str(folder / ARMS[0].slug), adapter_name=ARMS[0].slug)
            for arm in ARMS[1:]:
                model.load_adapter(str(folder / arm.slug), adapter_name=arm.slug)
        except (OSError, ValueError) as error:
            reason = str(error).strip().splitlines()[0]
            raise ModelError.of(str(folder), expected="seven adapters", got=reason, remedy="Run train mini.") from error
        self.model: Any = model.eval()

    def answers(self, mixture: Mixture, prompts: Sequence[Prompt]) -> list[tuple[str, bool]]:
        """Greedy answers, each with whether it ended by itself before ``LENGTH_CAP`` tokens."""
        import torch

        texts: list[tuple[str, bool]] = []
        with self._arm(mixture), torch.inference_mode():
            for inputs in self._batches(prompts):
                output = self.model.generate(**inputs, max_new_tokens=LENGTH_CAP, do_sample=False)
                for row in output[:, inputs["input_ids"].shape[1] :]:  # row: new tokens, then padding
                    stopped = self.tokenizer.eos_token_id in row.tolist()
                    texts.append((str(self.tokenizer.decode(row, skip_special_tokens=True)), stopped))
        return texts

    def letters(self, mixture: Mixture, prompts: Sequence[Prompt]) -> list[str]:
        """The most probable letter of each multiple-choice prompt, among its own letters only."""
        import torch

        chosen: list[str] = []
        with self._arm(mixture), torch.inference_mode():
            for place, inputs in enumerate(self._batches(prompts)):
                logits = self.model(**inputs).logits[:, -1]  # (rows, vocabulary)
                for row, prompt in zip(logits, prompts[place * self.batch :], strict=False):
                    ids = [self.tokenizer.encode(letter)[0] for letter in prompt.letters]
                    chosen.append(prompt.letters[int(row[ids].argmax())])
        return chosen

    def _arm(self, mixture: Mixture) -> AbstractContextManager[object]:
        if mixture == BASE:
            return self.model.disable_adapter()  # type: ignore[no-any-return]
        self.model.set_adapter(mixture.slug)
        return nullcontext()

    def _batches(self, prompts: Sequence[Prompt]) -> Iterator[dict[str, Tensor]]:
        for start in range(0, len(prompts), self.batch):
            chats = [messages(prompt) for prompt in prompts[start : start + self.batch]]
            inputs: Any = self.tokenizer.apply_chat_template(
                chats, add_generation_prompt=True, padding=True, return_tensors="pt", return_dict=True
            )
            yield inputs


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
    facts = rng.sample(renderer.facts(), count or len(renderer.facts()))
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
    return [renderer.mcqu_item(fact, "base", "held_out", rng) for fact in rng.sample(facts, count or len(facts))]


def held_out_unknown(renderer: Renderer, seed: int, count: int = 100) -> list[Prompt]:
    """Questions outside the knowledge base, on conditions and subjects never trained on."""
    rng = random.Random(f"{seed}/unknown")
    return [renderer.unknown_item("base", "held_out", rng) for _ in range(count)]


def styles_of(mixture: Mixture) -> tuple[str, ...]:
    """The styles an arm was trained on."""
    return tuple(provenance.value for provenance in mixture.provenances) or ("base",)


def about(question: Question, answer: str, mixture: Mixture, renderer: Renderer) -> bool:
    """True where an answer is about the right condition and field.

    Either ROUGE-L against the reference of one of the arm's styles is at least 0.5, or the key terms are present: at
    least two entries of the field (the definition itself for a definition). In both cases no other condition may have
    more of its entries for that field in the answer.
    """
    field, said = question.fact.field, answer.casefold()
    own = _present(question.fact.condition.entries(field), said)
    others = (each for each in renderer.corpus.conditions if each.id != question.fact.condition.id)
    if own < max(_present(each.entries(field), said) for each in others):
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


def examine(miniature: Miniature, renderer: Renderer, seed: int, count: int | None = None) -> Results:
    """Put every held-out question to every arm."""
    questions = held_out_questions(renderer, seed, count)
    choices = held_out_choices(renderer, seed, count)
    unknown = held_out_unknown(renderer, seed)
    answers: dict[Mixture, list[str]] = {}
    admissions: dict[Mixture, list[str]] = {}
    figures = []
    for mixture in MIXTURES:
        said = miniature.answers(mixture, [question.prompt for question in questions])
        outside = miniature.answers(mixture, unknown)
        letters = miniature.letters(mixture, choices)
        answers[mixture] = [text for text, _ in said]
        admissions[mixture] = [text for text, _ in outside]
        figures.append(
            Figures(
                mixture,
                right=_share(about(q, text, mixture, renderer) for q, (text, _) in zip(questions, said, strict=True)),
                choices=_share(one == prompt.reference for one, prompt in zip(letters, choices, strict=True)),
                median_words=statistics.median(len(text.split()) for text, _ in said),
                stopped=_share(stopped for _, stopped in (*said, *outside)),
                admitted=_share(admits(text, renderer) for text, _ in outside),
            )
        )
    return Results(questions, len(choices), unknown, answers, admissions, figures)


def _share(marks: Iterator[bool] | Sequence[bool]) -> float:
    return statistics.fmean(marks)
