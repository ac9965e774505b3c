"""What was acknowledged is there, whatever happens to the program that acknowledged it."""

from __future__ import annotations

import multiprocessing
import sqlite3
import tempfile
from collections.abc import Iterator
from multiprocessing.context import ForkServerContext
from pathlib import Path
from random import Random

import pytest

from medinject_demo.errors import StoreError
from medinject_demo.votes.database import Database
from medinject_demo.votes.store import VoteStore

from .samples import BALLOT, battle
from .writers import vote_beside_others, vote_until_killed, vote_without_rights


@pytest.fixture(scope="module")
def programs() -> ForkServerContext:
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["tests.votes.writers"])
    return context


@pytest.fixture
def public_folder() -> Iterator[Path]:
    """A folder whose parents anybody may enter, as those of pytest are not."""
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        (Path(folder) / "votes").mkdir()
        yield Path(folder) / "votes"


def killed_after(context: ForkServerContext, url: str, name: str, votes: int) -> list[str]:
    """The votes that a program acknowledged before ``kill -9`` met it, in the midst of the next."""
    reader, writer = context.Pipe(duplex=False)
    program = context.Process(target=vote_until_killed, args=(url, name, writer))
    program.start()
    writer.close()
    acknowledged = [reader.recv() for _ in range(votes)]
    program.kill()
    program.join()
    try:
        while True:
            acknowledged.append(reader.recv())
    except EOFError:
        return acknowledged


@pytest.mark.parametrize("times", [3, pytest.param(20, marks=pytest.mark.slow)])
def test_every_acknowledged_vote_survives_kill_9(programs: ForkServerContext, tmp_path: Path, times: int) -> None:
    url, generator = f"sqlite:///{tmp_path}/votes.db", Random(times)
    acknowledged: set[str] = set()
    for number in range(times):
        acknowledged.update(killed_after(programs, url, f"program {number}", generator.randint(1, 20)))
        with sqlite3.connect(tmp_path / "votes.db") as connection:
            assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        connection.close()
        store = VoteStore(Database(url))
        kept = {live.vote.id for live in store.live_votes()}
        assert acknowledged <= kept
        assert len(kept) <= len(acknowledged) + number + 1  # one more at most for each that was killed
        acknowledged = kept
        store.close()


def test_programs_that_vote_at_once_wait_for_each_other(programs: ForkServerContext, tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/votes.db"
    pipes = [programs.Pipe(duplex=False) for _ in range(4)]
    running = [
        programs.Process(target=vote_beside_others, args=(url, f"program {number}", 25, writer))
        for number, (_, writer) in enumerate(pipes)
    ]
    for program in running:
        program.start()
    for _, writer in pipes:
        writer.close()
    acknowledged = [name for reader, _ in pipes for name in reader.recv()]
    for program in running:
        program.join()
    store = VoteStore(Database(url))
    assert sorted(live.vote.id for live in store.live_votes()) == sorted(acknowledged)
    assert len(acknowledged) == 100
    store.close()


@pytest.mark.postgres
def test_every_acknowledged_vote_survives_kill_9_on_a_server(
    programs: ForkServerContext, request: pytest.FixtureRequest
) -> None:
    url = request.getfixturevalue("server").fresh()
    acknowledged = {name for each in range(3) for name in killed_after(programs, url, f"program {each}", 5)}
    store = VoteStore(Database(url))
    assert acknowledged <= {live.vote.id for live in store.live_votes()}
    store.close()


@pytest.mark.parametrize("mode", [0o755, 0o555], ids=["the file", "the folder too"])
def test_somebody_who_may_not_write_the_file_is_told_so(
    programs: ForkServerContext, public_folder: Path, mode: int
) -> None:
    store = VoteStore(Database(f"sqlite:///{public_folder}/votes.db"))
    store.cast(battle("before"), "v", BALLOT)
    store.close()
    public_folder.chmod(mode)
    reader, writer = programs.Pipe(duplex=False)
    program = programs.Process(target=vote_without_rights, args=(public_folder, writer))
    program.start()
    checked, cast, counted = (reader.recv() for _ in range(3))
    program.join()
    public_folder.chmod(0o755)
    for refused in (checked, cast):
        assert isinstance(refused, StoreError)
        assert "expected a database that can be written, got a read-only one. Nothing was stored." in str(refused)
    assert counted == 1 or "expected a database that can be written" in str(counted)
