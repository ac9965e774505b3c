"""How the arms weigh the options of a multiple-choice prompt, in one order or averaged over several.

An arm may prefer a letter whatever stands behind it; over the rotations of its options, each option stands behind each
letter once. Knows nothing of torch or of pages.
"""

from __future__ import annotations

from collections.abc import Sequence

from ..domain import Mixture, Prompt
from ..engine.base import ChoiceRequest, Engine
from ..errors import InvalidValue
from ..prompts import messages


def rotations(options: int) -> list[tuple[int, ...]]:
    """As many orders as options, in which each option takes each place once."""
    return [tuple((place + turn) % options for place in range(options)) for turn in range(options)]


def option_weights(
    engine: Engine, prompt: Prompt, mixtures: Sequence[Mixture], orders: Sequence[Sequence[int]] | None = None
) -> dict[Mixture, tuple[float, ...]]:
    """Each arm's probability of each option, in the prompt's order; the mean over ``orders`` of the options.

    All arms and orders go to the engine at once. Without ``orders``, the prompt's own alone.

    Raises:
        InvalidValue: the prompt has no options, or an order is none of theirs.
    """
    if not prompt.options:
        raise InvalidValue.of("prompt", expected="a multiple-choice one", got="an open question")
    chosen = [tuple(order) for order in orders] if orders else [tuple(range(len(prompt.options)))]
    asked = [(mixture, order) for mixture in mixtures for order in chosen]
    requests = [ChoiceRequest(messages(prompt.reordered(order)), mixture, prompt.letters) for mixture, order in asked]
    totals = {mixture: [0.0] * len(prompt.options) for mixture in mixtures}
    for (mixture, order), weighed in zip(asked, engine.option_probabilities(requests), strict=True):
        for option, weight in zip(order, weighed.values(), strict=True):
            totals[mixture][option] += weight / len(chosen)
    return {mixture: tuple(weights) for mixture, weights in totals.items()}
