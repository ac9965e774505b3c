"""What becomes of votes that are given away: there and back, at each failure of a Hub, and before trl's trainers.

The Hub is a scripted one on the loopback, spoken to by the real library. Knows no page.
"""

from __future__ import annotations

import json
import logging
import random
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from .adapters.registry import MINIATURE, profile
from .errors import ModelError
from .votes.database import Database
from .votes.failures import Failed, cast_some, failures, ids_in
from .votes.giving import export, import_from
from .votes.store import VoteStore

if TYPE_CHECKING:
    from datasets import Dataset

STEPS: Final = 2
"""Steps that each trainer takes."""


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
        return RoundTrip(form, rows, same and ids_in(other) == ids_in(database), again)


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


def _table(head: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(map(str, line))} |" for line in lines)


def _yes(holds: bool) -> str:
    return "yes" if holds else "**no**"
