"""What becomes of votes that are given away: there and back, at each failure of a Hub, and before trl's trainers.

The Hub is a scripted one on the loopback, spoken to by the real library. Knows no page.
"""

from __future__ import annotations

import json
import logging
import random
import secrets
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Final

from .adapters.registry import MINIATURE, profile
from .domain import MIXTURES, Answer, Battle, FinishReason, Mixture, Sampling, Turn, Verdict
from .errors import ModelError, StoreError
from .prompts import load_prompts
from .votes.database import Database
from .votes.exchange import records
from .votes.forgetting import forget
from .votes.giving import export, import_from
from .votes.hub import HubDataset, synchronise
from .votes.records import Ballot, Criterion
from .votes.scripted_hub import Call, Failure, ScriptedHub, scripted_hub
from .votes.shelf import Shelf
from .votes.store import VoteStore

if TYPE_CHECKING:
    from datasets import Dataset

DATASET: Final = "group/votes"
LEAVING: Final = "une personne qui demande l'oubli"
"""Hash of a voter, which also stands in what they typed: one search finds both."""
STEPS: Final = 2
"""Steps that each trainer takes."""


@dataclass(frozen=True)
class Failed:
    """One call of the Hub that failed, and what became of the votes."""

    scene: str
    call: str
    place: int
    """Which call of the round it was, from 1."""
    failure: str
    said: str
    """What the round said: nothing where the library tried again by itself."""
    lost: int
    doubled: int
    completed: bool
    """True where the next round left every vote once in both databases and in the data set, and no erased text."""


@dataclass(frozen=True)
class Trained:
    """What one of trl's trainers made of a file."""

    form: str
    trainer: str
    rows: int
    conversational: bool
    loss: float


@dataclass(frozen=True)
class RoundTrip:
    """Votes exported in a form and imported elsewhere."""

    form: str
    votes: int
    """Rows, every version and withdrawals included."""
    same: bool
    """True where the votes that count and the counts of every pair are equal."""
    again: int
    """Rows that a second import of the same file added."""


@dataclass(frozen=True)
class Given:
    """Everything measured."""

    trips: Sequence[RoundTrip]
    failed: Sequence[Failed]
    trained: Sequence[Trained]
    trl: str
    hub: str
    """Versions of the two libraries."""

    @property
    def holds(self) -> bool:
        """True where nothing was lost, doubled, changed or refused."""
        trips = all(each.same and not each.again for each in self.trips)
        failed = all(each.completed and not each.lost and not each.doubled for each in self.failed)
        trained = all(each.conversational and each.rows for each in self.trained)
        return trips and failed and trained

    def as_json(self) -> str:
        """Every figure, for a machine."""
        return json.dumps({"holds": self.holds} | asdict(self), ensure_ascii=False, indent=2)

    def as_markdown(self, command: str) -> str:
        """The part of the document."""
        trips = _table(
            ("form", "rows", "same votes that count, same counts of every pair", "rows added by a second import"),
            [(each.form, each.votes, _yes(each.same), each.again) for each in self.trips],
        )
        failed = _table(
            ("round", "call of the Hub", "failure", "what the round said", "lost", "doubled", "next round completes"),
            [
                (
                    each.scene,
                    f"{each.place}. {each.call}",
                    each.failure,
                    each.said,
                    each.lost,
                    each.doubled,
                    _yes(each.completed),
                )
                for each in self.failed
            ],
        )
        trained = _table(
            ("file", "trainer", "rows", "conversational", f"loss after {STEPS} steps"),
            [
                (each.form, each.trainer, each.rows, _yes(each.conversational), f"{each.loss:.3f}")
                for each in self.trained
            ],
        )
        return (
            f"Written by `{command}`.\n\n"
            f"**There and back.** Votes with changes, withdrawals, follow-ups and comments, exported and imported into "
            f"an empty database:\n\n{trips}\n\n"
            f"**A Hub that fails.** The library ({self.hub}) speaks to a scripted Hub on the loopback, with a failure "
            "at every call of two rounds in turn: one makes the data set and pushes; the other pulls what another "
            "instance pushed, writes a shard anew from which a person was erased, and drops the history. *cut*: it was "
            "done, and the body of the answer ends halfway. *lost* and *doubled* are votes, in the database and in the "
            "data set, right after the failure; then one round without a failure:\n\n"
            f"{failed}\n\n"
            f"**trl's trainers** ({self.trl}) on the miniature's base and its tokenizer:\n\n{trained}"
        )


def measure(votes: int, say: Callable[[str], None]) -> Given:
    """Measure everything, and say what is being done.

    Raises:
        ModelError: trl is not installed, or the miniature is not here.
    """
    require_trl()
    import huggingface_hub
    import trl

    logging.getLogger("huggingface_hub").setLevel(logging.ERROR)  # it would tell of failures made on purpose
    with tempfile.TemporaryDirectory() as made:
        folder = Path(made)
        with _filled(folder, votes) as database:
            say("there and back")
            trips = [_there_and_back(database, form, folder) for form in ("csv", "parquet", "jsonl")]
            say("a Hub that fails")
            failed = list(failures(folder, say))
            say("trl's trainers")
            trained = [_trained(database, form, folder) for form in ("dpo", "kto")]
    return Given(trips, failed, trained, f"trl {trl.__version__}", f"huggingface_hub {huggingface_hub.__version__}")


def require_trl() -> None:
    """Say at once where the trainers are missing.

    Raises:
        ModelError: the sentence names what to install.
    """
    try:
        import datasets  # noqa: F401
        import trl  # noqa: F401
    except ModuleNotFoundError as error:
        remedy = "Run: pip install -r requirements-train.txt"
        raise ModelError.of(
            "bench giving", expected="trl and datasets", got=f"no {error.name}", remedy=remedy
        ) from error


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


SCENES: Final = ("first push", "pull and erase")


@dataclass(frozen=True)
class _Stage:
    """A database, a data set, and what both must hold in the end."""

    database: Database
    hub: ScriptedHub

    def round(self) -> None:
        synchronise(Shelf(self.database, DATASET), HubDataset(DATASET, endpoint=self.hub.endpoint))

    def failing(self, scene: str, place: int, call: Call, failure: Failure) -> Failed:
        """One round with a failure at its nth call, then one without."""
        mine, there = _ids(self.database), {row["vote"] for row in self.hub.rows}
        before = len(self.hub.calls)
        self.hub.fault = lambda _: failure if len(self.hub.calls) - before == place else None
        try:
            self.round()
            said = "done, for it was tried again or is not needed"
        except StoreError as error:
            said = str(error).partition(", got ")[2].partition(". The votes")[0].partition(" for url")[0][:80]
        lost = len(mine - _ids(self.database)) + len(there - {row["vote"] for row in self.hub.rows})
        doubled = self._doubled()
        self.hub.fault = lambda _: None
        self.round()
        return Failed(scene, call, place, failure, said, lost, doubled, self._whole(mine | there))

    def _doubled(self) -> int:
        ids = [row["vote"] for row in self.hub.rows]
        live = VoteStore(self.database).live_votes()
        return len(ids) - len(set(ids)) + len(live) - len({(each.vote.battle, each.vote.voter) for each in live})

    def _whole(self, expected: set[str]) -> bool:
        everywhere = _ids(self.database) == {row["vote"] for row in self.hub.rows} == expected
        asked_to_leave = not _ids(self.database, LEAVING)
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


@contextmanager
def _filled(folder: Path, battles: int) -> Iterator[Database]:
    with closing(Database(f"sqlite:///{folder}/votes.db")) as database:
        voters = [f"{number:032x}" for number in range(1, 21)]
        cast_some(VoteStore(database), random.Random(3), battles, *voters)
        yield database


def _there_and_back(database: Database, form: str, folder: Path) -> RoundTrip:
    place = folder / f"votes.{form}"
    rows = export(database, form, place)
    with closing(Database(f"sqlite:///{folder}/{form}.db")) as other:
        import_from(other, str(place))
        again = import_from(other, str(place)).new
        ours, theirs = VoteStore(database), VoteStore(other)
        same = ours.live_votes() == theirs.live_votes() and ours.counts() == theirs.counts()
        return RoundTrip(form, rows, same and _ids(other) == _ids(database), again)


def _trained(database: Database, form: str, folder: Path) -> Trained:
    """A file through trl's own check and a trainer's own preparation, then a few steps."""
    import datasets
    from trl.data_utils import is_conversational

    place = folder / f"{form}.jsonl"
    export(database, form, place)
    rows = datasets.load_dataset("json", data_files=str(place), split="train", cache_dir=str(folder / "cache"))
    conversational = all(map(is_conversational, rows))
    name, loss = _steps(form, rows, folder)
    return Trained(form, name, len(rows), conversational, loss)


def _steps(form: str, rows: Dataset, folder: Path) -> tuple[str, float]:
    import trl
    from transformers import AutoModelForCausalLM, AutoTokenizer

    base = profile(MINIATURE).base
    kind = form.upper()
    config = getattr(trl, f"{kind}Config")(
        output_dir=str(folder / form),
        max_steps=STEPS,
        per_device_train_batch_size=4,
        max_length=512,
        use_cpu=True,
        bf16=False,
        gradient_checkpointing=False,
        report_to="none",
        save_strategy="no",
        logging_steps=1,
        disable_tqdm=True,
    )
    model, tokenizer = AutoModelForCausalLM.from_pretrained(base), AutoTokenizer.from_pretrained(base)
    trainer = getattr(trl, f"{kind}Trainer")(model=model, args=config, train_dataset=rows, processing_class=tokenizer)
    return f"{kind}Trainer", float(trainer.train().training_loss)


def _ids(database: Database, voter: str = "") -> set[str]:
    found = database.read(lambda connection: [record.vote for record in records(connection)])
    return {vote["id"] for vote in found if voter in ("", vote["voter"])}


def _bundled() -> frozenset[str]:
    return frozenset(prompt.id for prompt in load_prompts())


def _table(head: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(map(str, line))} |" for line in lines)


def _yes(holds: bool) -> str:
    return "yes" if holds else "**no**"
