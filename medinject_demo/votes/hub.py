"""Votes to a data set of the Hub and from it: append-only shards of JSON Lines, named by the hash of what they hold.

A round pulls first, pushes on top of exactly what it pulled (``parent_commit``), and may be cut short at any call: the
next one finds what is there by its name, and goes on. Text that was erased here is written out of the shards and of
the data set's history. Knows neither the page nor SQL.
"""

from __future__ import annotations

import hashlib
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from ..errors import InvalidData, StoreError
from .card import card
from .database import Unfit
from .exchange import Merged
from .formats import line_of, rows_of_lines
from .moments import moment_of, text_of
from .sheet import Record, record_of, row_of
from .shelf import Shelf

if TYPE_CHECKING:
    from huggingface_hub import HfApi

CARD: Final = "README.md"
FOLDER: Final = "data/"
VOTES: Final = 500
"""Votes of a shard at most: some megabytes, below what the Hub would keep as a large file."""
SHARDS: Final = 10
"""Shards of a commit at most."""
MOST_SHARDS: Final = 1_000
"""Shards of a data set, beside twice as many as its votes need; beyond, all are written anew as few large ones."""
ATTEMPTS: Final = 4
"""Rounds begun anew because another instance pushed meanwhile."""
PATIENCE: Final = 30.0
"""Seconds for a connection, or between two bytes; the library alone would wait without end."""


class Conflict(StoreError):
    """Somebody else pushed since the pull."""


@dataclass(frozen=True)
class Head:
    """A commit of the data set, and the files in it."""

    commit: str
    files: frozenset[str]

    @property
    def shards(self) -> list[str]:
        """The shards, in the order of their names."""
        return sorted(name for name in self.files if name.startswith(FOLDER) and name.endswith(".jsonl"))


@dataclass(frozen=True)
class Outcome:
    """What a round did."""

    pulled: Merged
    pushed: int = 0
    """Votes written, those written anew included."""
    rewritten: int = 0
    """Shards replaced."""
    faults: tuple[str, ...] = ()
    """Shards that were not taken, each in a sentence."""

    @property
    def sentence(self) -> str:
        """What a person is told."""
        said = f"{self.pulled.new} votes pulled, {self.pushed} pushed"
        said += f", {self.rewritten} shards written anew" if self.rewritten else ""
        return f"{said}.{''.join(f' Not taken: {fault}' for fault in self.faults)}"


class HubDataset:
    """The calls that a round makes of the Hub. Making one calls nothing.

    Every method may raise StoreError: the Hub does not answer, or refuses.
    """

    def __init__(self, name: str, *, token: str | None = None, endpoint: str | None = None) -> None:
        self.name, self._token, self._endpoint = name, token, endpoint

    def head(self) -> Head:
        """What is there now; the data set is made where there is none, private."""
        from huggingface_hub.errors import RepositoryNotFoundError

        with _answering(self.name):
            try:
                info = self._api.dataset_info(self.name, timeout=PATIENCE)
            except RepositoryNotFoundError:
                self._api.create_repo(self.name, repo_type="dataset", private=True, exist_ok=True)
                info = self._api.dataset_info(self.name, timeout=PATIENCE)
            return Head(str(info.sha), frozenset(each.rfilename for each in info.siblings or ()))

    def read(self, shard: str, commit: str) -> bytes:
        """The content of a shard, which is what its name says, or an error."""
        with _answering(self.name), tempfile.TemporaryDirectory() as place:
            path = self._api.hf_hub_download(
                self.name, shard, repo_type="dataset", revision=commit, local_dir=place, etag_timeout=PATIENCE
            )
            content = Path(path).read_bytes()
        if Path(shard).stem != _hash(content):
            got = "another content"
            raise InvalidData.of(f"data set {self.name}, {shard}", expected="what its name is the hash of", got=got)
        return content

    def commit(self, files: Mapping[str, bytes], gone: Sequence[str], parent: str) -> str:
        """Put files in and take others out, all at once, on top of ``parent``; the new commit comes back.

        Raises:
            Conflict: there is another commit on top of it.
        """
        from huggingface_hub import CommitOperationAdd, CommitOperationDelete
        from huggingface_hub.errors import HfHubHTTPError

        operations: list[CommitOperationAdd | CommitOperationDelete] = [
            CommitOperationAdd(name, content) for name, content in files.items()
        ]
        operations += [CommitOperationDelete(name) for name in gone]
        with _answering(self.name):
            try:
                made = self._api.create_commit(
                    self.name, operations, commit_message="Votes", repo_type="dataset", parent_commit=parent
                )
            except HfHubHTTPError as error:
                if error.response.status_code in (409, 412):
                    raise Conflict.of(
                        f"data set {self.name}", expected=f"commit {parent[:8]}", got="a newer"
                    ) from error
                raise
            return str(made.oid)

    def squash(self) -> None:
        """Drop the history: what was taken out of the files cannot be read in it any more."""
        with _answering(self.name):
            self._api.super_squash_history(self.name, repo_type="dataset")

    @property
    def _api(self) -> HfApi:
        from huggingface_hub import HfApi, get_session

        get_session().timeout = PATIENCE
        return HfApi(endpoint=self._endpoint, token=self._token or None)


def synchronise(shelf: Shelf, hub: HubDataset) -> Outcome:
    """One round: what is there and not here is pulled, what is here and not there is pushed. Twice is as once.

    Raises:
        StoreError: the Hub or the database does not answer. Nothing is lost: the next round goes on.
    """
    for _ in range(ATTEMPTS - 1):
        try:
            return _round(shelf, hub)
        except Conflict:
            continue
    return _round(shelf, hub)


def _round(shelf: Shelf, hub: HubDataset) -> Outcome:
    head = hub.head()
    pulled, faults = _pull(shelf, hub, head)
    shelf.keep(head.shards)
    if len(head.shards) > MOST_SHARDS + 2 * shelf.how_many() / VOTES:
        shelf.renew(shelf.known())
    stale = shelf.stale()
    replaced = sorted(stale & head.files)
    pushed = _push(shelf, hub, head, replaced)
    if stale:
        hub.squash()
        shelf.drop(stale & shelf.stale())
    return Outcome(pulled, pushed, len(replaced), faults)


def _pull(shelf: Shelf, hub: HubDataset, head: Head) -> tuple[Merged, tuple[str, ...]]:
    """Merge the shards that were not read yet; one that does not hold together is left out, and said."""
    pulled, faults, known = Merged(), [], shelf.known()
    for name in head.shards:
        if name in known:
            continue
        try:
            lines = rows_of_lines(hub.read(name, head.commit), f"{hub.name}/{name}")
            pulled += shelf.take(name, [record_of(row, where) for where, row in lines])
        except (InvalidData, Unfit) as error:
            faults.append(str(error))
    return pulled, tuple(faults)


def _push(shelf: Shelf, hub: HubDataset, head: Head, replaced: Sequence[str]) -> int:
    """Write what waits; what it replaces goes with the last commit, once all of it stands elsewhere."""
    waiting, parent = shelf.waiting(), head.commit
    batches = list(_batches(waiting, VOTES * SHARDS)) or ([[]] if replaced else [])
    for number, batch in enumerate(batches, start=1):
        shards = dict(map(_shard, map(shelf.records, _batches(batch, VOTES))))
        files = {name: content for name, (content, _) in shards.items()}
        if CARD not in head.files and number == 1:
            files[CARD] = card("jsonl", f"{FOLDER}**/*.jsonl").encode()
        gone = [name for name in replaced if name not in files] if number == len(batches) else []
        parent = hub.commit(files, gone, parent)
        for name, (content, ids) in shards.items():
            shelf.put(name, ids, lambda now, content=content: _content(now) == content)  # type: ignore[misc]
    return len(waiting)


def _shard(given: Sequence[Record]) -> tuple[str, tuple[bytes, list[str]]]:
    """The name of a shard, its content, and the votes in it."""
    content = _content(given)
    month = text_of(moment_of(given[0].vote["at"]))[:7]
    return f"{FOLDER}{month}/{_hash(content)}.jsonl", (content, [record.vote["id"] for record in given])


def _content(given: Sequence[Record]) -> bytes:
    return b"".join(line_of(row_of(record)) for record in given)


def _hash(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()[:32]


def _batches(ids: Sequence[str], size: int) -> Iterator[Sequence[str]]:
    return (ids[start : start + size] for start in range(0, len(ids), size))


@contextmanager
def _answering(name: str) -> Iterator[None]:
    """The one boundary at which the library's errors become sentences."""
    from httpx2 import HTTPError
    from huggingface_hub.errors import HfHubHTTPError

    try:
        yield
    except (HfHubHTTPError, HTTPError, ValueError, KeyError, OSError) as error:
        lines = str(error).strip().splitlines()
        got = (lines[0] if lines else type(error).__name__).rstrip(".")
        got = f"an answer without {got}" if isinstance(error, KeyError) else got
        remedy = "The votes are safe in the database, and wait."
        raise StoreError.of(f"data set {name}", expected="an answer of the Hub", got=got, remedy=remedy) from error
