"""A visitor without a browser: presses buttons over Gradio's own protocol, and keeps every byte that comes back."""

from __future__ import annotations

import json
import random
import string
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import httpx
from gradio_client.utils import apply_diff

from medinject_demo.boards import Boards
from medinject_demo.engine.base import Engine, Request, ScriptedEngine
from medinject_demo.prompts import load_prompts
from medinject_demo.ui.frame import Playground
from medinject_demo.ui.look import look
from medinject_demo.ui.page import build
from medinject_demo.votes.store import VoteStore
from tests.duels import arena_at


@contextmanager
def served(
    folder: Path,
    engine: Engine | None = None,
    seed: int = 1,
    boards: Callable[[VoteStore], Boards] = Boards,
) -> Iterator[tuple[str, Playground]]:
    """The real page on a free port, over a scripted engine and a file of votes in ``folder``: its URL, its services."""
    folder.mkdir(exist_ok=True)
    arena = arena_at(folder, engine=engine or ScriptedEngine(same_words), seed=seed, bundled=load_prompts())
    store = arena._store
    services = Playground(arena._engine, arena, store, load_prompts(), "mini", "Miniature", boards=boards(store))
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


def echo(request: Request) -> str:
    """What an arm says that repeats the question."""
    return echo_of(request.messages[-1]["content"])


def echo_of(text: str) -> str:
    return f"Réponse à « {text} »"


class Visitor:
    """One browser: it tracks the value of each component and what is seen of it, as the page's script does."""

    def __init__(self, url: str, token: str) -> None:
        self.token = token
        self.client = httpx.Client(base_url=url, timeout=30)
        self.session_hash = "".join(random.Random(token).choices(string.ascii_lowercase, k=11))
        self.heard: list[bytes] = []
        self.config = json.loads(self._read(self.client.get("/config")))
        self.props = {each["id"]: dict(each["props"]) for each in self.config["components"]}
        self.ids = {each["props"].get("elem_id"): each["id"] for each in self.config["components"]}
        self._under_way: dict[str, tuple[list[int], list[Any]]] = {}
        (voter,) = [i for i, each in self.props.items() if each.get("storage_key") == "medinject-voter"]
        self.props[voter]["value"] = token

    def close(self) -> None:
        self.client.close()

    def write(self, element: str, value: object) -> None:
        """Fill a component in."""
        self.props[self.ids[element]]["value"] = value

    def value(self, element: str) -> Any:
        """The value of a component."""
        return self.props[self.ids[element]].get("value")

    def sees(self, element: str) -> bool:
        """Whether a component is shown."""
        return bool(self.props[self.ids[element]].get("visible", True))

    def presses(self, element: str) -> bool:
        """Whether a button may be pressed."""
        return bool(self.props[self.ids[element]].get("interactive", True))

    def arrive(self, link: str) -> None:
        """Open the page under an address that ends with ``?duel=`` and this, and take what comes of it."""
        (load,) = [each["id"] for each in self.config["dependencies"] if "load" in (on for _, on in each["targets"])]
        for each in self.config["dependencies"]:
            if each["trigger_after"] == load:
                self._join(each, {"duel": link})
        for _ in self.listen():
            pass

    def press(self, element: str, event: str = "click") -> None:
        """Let something happen to an element, and take everything that comes of it."""
        for _ in self.pressing(element, event):
            pass

    def press_through(self, element: str, event: str = "click") -> None:
        """The same, and then what follows it, one after the other."""
        self.press(element, event)
        ended = [each["id"] for each in self._bound(element, event)]
        while following := [each for each in self.config["dependencies"] if each["trigger_after"] in ended]:
            for each in following:
                self._join(each)
                for _ in self.listen():
                    pass
            ended = [each["id"] for each in following]

    def pressing(self, element: str, event: str = "click") -> Iterator[str]:
        """The same, message by message (their kinds); closing this is a browser that is closed."""
        self.begin(element, event)
        yield from self.listen()

    def begin(self, element: str, event: str = "click") -> None:
        """Let something happen to an element; ``listen`` takes what comes of it."""
        for each in self._bound(element, event):
            if each["backend_fn"]:
                self._join(each)

    def _bound(self, element: str, event: str) -> list[dict[str, Any]]:
        target = [self.ids[element], event]
        bound = [each for each in self.config["dependencies"] if target in map(list, each["targets"])]
        assert bound, f"nothing is bound to {event} of {element}"
        return bound

    def _join(self, event: dict[str, Any], address: dict[str, str] | None = None) -> None:
        data = [self.props[which].get("value") for which in event["inputs"]]
        body = {"data": data, "fn_index": event["id"], "session_hash": self.session_hash}
        joined = json.loads(self._read(self.client.post("/gradio_api/queue/join", json=body, params=address)))
        self._under_way[joined["event_id"]] = (event["outputs"], [])

    def listen(self) -> Iterator[str]:
        """Take messages until nothing is under way."""
        with self.client.stream("GET", f"/gradio_api/queue/data?session_hash={self.session_hash}") as stream:
            for line in stream.iter_lines():
                self.heard.append(line.encode())
                if line.startswith("data:"):
                    message = json.loads(line[5:])
                    self._take(message)
                    yield message["msg"]
                    if message["msg"] == "close_stream":
                        return

    def _take(self, message: dict[str, Any]) -> None:
        if message["msg"] not in ("process_generating", "process_completed"):
            return
        assert message["success"], message["output"]
        outputs, before = self._under_way[message["event_id"]]
        said = message["output"].get("data") or []
        if message["msg"] == "process_generating" and before:
            said = [apply_diff(old, new) for old, new in zip(before, said, strict=True)]
        shown = said or before
        self._under_way[message["event_id"]] = (outputs, shown)
        for which, value in zip(outputs, shown, strict=False):
            if isinstance(value, dict) and value.get("__type__") == "update":
                self.props[which] |= {name: new for name, new in value.items() if name != "__type__"}
            else:
                self.props[which]["value"] = value

    def _read(self, response: httpx.Response) -> bytes:
        response.raise_for_status()
        self.heard += [json.dumps(sorted(response.headers.items())).encode(), response.content]
        return response.content
