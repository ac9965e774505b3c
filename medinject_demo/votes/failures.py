"""A Hub that fails at each of its calls in turn, and what became of the votes: for the laws and for ``bench giving``.

Two rounds are played, each time in databases and a data set of its own: a first push, and a pull on top of which text
is erased. The Hub is a scripted one on the loopback, spoken to by the real library.
"""

from __future__ import annotations

import random
import secrets
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from ..domain import MIXTURES, Answer, Battle, FinishReason, Mixture, Sampling, Turn, Verdict
from ..errors import StoreError
from ..prompts import load_prompts
from .database import Database
from .exchange import records
from .forgetting import forget
from .hub import HubDataset, synchronise
from .records import Ballot, Criterion
from .scripted_hub import Call, Failure, ScriptedHub, scripted_hub
from .shelf import Shelf
from .store import VoteStore

DATASET: Final = "group/votes"
LEAVING: Final = "une personne qui demande l'oubli"
"""Hash of a voter, which also stands in what they typed: one search finds both."""
SCENES: Final = ("first push", "pull and erase")


@dataclass(frozen=True)
class Failed:
    """One call of the Hub that failed, and what became of the votes."""

    scene: str
    call: str
    place: int
    """Which call of the round it was, from 1."""
    failure: str
    said: str
    """What the round said."""
    lost: int
    doubled: int
    completed: bool
    """True where the next round left every vote once in the database and in the data set, and no erased text."""


def failures(folder: Path, say: Callable[[str], None] = lambda line: None) -> Iterator[Failed]:
    """Every failure at every call of each scene's round, each time in databases and a data set of its own."""
    for scene in SCENES:
        with _stage(folder / scene, scene) as stage:
            stage.round()
            calls = list(stage.hub.calls)
        for place, call in enumerate(calls, start=1):
            say(f"{scene}, call {place} of {len(calls)}: {call}")
            for failure in Failure:
                with _stage(folder / f"{scene}-{place}-{failure.name}", scene) as stage:
                    yield stage.failing(scene, place, call, failure)


@dataclass(frozen=True)
class _Stage:
    """A database, a data set, and what both must hold in the end."""

    database: Database
    hub: ScriptedHub

    def round(self) -> None:
        synchronise(Shelf(self.database, DATASET), HubDataset(DATASET, endpoint=self.hub.endpoint))

    def failing(self, scene: str, place: int, call: Call, failure: Failure) -> Failed:
        """One round with a failure at its nth call, then one without."""
        mine, there = ids_in(self.database), {row["vote"] for row in self.hub.rows}
        before = len(self.hub.calls)
        self.hub.fault = lambda _: failure if len(self.hub.calls) - before == place else None
        try:
            self.round()
            said = "done, for it was tried again or is not needed"
        except StoreError as error:
            said = str(error).partition(", got ")[2].partition(". The votes")[0].partition(" for url")[0][:80]
        lost = len(mine - ids_in(self.database)) + len(there - {row["vote"] for row in self.hub.rows})
        doubled = self._doubled()
        self.hub.fault = lambda _: None
        self.round()
        return Failed(scene, call, place, failure, said, lost, doubled, self._whole(mine | there))

    def _doubled(self) -> int:
        ids = [row["vote"] for row in self.hub.rows]
        live = VoteStore(self.database).live_votes()
        return len(ids) - len(set(ids)) + len(live) - len({(each.vote.battle, each.vote.voter) for each in live})

    def _whole(self, expected: set[str]) -> bool:
        everywhere = ids_in(self.database) == {row["vote"] for row in self.hub.rows} == expected
        asked_to_leave = not ids_in(self.database, LEAVING)
        erased = not (asked_to_leave and self.hub.mentions(LEAVING))
        return everywhere and not self._doubled() and erased and self.hub.private


@contextmanager
def _stage(folder: Path, scene: str) -> Iterator[_Stage]:
    """The scene as it stands before its round."""
    with (
        scripted_hub() as hub,
        closing(Database(f"sqlite:///{folder}/ours.db")) as ours,
        closing(Database(f"sqlite:///{folder}/other.db")) as other,
    ):
        stage = _Stage(ours, hub)
        cast_some(VoteStore(ours), random.Random(1), 3, LEAVING)
        if scene == SCENES[1]:
            stage.round()
            cast_some(VoteStore(other), random.Random(2), 2, "une autre personne")
            _Stage(other, hub).round()
            ours.write(lambda connection: forget(connection, LEAVING, _bundled(), lambda: secrets.token_hex(12)))
        hub.calls.clear()
        yield stage


def cast_some(store: VoteStore, generator: random.Random, battles: int, *voters: str) -> None:
    """Votes as visitors cast them: on bundled and typed questions, with follow-ups, changes and withdrawals."""
    prompts = load_prompts()
    for number in range(battles):
        voter, name, prompt = generator.choice(voters), f"{generator.getrandbits(64):016x}", generator.choice(prompts)
        if number % 3 == 0:
            prompt = replace(prompt, question=f"Question saisie par {voter}, {number} ?")
        arms = generator.sample(MIXTURES, 2)
        first, *more = (tuple(_answer(arm, generator) for arm in arms) for _ in range(1 + number % 2))
        turns = tuple(Turn(f"Et ensuite, demande {voter} ?", Sampling(seed=number), each) for each in more)
        battle = Battle(name, prompt, Sampling(seed=number), first, 1 / 28, voter, turns)
        for _ in range(generator.choice((1, 1, 2))):
            said = None if generator.random() < 0.1 else _ballot(generator)
            store.cast(battle, voter, said, seconds=generator.uniform(1, 90), blind=generator.random() < 0.9)


def _ballot(generator: random.Random) -> Ballot:
    criteria = tuple(frozenset(generator.sample(list(Criterion), generator.randrange(3))) for _ in range(2))
    comment = generator.choice(("", "=SOMME(A1)", "Trop long, hélas", "'+1"))
    return Ballot(generator.choice(list(Verdict)), criteria, comment)


def _answer(arm: Mixture, generator: random.Random) -> Answer:
    words = " ".join(generator.choices(("**fièvre**", "toux", "œdème 💪", "- repos", "\n# Réponse"), k=12))
    return Answer(arm, f"empreinte-{arm}", words, FinishReason.STOP, 12, generator.uniform(0.1, 4))


def ids_in(database: Database, voter: str = "") -> set[str]:
    """The votes of a database, every version; those of one voter where one is named."""
    found = database.read(lambda connection: [record.vote for record in records(connection)])
    return {vote["id"] for vote in found if voter in ("", vote["voter"])}


def _bundled() -> frozenset[str]:
    return frozenset(prompt.id for prompt in load_prompts())
