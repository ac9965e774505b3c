"""A visitor without a browser: presses the page's buttons over Gradio's own protocol, and keeps every byte it is sent."""

from __future__ import annotations

import json
import random
import string
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import httpx
from gradio_client.utils import apply_diff

from medinject_demo.engine.base import Engine, ScriptedEngine
from medinject_demo.prompts import load_prompts
from medinject_demo.ui.frame import Playground
from medinject_demo.ui.look import look
from medinject_demo.ui.page import build
from tests.duels import arena_at

Event = tuple[str, str]
"""Id of an element, and what happens to it: ("duel-start", "click")."""


@contextmanager
def served(folder: Path, engine: Engine | None = None, seed: int = 1) -> Iterator[tuple[str, Playground]]:
    """The real page on a free port, over a scripted engine and a file of votes in ``folder``: its URL, its services."""
    arena = arena_at(folder, engine=engine or ScriptedEngine(same_words), seed=seed)
    services = Playground(arena._engine, arena, arena._store, load_prompts(), "mini", "Miniature")
    page = build(services)
    _, url, _ = page.launch(prevent_thread_lock=True, quiet=True, **look())
    with closing(arena._store):
        try:
            yield url.rstrip("/"), services
        finally:
            page.close()


def same_words(_request: object) -> str:
    """What every arm says alike."""
    return "Fièvre élevée, **toux** et courbatures."


class Visitor:
    """One browser: it tracks the value of each component and what is seen of it, as the page's script does."""

    def __init__(self, url: str, token: str) -> None:
        self.client = httpx.Client(base_url=url, timeout=30, limits=httpx.Limits(max_connections=4))
        self.session_hash = "".join(random.Random(token).choices(string.ascii_lowercase, k=11))
        self.heard: list[bytes] = []
        self.config = json.loads(self._read(self.client.get("/config")))
        self.props = {each["id"]: dict(each["props"]) for each in self.config["components"]}
        self.ids = {each["props"].get("elem_id"): each["id"] for each in self.config["components"]}
        (voter,) = [i for i, each in self.props.items() if each.get("storage_key") == "medinject-voter"]
        self.props[voter]["value"] = token

    def close(self) -> None:
        self.client.close()

    def write(self, element: str, value: object) -> None:
        """Fill a component in."""
        self.props[self.ids[element]]["value"] = value

    def sees(self, element: str) -> Any:
        """The value of a component; None where it is hidden."""
        props = self.props[self.ids[element]]
        return props.get("value") if props.get("visible", True) else None

    def press(self, element: str, event: str = "click") -> None:
        """Let something happen to an element, and take everything that comes of it."""
        for _ in self.pressing(element, event):
            pass

    def pressing(self, element: str, event: str = "click") -> Iterator[dict[str, Any]]:
        """The same, message by message; closing this is a browser that is closed."""
        for each in self._bound(element, event):
            if each["backend_fn"]:
                yield from self._fire(each)

    def _bound(self, element: str, event: str) -> list[dict[str, Any]]:
        bound = [
            each for each in self.config["dependencies"] if [self.ids[element], event] in map(list, each["targets"])
        ]
        assert bound, f"nothing is bound to {event} of {element}"
        return bound

    def _fire(self, bound: dict[str, Any]) -> Iterator[dict[str, Any]]:
        body = {
            "data": [self.props[each].get("value") for each in bound["inputs"]],
            "fn_index": bound["id"],
            "session_hash": self.session_hash,
        }
        self._read(self.client.post("/gradio_api/queue/join", json=body))
        shown: list[Any] = []
        with self.client.stream("GET", f"/gradio_api/queue/data?session_hash={self.session_hash}") as stream:
            for line in stream.iter_lines():
                self.heard.append(line.encode())
                if not line.startswith("data:"):
                    continue
                message = json.loads(line[5:])
                if message["msg"] in ("process_generating", "process_completed"):
                    shown = self._shown(shown, message)
                    self._take(bound["outputs"], shown)
                yield message
                if message["msg"] == "close_stream":
                    return

    def _shown(self, before: list[Any], message: dict[str, Any]) -> list[Any]:
        output = message["output"]
        assert message.get("success", True), output
        if message["msg"] == "process_completed" or not before:
            return list(output.get("data") or before)
        return [apply_diff(old, new) for old, new in zip(before, output["data"], strict=True)]

    def _take(self, outputs: list[int], shown: list[Any]) -> None:
        for each, value in zip(outputs, shown, strict=False):
            if isinstance(value, dict) and value.get("__type__") == "update":
                self.props[each] |= {name: new for name, new in value.items() if name != "__type__"}
            else:
                self.props[each]["value"] = value

    def _read(self, response: httpx.Response) -> bytes:
        response.raise_for_status()
        self.heard += [json.dumps(sorted(response.headers.items())).encode(), response.content]
        return response.content
