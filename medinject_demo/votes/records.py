"""What a voter says, and what is kept and counted of it. Frozen values; knows no database, page or engine."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final, TypeVar

from ..domain import Answer, Kind, Mixture, Verdict
from ..errors import InvalidValue
from ..pairing import Pair
from ..privacy import require_clean
from .rankings import Comparison, Ranking, comparisons, ranking_of
from .suspicion import Doubt

MOST_COMMENT: Final = 2_000
"""Longest comment, in characters."""


class Criterion(StrEnum):
    """A reason for a verdict, given of one side: what is good in it, then what is wrong with it."""

    CONSENSUS = "consensus"
    ACCURACY = "accuracy"
    COMPLETENESS = "completeness"
    USEFULNESS = "usefulness"
    CLARITY = "clarity"
    SAFETY = "safety"
    HARM = "harm"
    OFF_TOPIC = "off_topic"
    INSTRUCTIONS_IGNORED = "instructions_ignored"


class Profile(StrEnum):
    """What a voter declares to be; nobody checks it."""

    UNDECLARED = "undeclared"
    PHYSICIAN = "physician"
    RESIDENT = "resident"
    HEALTH_STUDENT = "health_student"
    OTHER_HEALTH = "other_health"
    RESEARCHER = "researcher"
    PUBLIC = "public"


Criteria = tuple[frozenset[Criterion], ...]
"""The reasons of each side, in display order."""
Equivalence = tuple[bool | None, ...]
"""Whether each side's answer is equivalent to the reference, in display order; None where not said."""

Named = TypeVar("Named", bound=StrEnum)


def unsaid(places: int) -> Equivalence:
    """Nothing said of any of these answers."""
    return (None,) * places


UNSAID: Final = unsaid(2)


@dataclass(frozen=True)
class Ballot:
    """What a voter says of a battle: a verdict on two answers, or a ranking of three or more."""

    verdict: Verdict | None
    """None where the answers are ranked."""
    criteria: Criteria = (frozenset(), frozenset())
    comment: str = ""
    profile: Profile = Profile.UNDECLARED
    ranking: Ranking = ()
    """The rank of each answer in display order; empty where there is a verdict."""

    @classmethod
    def read(
        cls, verdict: str, criteria: Sequence[Iterable[str]] = ((), ()), comment: str = "", profile: str = "undeclared"
    ) -> Ballot:
        """Read what a page or a client sent.

        Raises:
            InvalidValue: a verdict, criterion or profile that is none of those known, or other than two sides.
            Refused: the comment is too long, or seems to hold personal data.
        """
        if len(criteria) != 2:
            raise InvalidValue.of("criteria", expected="those of the left, then of the right", got=f"{len(criteria)}")
        require_clean(comment, "comment", MOST_COMMENT, may_be_empty=True)
        reasons = tuple(frozenset(known(Criterion, each, "criterion") for each in side) for side in criteria)
        return cls(known(Verdict, verdict, "verdict"), reasons, comment.strip(), known(Profile, profile, "profile"))

    @classmethod
    def ranked(cls, ranks: Sequence[object], comment: str = "", profile: str = "undeclared") -> Ballot:
        """Read a ranking that a page or a client sent: the rank of each answer, in display order.

        Raises:
            InvalidValue: the ranks are none, or the profile is none of those known.
            Refused: the comment is too long, or seems to hold personal data.
        """
        ranking = ranking_of(ranks)
        require_clean(comment, "comment", MOST_COMMENT, may_be_empty=True)
        blank = (frozenset[Criterion](),) * len(ranking)
        return cls(None, blank, comment.strip(), known(Profile, profile, "profile"), ranking)

    @property
    def places(self) -> int:
        """Of how many answers it speaks."""
        return len(self.ranking) or 2

    @property
    def comparisons(self) -> tuple[Comparison, ...]:
        """What it says of each pair of answers: one of a verdict, k(k-1)/2 of a ranking of k."""
        if self.verdict is None or self.ranking:
            return comparisons(self.ranking)
        return (Comparison(0, 1, self.verdict),)


def known(names: type[Named], name: object, what: str) -> Named:
    """The member of an enumeration that a client named.

    Raises:
        InvalidValue: none has this name; the sentence lists those there are.
    """
    for each in names:
        if each == name:
            return each
    got = repr(name)
    raise InvalidValue.of(what, expected=f"one of {', '.join(names)}", got=got if len(got) < 60 else got[:57] + "...")


@dataclass(frozen=True)
class Vote:
    """One row of the votes: what a voter said of a battle at one time. The highest version is the live one."""

    id: str
    battle: str
    voter: str
    """Salted hash."""
    version: int
    """1 for the first of this voter on this battle; each change or withdrawal is one more."""
    at: str
    """When it was stored, ISO 8601 in UTC."""
    ballot: Ballot | None
    """None where the vote was withdrawn."""
    equivalent: Equivalence = UNSAID
    seconds: float | None = None
    """From the end of the answers to the vote; None where not known."""
    blind: bool = True
    """False where this verdict was given after the arms were revealed, or by who had seen an answer by name."""

    def says_again(self, ballot: Ballot | None) -> bool:
        """True where a ballot compares the answers as this vote does, whatever is said beside."""
        return self.ballot is not None and ballot is not None and self.ballot.comparisons == ballot.comparisons


@dataclass(frozen=True)
class Style:
    """Lengths and markdown of one side, over all turns: the covariates of a style-controlled board."""

    words: int = 0
    headers: int = 0
    bold: int = 0
    lists: int = 0
    emoji: int = 0

    @classmethod
    def of(cls, answer: Answer) -> Style:
        """The style of one answer."""
        return cls(words=answer.words, **answer.style)


@dataclass(frozen=True)
class LiveVote:
    """The latest word of a voter on a battle, and no withdrawal, with what the battle was; a board may leave it out."""

    vote: Vote
    ballot: Ballot
    arms: tuple[Mixture, ...]
    """In display order."""
    styles: tuple[Style, ...]
    kind: Kind
    specialty: str
    propensity: float
    """Probability with which this set of arms was drawn."""
    turns: int
    reasons: frozenset[Doubt] = frozenset()
    """Why it is doubted, where nobody has cleared it: a board leaves a vote with any reason out."""

    @property
    def suspect(self) -> bool:
        """True where a board leaves it out."""
        return bool(self.reasons)

    @property
    def ranking(self) -> Ranking:
        """The rank of each arm in display order; empty where the vote is a verdict on two."""
        return self.ballot.ranking


@dataclass(frozen=True)
class PairCount:
    """What was said in the battles of one pair, in votes that count; ``wins`` in the order of the pair.

    A ranking of k answers is a battle of each of its k(k-1)/2 pairs, and says a verdict on each of them.
    """

    battles: int = 0
    wins: tuple[int, int] = (0, 0)
    both_good: int = 0
    both_bad: int = 0
    unsure: int = 0
    alike: int = 0
    """Tied in a ranking, which is not asked whether both are good or bad."""

    @property
    def decisive(self) -> int:
        """Votes that prefer one of the two."""
        return sum(self.wins)

    @property
    def votes(self) -> int:
        """Verdicts counted for this pair, those inside rankings included."""
        return self.decisive + self.both_good + self.both_bad + self.unsure + self.alike


@dataclass(frozen=True)
class Counts:
    """The state of the collection. A vote counts where it is live, blind and not suspect, here as on every board.

    ``pairs`` has all 28 pairs, those without battles too.
    """

    kept: int
    """Battles that were voted on: a ranking is one, whatever the number of its answers."""
    battles: int
    """Of those, the ones with a vote that counts."""
    votes: int
    """Live votes, whether they count or not; a ranking is one vote."""
    voters: int
    """Distinct voters with a vote that counts."""
    after_reveal: int
    """Live votes whose verdict was not given blind, as ``Vote.blind`` says: they do not count."""
    pairs: Mapping[Pair, PairCount]
    suspect: int = 0
    """Live votes that a rule doubts: they do not count either, and are not in ``after_reveal``."""

    @property
    def counted(self) -> int:
        """Votes that count."""
        return self.votes - self.after_reveal - self.suspect

    @property
    def met(self) -> int:
        """How many of the pairs have a verdict that counts."""
        return sum(each.votes > 0 for each in self.pairs.values())

    @property
    def coverage(self) -> float:
        """Share of the pairs that have one."""
        return self.met / len(self.pairs)
