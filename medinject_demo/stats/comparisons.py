"""Comparisons as arrays of numbers: what the model and the board compute with. Reads a frame; knows no statistic."""

from __future__ import annotations

import itertools
from dataclasses import astuple, dataclass
from typing import TYPE_CHECKING, Final

import numpy as np
from numpy.typing import NDArray

from ..domain import MIXTURES, Verdict
from ..errors import InvalidData
from ..pairing import Pair
from .logistic import Codes, Floats, renumbered

if TYPE_CHECKING:
    import pandas as pd

ARMS: Final = len(MIXTURES)
VERDICTS: Final = tuple(Verdict)
Truths = NDArray[np.bool_]
Counts = NDArray[np.int64]
SIDES: Final = ("left", "right")
_SLUGS: Final = tuple(mixture.slug for mixture in MIXTURES)
ALIKE: Final = len(VERDICTS)
"""Beside the verdicts: a tie of a ranking."""
_TURNED: Final = [*(VERDICTS.index(verdict) for verdict in (Verdict.RIGHT, Verdict.LEFT, *VERDICTS[2:])), ALIKE]
_SHARES: Final = {Verdict.LEFT: 1.0, Verdict.RIGHT: 0.0, Verdict.BOTH_GOOD: 0.5, Verdict.BOTH_BAD: 0.5}


@dataclass(frozen=True)
class Tally:
    """What was said in some comparisons, seen from one side. Counts of comparisons that count."""

    wins: int = 0
    losses: int = 0
    both_good: int = 0
    both_bad: int = 0
    unsure: int = 0
    alike: int = 0
    """Tied in a ranking, which is not asked whether both are good or bad."""

    @property
    def ties(self) -> int:
        """Good and bad ties, and those of rankings."""
        return self.both_good + self.both_bad + self.alike

    @property
    def votes(self) -> int:
        """All of it, unsure votes included."""
        return self.wins + self.losses + self.ties + self.unsure

    def __add__(self, other: Tally) -> Tally:
        return Tally(*(mine + theirs for mine, theirs in zip(astuple(self), astuple(other), strict=True)))


@dataclass(frozen=True)
class Comparisons:
    """n comparisons, each array of length n."""

    left: Codes
    """Places in ``MIXTURES``."""
    right: Codes
    verdict: Codes
    """Places in ``Verdict``."""
    voter: Codes
    """From 0, one for each cluster."""
    battle: Codes
    """From 0, one for each battle: its votes are on the same texts."""
    prompt: Codes
    """From 0, one for each prompt: bundled ones are answered greedily, so battles on one are on the same texts."""
    ranked: Truths
    """Where it is one of several of a ranking."""

    @classmethod
    def of(cls, frame: pd.DataFrame) -> Comparisons:
        """Read a frame.

        Raises:
            InvalidData: an arm or a verdict that is none of those known.
        """
        import pandas as pd

        left, right = (_coded(frame, side, _SLUGS) for side in ("left", "right"))
        verdict = _coded(frame, "verdict", tuple(map(str, VERDICTS)))
        voter, battle, prompt = (pd.factorize(frame[column])[0] for column in ("cluster", "battle", "prompt"))
        return cls(left, right, verdict, voter, battle, prompt, frame["ballot"].duplicated(keep=False).to_numpy(bool))

    def kept(self, where: Truths) -> Comparisons:
        """Those where ``where`` is true, their voters, battles and prompts counted from 0 again."""
        voter, battle, prompt = (renumbered(codes[where]) for codes in (self.voter, self.battle, self.prompt))
        left, right, verdict = (each[where] for each in (self.left, self.right, self.verdict))
        return Comparisons(left, right, verdict, voter, battle, prompt, self.ranked[where])

    @property
    def voters(self) -> int:
        """Distinct clusters."""
        return int(self.voter.max()) + 1 if len(self.voter) else 0

    @property
    def prompts(self) -> int:
        """Distinct prompts."""
        return int(self.prompt.max()) + 1 if len(self.prompt) else 0

    @property
    def said(self) -> Truths:
        """Where the vote says something of preference: everywhere but ``unsure``."""
        return np.not_equal(self.verdict, VERDICTS.index(Verdict.UNSURE))

    @property
    def decisive(self) -> Truths:
        """Where one of the two is preferred."""
        return np.isin(self.verdict, [VERDICTS.index(verdict) for verdict in (Verdict.LEFT, Verdict.RIGHT)])

    @property
    def share(self) -> Floats:
        """The left's share of the win: 1, a half for a tie, 0. An unsure vote has a half, and is to be left out."""
        return np.array([_SHARES.get(verdict, 0.5) for verdict in VERDICTS])[self.verdict]

    @property
    def table(self) -> Counts:
        """How often each was said: arms on the left x arms on the right x the verdicts and ``ALIKE``."""
        tied = self.ranked & np.equal(self.verdict, VERDICTS.index(Verdict.BOTH_GOOD))
        place = (self.left.astype(np.int64) * ARMS + self.right) * (ALIKE + 1) + np.where(tied, ALIKE, self.verdict)
        return np.bincount(place, minlength=ARMS * ARMS * (ALIKE + 1)).reshape(ARMS, ARMS, ALIKE + 1)

    @property
    def tallies(self) -> dict[Pair, Tally]:
        """What was said of each ordered pair of distinct arms, seen from the first."""
        table = self.table
        turned = table[:, :, _TURNED].transpose(1, 0, 2)
        seen = table + turned
        return {
            (one, other): Tally(*seen[MIXTURES.index(one), MIXTURES.index(other)].tolist())
            for one, other in itertools.permutations(MIXTURES, 2)
        }

    @property
    def battles(self) -> int:
        """Distinct battles."""
        return int(self.battle.max()) + 1 if len(self.battle) else 0

    @property
    def battles_by_pair(self) -> dict[Pair, int]:
        """Battles in which each ordered pair of distinct arms met, whichever side each was on."""
        ends = np.sort(np.stack([self.left, self.right], axis=1).astype(np.int64), axis=1)
        place = np.unique((self.battle * ARMS + ends[:, 0]) * ARMS + ends[:, 1]) % (ARMS * ARMS)
        table = np.bincount(place, minlength=ARMS * ARMS).reshape(ARMS, ARMS)
        met = table + table.T
        return {
            (one, other): int(met[MIXTURES.index(one), MIXTURES.index(other)])
            for one, other in itertools.permutations(MIXTURES, 2)
        }

    @property
    def battles_by_arm(self) -> list[int]:
        """Battles in which each arm stood: a ranking is one, and so is a duel whatever the number of its votes."""
        return self._by_arm(self.battle)

    @property
    def voters_by_arm(self) -> list[int]:
        """Who voted on each arm."""
        return self._by_arm(self.voter)

    @property
    def prompts_by_arm(self) -> list[int]:
        """Prompts to which an answer of each arm was voted on."""
        return self._by_arm(self.prompt)

    def _by_arm(self, of: Codes) -> list[int]:
        """Distinct codes with a comparison of each arm."""
        seen = np.zeros((int(of.max()) + 1 if len(of) else 0, ARMS), bool)
        seen[of, self.left] = seen[of, self.right] = True
        counts: list[int] = seen.sum(axis=0).tolist()
        return counts


def truths(frame: pd.DataFrame, column: str) -> tuple[Truths, Truths]:
    """Where a column of True, False and None is known, and where it is true; known nowhere where there is none."""
    if column not in frame:
        return np.zeros(len(frame), bool), np.zeros(len(frame), bool)
    values = frame[column]
    known = values.notna().to_numpy(bool)
    return known, known & values.eq(True).fillna(False).to_numpy(bool)


def _coded(frame: pd.DataFrame, column: str, known: tuple[str, ...]) -> Codes:
    import pandas as pd

    codes = pd.Categorical(frame[column], categories=list(known)).codes
    if (codes < 0).any():
        got = repr(str(frame[column].iloc[int((codes < 0).argmax())]))
        raise InvalidData.of(f"votes: {column}", expected=f"one of {', '.join(known)}", got=got)
    return np.asarray(codes, dtype=np.int64)
