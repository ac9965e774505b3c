"""The state of one duel, and the orders that change it: each gives the next state or is refused.

Pure: frozen values, no clock, engine, store or thread. A duel knows its arms; ``shown`` is what of it may leave before
the vote, and it names none. ``battle`` is what is stored. Its answers have places, from 0 in display order: those of
two are the sides left and right, and a ranking is a duel of more.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import IntEnum, StrEnum
from typing import Final

from .domain import Answer, Battle, FinishReason, Mixture, Prompt, Sampling, Turn
from .errors import Refused
from .votes.records import Vote

MOST_TURNS: Final = 8
"""Turns of one conversation, the first included."""


class Side(IntEnum):
    """The two places of a duel, as a voter calls them."""

    LEFT = 0
    RIGHT = 1

    def __str__(self) -> str:
        return self.name.lower()

    def __format__(self, form: str) -> str:
        return format(str(self), form)


class Stage(StrEnum):
    """How far the last turn is."""

    ASKED = "asked"
    ANSWERING = "answering"
    ANSWERED = "answered"
    FAILED = "failed"


class Refusal(StrEnum):
    """Why an order was refused."""

    UNKNOWN = "unknown_battle"
    FOREIGN = "foreign_battle"
    UNDER_WAY = "under_way"
    NOT_ANSWERED = "not_answered"
    FAILED = "failed_battle"
    VOTED = "already_voted"
    STANDS = "vote_stands"
    NO_VOTE = "no_vote"
    NO_REFERENCE = "no_reference"
    REVEALED = "already_revealed"
    TOO_MANY_TURNS = "too_many_turns"
    ENGINE = "engine_unavailable"


_SENTENCES: Final = {
    Refusal.UNKNOWN: "duel: expected one that is under way or was voted on, got an unknown one. Begin another.",
    Refusal.FOREIGN: "duel: expected one of your own, got another voter's. Begin another.",
    Refusal.UNDER_WAY: "answers: expected a question not answered yet, got one that is or was. Ask again or go on.",
    Refusal.NOT_ANSWERED: "duel: expected answers that have ended, got one under way. Wait for it, or stop it.",
    Refusal.FAILED: "duel: expected whole answers, got a failure in one. It does not count; ask again.",
    Refusal.VOTED: "duel: expected one not voted on, got one whose vote was stored. Begin another.",
    Refusal.STANDS: "vote: expected the first on these answers, got one more. Withdraw the first, or leave it.",
    Refusal.NO_VOTE: "duel: expected a vote, got none. Vote first.",
    Refusal.NO_REFERENCE: "equivalence: expected a prompt that has a reference, got one without. Leave it out.",
    Refusal.REVEALED: "equivalence: expected before the arms are revealed, got after. Leave it as it is.",
    Refusal.TOO_MANY_TURNS: f"duel: expected at most {MOST_TURNS} turns, got one more. Vote, or begin another.",
    Refusal.ENGINE: "answers: expected an engine that takes them, got one that cannot now. Try again in a moment.",
}


def refused(why: Refusal) -> Refused:
    """The error of a refusal; its code is the refusal's name."""
    return Refused(_SENTENCES[why], why)


@dataclass(frozen=True)
class Draft:
    """One answer while it comes, and after."""

    text: str = ""
    pieces: int = 0
    reason: FinishReason | None = None
    """None while it comes."""
    tokens: int = 0
    seconds: float = 0.0


@dataclass(frozen=True)
class Exchange:
    """One turn: what is asked of all arms (nothing but the prompt in the first), and what each answers, by place."""

    message: str
    sampling: Sampling
    drafts: tuple[Draft, ...]
    fingerprints: tuple[str, ...] = ()
    cached: bool = False
    """True where the answers are kept ones, given at an earlier time."""
    begun: float | None = None
    """When the answers began, on the caller's clock; None while they have not."""
    ended: float | None = None
    """When all had ended, or for a guest when they were first shown; None before, and where it is not known."""


@dataclass(frozen=True)
class ShownTurn:
    """One turn as a voter sees it, by place."""

    message: str
    texts: tuple[str, ...]
    reasons: tuple[FinishReason | None, ...]


@dataclass(frozen=True)
class Shown:
    """What may leave before the vote: no arm, fingerprint, count of tokens, time, origin or reference."""

    id: str
    prompt: Prompt
    stage: Stage
    turns: tuple[ShownTurn, ...]


@dataclass(frozen=True)
class Duel:
    """A duel: its arms in display order, one prompt, the turns so far, and what its voter made of it."""

    id: str
    voter: str
    prompt: Prompt
    arms: tuple[Mixture, ...]
    propensity: float
    exchanges: tuple[Exchange, ...]
    attempt: int = 0
    """How many times answers were begun; a stream that is not the latest has nothing to say."""
    vote: Vote | None = None
    """The voter's latest word, a withdrawal included."""
    revealed: bool = False
    maker: str = ""
    """Whom it was made for, where the voter is a guest; empty where it is the voter's own."""

    @classmethod
    def asked(
        cls, name: str, voter: str, prompt: Prompt, arms: tuple[Mixture, ...], propensity: float, sampling: Sampling
    ) -> Duel:
        """A duel that begins: its prompt is put, nothing is answered."""
        return cls(name, voter, prompt, arms, propensity, (_blank("", sampling, len(arms)),))

    @classmethod
    def restored(cls, battle: Battle, vote: Vote | None) -> Duel:
        """A duel read back from the store: whether it was revealed is not kept, so it counts as revealed."""
        whose = (battle.id, battle.voter, battle.prompt, battle.arms, battle.propensity)
        return cls(*whose, tuple(map(_exchange, battle.turns)), vote=vote, revealed=True)

    @classmethod
    def visited(cls, battle: Battle, guest: str, vote: Vote | None) -> Duel:
        """The same for a guest, who has a vote of their own; blind until it is given."""
        return replace(cls.restored(battle, vote), voter=guest, maker=battle.voter, revealed=vote is not None)

    @property
    def last(self) -> Exchange:
        """The turn under way."""
        return self.exchanges[-1]

    @property
    def stage(self) -> Stage:
        """How far the last turn is."""
        reasons = [draft.reason for draft in self.last.drafts]
        if self.last.begun is None:
            return Stage.ASKED
        if None in reasons:
            return Stage.ANSWERING
        return Stage.FAILED if FinishReason.ERROR in reasons else Stage.ANSWERED

    @property
    def shown(self) -> Shown:
        """What a voter may see before the vote."""
        turns = tuple(
            ShownTurn(
                each.message,
                tuple(draft.text for draft in each.drafts),
                tuple(draft.reason for draft in each.drafts),
            )
            for each in self.exchanges
        )
        return Shown(self.id, replace(self.prompt, reference="", origin=""), self.stage, turns)

    @property
    def battle(self) -> Battle:
        """What is stored of it; only for a duel whose answers have ended."""
        first, *others = (self._turn(each) for each in self.exchanges)
        maker = self.maker or self.voter
        return Battle(self.id, self.prompt, first.sampling, first.answers, self.propensity, maker, tuple(others))

    def answer(self, place: int, each: Exchange | None = None) -> Answer:
        """What one arm answered in a turn, by default the last."""
        each = each or self.last
        draft, reason = each.drafts[place], each.drafts[place].reason or FinishReason.CANCELLED
        what = (self.arms[place], each.fingerprints[place], draft.text, reason, draft.tokens, draft.seconds)
        return Answer(*what, cached=each.cached)

    def begin(self, fingerprints: tuple[str, ...], now: float, *, cached: bool = False) -> Duel:
        """Answers begin."""
        if self.stage is not Stage.ASKED:
            raise refused(Refusal.UNDER_WAY)
        last = replace(self.last, fingerprints=fingerprints, begun=now, cached=cached)
        return replace(self._with(last), attempt=self.attempt + 1)

    def said(self, place: int, text: str) -> Duel:
        """A piece of one answer; nothing after that answer has ended."""
        draft = self.last.drafts[place]
        if draft.reason is not None:
            return self
        return self._draft(place, replace(draft, text=draft.text + text, pieces=draft.pieces + 1))

    def finished(self, place: int, reason: FinishReason, tokens: int, seconds: float, now: float) -> Duel:
        """One answer ends; nothing where it has already."""
        draft = self.last.drafts[place]
        if draft.reason is not None or self.last.begun is None:
            return self
        duel = self._draft(place, replace(draft, reason=reason, tokens=tokens, seconds=seconds))
        return duel if duel.stage is Stage.ANSWERING else duel._with(replace(duel.last, ended=now))

    def halted(self, place: int, reason: FinishReason, now: float) -> Duel:
        """One answer ends before its time; its pieces stand for its tokens, which the engine has not counted."""
        if self.last.begun is None:
            return self
        return self.finished(place, reason, self.last.drafts[place].pieces, now - self.last.begun, now)

    def asked_again(self, sampling: Sampling) -> Duel:
        """The last turn is answered anew by all."""
        self._require_open()
        if self.stage not in (Stage.ANSWERED, Stage.FAILED):
            raise refused(Refusal.NOT_ANSWERED)
        return self._with(_blank(self.last.message, sampling, len(self.arms)))

    def followed_up(self, message: str, sampling: Sampling) -> Duel:
        """One more message to all."""
        self.require_answered()
        self._require_open()
        if len(self.exchanges) >= MOST_TURNS:
            raise refused(Refusal.TOO_MANY_TURNS)
        return replace(self, exchanges=(*self.exchanges, _blank(message, sampling, len(self.arms))))

    def unasked(self) -> Duel:
        """The last turn was refused: dropped where others came before it, else ready to be put again."""
        if len(self.exchanges) > 1:
            return replace(self, exchanges=self.exchanges[:-1])
        return self.postponed()

    def postponed(self) -> Duel:
        """The last turn was not taken: ready to be put again."""
        return self._with(_blank(self.last.message, self.last.sampling, len(self.arms)))

    def arrived(self, now: float) -> Duel:
        """Its voter sits down: a guest reads the answers from now on, unless that began before."""
        begins = self.maker and self.vote is None and self.last.ended is None
        return self._with(replace(self.last, ended=now)) if begins else self

    def require_answered(self) -> None:
        """Raises Refused where the last turn has an answer that failed or has not ended."""
        if self.stage is Stage.FAILED:
            raise refused(Refusal.FAILED)
        if self.stage is not Stage.ANSWERED:
            raise refused(Refusal.NOT_ANSWERED)

    def require_own(self) -> None:
        """Raises Refused where the voter is a guest: a guest reads and votes."""
        if self.maker:
            raise refused(Refusal.FOREIGN)

    def _require_open(self) -> None:
        self.require_own()
        if self.vote is not None:
            raise refused(Refusal.VOTED)

    def _with(self, last: Exchange) -> Duel:
        return replace(self, exchanges=(*self.exchanges[:-1], last))

    def _draft(self, place: int, draft: Draft) -> Duel:
        drafts = self.last.drafts
        return self._with(replace(self.last, drafts=(*drafts[:place], draft, *drafts[place + 1 :])))

    def _turn(self, each: Exchange) -> Turn:
        answers = tuple(self.answer(place, each) for place in range(len(self.arms)))
        return Turn(each.message, each.sampling, answers)


def _blank(message: str, sampling: Sampling, places: int) -> Exchange:
    return Exchange(message, sampling, (Draft(),) * places)


def _exchange(turn: Turn) -> Exchange:
    given = turn.answers
    drafts = tuple(Draft(each.text, each.tokens, each.finish_reason, each.tokens, each.seconds) for each in given)
    prints = tuple(each.fingerprint for each in given)
    return Exchange(turn.message, turn.sampling, drafts, prints, given[0].cached, begun=0.0)
