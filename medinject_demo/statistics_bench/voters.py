"""Voters whose truth is known: frames of votes drawn from planted strengths, styles, sides and tastes.

The probability of each vote is exactly the model's, and yet the votes of one voter depend on each other: a voter's
tastes, one number for each arm, shift the draws and not their probabilities (a Gaussian copula), and so does, where
prompts come again, how good each arm's one answer to each of them is. So the planted coefficients are the truth for
whoever fits the model to all voters and prompts.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from scipy.special import expit, ndtr

from ..domain import MIXTURES, Provenance, Verdict
from ..stats.preference import STYLES

if TYPE_CHECKING:
    import pandas as pd

Effects = tuple[tuple[tuple[Provenance, ...], float], ...]
NAT, TRAD, SYN = Provenance
EFFECTS: Final[Effects] = (
    ((NAT,), 0.5),
    ((TRAD,), 0.3),
    ((SYN,), -0.2),
    ((NAT, TRAD), -0.3),
    ((NAT, SYN), 0.2),
    ((TRAD, SYN), 0.0),
    ((NAT, TRAD, SYN), 0.4),
)
"""The main effects and interactions planted, in logits: of the complete factorial, its cell of the base included."""


@dataclass(frozen=True)
class World:
    """What is planted."""

    effects: Effects = EFFECTS
    position: float = 0.25
    """Logits that the left gains."""
    words: float = 0.6
    """Logits for each unit of the logarithm of the lengths' ratio."""
    lists: float = 0.2
    """The same for list entries."""
    base_words: float = 240.0
    tuned_words: float = 12.0
    """Median words of the base's answers, and of the others': as the study's arms answer open questions."""
    tastes: float = 0.3
    """Share of the variance of a vote that is the voter's own taste."""
    texts: float = 0.3
    """Share of the variance that is the prompt's answers, where prompts come again."""
    ties: float = 0.4
    """How much of the smaller of the two probabilities, twice, goes to ties."""
    unsure: float = 0.05

    @property
    def strengths(self) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
        """The arms' strengths in logits, of sum 0: each effect with the arm's signs."""
        return np.array(
            [
                sum(
                    effect * np.prod([2 * arm.levels[tuple(Provenance).index(each)] - 1 for each in of]) / 2 ** len(of)
                    for of, effect in self.effects
                )
                for arm in MIXTURES
            ]
        )


@dataclass(frozen=True)
class Crowd:
    """Who votes how often."""

    name: str
    votes: int
    voters: int
    unequal: float = 0.0
    """Shape of the Pareto distribution of a voter's share of the votes; 0 for equal shares."""
    copies: int = 1
    """How often each vote is cast again by the same voter."""
    prompts: int = 0
    """Prompts to which each arm's answer is always the same; 0 for a prompt of its own for each vote."""
    world: World = field(default_factory=World)


def simulated(crowd: Crowd, generator: np.random.Generator) -> pd.DataFrame:
    """A frame of votes with the columns that the model and the board need."""
    import pandas as pd

    world, count = crowd.world, crowd.votes // crowd.copies
    share = generator.pareto(crowd.unequal, crowd.voters) + 0.1 if crowd.unequal else np.ones(crowd.voters)
    voter = generator.choice(crowd.voters, count, p=share / share.sum())
    left = generator.integers(0, len(MIXTURES), count)
    right = (left + generator.integers(1, len(MIXTURES), count)) % len(MIXTURES)
    styles = {
        f"{name}_{side}": made
        for side, arm in (("left", left), ("right", right))
        for name, made in _styles(world, arm, generator).items()
    }
    logit = world.strengths[left] - world.strengths[right] + world.position
    for name, worth in (("words", world.words), ("lists", world.lists)):
        logit += worth * (np.log1p(styles[f"{name}_left"]) - np.log1p(styles[f"{name}_right"]))
    prompt = generator.integers(0, crowd.prompts, count) if crowd.prompts else np.arange(count)
    common = _common(world.tastes, voter, left, right, generator)
    texts = world.texts if crowd.prompts else 0.0
    if texts:
        common += _common(texts, prompt, left, right, generator)
    draw = ndtr(common + np.sqrt(1 - world.tastes - texts) * generator.standard_normal(count))
    slugs = [mixture.slug for mixture in MIXTURES]
    columns = {
        "left": named(left, slugs),
        "right": named(right, slugs),
        "verdict": named(_verdicts(world, expit(logit), draw, generator), list(Verdict)),
        "cluster": voter,
        "voter": voter,
        "weight": np.ones(count),
        "propensity": np.full(count, 1 / 28),
        "blind": np.ones(count, bool),
        "suspect": np.zeros(count, bool),
        "prompt": prompt,
        **styles,
    }
    names = np.arange(count * crowd.copies)
    made = pd.DataFrame({name: np.repeat(each, crowd.copies) for name, each in columns.items()})
    return made.assign(ballot=names, battle=names)


def _common(
    share: float, cluster: np.ndarray, left: np.ndarray, right: np.ndarray, generator: np.random.Generator
) -> np.ndarray:
    """What the votes of a cluster have in common: for each arm a number, that makes so much of a vote's variance."""
    for_arms = generator.standard_normal((int(cluster.max()) + 1, len(MIXTURES)))
    common: np.ndarray = (for_arms[cluster, left] - for_arms[cluster, right]) * np.sqrt(share / 2)
    return common


def named(codes: Any, names: Sequence[str]) -> Any:
    """Codes as the categories of these names."""
    import pandas as pd

    return pd.Categorical.from_codes(codes, pd.Index(names))


def _styles(world: World, arm: np.ndarray, generator: np.random.Generator) -> dict[str, np.ndarray]:
    """Lengths and markdown of answers: the base writes much of both, the fine-tunings hardly any."""
    base = arm == 0
    middle = np.log(np.where(base, world.base_words, world.tuned_words * (1 + arm / len(MIXTURES))))
    words = np.ceil(np.exp(middle + 0.6 * generator.standard_normal(len(arm))))
    marks = {name: generator.poisson(np.where(base, 3.0, 0.4)) for name in STYLES[1:]}
    return {"words": words.astype(np.int64), **marks}


def _verdicts(world: World, chance: np.ndarray, draw: np.ndarray, generator: np.random.Generator) -> np.ndarray:
    """Places in ``Verdict``: the left where the draw is high, a tie around the threshold, so that the mean is kept."""
    tie = world.ties * np.minimum(chance, 1 - chance)
    verdict = np.where(draw > 1 - chance + tie / 2, 0, np.where(draw < 1 - chance - tie / 2, 1, 2))
    verdict = verdict + ((verdict == 2) & (generator.random(len(draw)) < 0.4))
    return np.where(generator.random(len(draw)) < world.unsure, 4, verdict)
