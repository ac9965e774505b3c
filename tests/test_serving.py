from __future__ import annotations

import signal
import socket
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from medinject_demo import serving
from medinject_demo.domain import MIXTURES, Sampling, Verdict
from medinject_demo.engine.base import ScriptedEngine
from medinject_demo.errors import InvalidValue, ModelError, Refused
from medinject_demo.limiter import Act
from medinject_demo.prompts import load_prompts
from medinject_demo.serving import Address, _ended_as_interrupted, announced, free_port, playground
from medinject_demo.settings import Settings
from medinject_demo.ui.frame import Playground
from medinject_demo.ui.page import _masthead
from medinject_demo.votes.database import Database
from medinject_demo.votes.hub import HubDataset
from medinject_demo.votes.scripted_hub import scripted_hub
from medinject_demo.votes.store import VoteStore

from .duels import arena_at
from .engine.remote.served import scripted
from .votes.samples import BALLOT, ballot, battle


def behind(replicas: int = 0) -> Any:
    engine = SimpleNamespace(mixtures=MIXTURES[:2])
    said = {"profile": "mini", "title": "", "miniature": True, "server": "", "remarks": (), "replicas": replicas}
    return SimpleNamespace(engine=engine, **said)


def test_a_port_that_the_system_chose_can_be_listened_on() -> None:
    Address(port=free_port()).require_free()


def test_without_a_port_nothing_is_checked() -> None:
    Address(host="192.0.2.1").require_free()


def test_a_port_in_use_is_refused_with_a_remedy() -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        with pytest.raises(InvalidValue, match="choose another with --port"):
            Address(port=other.getsockname()[1]).require_free()


def test_what_answers_and_where_votes_go_is_announced() -> None:
    settings = Settings(model="mini", database_url="postgresql://me:motdepasse@host/votes", secret="sel")
    assert list(announced(settings, behind())) == [
        "model: mini: base, nat.",
        "votes: postgresql://me:***@host/votes.",
    ]


def test_a_fleet_that_answers_is_announced_and_shown() -> None:
    assert next(announced(Settings(model="mini"), behind(2))) == "model: mini: base, nat, from a fleet (2 on Ray)."
    assert "Répliques du moteur qui répondent (Ray Serve) : 2." in _masthead("fr", behind(2))
    assert "Ray Serve" not in _masthead("fr", behind(0))


def test_a_file_of_votes_is_announced_by_its_whole_path() -> None:
    said = list(announced(Settings(), behind()))
    assert said[1] == f"votes: {Path('data/votes.db').absolute()}."


def test_where_votes_also_go_and_how_long_text_is_kept_is_announced() -> None:
    said = list(announced(Settings(votes_dataset="group/votes", retention_days=30, secret="sel"), behind()))
    assert "Hub data set group/votes too" in said[2]
    assert "erased after 30 days" in said[3]


def test_a_page_keeps_its_data_set_in_step_while_it_is_open(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with scripted_hub() as hub, scripted() as server:
        remote = HubDataset("group/votes", endpoint=hub.endpoint)
        monkeypatch.setattr("medinject_demo.votes.keeping.HubDataset", lambda name, token: remote)
        place = {"engine_url": server.url, "votes_dataset": "group/votes"}
        with playground(Settings(database_url=f"sqlite:///{tmp_path}/votes.db", **place)) as behind:
            vote = behind.store.cast(battle(), "v", BALLOT)
        assert [row["vote"] for row in hub.rows] == [vote.id]
        with playground(Settings(database_url=f"sqlite:///{tmp_path}/emptied.db", **place)) as behind:
            end = time.monotonic() + 10
            while behind.store.latest("duel", "v") != vote:
                assert time.monotonic() < end
                time.sleep(0.01)


def test_a_page_whose_hub_is_dead_opens_votes_and_closes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with scripted_hub() as gone:
        pass
    remote = HubDataset("group/votes", endpoint=gone.endpoint)
    monkeypatch.setattr("medinject_demo.votes.keeping.HubDataset", lambda name, token: remote)
    with scripted() as server:
        settings = Settings(
            engine_url=server.url, database_url=f"sqlite:///{tmp_path}/votes.db", votes_dataset="group/votes"
        )
        with playground(settings) as behind:
            behind.store.cast(battle(), "v", BALLOT)
            assert behind.store.counts().votes == 1


def test_a_page_that_is_terminated_ends_as_one_that_is_interrupted() -> None:
    before = signal.getsignal(signal.SIGTERM)
    with pytest.raises(KeyboardInterrupt), _ended_as_interrupted():
        signal.raise_signal(signal.SIGTERM)
    assert signal.getsignal(signal.SIGTERM) is before


def test_without_a_secret_it_is_said_what_a_restart_does_to_voters() -> None:
    assert list(announced(Settings(), behind()))[2].startswith("MEDINJECT_SECRET is not set: after a restart, ")


def test_a_server_that_answers_is_announced_with_what_it_lacks(tmp_path: Path) -> None:
    with scripted() as server:
        settings = Settings(engine_url=server.url, database_url=f"sqlite:///{tmp_path}/votes.db", secret="sel")
        with playground(settings) as behind:
            said = list(announced(settings, behind))
            assert said[0] == "model: remote: base, nat, trad, from a server (vllm)."
            assert said[-2] == f"Arm all is missing: {server.url} serves no model 'all'."
            assert "Les réponses viennent d’un serveur à distance (vllm)." in _masthead("fr", behind)
            assert not behind.miniature


def test_a_page_counts_by_its_settings_and_examines_votes_beside_them(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/votes.db"
    with scripted() as server:
        settings = Settings(engine_url=server.url, database_url=url, secret="sel", votes_per_voter="1/minute")
        with playground(settings) as behind:
            behind.gate.admit(Act.VOTE, None, "me")
            with pytest.raises(Refused, match="votes: expected at most 1 per minute"):
                behind.gate.admit(Act.VOTE, None, "me")
            behind.store.cast(battle(), "v", ballot(Verdict.LEFT), seconds=0.01)
    with closing(VoteStore(Database(url))) as store:
        assert store.counts().suspect == 1


@pytest.mark.parametrize("setting", ["asks_per_voter", "asks_per_address", "votes_per_voter", "votes_per_address"])
def test_no_page_is_served_with_a_limit_that_is_none(setting: str) -> None:
    given: dict[str, Any] = {"model": "mini", setting: "often"}
    with pytest.raises(InvalidValue, match=f"^MEDINJECT_{setting.upper()}: "), playground(Settings(**given)):
        pass


def test_no_page_is_served_where_no_server_is(tmp_path: Path) -> None:
    settings = Settings(engine_url=f"http://127.0.0.1:{free_port()}", database_url=f"sqlite:///{tmp_path}/votes.db")
    with pytest.raises(ModelError, match="expected at least one that is served"), playground(settings):
        pass


def test_two_pages_on_one_database_share_kept_answers_where_they_run_in_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    engines = [ScriptedEngine(lambda request: "Repos.") for _ in range(3)]
    for engine, precision in zip(engines, ("cpu float32", "cuda bfloat16", "cpu float32"), strict=True):
        engine.precision = precision
    left, shared = iter(engines), list[bool]()
    monkeypatch.setattr(serving, "_engine", lambda *_given: next(left))
    for _ in engines:
        with playground(Settings(model="mini", database_url=f"sqlite:///{tmp_path}/votes.db", secret="sel")) as page:
            shared.append(page.arena._prepared._answers(page.prompts[0], page.sampling) is not None)
            page.arena.warm(page.prompts[:1], page.sampling, lambda prompt: None)
    assert shared == [False, False, True]


class Opened(Exception):
    """The page would be built now."""


@pytest.mark.parametrize("warm", [False, True])
def test_a_page_that_is_warmed_has_every_bundled_answer_before_it_opens(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, warm: bool
) -> None:
    prompts, engine = load_prompts()[:3], ScriptedEngine(lambda request: "Repos.")
    arena = arena_at(tmp_path, engine=engine, bundled=prompts)

    @contextmanager
    def scripted_page(*_given: object, **_named: object) -> Iterator[Playground]:
        yield Playground(engine, arena, arena._store, prompts, "mini", "Miniature")

    def open_page(_behind: Playground) -> None:
        raise Opened

    monkeypatch.setattr(serving, "playground", scripted_page)
    monkeypatch.setattr(serving, "build", open_page)
    said: list[str] = []
    with pytest.raises(Opened):
        serving.serve(Settings(secret="sel"), warm=warm, say=said.append)
    kept = arena._store.kept_answers()
    prints = {arm: engine.fingerprint(arm) for arm in MIXTURES}
    assert [len(kept.find(prompt.id, Sampling(), prints)) for prompt in prompts] == [8 * warm] * 3
    assert ("preparing the answers to 3 bundled questions." in said) is warm
