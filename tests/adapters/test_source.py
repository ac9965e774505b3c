from __future__ import annotations

from pathlib import Path

import pytest

from medinject_demo.adapters.checkpoint import open_checkpoint
from medinject_demo.adapters.pairs import Pair
from medinject_demo.adapters.presence import BaseFiles
from medinject_demo.adapters.recover import Request, recover
from medinject_demo.adapters.source import ATTEMPTS, Ranges, open_source
from medinject_demo.errors import ModelError
from tests.adapters.pairs import RANK, made, request_of
from tests.adapters.served import served


def ranges(address: str, waits: list[float] | None = None) -> Ranges:
    """A reader that does not wait."""
    pause = (waits if waits is not None else []).append
    return Ranges(address, lambda file: f"{address}/{file}", pause=pause)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    place = tmp_path / "files"
    place.mkdir()
    (place / "numbers").write_bytes(bytes(range(256)) * 40)
    return place


def test_a_folder_and_a_server_of_it_give_the_same_bytes(folder: Path) -> None:
    with served(folder) as (address, _):
        for start, stop in ((0, 10), (7, 9000), (10239, 10240), (5, 5)):
            assert ranges(address).read("numbers", start, stop) == open_source(str(folder)).read("numbers", start, stop)


def test_a_file_that_is_not_there_has_no_state(folder: Path) -> None:
    with served(folder) as (address, _):
        assert ranges(address).state("absent") is None
    assert open_source(str(folder)).state("absent") is None


@pytest.mark.parametrize("fault", ["busy", "cut"])
def test_a_server_that_fails_now_and_then_is_asked_again_for_the_rest(folder: Path, fault: str) -> None:
    waits: list[float] = []
    with served(folder, lambda number: fault if number % 3 else "") as (address, asked):
        assert ranges(address, waits).read("numbers", 100, 10000) == (folder / "numbers").read_bytes()[100:10000]
    assert waits == [1.0, 2.0]
    starts = [int(each.partition("bytes=")[2].partition("-")[0]) for each in asked]
    assert starts == ([100, 100, 100] if fault == "busy" else [100, 5050, 7525])


def test_a_server_that_stays_busy_is_given_up_in_one_sentence(folder: Path) -> None:
    waits: list[float] = []
    with (
        served(folder, lambda number: "busy") as (address, _),
        pytest.raises(ModelError, match=rf"numbers: expected a file that can be read, got HTTP 503, {ATTEMPTS} times"),
    ):
        ranges(address, waits).read("numbers", 0, 10)
    assert waits == [1.0, 2.0, 4.0, 8.0, 16.0]


def test_a_server_without_ranges_is_refused_before_it_sends_a_whole_file(folder: Path) -> None:
    with (
        served(folder, lambda number: "whole") as (address, _),
        pytest.raises(ModelError, match=r"got a server that does not honour byte ranges\. Download it"),
    ):
        ranges(address).read("numbers", 0, 10)


def test_a_file_that_changes_meanwhile_is_refused(folder: Path) -> None:
    with served(folder, lambda number: "other" if number > 1 else "") as (address, _):
        source = ranges(address)
        source.read("numbers", 0, 10)
        with pytest.raises(ModelError, match="got another version than at the start"):
            source.read("numbers", 10, 20)


def test_a_server_that_is_not_there_is_one_sentence() -> None:
    with pytest.raises(ModelError, match=r"expected a file that can be read, got .*6 times"):
        ranges("http://127.0.0.1:9").read("numbers", 0, 10)


def test_a_file_cut_while_it_is_read_is_named(folder: Path) -> None:
    with pytest.raises(ModelError, match="got its end after 10240 bytes"):
        open_source(str(folder)).read("numbers", 0, 10241)


def test_a_recovery_over_a_failing_server_is_the_one_from_folders(tmp_path: Path) -> None:
    merged, base = made(tmp_path)
    recover(request_of(merged, base, tmp_path / "local", rank=RANK))
    faults = {2: "busy", 5: "cut", 6: "cut", 11: "busy", 17: "cut"}
    with served(tmp_path, lambda number: faults.get(number % 23, "")) as (address, asked):
        pair = Pair(*(open_checkpoint(ranges(f"{address}/{name}")) for name in ("merged", "base")))
        recover(Request(pair, tmp_path / "remote", rank=RANK))
    for name in ("adapter_model.safetensors",):
        assert (tmp_path / "local" / name).read_bytes() == (tmp_path / "remote" / name).read_bytes()
    assert len(asked) > 100


def test_a_commit_that_the_hubs_cache_has_whole_is_read_there(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def elsewhere(*asked: object) -> None:
        raise LookupError(asked[1])

    monkeypatch.setattr("medinject_demo.adapters.source.base_files", lambda name: BaseFiles(folder))
    monkeypatch.setattr("medinject_demo.adapters.source._on_hub", elsewhere)
    for revision in (None, folder.name):
        assert open_source("group/model", revision=revision).commit == folder.name
    with pytest.raises(LookupError, match="another"):
        open_source("group/model", revision="another")
