"""What fine-tuning does at all, what native, translated and synthetic data each add to it, and how they combine.

The eight arms are a 2 x 2 x 2 factorial whose cell without any provenance is the base, which is not trained at all. So
the provenances are compared among the seven trained arms, and the base with all of them in one effect of its own. An
effect is a contrast of the eight arms with an interval from their joint covariance, on three outcomes: preference
(in logits), the share of answers judged equivalent to the reference, and the share of multiple-choice answers whose
letters are exactly the reference's. An arm's answer to a prompt is one, however many judge it. All arms but the base
are trained on as many items: to add a provenance to a mixture is to put it in the place of a part of the others. Knows
no words: conclusions are codes.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Final

import numpy as np

from ..domain import ARMS, BASE, MIXTURES, Mixture, Provenance
from .comparisons import SIDES, Comparisons, truths
from .estimate import Estimate
from .logistic import Codes, Floats, renumbered
from .shares import arm_shares

if TYPE_CHECKING:
    import pandas as pd

    from .preference import Preference

MATTERS: Final = 0.35
"""Logits, 59 preferred in 100: what an interval of preference must leave out, on both sides of 0, to say *none*."""
MATTERS_SHARE: Final = 0.05
"""The same for a share: five answers in a hundred."""
LEAST_CLUSTERS: Final = 3
"""Voters or prompts below which nothing is concluded."""


class Outcome(StrEnum):
    """What an effect is on."""

    PREFERENCE = "preference"
    """Logits of being preferred, sides and (where the model has them) styles apart."""
    EQUIVALENCE = "equivalence"
    """Share of answers, 0 to 1, equivalent to the reference; one is so to the share of those who judged it."""
    EXACTNESS = "exactness"
    """Share of multiple-choice answers, 0 to 1, whose letters are those of the reference."""


class Conclusion(StrEnum):
    """What the data say of an effect."""

    ADDS = "adds"
    """The interval is above 0."""
    TAKES = "takes"
    """The interval is below 0."""
    NONE = "none"
    """The interval holds 0 and, on either side of it, no effect that matters."""
    UNKNOWN = "unknown"
    """The interval holds both 0 and an effect that matters, or there is too little: the data cannot tell."""


@dataclass(frozen=True)
class Effect:
    """Fine-tuning at all (order 0), a main effect (order 1) or an interaction (order 2) of the provenances.

    Fine-tuning: the mean of the seven trained arms less the base. Main: what the provenance adds to the three mixtures
    without it, on average. Interaction: how much more the one adds where the other is there, beside the third. Neither
    has the base in it: of seven equal arms no provenance has an effect, however far the base is. An interaction of
    all three cannot be told without it.
    """

    provenances: tuple[Provenance, ...]
    """None for fine-tuning at all."""
    estimate: Estimate
    conclusion: Conclusion

    @property
    def order(self) -> int:
        """0 for fine-tuning at all, 1 for a main effect."""
        return len(self.provenances)


@dataclass(frozen=True)
class Step:
    """One of the twelve edges of the cube: does ``added`` add to ``to``? The arm with it less the arm without.

    From the base it is a training instead of none; elsewhere both arms are trained on as many items.
    """

    added: Provenance
    to: Mixture
    estimate: Estimate
    conclusion: Conclusion

    @property
    def gives(self) -> Mixture:
        """The mixture with the provenance added."""
        return Mixture.of((*self.to.provenances, self.added))


@dataclass(frozen=True)
class Share:
    """What one arm reached on an outcome that is a share."""

    arm: Mixture
    share: Estimate | None
    """None where the arm has no judged answer."""
    judged: int
    """Prompts to which its answer was judged (equivalence) or has letters to compare (exactness)."""


@dataclass(frozen=True)
class Effects:
    """Every effect on one outcome."""

    outcome: Outcome
    effects: tuple[Effect, ...]
    """Seven: fine-tuning at all, three main, three of order 2."""
    steps: tuple[Step, ...]
    """Twelve, in the order of the mixture added to."""
    shares: tuple[Share, ...]
    """By arm; empty for preference."""
    units: int
    """Battles (preference) or answers, one of each arm to each prompt, that these rest on."""
    clusters: int
    """Voters (preference) or prompts."""
    prompts: int
    """That these rest on."""
    matters: float
    """How far from 0 an interval may reach that says *none*: in logits, or in shares."""

    def main(self, provenance: Provenance) -> Effect:
        """The main effect of a provenance."""
        return next(effect for effect in self.effects if effect.provenances == (provenance,))


@dataclass(frozen=True)
class Provenances:
    """The effects on each outcome; None where no answer was judged, or no frame column tells."""

    preference: Effects
    """By the style-controlled model."""
    raw_preference: Effects
    equivalence: Effects | None
    exactness: Effects | None


def provenances(frame: pd.DataFrame, raw: Preference, controlled: Preference) -> Provenances:
    """The effects of the provenances, from the comparisons that count and the models fitted to them."""
    said = Comparisons.of(frame)
    arm, equivalent, prompt = _answers(frame, "equivalent", said)
    alike, right, asked = _answers(frame, "exact", said)
    return Provenances(
        preference=_of_preference(controlled),
        raw_preference=_of_preference(raw),
        equivalence=_of_shares(Outcome.EQUIVALENCE, arm, equivalent, prompt),
        exactness=_of_shares(Outcome.EXACTNESS, alike, (right > 0.5).astype(float), asked),
    )


def weights(chosen: Sequence[Provenance]) -> dict[Mixture, float]:
    """The weight of each arm in an effect: of one provenance or two, or of fine-tuning where there is none.

    Over the mixtures with none of those chosen: with all of them, less with all but one, and so on down to without any.
    """
    if not chosen:
        return dict.fromkeys(ARMS, 1 / len(ARMS)) | {BASE: -1.0}
    row = dict.fromkeys(MIXTURES, 0.0)
    beside = [arm for arm in ARMS if not set(chosen) & set(arm.provenances)]
    for arm, count in itertools.product(beside, range(len(chosen) + 1)):
        for part in itertools.combinations(chosen, count):
            row[Mixture.of((*arm.provenances, *part))] += (-1) ** (len(chosen) - count) / len(beside)
    return row


def _of_preference(model: Preference) -> Effects:
    counts = (model.battles, model.voters, model.prompts)
    return _effects(Outcome.PREFERENCE, model.contrast, (), counts, MATTERS)


def _of_shares(outcome: Outcome, arm: Codes, yes: Floats, prompt: Codes) -> Effects | None:
    """None without units."""
    if not len(yes):
        return None
    reached = arm_shares(arm, yes, prompt)
    shares = tuple(
        Share(arm, share, count) for (arm, share), count in zip(reached.estimates.items(), reached.counts, strict=True)
    )

    def contrast(row: Mapping[Mixture, float]) -> Estimate:
        return reached.contrast([row.get(each, 0.0) for each in MIXTURES])

    return _effects(outcome, contrast, shares, (len(yes), reached.clusters, reached.clusters), MATTERS_SHARE)


def _effects(
    outcome: Outcome,
    contrast: Callable[[Mapping[Mixture, float]], Estimate],
    shares: tuple[Share, ...],
    counts: tuple[int, int, int],
    matters: float,
) -> Effects:
    units, clusters, prompts = counts

    def concluded(row: Mapping[Mixture, float]) -> tuple[Estimate, Conclusion]:
        estimate = contrast(row)
        return estimate, _conclusion(estimate, min(clusters, prompts), matters)

    chosen = [each for order in (0, 1, 2) for each in itertools.combinations(Provenance, order)]
    steps = [(added, to) for to in MIXTURES for added in Provenance if added not in to.provenances]
    return Effects(
        outcome=outcome,
        effects=tuple(Effect(each, *concluded(weights(each))) for each in chosen),
        steps=tuple(
            Step(added, to, *concluded({Mixture.of((*to.provenances, added)): 1.0, to: -1.0})) for added, to in steps
        ),
        shares=shares,
        units=units,
        clusters=clusters,
        prompts=prompts,
        matters=matters,
    )


def _conclusion(estimate: Estimate, clusters: int, matters: float) -> Conclusion:
    if clusters < LEAST_CLUSTERS:
        return Conclusion.UNKNOWN
    if sign := estimate.sign():
        return Conclusion.ADDS if sign > 0 else Conclusion.TAKES
    return Conclusion.NONE if estimate.within(matters) else Conclusion.UNKNOWN


def _answers(frame: pd.DataFrame, column: str, said: Comparisons) -> tuple[Codes, Floats, Codes]:
    """Each arm's answer to each prompt, once: the arm, the share of its votes that say yes, the prompt.

    Those who judge the same text say nothing of the next prompt, and a ranking that has it several times says it once.
    """
    import pandas as pd

    ballots, prompts = (pd.factorize(frame[name])[0] for name in ("ballot", "prompt"))
    parts = [
        (arm[known], yes[known], prompts[known], ballots[known])
        for arm, (known, yes) in zip(
            (said.left, said.right), (truths(frame, f"{column}_{side}") for side in SIDES), strict=True
        )
    ]
    arm, yes, prompt, ballot = (np.concatenate(each) for each in zip(*parts, strict=True))
    once = ~pd.Series(ballot * len(MIXTURES) + arm).duplicated().to_numpy(bool)
    place = prompt[once] * len(MIXTURES) + arm[once]
    votes = np.bincount(place)
    met = np.flatnonzero(votes)
    return met % len(MIXTURES), np.bincount(place, yes[once])[met] / votes[met], renumbered(met // len(MIXTURES))
