from __future__ import annotations

import contextlib
import hashlib
import json
import threading
from collections.abc import Iterator, Sequence
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file

from medinject_demo.adapters.based import same_base
from medinject_demo.adapters.hub import FETCHED, MANIFEST, Upload, fetch, push, upload_of
from medinject_demo.adapters.listing import State, listed
from medinject_demo.adapters.registry import load_registry, profile
from medinject_demo.domain import Mixture
from medinject_demo.errors import InvalidData, InvalidValue, ModelError
from tests.adapters.test_registry import registry

REPOSITORY = "group/adapters"
HERE = """
[mini]
title = "Petit"
notice = "Sans valeur."
base = "group/base"
[mini.arms]
nat = { folder = "there/nat" }
all = { folder = "there/all" }
syn = { folder = "there/syn", merged = "group/SYN" }
"""


class Recorder:
    """The Hub as far as a push speaks to it, kept in a folder."""

    def __init__(self, place: Path) -> None:
        self.place, self.made = place, dict[str, bool]()

    def create_repo(self, repo_id: str, *, private: bool, exist_ok: bool) -> None:
        assert exist_ok
        self.made[repo_id] = private

    def create_commit(self, repo_id: str, operations: Sequence[Any], *, commit_message: str) -> None:
        assert "all, nat" in commit_message
        for each in operations:
            target = self.place / repo_id / each.path_in_repo
            target.parent.mkdir(parents=True, exist_ok=True)
            with each.as_file() as file:
                target.write_bytes(file.read())


@contextlib.contextmanager
def hub(place: Path) -> Iterator[str]:
    """What the Hub answers to the downloads of a repository, from a folder."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, *said: object) -> None:
            """Tests print nothing."""

        def do_HEAD(self) -> None:
            self.do_GET()

        def do_GET(self) -> None:
            repository, _, rest = self.path.lstrip("/").partition("/resolve/")
            path = place / repository / rest.partition("/")[2]
            body = path.read_bytes() if path.is_file() else b""
            self.send_response(200 if path.is_file() else 404)
            headers = {"ETag": f'"{len(body)}"', "X-Repo-Commit": "0" * 40, "Content-Length": str(len(body))}
            for name, value in headers.items():
                self.send_header(name, value)
            if not path.is_file():
                self.send_header("X-Error-Code", "EntryNotFound")
            self.end_headers()
            if self.command == "GET":
                self.wfile.write(body)

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


@pytest.fixture
def pushed(tmp_path: Path) -> Path:
    """A Hub that holds two arms, as a push wrote them."""
    upload = _two_arms(tmp_path / "source")
    push(upload, Recorder(tmp_path / "hub"))
    return tmp_path / "hub"


def _two_arms(place: Path, text: str = HERE) -> Upload:
    for slug in ("nat", "all"):
        folder = place / "there" / slug
        folder.mkdir(parents=True)
        for name in ("adapter_config.json", "adapter_model.safetensors", "README.md", "notes.bin", FETCHED):
            (folder / name).write_text(f"{slug} {name}", encoding="utf-8")
    return upload_of(profile("mini", registry(place, text)), [], REPOSITORY)


def test_a_push_takes_adapters_files_and_nothing_else(tmp_path: Path) -> None:
    upload = _two_arms(tmp_path)
    names = {"adapter_config.json", "adapter_model.safetensors", "README.md"}
    assert set(upload.files) == {f"{slug}/{name}" for slug in ("nat", "all") for name in names}
    said = json.loads(upload.manifest)
    assert said["base"] == {"repository": "group/base"}
    assert set(said["files"]) == set(upload.files)


def test_a_push_makes_the_repository_and_one_commit_with_the_manifest(pushed: Path) -> None:
    assert (pushed / REPOSITORY / MANIFEST).is_file()
    assert (pushed / REPOSITORY / "nat/README.md").read_text(encoding="utf-8") == "nat README.md"


@pytest.mark.parametrize("public", [False, True])
def test_a_repository_that_a_push_makes_is_private_unless_it_is_to_be_public(tmp_path: Path, public: bool) -> None:
    hub = Recorder(tmp_path / "hub")
    push(_two_arms(tmp_path / "source"), hub, **({"public": True} if public else {}))
    assert hub.made == {REPOSITORY: not public}


def test_an_arm_that_is_not_installed_cannot_be_pushed(tmp_path: Path) -> None:
    _two_arms(tmp_path)
    with pytest.raises(ModelError, match="arm syn: expected an adapter"):
        upload_of(profile("mini", tmp_path / "registry.toml"), ["syn"], REPOSITORY)


def test_what_was_pushed_is_what_is_fetched(pushed: Path, tmp_path: Path) -> None:
    here = profile("mini", registry(tmp_path, HERE))
    with hub(pushed) as endpoint:
        assert fetch(REPOSITORY, here, [], endpoint=endpoint) == ["nat", "all"]
    assert here.installed[1:] == (Mixture.parse("nat"), Mixture.parse("all"))
    weights = here.arms[Mixture.parse("nat")].folder / "adapter_model.safetensors"
    assert weights.read_text(encoding="utf-8") == "nat adapter_model.safetensors"
    rows = {each.arm: each for each in listed(load_registry(tmp_path / "registry.toml"))}
    assert rows["nat"].origin == f"fetched from {REPOSITORY}"
    assert rows["syn"].state is State.RECOVERABLE


def test_one_arm_alone_can_be_fetched(pushed: Path, tmp_path: Path) -> None:
    here = profile("mini", registry(tmp_path, HERE))
    with hub(pushed) as endpoint:
        assert fetch(REPOSITORY, here, ["all"], endpoint=endpoint) == ["all"]
    assert not (tmp_path / "there/nat").exists()


def test_a_file_that_is_not_what_the_manifest_says_is_refused(pushed: Path, tmp_path: Path) -> None:
    here = profile("mini", registry(tmp_path, HERE))
    (pushed / REPOSITORY / "nat/adapter_model.safetensors").write_text("spoilt", encoding="utf-8")
    with (
        hub(pushed) as endpoint,
        pytest.raises(ModelError, match=r"nat/adapter_model.safetensors: expected the SHA-256"),
    ):
        fetch(REPOSITORY, here, [], endpoint=endpoint)
    assert not (tmp_path / "there").exists()


@pytest.mark.parametrize(
    "name", ["nat/model.bin", "nat/../../escape.json", "other/README.md", "README.md", "nat/.x.json"]
)
def test_a_manifest_with_anything_but_adapters_files_is_refused(pushed: Path, tmp_path: Path, name: str) -> None:
    here = profile("mini", registry(tmp_path, HERE))
    manifest = pushed / REPOSITORY / MANIFEST
    said = json.loads(manifest.read_text(encoding="utf-8"))
    said["files"][name] = said["files"]["nat/README.md"]
    manifest.write_text(json.dumps(said), encoding="utf-8")
    with hub(pushed) as endpoint, pytest.raises(InvalidData, match="expected an arm's safetensors, JSON or Markdown"):
        fetch(REPOSITORY, here, [], endpoint=endpoint)


def test_adapters_of_another_base_are_refused(pushed: Path, tmp_path: Path) -> None:
    here = profile("mini", registry(tmp_path, HERE.replace("group/base", "group/other")))
    with (
        hub(pushed) as endpoint,
        pytest.raises(ModelError, match="expected adapters of group/other, got of group/base"),
    ):
        fetch(REPOSITORY, here, [], endpoint=endpoint)


def _with_a_folder(place: Path, weights: bytes) -> str:
    """A registry whose base is a folder beside it."""
    (place / "base").mkdir(parents=True)
    (place / "base/model.safetensors").write_bytes(weights)
    return HERE.replace("group/base", "./base")


def test_a_base_in_a_folder_is_told_by_its_weights_wherever_it_lies(tmp_path: Path) -> None:
    upload = _two_arms(tmp_path / "source", _with_a_folder(tmp_path / "source", b"1"))
    assert json.loads(upload.manifest)["base"] == {"base_weights": hashlib.sha256(b"1").hexdigest()[:16]}
    assert str(tmp_path).encode() not in upload.manifest
    push(upload, Recorder(tmp_path / "hub"))
    here, other = tmp_path / "here", tmp_path / "other"
    same, another = (_with_a_folder(place, weights) for place, weights in ((here, b"1"), (other, b"2")))
    with hub(tmp_path / "hub") as endpoint:
        assert fetch(REPOSITORY, profile("mini", registry(here, same)), [], endpoint=endpoint) == ["nat", "all"]
        with pytest.raises(
            ModelError, match=r"expected adapters of a base of the weights \w{16}, got of a base of the"
        ):
            fetch(REPOSITORY, profile("mini", registry(other, another)), [], endpoint=endpoint)


@pytest.mark.parametrize(
    ("here", "there", "same"),
    [
        ({"repository": "a/b", "commit": "1"}, {"repository": "a/b", "commit": "1"}, True),
        ({"repository": "a/b", "commit": "1"}, {"repository": "a/b", "commit": "2"}, True),
        ({"repository": "a/b"}, {"repository": "A/B"}, True),
        ({"repository": "a/b", "base_weights": "1"}, {"repository": "a/b", "base_weights": "2"}, False),
        ({"repository": "a/b", "base_weights": "1"}, {"repository": "a/c", "base_weights": "1"}, True),
        ({"repository": "a/b", "base_weights": "1"}, {"base_weights": "1"}, True),
        ({"repository": "a/b"}, {"repository": "a/b", "commit": "2"}, True),
        ({"repository": "a/b", "commit": "1"}, {"repository": "a/c", "commit": "1"}, False),
        ({"repository": "a/b"}, {"base_weights": "1"}, False),
        ({}, {}, False),
    ],
)
def test_two_bases_are_one_where_their_weights_are_else_where_their_repository_is(
    here: dict[str, str], there: dict[str, str], same: bool
) -> None:
    assert same_base(here, there) == same_base(there, here) == same


def _cached(place: Path, commit: str, weights: bytes | None, monkeypatch: pytest.MonkeyPatch) -> None:
    """The Hub's cache of the base, at a commit, with or without its weights."""
    snapshot = place / "snapshots" / commit
    snapshot.mkdir(parents=True, exist_ok=True)
    for name in ("config.json", "tokenizer.json"):
        (snapshot / name).write_text("{}", encoding="utf-8")
    if weights is not None:
        save_file({"weight": torch.tensor(list(weights))}, snapshot / "model.safetensors")
    monkeypatch.setattr(
        "huggingface_hub.try_to_load_from_cache",
        lambda name, *_, **__: str(snapshot / "config.json") if name == "group/base" else None,
    )


@pytest.mark.parametrize(
    ("there", "here", "remarks"),
    [(b"1", b"1", 0), (b"1", None, 1), (None, b"1", 1), (None, None, 1)],
)
def test_a_later_commit_of_the_bases_repository_is_a_remark_unless_the_weights_are_known_to_be_the_same(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    there: bytes | None,
    here: bytes | None,
    remarks: int,
) -> None:
    _cached(tmp_path / "then", "1" * 40, there, monkeypatch)
    push(_two_arms(tmp_path / "source"), Recorder(tmp_path / "hub"))
    _cached(tmp_path / "now", "2" * 40, here, monkeypatch)
    said: list[str] = []
    with hub(tmp_path / "hub") as endpoint:
        fetch(REPOSITORY, profile("mini", registry(tmp_path, HERE)), [], endpoint=endpoint, say=said.append)
    told = [line for line in said if line.startswith("remark: ")]
    assert len(told) == remarks
    assert all(f"here at {'2' * 40}, theirs was at {'1' * 40}" in line for line in told)


def test_other_weights_of_the_same_repository_are_another_base(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _cached(tmp_path / "then", "1" * 40, b"1", monkeypatch)
    push(_two_arms(tmp_path / "source"), Recorder(tmp_path / "hub"))
    _cached(tmp_path / "now", "2" * 40, b"2", monkeypatch)
    with (
        hub(tmp_path / "hub") as endpoint,
        pytest.raises(
            ModelError, match=r"adapters of group/base at 2{40} \(weights \w{16}\), got of group/base at 1{40}"
        ),
    ):
        fetch(REPOSITORY, profile("mini", registry(tmp_path, HERE)), [], endpoint=endpoint)


def test_a_manifest_that_names_a_repository_alone_is_still_understood(pushed: Path, tmp_path: Path) -> None:
    manifest = pushed / REPOSITORY / MANIFEST
    said = json.loads(manifest.read_text(encoding="utf-8")) | {"base": "group/base"}
    manifest.write_text(json.dumps(said), encoding="utf-8")
    with hub(pushed) as endpoint:
        assert fetch(REPOSITORY, profile("mini", registry(tmp_path, HERE)), [], endpoint=endpoint) == ["nat", "all"]


def test_an_arm_that_the_repository_does_not_have_is_named(pushed: Path, tmp_path: Path) -> None:
    here = profile("mini", registry(tmp_path, HERE))
    with hub(pushed) as endpoint, pytest.raises(InvalidValue, match="expected arms among nat, all, got syn"):
        fetch(REPOSITORY, here, ["syn"], endpoint=endpoint)


def test_a_repository_without_a_manifest_is_one_sentence(tmp_path: Path) -> None:
    here = profile("mini", registry(tmp_path, HERE))
    with hub(tmp_path) as endpoint, pytest.raises(ModelError, match=r"expected an answer of the Hub, got .*404"):
        fetch(REPOSITORY, here, [], endpoint=endpoint)
