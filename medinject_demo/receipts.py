"""What a voter is told of a stored vote, and how far a voter is with a duel. Values; knows no engine or store."""

from __future__ import annotations

from dataclasses import dataclass

from .domain import Battle, Prompt, Verdict
from .duel import Duel, Shown
from .errors import InvalidValue
from .votes.rankings import Ranking
from .votes.records import Ballot, Equivalence, Vote


@dataclass(frozen=True)
class Receipt:
    """A vote that is stored. ``reference`` is the prompt's, empty where it has none: it may be shown from now on."""

    verdict: Verdict | None
    """None where the answers are ranked, and where the vote was withdrawn."""
    equivalent: Equivalence
    reference: str
    ranking: Ranking = ()
    """Empty where there is a verdict, and where the vote was withdrawn."""
    blind: bool = True
    """False where the vote is stored as one that is not."""

    @classmethod
    def of(cls, vote: Vote, prompt: Prompt) -> Receipt:
        """The receipt of what is stored."""
        verdict, ranking = (vote.ballot.verdict, vote.ballot.ranking) if vote.ballot else (None, ())
        return cls(verdict, vote.equivalent, prompt.reference, ranking, vote.blind)


@dataclass(frozen=True)
class Standing:
    """How far a voter is with a duel: the vote and the arms are there as far as they may be shown to that voter."""

    shown: Shown
    receipt: Receipt | None
    """None before the first vote."""
    battle: Battle | None
    """Who was who, from the reveal on."""
    guest: bool

    @classmethod
    def of(cls, duel: Duel) -> Standing:
        """What of a duel its voter may be shown."""
        receipt = None if duel.vote is None else Receipt.of(duel.vote, duel.prompt)
        return cls(duel.shown, receipt, duel.battle if duel.revealed else None, bool(duel.maker))


def require_fit(ballot: Ballot, places: int) -> None:
    """Raises InvalidValue where a ballot speaks of another number of answers than there are."""
    if ballot.places != places:
        expected = "a verdict on two answers" if places == 2 else f"a ranking of {places} answers"
        got = "a verdict" if ballot.verdict else f"a ranking of {ballot.places}"
        raise InvalidValue.of("vote", expected=expected, got=got)
