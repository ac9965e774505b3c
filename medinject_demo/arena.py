"""A battle's life: proposed, streamed, voted on, revealed, shared, and the vote changed or taken back.

Between the page, the engine and the store. Before the vote nothing that leaves here tells an arm: events and views name
places, identifiers come from chance, and errors of the engine, which may name an arm, go to the log. Knows no page.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
import threading
import time
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import replace
from random import Random
from typing import Final

from . import pairing
from .acquaintances import Acquaintances
from .domain import Battle, FinishReason, Mixture, Prompt, Sampling
from .duel import Duel, Refusal, Shown, refused
from .engine.base import Engine
from .errors import InvalidValue
from .matchmaking import Matchmaker
from .memory import Memory
from .prepared import Prepared
from .privacy import require_clean
from .prompts import layout
from .receipts import Receipt, Standing, require_fit
from .relay import Event, Live, halt, relay
from .votes.records import Ballot, Equivalence, unsaid
from .votes.store import VoteStore

MOST_DUELS: Final = 2_000
"""Duels kept in memory; beyond, the one left alone for longest is forgotten, unless a vote stored it."""
WARMTH: Final = 0.7
"""Temperature at which a greedy answer is given anew: greedy again, it would be the same word for word."""


class Arena:
    """Every order takes a session token, whose salted hash is the voter; another voter's duel is refused.

    A duel of another voter who shared it may be read and voted on, and nothing else.
    """

    def __init__(  # noqa: PLR0913 - what varies is an argument
        self,
        engine: Engine,
        store: VoteStore,
        *,
        secret: str,
        generator: Random,
        clock: Callable[[], float] = time.monotonic,
        new_id: Callable[[], str] = lambda: secrets.token_urlsafe(16),
        most_duels: int = MOST_DUELS,
        prepared: Prepared | None = None,
    ) -> None:
        """``prepared`` are kept answers of this engine; without them every duel is answered anew."""
        if not secret:
            raise InvalidValue.of("MEDINJECT_SECRET", expected="a secret", got="none", remedy="Set it, or draw one.")
        self._engine, self._store, self._secret = engine, store, secret
        self._generator, self._clock, self._new_id = generator, clock, new_id
        self._duels = Memory(store, most_duels)
        self._prepared = prepared or Prepared(engine, store.kept_answers(), ())
        self._matchmaker = Matchmaker(store, clock)
        self._acquaintances = Acquaintances(store)
        self._lock = threading.Lock()

    def voter(self, session: str) -> str:
        """The salted hash under which a session votes.

        Raises:
            InvalidValue: the session token is blank.
        """
        if not session.strip():
            raise InvalidValue.of("session", expected="a token", got="none", remedy="Reload the page.")
        said = session.encode("utf-8", "surrogatepass")
        return hmac.new(self._secret.encode(), said, hashlib.sha256).hexdigest()[:32]

    def propose(self, prompt: Prompt, session: str, sampling: Sampling = Sampling()) -> Shown:
        """Draw two arms and their sides for a prompt; ``stream`` lets them answer.

        Where there are two arms whose answers to it this voter has not seen by name, it is two of those.

        Raises:
            Refused: the prompt is empty, too long or holds control characters or what seems personal data.
            InvalidValue: fewer than two arms can answer.
        """
        known = self._matchmaker.known()

        def draw(seen: Collection[Mixture]) -> pairing.Drawn:
            arms = self._engine.mixtures
            return pairing.draw(arms, known.battles, self._generator, strong=known.strengths, seen=seen)

        return self._proposed(prompt, session, sampling, draw)

    def propose_ranking(self, prompt: Prompt, session: str, count: int, sampling: Sampling = Sampling()) -> Shown:
        """Draw so many arms and their order for a prompt, every set of arms as probable; ``stream`` lets them answer.

        Arms are avoided as in ``propose``, where so many others are left.

        Raises:
            Refused: as ``propose``.
            InvalidValue: fewer than three answers are asked for, or more than there are arms.
        """
        return self._proposed(
            prompt,
            session,
            sampling,
            lambda seen: pairing.draw_several(self._engine.mixtures, count, self._generator, seen),
        )

    def _proposed(
        self, prompt: Prompt, session: str, sampling: Sampling, draw: Callable[[Collection[Mixture]], pairing.Drawn]
    ) -> Shown:
        require_clean(layout(prompt))
        voter = self.voter(session)
        seen = self._acquaintances.to_avoid(voter, prompt.id)
        with self._lock:
            drawn = draw(seen)
            name = self._new_id()
        duel = Duel.asked(name, voter, prompt, drawn.arms, drawn.propensity, sampling)
        return self._duels.keep(duel).duel.shown

    def warm(self, prompts: Iterable[Prompt], sampling: Sampling, told: Callable[[Prompt], object]) -> None:
        """Have the bundled prompts answered by every arm before anybody asks; ``told`` hears of each.

        Raises:
            ModelError: an arm cannot answer.
        """
        self._prepared.warm(prompts, sampling, told)

    def compared(self, prompt: Prompt, session: str, arms: Iterable[Mixture]) -> None:
        """Remember that a visitor is shown these arms' answers to a prompt by name: a vote on them is blind no more."""
        if session.strip():
            self._acquaintances.compare(self.voter(session), prompt.id, arms)

    def shown(self, battle: str, session: str) -> Shown:
        """A duel as its voter may see it.

        Raises:
            Refused: the duel is unknown, or another voter's that was not shared; so for every order below.
        """
        return self._find(battle, session).duel.shown

    def standing(self, battle: str, session: str) -> Standing:
        """A duel and how far its voter, who comes back or is a guest, is with it."""
        live, now = self._find(battle, session), self._clock()
        return Standing.of(live.change(lambda duel: duel.arrived(now)))

    def stream(self, battle: str, session: str) -> Iterator[Event]:
        """All arms answer the last turn together. Closing this stops them; they can still be voted on.

        An answer that fails ends with ``error``, and the duel does not count; the others can be read.

        Raises:
            Refused: this turn is answered or being answered, or the engine cannot take it now.
            InvalidValue: the conversation is too long; the turn is dropped.
        """
        return relay(self._engine, self._find(battle, session), self._clock, self._prepared)

    def stop(self, battle: str, session: str, *places: int) -> Shown:
        """End these answers where they are. One that has ended stays as it is; where all have, the stream ends."""
        live = self._find(battle, session)
        halt(live, places, FinishReason.CANCELLED, self._clock())
        return live.duel.shown

    def regenerate(self, battle: str, session: str) -> Shown:
        """Have all arms answer the last turn anew, with another seed; ``stream`` lets them.

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
        """Go on with the conversation: one more message to all arms; ``stream`` lets them answer.

        Raises:
            Refused: the message is held back as a prompt would be, the answers have not ended, one failed, a vote was
                stored, or the conversation has its most turns.
        """
        require_clean(message)
        live = self._find(battle, session)
        return live.change(lambda duel: duel.followed_up(message.strip(), sampling)).shown

    def vote(self, battle: str, session: str, ballot: Ballot, *, first: bool = False) -> Receipt:
        """Store a vote, or a change of it. When this returns it is on the disk; the same vote again changes nothing.

        It is not blind after the reveal, nor where the voter has seen by name what one of these arms answers to this
        prompt. ``first`` is given by who knows of no vote that this one would change: where one stands, it stays.

        Raises:
            Refused: the answers have not ended, or one failed; or a vote stands where this should be the first.
            InvalidValue: a verdict on more than two answers, or a ranking of others than these.
            StoreError: the vote is not stored; it can be tried again.
        """
        live = self._find(battle, session)
        with live.lock:
            duel = live.duel
            duel.require_answered()
            require_fit(ballot, len(duel.arms))
            before = duel.vote
            if before is None or before.ballot is None:
                return self._cast(live, ballot, unsaid(len(duel.arms)), blind=self._is_blind(duel))
            if first:
                raise refused(Refusal.STANDS)
            blind = before.blind if before.says_again(ballot) else self._is_blind(duel)
            return self._cast(live, ballot, before.equivalent, blind=blind)

    def judge(self, battle: str, session: str, equivalent: Sequence[bool | None]) -> Receipt:
        """Say of each answer, in display order, whether it is equivalent to the reference.

        It comes after the vote, with which the reference is shown, and before the reveal.

        Raises:
            InvalidValue: other than one of True, False and None for each answer.
            Refused: no vote, no reference, or the arms were revealed.
            StoreError: it is not stored; the vote is as it was.
        """
        said, live = tuple(equivalent), self._find(battle, session)
        with live.lock:
            if len(said) != len(live.duel.arms) or not all(each is None or isinstance(each, bool) for each in said):
                raise InvalidValue.of("equivalence", expected="true, false or null for each side", got=repr(said)[:60])
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
            return self._cast(live, None, unsaid(len(live.duel.arms)), blind=not live.duel.revealed)

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

    def share(self, battle: str, session: str) -> None:
        """Let whoever has the identifier of a duel that its maker voted on read it and vote on it.

        Raises:
            Refused: there is no vote, or the duel is not one's own.
            StoreError: the duel is not shared.
        """
        live = self._find(battle, session)
        with live.lock:
            live.duel.require_own()
            if live.duel.vote is None or live.duel.vote.ballot is None:
                raise refused(Refusal.NO_VOTE)
            self._store.links.share(battle)

    def _is_blind(self, duel: Duel) -> bool:
        """True where the voter was told no arm of a duel, and has seen by name no answer of one to its prompt."""
        if duel.revealed:
            return False
        return self._acquaintances.known(duel.voter, duel.prompt.id, but=duel.id).isdisjoint(duel.arms)

    def _cast(self, live: Live, ballot: Ballot | None, equivalent: Equivalence, *, blind: bool) -> Receipt:
        duel = live.duel
        ended, seconds = duel.last.ended, None
        if duel.vote is not None and duel.vote.says_again(ballot):  # what is said beside a verdict takes its own time
            seconds = duel.vote.seconds
        elif ended is not None:
            seconds = self._clock() - ended
        vote = self._store.cast(duel.battle, duel.voter, ballot, equivalent=equivalent, seconds=seconds, blind=blind)
        live.duel = replace(duel, vote=vote)
        return Receipt.of(vote, duel.prompt)

    def _find(self, battle: str, session: str) -> Live:
        return self._duels.find(battle, self.voter(session))
