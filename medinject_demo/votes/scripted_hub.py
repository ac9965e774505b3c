"""A Hub in a process, as far as ``hub.py`` speaks to one: a data set behind HTTP, and a failure at whichever call.

For the tests and for ``bench giving``. The real library speaks to it, so that its retries and its checks are in play.
It keeps the history of the data set, as the Hub does, until that is squashed.
"""

from __future__ import annotations

import base64
import hashlib
import json
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from enum import StrEnum
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Final


class Call(StrEnum):
    """What is asked of the Hub, in the order of a round."""

    INFO = "info"
    CREATE = "create"
    METADATA = "metadata"
    FILE = "file"
    VALIDATE = "validate"
    PREUPLOAD = "preupload"
    COMMIT = "commit"
    SQUASH = "squash"


class Failure(StrEnum):
    """What goes wrong with a call."""

    REFUSED = "refused"
    """The connection ends without an answer, and nothing was done."""
    ERROR = "500"
    CONFLICT = "409"
    """Of a commit, what the Hub says when another came first: 412."""
    CUT = "cut"
    """It was done, and the body of the answer ends halfway."""


Fault = Callable[[Call], Failure | None]
"""Asked at every call."""

_CALLS: Final = (
    ("/api/repos/create", Call.CREATE),
    ("/api/validate-yaml", Call.VALIDATE),
    ("/preupload/", Call.PREUPLOAD),
    ("/commit/", Call.COMMIT),
    ("/super-squash/", Call.SQUASH),
    ("/resolve/", Call.FILE),
    ("/api/datasets/", Call.INFO),
)


class ScriptedHub:
    """One data set: its commits, the newest last, each with all its files."""

    def __init__(self) -> None:
        self.commits: list[tuple[str, dict[str, bytes]]] = []
        self.private = False
        self.calls: list[Call] = []
        self.fault: Fault = lambda call: None
        self.endpoint = ""
        self._lock = threading.Lock()

    @property
    def files(self) -> dict[str, bytes]:
        """What is in the newest commit."""
        return self.commits[-1][1] if self.commits else {}

    @property
    def rows(self) -> list[dict[str, Any]]:
        """The votes of every shard."""
        shards = [content for name, content in sorted(self.files.items()) if name.endswith(".jsonl")]
        return [json.loads(line) for content in shards for line in content.splitlines()]

    def mentions(self, text: str) -> bool:
        """True where any file of any commit that can still be read holds a text."""
        return any(text.encode() in content for _, files in self.commits for content in files.values())

    def record(self, files: Mapping[str, bytes]) -> str:
        """Put a commit on top."""
        listed = sorted((name, hashlib.sha1(content).hexdigest()) for name, content in files.items())
        name = hashlib.sha1(json.dumps([len(self.commits), listed]).encode()).hexdigest()
        self.commits.append((name, dict(files)))
        return name

    def answer(self, call: Call, path: str, body: bytes) -> tuple[int, bytes, Mapping[str, str]]:
        """Status, body and headers."""
        with self._lock:
            return getattr(self, f"_{call.name.lower()}")(path, body)  # type: ignore[no-any-return]

    def _info(self, _path: str, _body: bytes) -> tuple[int, bytes, Mapping[str, str]]:
        if not self.commits:
            return 404, b'{"error": "Repository not found"}', {"X-Error-Code": "RepoNotFound"}
        siblings = [{"rfilename": name} for name in sorted(self.files)]
        return _json({"id": "group/votes", "sha": self.commits[-1][0], "siblings": siblings, "tags": []})

    def _create(self, _path: str, body: bytes) -> tuple[int, bytes, Mapping[str, str]]:
        told = {"url": f"{self.endpoint}/datasets/group/votes"}
        if self.commits:
            return 409, json.dumps(told | {"error": "You already created this dataset repo"}).encode(), {}
        said = json.loads(body)
        self.private = said.get("visibility") == "private" or said.get("private") is True
        self.record({".gitattributes": b"*.parquet filter=lfs\n"})
        return _json(told)

    def _file(self, path: str, _body: bytes) -> tuple[int, bytes, Mapping[str, str]]:
        commit, _, name = path.partition("/resolve/")[2].partition("/")
        content = dict(self.commits).get(commit, {}).get(name)
        if content is None:
            return 404, b"", {"X-Error-Code": "EntryNotFound"}
        return 200, content, {"ETag": f'"{hashlib.sha1(content).hexdigest()}"', "X-Repo-Commit": commit}

    _metadata = _file

    def _validate(self, _path: str, _body: bytes) -> tuple[int, bytes, Mapping[str, str]]:
        return _json({"warnings": [], "errors": []})

    def _preupload(self, _path: str, body: bytes) -> tuple[int, bytes, Mapping[str, str]]:
        files = json.loads(body)["files"]
        return _json(
            {"files": [{"path": each["path"], "uploadMode": "regular", "shouldIgnore": False} for each in files]}
        )

    def _commit(self, _path: str, body: bytes) -> tuple[int, bytes, Mapping[str, str]]:
        head, *changes = [json.loads(line) for line in body.splitlines()]
        if head["value"].get("parentCommit") not in (None, self.commits[-1][0]):
            return 412, b'{"error": "A commit has happened since. Please refresh and try again."}', {}
        files = dict(self.files)
        for change in changes:
            value = change["value"]
            if change["key"] == "file":
                files[value["path"]] = base64.b64decode(value["content"])
            elif change["key"] == "deletedFile":
                del files[value["path"]]
        name = self.record(files)
        return _json(
            {
                "commitUrl": f"{self.endpoint}/datasets/group/votes/commit/{name}",
                "commitOid": name,
                "pullRequestUrl": None,
            }
        )

    def _squash(self, _path: str, _body: bytes) -> tuple[int, bytes, Mapping[str, str]]:
        files = self.files
        del self.commits[:]
        self.record(files)
        return _json({})


def _json(said: Mapping[str, Any]) -> tuple[int, bytes, Mapping[str, str]]:
    return 200, json.dumps(said).encode(), {"Content-Type": "application/json"}


@contextmanager
def scripted_hub() -> Iterator[ScriptedHub]:
    """A Hub on the loopback, at its ``endpoint``, for as long as the context is open."""
    hub = ScriptedHub()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, *said: object) -> None:
            """Says nothing."""

        def do_HEAD(self) -> None:
            self._serve()

        def do_GET(self) -> None:
            self._serve()

        def do_POST(self) -> None:
            self._serve()

        def _serve(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            call = next(call for part, call in _CALLS if part in self.path)
            call = Call.METADATA if self.command == "HEAD" else call
            hub.calls.append(call)
            failure = hub.fault(call)
            if failure is Failure.REFUSED:
                self.close_connection = True
                return
            answer: tuple[int, bytes, Mapping[str, str]]
            if failure is Failure.ERROR:
                answer = (500, b'{"error": "Internal"}', {})
            elif failure is Failure.CONFLICT:
                answer = (412 if call is Call.COMMIT else 409, b'{"error": "Conflict"}', {})
            else:
                answer = hub.answer(call, self.path.partition("?")[0], body)
            self._send(*answer, cut=failure is Failure.CUT)

        def _send(self, status: int, body: bytes, headers: Mapping[str, str], *, cut: bool) -> None:
            self.send_response(status)
            for name, value in {**headers, "Content-Length": str(len(body))}.items():
                self.send_header(name, value)
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(body[: len(body) // 2] if cut else body)
            self.close_connection = cut

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    hub.endpoint = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    try:
        yield hub
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
