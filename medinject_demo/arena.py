"""A battle's life: proposed, streamed, voted on, revealed, and the vote changed or taken back.

Between the page, the engine and the store. Before the vote nothing that leaves here tells an arm: events and views name
sides, identifiers come from chance, and errors of the engine, which may name an arm, go to the log. Knows no page.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from random import Random
from typing import Final

from . import pairing
from .domain import Battle, FinishReason, Prompt, Sampling, Verdict
from .duel import Duel, Exchange, Refusal, Shown, Side, refused
from .engine.base import Engine
from .errors import InvalidValue
from .matchmaking import Matchmaker
from .privacy import require_clean
from .prompts import layout
from .relay import Event, Live, halt, relay
from .votes.records import UNSAID, Ballot, Equivalence
from .votes.store import VoteStore

MOST_DUELS: Final = 2_000
"""Duels kept in memory; beyond, the one left alone for longest is forgotten, unless a vote stored it."""
WARMTH: Final = 0.7
"""Temperature at which a greedy answer is given anew: greedy again, it would be the same word for word."""


@dataclass(frozen=True)
class Receipt:
    """A vote that is stored. ``reference`` is the prompt's, empty where it has none: it may be shown from now on."""

    verdict: Verdict | None
    """None where the vote was withdrawn."""
    equivalent: Equivalence
    reference: str


class Arena:
    """Every order takes a session token, whose salted hash is the voter; another voter's duel is refused."""

    def __init__(
        self,
        engine: Engine,
        store: VoteStore,
        *,
        secret: str,
        generator: Random,
        clock: Callable[[], float] = time.monotonic,
        new_id: Callable[[], str] = lambda: secrets.token_urlsafe(16),
        most_duels: int = MOST_DUELS,
    ) -> None:
        if not secret:
            raise InvalidValue.of("MEDINJECT_SECRET", expected="a secret", got="none", remedy="Set it, or draw one.")
        self._engine, self._store, self._secret = engine, store, secret
        self._generator, self._clock, self._new_id = generator, clock, new_id
        self._matchmaker = Matchmaker(store, clock)
        self._most_duels = most_duels
        self._duels: OrderedDict[str, Live] = OrderedDict()
        self._lock = threading.Lock()

    def voter(self, session: str) -> str:
        """The salted hash under which a session votes.

        Raises:
            InvalidValue: the session token is blank.
        """
        if not session.strip():
            raise InvalidValue.of("session", expected="a token", got="none", remedy="Reload the page.")
        return hmac.new(self._secret.encode(), session.encode("utf-8", "surrogatepass"), hashlib.sha256).hexdigest()[
            :32
        ]

    def propose(self, prompt: Prompt, session: str, sampling: Sampling = Sampling()) -> Shown:
        """Draw two arms and their sides for a prompt; ``stream`` lets them answer.

        Raises:
            Refused: the prompt is empty, too long or holds control characters or what seems personal data.
            InvalidValue: fewer than two arms can answer.
        """
        require_clean(layout(prompt))
        voter, known = self.voter(session), self._matchmaker.known()
        with self._lock:
            drawn = pairing.draw(self._engine.mixtures, known.battles, self._generator, strong=known.strengths)
            duel = Duel(self._new_id(), voter, prompt, drawn.arms, drawn.propensity, (Exchange("", sampling),))
            self._keep(Live(duel))
        return duel.shown

    def shown(self, battle: str, session: str) -> Shown:
        """A duel as its voter may see it.

        Raises:
            Refused: the duel is unknown or another voter's; so for every order below.
        """
        return self._find(battle, session).duel.shown

    def stream(self, battle: str, session: str) -> Iterator[Event]:
        """Both sides answer the last turn together. Closing this stops both; they can still be voted on.

        A side that fails ends with ``error``, and the duel does not count; the other can be read.

        Raises:
            Refused: this turn is answered or being answered, or the engine cannot take it now.
            InvalidValue: the conversation is too long; the turn is dropped.
        """
        return relay(self._engine, self._find(battle, session), self._clock)

    def stop(self, battle: str, session: str, *sides: Side) -> Shown:
        """End these sides where they are. One that has ended stays as it is; where both have, the stream ends."""
        live = self._find(battle, session)
        halt(live, sides, FinishReason.CANCELLED, self._clock())
        return live.duel.shown

    def regenerate(self, battle: str, session: str) -> Shown:
        """Have both sides answer the last turn anew, with another seed; ``stream`` lets them.

        Raises:
            Refused: the answers have not ended, or a vote was stored.
        """
        with self._lock:
            seed = self._generator.randrange(2**63)

        def again(duel: Duel) -> Duel:
            sampling = duel.last.sampling
            return duel.asked_again(replace(sampling, seed=seed, temperature=sampling.temperature or WARMTH))

        return self._find(battle, session).change(again).shown

    def follow_up(self, battle: str, session: str, message: str, sampling: Sampling = Sampling()) -> Shown:
        """Go on with the conversation: one more message to both sides; ``stream`` lets them answer.

        Raises:
            Refused: the message is held back as a prompt would be, the answers have not ended, a side failed, a vote
                was stored, or the conversation has its most turns.
        """
        require_clean(message)
        live = self._find(battle, session)
        return live.change(lambda duel: duel.followed_up(message.strip(), sampling)).shown

    def vote(self, battle: str, session: str, ballot: Ballot) -> Receipt:
        """Store a vote, or a change of it. When this returns it is on the disk; the same vote again changes nothing.

        Raises:
            Refused: the answers have not ended, or a side failed.
            StoreError: the vote is not stored; it can be tried again.
        """
        live = self._find(battle, session)
        with live.lock:
            duel = live.duel
            duel.require_answered()
            before = duel.vote
            if before is None or before.ballot is None:
                return self._cast(live, ballot, UNSAID, blind=not duel.revealed)
            unchanged = before.ballot.verdict is ballot.verdict
            return self._cast(live, ballot, before.equivalent, blind=before.blind if unchanged else not duel.revealed)

    def judge(self, battle: str, session: str, equivalent: Sequence[bool | None]) -> Receipt:
        """Say of each side, left then right, whether it is equivalent to the reference.

        It comes after the vote, with which the reference is shown, and before the reveal.

        Raises:
            InvalidValue: other than two of True, False and None.
            Refused: no vote, no reference, or the arms were revealed.
            StoreError: it is not stored; the vote is as it was.
        """
        said = tuple(equivalent)
        if len(said) != 2 or not all(each is None or isinstance(each, bool) for each in said):
            raise InvalidValue.of("equivalence", expected="true, false or null for each side", got=repr(said)[:60])
        live = self._find(battle, session)
        with live.lock:
            vote = live.duel.vote
            if vote is None or vote.ballot is None:
                raise refused(Refusal.NO_VOTE)
            if not live.duel.prompt.reference:
                raise refused(Refusal.NO_REFERENCE)
            if live.duel.revealed and said != vote.equivalent:
                raise refused(Refusal.REVEALED)
            return self._cast(live, vote.ballot, said, blind=vote.blind)

    def undo(self, battle: str, session: str) -> Receipt:
        """Withdraw the vote; twice is as once.

        Raises:
            Refused: there never was a vote.
            StoreError: the vote is as it was.
        """
        live = self._find(battle, session)
        with live.lock:
            if live.duel.vote is None:
                raise refused(Refusal.NO_VOTE)
            return self._cast(live, None, UNSAID, blind=not live.duel.revealed)

    def reveal(self, battle: str, session: str) -> Battle:
        """Who was who: arms, fingerprints, lengths and seconds. A verdict changed after this is marked as not blind.

        Raises:
            Refused: there is no vote.
        """
        live = self._find(battle, session)
        with live.lock:
            vote = live.duel.vote
            if not live.duel.revealed and (vote is None or vote.ballot is None):
                raise refused(Refusal.NO_VOTE)
            live.duel = replace(live.duel, revealed=True)
            return live.duel.battle

    def _cast(self, live: Live, ballot: Ballot | None, equivalent: Equivalence, *, blind: bool) -> Receipt:
        duel = live.duel
        ended = duel.last.ended
        seconds = None if ended is None else self._clock() - ended
        vote = self._store.cast(duel.battle, duel.voter, ballot, equivalent=equivalent, seconds=seconds, blind=blind)
        live.duel = replace(duel, vote=vote)
        return Receipt(vote.ballot.verdict if vote.ballot else None, vote.equivalent, duel.prompt.reference)

    def _find(self, battle: str, session: str) -> Live:
        voter = self.voter(session)
        with self._lock:
            live = self._duels.get(battle)
            if live is not None:
                self._duels.move_to_end(battle)
        return self._restored(battle, voter) if live is None else _of(voter, live)

    def _restored(self, battle: str, voter: str) -> Live:
        """A duel that is not in memory any more, from the store."""
        stored = self._store.battle(battle) if battle.isprintable() and len(battle) < 100 else None
        if stored is None:
            raise refused(Refusal.UNKNOWN)
        live = _of(voter, Live(Duel.restored(stored, self._store.latest(battle, voter))))
        with self._lock:
            return self._duels.get(battle) or self._keep(live)

    def _keep(self, live: Live) -> Live:
        """Remember a duel; the caller holds the lock."""
        self._duels[live.duel.id] = live
        while len(self._duels) > self._most_duels:
            self._duels.popitem(last=False)
        return live


def _of(voter: str, live: Live) -> Live:
    """Raises Refused where a duel is another voter's."""
    if live.duel.voter != voter:
        raise refused(Refusal.FOREIGN)
    return live
