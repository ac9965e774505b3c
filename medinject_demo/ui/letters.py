"""How the arms weigh the options of a multiple-choice question, and the right answer on demand. No component."""

from __future__ import annotations

import html
import logging
from collections.abc import Mapping
from dataclasses import dataclass

from ..domain import LETTERS, Mixture, Prompt
from ..engine.base import Engine
from ..errors import MedInjectError
from ..evaluation.choices import option_weights, rotations
from . import inert
from .texts import name, number, say

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Letters:
    """A prompt and each arm's probability of each option, in the prompt's order; none where they could not be had."""

    prompt: Prompt
    weights: Mapping[Mixture, tuple[float, ...]] | None = None
    orders: int = 1
    """Orders of the options over which the probabilities are a mean."""

    def of(self, prompt: Prompt, arms: tuple[Mixture, ...]) -> bool:
        """Whether they are what there is to say of these arms' answers to a prompt."""
        return self.prompt == prompt and (self.weights is None or tuple(self.weights) == arms)


def weighed(engine: Engine, prompt: Prompt, arms: tuple[Mixture, ...], *, average: bool) -> Letters:
    """Have the options weighed, where there are any, in one order or averaged over their rotations."""
    if not prompt.options:
        return Letters(prompt)
    orders = rotations(len(prompt.options)) if average else [tuple(range(len(prompt.options)))]
    try:
        return Letters(prompt, option_weights(engine, prompt, arms, orders), len(orders))
    except MedInjectError as error:  # the answers are worth showing without them
        _log.warning("the options could not be weighed: %s", error)
        return Letters(prompt)


def panel(lang: str, letters: Letters | None, right: bool) -> str:
    """The options and each arm's bars; ``right`` marks the right answer, of an open question too."""
    if letters is None:
        return ""
    answer = _right(lang, letters.prompt) if right else ""
    if not letters.prompt.options:
        return answer
    if letters.weights is None:
        return f'<p class="hint">{say(lang, "compare.letters_failed")}</p>{answer}'
    said = say(lang, "compare.letters_what")
    if letters.orders > 1:
        said += " " + say(lang, "compare.letters_averaged", count=letters.orders)
    marked = letters.prompt.right_letters if right else frozenset()
    bars = "".join(_bars(lang, mixture, weights, marked) for mixture, weights in letters.weights.items())
    return (
        f'<h3>{say(lang, "compare.letters")}</h3><p class="hint">{said}</p>{_options(lang, letters.prompt, marked)}'
        f'{answer}<div class="bars" data-count="{len(letters.weights)}">{bars}</div>'
    )


def _options(lang: str, prompt: Prompt, marked: frozenset[str]) -> str:
    """The options with their letters."""
    lines = []
    for letter, option in zip(LETTERS, prompt.options, strict=False):
        tick = f' <span class="tick">✓ {say(lang, "compare.right_here")}</span>' if letter in marked else ""
        lines.append(f"<li><b>{letter}</b> {html.escape(inert.visible(option))}{tick}</li>")
    return f'<ul class="options">{"".join(lines)}</ul>'


def _bars(lang: str, mixture: Mixture, weights: tuple[float, ...], marked: frozenset[str]) -> str:
    """One arm's probabilities as a table whose cells are bars; the most probable letter is bold."""
    rows = []
    for letter, weight in zip(LETTERS, weights, strict=False):
        tick = f'<span class="tick">✓<span class="unseen"> {say(lang, "compare.right_here")}</span></span>'
        most = ' class="most"' if round(weight, 3) == round(max(weights), 3) else ""
        rows.append(
            f'<tr{most}><th scope="row">{letter}{tick if letter in marked else ""}</th>'
            f'<td><span class="bar" style="--share:{weight:.4f}"></span>'
            f"<span>{number(lang, 100 * weight, 0)}\u00a0%</span></td></tr>"
        )
    return (
        f'<table data-arm="{mixture}"><caption>{name(lang, mixture)}</caption>'
        f'<thead class="unseen"><tr><th scope="col">{say(lang, "compare.letter")}</th>'
        f'<th scope="col">{say(lang, "compare.probability")}</th></tr></thead><tbody>{"".join(rows)}</tbody></table>'
    )


def _right(lang: str, prompt: Prompt) -> str:
    """The reference of an open question, or that the right answer is not known; options carry their own marks."""
    if not prompt.reference:
        return f'<p class="hint">{say(lang, "compare.right_unknown")}</p>'
    if prompt.options:
        return ""
    return f"<h3>{say(lang, 'compare.right_open')}</h3>{inert.plain(prompt.reference)}"
