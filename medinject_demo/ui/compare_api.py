"""``/compare`` for programs: a question and arms in, what each arm has said so far out, as a stream.

A stable name with stable parameters; the page itself does not use it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime

import gradio as gr

from ..errors import InvalidValue
from ..limiter import Act
from .asking import question_of
from .comparison import Comparison, follow, opened, sampling_of
from .frame import REFRESH, Playground, told_to_programs

Texts = dict[str, str | None]
"""Slug of an arm to its text so far; None where it failed."""


def endpoint(behind: Playground) -> Callable[..., Iterator[Texts]]:
    """The function behind ``/compare``, with the page's sampling as its defaults."""
    study = behind.sampling

    def compare(  # noqa: PLR0913, PLR0917 - the names and the order of its parameters are the stable API
        sent: gr.Request,
        question: str,
        arms: list[str],
        max_new_tokens: int = study.max_new_tokens,
        temperature: float = study.temperature,
        seed: int = study.seed,
        top_p: float = study.top_p,
        top_k: int = study.top_k,
        min_p: float = study.min_p,
        repetition_penalty: float = study.repetition_penalty,
    ) -> Iterator[Texts]:
        """Answers of two to eight arms to one question, as they grow.

        Each event maps the slug of every arm (base, nat, trad, syn, nat-trad, nat-syn, trad-syn, all) to its text so
        far; an arm that failed is null in the last one. Greedy by default, as in the study. Nothing here is medical
        advice; a question that seems to hold personal data is refused.
        """
        settings = {
            "max_new_tokens": max_new_tokens,
            "temperature": temperature,
            "seed": seed,
            "top_p": top_p,
            "top_k": top_k,
            "min_p": min_p,
            "repetition_penalty": repetition_penalty,
        }
        with told_to_programs():
            comparison = _opened(behind, question, arms, settings)
            behind.gate.admit(Act.ASK, sent)
            for grown in follow(behind.engine, comparison, refresh=REFRESH):
                yield {card.mixture.slug: None if card.failed else card.text for card in grown.cards}

    # Gradio documents an endpoint's type from here, and takes an iterator for a list.
    compare.__annotations__["return"] = Texts
    return compare


def _opened(behind: Playground, question: object, arms: object, settings: Mapping[str, object]) -> Comparison:
    """What a program asks for; nothing of it was checked before."""
    if not isinstance(question, str):
        raise InvalidValue.of("question", expected="a text", got=type(question).__name__)
    if not isinstance(arms, list):
        raise InvalidValue.of("arms", expected="a list of slugs", got=type(arms).__name__)
    prompt, sampling = question_of(question, behind.prompts), sampling_of(settings)
    return opened(behind.engine, behind.title, prompt, arms, sampling, datetime.now(UTC))
