"""The composition: from settings to a playground, and a playground as a page that is served.

What ``app.py``, ``serve``, ``bench page`` and the tests of the page share. Reads no environment and parses no argument.
"""

from __future__ import annotations

import os
import random
import secrets
import signal
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from .adapters.registry import Profile, serving
from .arena import Arena
from .assembly import Fleet, load_engine, load_fleet, sampling_for
from .boards import Boards
from .doctor.configuration import without_secrets
from .engine.base import Engine
from .engine.fleet.fleet import FleetEngine
from .engine.remote import RemoteEngine
from .errors import InvalidValue
from .limiter import Limiter, limits_of
from .prepared import Prepared
from .prompts import load_prompts
from .settings import Settings
from .ui.frame import Playground
from .ui.gate import Gate
from .ui.look import look
from .ui.page import build
from .votes.database import Database
from .votes.keeping import kept, upkeep_of
from .votes.store import VoteStore
from .votes.suspects import Suspicions
from .votes.watch import Watch

LOOPBACK: Final = "127.0.0.1"


@dataclass(frozen=True)
class Address:
    """Where a page is served. None leaves the choice to Gradio: the loopback, and the first free port from 7860."""

    host: str | None = None
    port: int | None = None
    share: bool = False
    """Also under a public address of Gradio's, for 72 hours."""

    def require_free(self) -> None:
        """Check that a port that was named can be listened on, before a model is loaded for nothing.

        Raises:
            InvalidValue: it cannot.
        """
        if self.port is None:
            return
        try:
            free_port(self.host or LOOPBACK, self.port)
        except OSError as error:
            raise self.refused(error) from error

    def refused(self, error: OSError) -> InvalidValue:
        """Why nothing can be served here."""
        place = f"{self.host or LOOPBACK}:{self.port or '7860 to 7959'}"
        remedy = "Stop what listens there, or choose another with --port."
        return InvalidValue.of(
            f"address {place}", expected="a free one of this machine", got=error.strerror or "none", remedy=remedy
        )


@contextmanager
def playground(settings: Settings, *, device: str = "auto", fleet: Fleet | None = None) -> Iterator[Playground]:
    """The services behind a page, for as long as the context is open; the engine is in this process, or a fleet.

    Raises:
        InvalidValue: a setting names nothing that is known.
        ModelError: the model cannot be loaded.
        StoreError: no vote could be stored.
    """
    chosen = serving(settings.model, engine_url=settings.engine_url)
    limits = limits_of(settings)
    database = Database(settings.database_url)
    watch = Watch(Suspicions(database).examine)
    with closing(VoteStore(database, voted=watch.voted)) as store, closing(watch):
        store.check()
        engine = _engine(chosen, settings, device, fleet)
        with closing(engine), kept(upkeep_of(settings, database)), closing(Boards(store)) as boards:
            server, remarks = (engine.name, engine.remarks) if isinstance(engine, RemoteEngine) else ("", ())
            replicas = engine.plan.replicas if isinstance(engine, FleetEngine) else 0
            secret, prompts = settings.secret or secrets.token_urlsafe(32), load_prompts()
            answers = store.kept_answers(f"{engine.precision}, {settings.quantization}")
            prepared = Prepared(engine, answers, {prompt.id for prompt in prompts})
            arena = Arena(engine, store, secret=secret, generator=random.Random(), prepared=prepared)
            yield Playground(
                engine,
                arena,
                store,
                prompts,
                chosen.name,
                chosen.title,
                sampling_for(chosen),
                server=server,
                replicas=replicas,
                remarks=remarks,
                gate=Gate(Limiter(limits), secret, settings.proxies),
                boards=boards,
            )


def _engine(chosen: Profile, settings: Settings, device: str, fleet: Fleet | None) -> Engine:
    """What answers: this process, servers or a fleet."""
    if fleet is None:
        return load_engine(chosen, device=device, quantization=settings.quantization, key=settings.engine_key)
    if chosen.remote:
        got = f"{chosen.name}, for whose arms a server answers"
        remedy = "Leave out --fleet, or unset MEDINJECT_ENGINE_URL."
        raise InvalidValue.of("fleet", expected="a profile whose files are here", got=got, remedy=remedy)
    return load_fleet(fleet, chosen, chosen.installed, device=device, quantization=settings.quantization)


def serve(
    settings: Settings,
    address: Address = Address(),
    *,
    device: str = "auto",
    fleet: Fleet | None = None,
    warm: bool = False,
    say: Callable[[str], None] = print,
) -> None:
    """Serve the page until it is interrupted; ``say`` is told first what answers and where votes go.

    ``warm`` has the bundled questions answered by every arm before the page opens.

    Raises:
        InvalidValue: the address is taken; or as ``playground``, whose other errors come too.
    """
    address.require_free()
    with _ended_as_interrupted(), playground(settings, device=device, fleet=fleet) as behind:
        for line in announced(settings, behind):
            say(line)
        if warm:
            say(f"preparing the answers to {len(behind.prompts)} bundled questions.")
            behind.arena.warm(behind.prompts, behind.sampling, lambda prompt: None)
        page = build(behind)
        _believe_no_header()
        try:
            page.launch(server_name=address.host, server_port=address.port, share=address.share or None, **look())
        except OSError as error:
            raise address.refused(error) from error
        except KeyboardInterrupt:  # while it opens; once it is open, Gradio ends by itself
            page.close(verbose=False)


@contextmanager
def _ended_as_interrupted() -> Iterator[None]:
    """A Space is ended by SIGTERM: as Ctrl-C, so that the last votes are pushed and the engine is closed."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


@contextmanager
def opened(behind: Playground) -> Iterator[str]:
    """A page served beside the caller, on a free port of the loopback; its address."""
    page = build(behind)
    _believe_no_header()
    _, url, _ = page.launch(
        server_name=LOOPBACK, server_port=free_port(), prevent_thread_lock=True, quiet=True, **look()
    )
    try:
        yield url
    finally:
        page.close(verbose=False)


def _believe_no_header() -> None:
    """Leave it to MEDINJECT_PROXIES whose X-Forwarded-For is read.

    The server below Gradio, uvicorn, would put what that header says in place of every peer of this machine's own, and
    can be told otherwise by its variable alone. Who has set it has configured it.
    """
    os.environ.setdefault("FORWARDED_ALLOW_IPS", "")


def announced(settings: Settings, behind: Playground) -> Iterator[str]:
    """What answers, where votes go, and what the person who serves should know."""
    arms = ", ".join(map(str, behind.engine.mixtures))
    auto = " (auto)" if settings.model == "auto" and not behind.server else ""
    where = f", from a server ({behind.server})" if behind.server else ""
    where = f", from a fleet ({behind.replicas} on Ray)" if behind.replicas else where
    yield f"model: {behind.profile}{auto}: {arms}{where}."
    yield from behind.remarks
    yield f"votes: {_place(settings.database_url)}."
    if settings.votes_dataset:
        yield f"votes go to the Hub data set {settings.votes_dataset} too, and come back from it after a restart."
    if settings.retention_days:
        yield f"what visitors type is erased after {settings.retention_days} days."
    if not settings.secret:
        yield "MEDINJECT_SECRET is not set: after a restart, a voter who comes back counts as a new one."


def free_port(host: str = LOOPBACK, port: int = 0) -> int:
    """A port that can be listened on now: this one, or one that the system chooses.

    Raises:
        OSError: it cannot be listened on, or the host is none of this machine.
    """
    family, *_, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        probe.bind(address)
        return int(probe.getsockname()[1])


def _place(url: str) -> str:
    """Where votes go, without a password; the whole path of a file."""
    prefix, found, path = url.partition("sqlite:///")
    return str(Path(path).absolute()) if found and not prefix and "?" not in path else without_secrets(url)
