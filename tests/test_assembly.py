from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing

import pytest

from medinject_demo.adapters.registry import Profile, serving
from medinject_demo.assembly import load_engine
from medinject_demo.domain import BASE, Mixture
from medinject_demo.engine.local import LocalEngine
from medinject_demo.engine.remote import RemoteEngine
from medinject_demo.errors import InvalidValue, ModelError

from .engine.remote.served import Scripted, scripted

NAT, TRAD, ALL = map(Mixture.parse, ("nat", "trad", "all"))


@pytest.fixture
def server() -> Iterator[Scripted]:
    with scripted() as server:
        yield server


@pytest.fixture
def served(server: Scripted) -> Profile:
    return serving("auto", engine_url=server.url)


def test_where_a_server_is_named_it_answers_with_what_it_has(served: Profile) -> None:
    with closing(load_engine(served)) as engine:
        assert isinstance(engine, RemoteEngine)
        assert engine.mixtures == (BASE, NAT, TRAD)


def test_where_none_is_named_this_machine_answers() -> None:
    with closing(load_engine(serving("mini"), [BASE, NAT], device="cpu")) as engine:
        assert isinstance(engine, LocalEngine)
        assert engine.mixtures == (BASE, NAT)


def test_only_the_arms_that_are_named_are_reached(served: Profile) -> None:
    with closing(load_engine(served, [NAT])) as engine:
        assert engine.mixtures == (NAT,)


def test_an_arm_that_is_named_must_be_there(served: Profile, server: Scripted) -> None:
    with pytest.raises(ModelError) as refused:
        load_engine(served, [NAT, ALL])
    assert str(refused.value) == (
        f"arms all: expected them at their server, got none. Arm all is missing: {server.url} serves no model 'all'."
    )


@pytest.mark.parametrize("option", [{"device": "cuda"}, {"quantization": "int8"}])
def test_what_only_the_server_could_honour_is_refused(served: Profile, option: dict[str, str]) -> None:
    with pytest.raises(InvalidValue, match=rf"{next(iter(option))}: expected .* where a server answers, got"):
        load_engine(served, **option)


def test_the_dora_arms_of_the_miniature_are_not_asked_of_a_server_that_may_drop_their_magnitude(
    server: Scripted,
) -> None:
    server.cards = [{"id": "base"}, {"id": "nat"}]
    with pytest.raises(ModelError, match=r"arm nat, model 'nat' of .*: expected full weights or a plain LoRA adapter"):
        load_engine(serving("mini", engine_url=server.url))
