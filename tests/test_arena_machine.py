"""Whatever the order of orders: illegal ones are refused, at most one vote lives, no reveal comes before a vote."""

from __future__ import annotations

import shutil
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, MultipleResults, RuleBasedStateMachine, initialize, invariant, multiple, rule

from medinject_demo.domain import MIXTURES, FinishReason, Mixture, Verdict
from medinject_demo.duel import MOST_TURNS, Refusal, Side
from medinject_demo.engine.base import Request
from medinject_demo.errors import Refused
from medinject_demo.receipts import Standing
from medinject_demo.relay import Ended, Event
from medinject_demo.votes.records import Ballot

from .duels import ME, OPEN, OTHER, WITH_REFERENCE, arena_at, parrot

SESSIONS = st.sampled_from([ME, OTHER])


@dataclass
class Voice:
    """What one voter, its maker or a guest, has made of a duel."""

    verdict: Verdict | None = None
    blind: bool = True
    voted_once: bool = False
    revealed: bool = False


@dataclass
class Model:
    """What a duel should be, in the simplest terms."""

    owner: str
    reference: bool
    arms: frozenset[Mixture]
    turns: int = 1
    stage: str = "asked"
    voices: dict[str, Voice] = field(default_factory=lambda: {ME: Voice(), OTHER: Voice()})
    shared: bool = False
    forgotten: bool = False
    stream: Iterator[Event] | None = None
    ended: set[Side] = field(default_factory=set)
    fails: bool = False

    @property
    def own(self) -> Voice:
        """Its maker's."""
        return self.voices[self.owner]

    def guest(self, session: str) -> Refusal | None:
        """Why what only its maker may do is refused."""
        return None if session == self.owner else Refusal.FOREIGN


class Duels(RuleBasedStateMachine):
    duels = Bundle("duels")

    @initialize(target=duels, session=SESSIONS)
    def open(self, session: str) -> MultipleResults[str]:
        """Begins with two duels that are answered: by single orders alone, hardly any would get as far as a vote."""
        self.folder = Path(tempfile.mkdtemp())
        self.models: dict[str, Model] = {}
        self.compared: dict[tuple[str, bool], set[Mixture]] = {}
        self.restarts = 0
        self.failing = False
        self.arena = arena_at(self.folder, self.say)
        return multiple(self.answered(session, False), self.answered(session, True))

    def say(self, request: Request) -> str:
        if self.failing:
            raise RuntimeError("failing")
        return parrot(request)

    def teardown(self) -> None:
        if hasattr(self, "arena"):
            self.arena._store.close()
            shutil.rmtree(self.folder)

    def order(self, duel: str, session: str, order: Callable[[], object], refusal: Refusal | None) -> bool:
        """Give an order; it is refused exactly where the model says so, and the refusal is the model's."""
        model = self.models[duel]
        if model.forgotten or (model.owner != session and not model.shared):
            refusal = Refusal.UNKNOWN
        if refusal is None:
            order()
            return True
        with pytest.raises(Refused) as held:
            order()
        assert held.value.codes == (refusal,)
        return False

    @rule(target=duels, session=SESSIONS, reference=st.booleans())
    def play(self, session: str, reference: bool) -> str:
        return self.answered(session, reference)

    def answered(self, session: str, reference: bool) -> str:
        duel = self.proposed(session, reference)
        list(self.arena.stream(duel, session))
        self.models[duel].stage = "answered"
        return duel

    @rule(target=duels, session=SESSIONS, reference=st.booleans())
    def propose(self, session: str, reference: bool) -> str:
        return self.proposed(session, reference)

    def proposed(self, session: str, reference: bool) -> str:
        arena_ids = f"{self.restarts}-{len(self.models)}"
        self.arena._new_id = lambda: arena_ids
        duel = self.arena.propose(WITH_REFERENCE if reference else OPEN, session).id
        arms = frozenset(self.arena._duels[duel].duel.arms)
        seen = self.seen(session, reference)
        assert arms.isdisjoint(seen) or len(seen) > len(MIXTURES) - 2
        self.models[duel] = Model(session, reference, arms)
        return duel

    def seen(self, session: str, reference: bool, but: Model | None = None) -> set[Mixture]:
        """The arms whose answers to one of the two prompts a voter has seen by name, but for those of one duel."""
        voted = (
            each.arms
            for each in self.models.values()
            if each.reference == reference and each.voices[session].voted_once and each is not but
        )
        return self.compared.get((session, reference), set()).union(*voted)

    @rule(duel=duels, arms=st.sampled_from([MIXTURES[:3], MIXTURES[3:]]))
    def compare(self, duel: str, arms: tuple[Mixture, ...]) -> None:
        """The maker of a duel compares what it asks."""
        model = self.models[duel]
        self.arena.compared(WITH_REFERENCE if model.reference else OPEN, model.owner, arms)
        self.compared.setdefault((model.owner, model.reference), set()).update(arms)

    @rule(duel=duels, session=SESSIONS, events=st.integers(1, 4), fails=st.booleans())
    def begin(self, duel: str, session: str, events: int, fails: bool) -> None:
        model = self.models[duel]
        stream = self.arena.stream
        self.failing = fails
        started: list[Iterator[Event]] = []

        def order() -> None:
            started.append(stream(duel, session))
            self.hear(model, started[0], events)

        before, model.ended = model.ended, set()
        if self.order(duel, session, order, None if model.stage == "asked" else Refusal.UNDER_WAY):
            model.stream = started[0]
            model.fails = fails
            model.stage = "answering" if len(model.ended) < 2 else model.stage
        else:
            model.ended = before
        self.failing = False

    def hear(self, model: Model, stream: Iterator[Event], events: int) -> None:
        for _, event in zip(range(events), stream, strict=False):
            self.note(model, event)

    def note(self, model: Model, event: Event) -> None:
        if isinstance(event, Ended):
            model.ended.add(event.place)
            model.fails |= event.reason is FinishReason.ERROR
            if len(model.ended) == 2:
                model.stage = "failed" if event.reason is FinishReason.ERROR or model.fails else "answered"

    @rule(duel=duels)
    def hear_out(self, duel: str) -> None:
        model = self.models[duel]
        if model.stream is not None and model.stage == "answering":
            for event in model.stream:
                self.note(model, event)

    @rule(duel=duels)
    def leave(self, duel: str) -> None:
        model = self.models[duel]
        if model.stream is not None and model.stage == "answering":
            model.stream.close()  # type: ignore[attr-defined]
            model.stage = "failed" if model.fails else "answered"

    @rule(duel=duels, session=SESSIONS, sides=st.sets(st.sampled_from(Side)))
    def stop(self, duel: str, session: str, sides: set[Side]) -> None:
        model = self.models[duel]
        if (
            self.order(duel, session, lambda: self.arena.stop(duel, session, *sides), None)
            and model.stage == "answering"
        ):
            model.ended |= sides
            if len(model.ended) == 2:
                model.stage = "failed" if model.fails else "answered"

    @rule(duel=duels, session=SESSIONS)
    def regenerate(self, duel: str, session: str) -> None:
        model = self.models[duel]
        refusal = Refusal.NOT_ANSWERED if model.stage in ("asked", "answering") else None
        refusal = Refusal.VOTED if model.own.voted_once else refusal
        refusal = model.guest(session) or refusal
        if self.order(duel, session, lambda: self.arena.regenerate(duel, session), refusal):
            model.stage, model.fails = "asked", False

    @rule(duel=duels, session=SESSIONS)
    def follow_up(self, duel: str, session: str) -> None:
        model = self.models[duel]
        refusal = self.unanswered(model) or model.guest(session)
        if refusal is None and model.own.voted_once:
            refusal = Refusal.VOTED
        elif refusal is None and model.turns == MOST_TURNS:
            refusal = Refusal.TOO_MANY_TURNS
        if self.order(duel, session, lambda: self.arena.follow_up(duel, session, "Et après ?"), refusal):
            model.stage, model.turns, model.fails = "asked", model.turns + 1, False

    def unanswered(self, model: Model) -> Refusal | None:
        if model.stage == "failed":
            return Refusal.FAILED
        return None if model.stage == "answered" else Refusal.NOT_ANSWERED

    @rule(duel=duels, session=SESSIONS, verdict=st.sampled_from(Verdict), twice=st.booleans())
    def vote(self, duel: str, session: str, verdict: Verdict, twice: bool) -> None:
        model = self.models[duel]
        for _ in range(1 + twice):
            vote = Ballot(verdict)
            if self.order(
                duel, session, lambda vote=vote: self.arena.vote(duel, session, vote), self.unanswered(model)
            ):
                voice = model.voices[session]
                if voice.verdict is not verdict:
                    known = self.seen(session, model.reference, model)
                    voice.blind = not voice.revealed and model.arms.isdisjoint(known)
                voice.verdict, voice.voted_once = verdict, True

    @rule(duel=duels, session=SESSIONS)
    def undo(self, duel: str, session: str) -> None:
        model = self.models[duel]
        refusal = None if model.voices[session].voted_once else Refusal.NO_VOTE
        if self.order(duel, session, lambda: self.arena.undo(duel, session), refusal):
            model.voices[session].verdict = None

    @rule(duel=duels, session=SESSIONS, said=st.tuples(st.booleans(), st.none()))
    def judge(self, duel: str, session: str, said: tuple[bool | None, ...]) -> None:
        model = self.models[duel]
        refusal = None if model.reference else Refusal.NO_REFERENCE
        if model.voices[session].verdict is None:
            refusal = Refusal.NO_VOTE
        elif refusal is None and model.voices[session].revealed:
            vote = self.arena._store.latest(duel, self.arena.voter(session))
            refusal = None if vote is not None and vote.equivalent == said else Refusal.REVEALED
        self.order(duel, session, lambda: self.arena.judge(duel, session, said), refusal)

    @rule(duel=duels, session=SESSIONS)
    def reveal(self, duel: str, session: str) -> None:
        model, voice = self.models[duel], self.models[duel].voices[session]
        refusal = None if voice.verdict or voice.revealed else Refusal.NO_VOTE
        if self.order(duel, session, lambda: self.arena.reveal(duel, session), refusal):
            assert voice.voted_once
            assert session == model.owner or model.shared
            voice.revealed = True

    @rule(duel=duels, session=SESSIONS)
    def share(self, duel: str, session: str) -> None:
        model = self.models[duel]
        refusal = model.guest(session) or (None if model.own.verdict else Refusal.NO_VOTE)
        if self.order(duel, session, lambda: self.arena.share(duel, session), refusal):
            model.shared = True

    @rule(duel=duels, session=SESSIONS)
    def arrive(self, duel: str, session: str) -> None:
        """What a page is told is what its voter may know: never the arms before their own vote."""
        model, voice = self.models[duel], self.models[duel].voices[session]
        told: list[Standing] = []
        if self.order(duel, session, lambda: told.append(self.arena.standing(duel, session)), None):
            (at,) = told
            assert at.guest == (session != model.owner)
            assert (at.battle is not None) == voice.revealed
            assert (at.receipt is not None) == voice.voted_once
            assert (at.receipt.verdict if at.receipt else None) is voice.verdict

    @rule()
    def restart(self) -> None:
        """Another program on the same store: what was voted on is there, and held for revealed; the rest is gone."""
        if self.restarts >= 2:
            return
        self.restarts += 1
        self.arena._store.close()
        self.arena = arena_at(self.folder, self.say)
        self.compared.clear()
        for model in self.models.values():
            model.stream = None
            for voice in model.voices.values():
                voice.revealed |= voice.voted_once
            model.forgotten |= not model.own.voted_once

    @invariant()
    def at_most_one_vote_lives_for_each_battle_and_voter(self) -> None:
        if not hasattr(self, "arena"):
            return
        live = self.arena._store.live_votes()
        assert max(Counter((each.vote.battle, each.vote.voter) for each in live).values(), default=0) <= 1
        said = {(each.vote.battle, each.vote.voter): (each.ballot.verdict, each.vote.blind) for each in live}
        assert said == {
            (name, self.arena.voter(session)): (voice.verdict, voice.blind)
            for name, model in self.models.items()
            for session, voice in model.voices.items()
            if voice.verdict
        }


TestDuels = Duels.TestCase
TestDuels.settings = settings(max_examples=150, stateful_step_count=40, deadline=None)
