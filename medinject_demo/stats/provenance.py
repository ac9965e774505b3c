"""What native, translated and synthetic data each add, and how they combine: the eight arms as a 2 x 2 x 2 factorial.

An effect is a contrast of the eight arms with an interval from their joint covariance, on three outcomes: preference
(in logits), the share of answers judged equivalent to the reference, and the share of multiple-choice answers whose
letters are exactly the reference's. All arms but the base are trained on as many items: to add a provenance
to a mixture is to put it in the place of a part of the others. Knows no words: conclusions are codes.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

from ..domain import Mixture, Provenance
from .estimate import Estimate

if TYPE_CHECKING:
    import pandas as pd

    from .preference import Preference


class Outcome(StrEnum):
    """What an effect is on."""

    PREFERENCE = "preference"
    """Logits of being preferred, sides and (where the model has them) styles apart."""
    EQUIVALENCE = "equivalence"
    """Share of answers, 0 to 1, that voters judged equivalent to the reference."""
    EXACTNESS = "exactness"
    """Share of multiple-choice answers, 0 to 1, whose letters are those of the reference."""


class Conclusion(StrEnum):
    """What the data say of an effect."""

    ADDS = "adds"
    """The interval is above 0."""
    TAKES = "takes"
    """The interval is below 0."""
    NONE = "none"
    """The interval holds 0 and is narrow: an effect that matters would have been seen."""
    UNKNOWN = "unknown"
    """The interval is too wide, or there is too little: the data cannot tell."""


@dataclass(frozen=True)
class Effect:
    """A main effect (order 1) or an interaction (order 2 or 3) of the provenances.

    Main: the mean over the arms with the provenance less the mean over those without. Interaction of two: how much more
    the one adds where the other is there, over both levels of the third. Of three: how much more two interact where the
    third is there.
    """

    provenances: tuple[Provenance, ...]
    estimate: Estimate
    conclusion: Conclusion

    @property
    def order(self) -> int:
        """1 for a main effect."""
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
    """Answers judged (equivalence) or distinct answers with letters to compare (exactness)."""


@dataclass(frozen=True)
class Effects:
    """Every effect on one outcome."""

    outcome: Outcome
    effects: tuple[Effect, ...]
    """Seven: three main, three of order 2, one of order 3."""
    steps: tuple[Step, ...]
    """Twelve, in the order of the mixture added to."""
    shares: tuple[Share, ...]
    """By arm; empty for preference."""
    units: int
    """Comparisons, judgements or answers that these rest on."""
    clusters: int
    """Voters (preference, equivalence) or prompts (exactness)."""
    matters: float
    """The half width up to which an interval that holds 0 is said to be narrow: in logits, or in shares."""

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
    raise NotImplementedError
