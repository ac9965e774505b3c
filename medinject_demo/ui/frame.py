"""What every tab is given: the services behind the page, and the components that all share."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Final

import gradio as gr

from ..adapters.registry import MINIATURE
from ..arena import Arena
from ..boards import Boards
from ..domain import Prompt, Sampling
from ..engine.base import Engine
from ..errors import InvalidValue, MedInjectError, ModelError, Refused, StoreError
from ..votes.store import VoteStore
from .gate import Gate
from .texts import Lang, catalogue, say
from .wording import Wording

VISITORS: Final = 32
"""Streams that are served at once; their rows share the engine's batch, and beyond it wait there."""
REFRESH: Final = 0.1
"""Seconds between two redrawings of the answers, at least."""


@dataclass(frozen=True)
class Playground:
    """The services behind the page. ``profile`` is the registry's name of what answers, ``title`` what it is called."""

    engine: Engine
    arena: Arena
    store: VoteStore
    prompts: Sequence[Prompt]
    profile: str
    title: str
    sampling: Sampling = field(default_factory=Sampling)
    chance: random.Random = field(default_factory=random.Random, compare=False)
    server: str = ""
    """What the servers that answer call themselves; empty where this machine answers."""
    replicas: int = 0
    """Of the fleet that answers; 0 where none does."""
    remarks: tuple[str, ...] = ()
    """What the person who serves should know of the servers."""
    gate: Gate = field(default_factory=Gate, compare=False)
    """Before whatever asks for answers or stores a word; without limits where none is given."""
    boards: Boards | None = None
    """Where boards are computed; the page makes its own over the store where this is None."""

    @property
    def miniature(self) -> bool:
        """True where the miniature answers."""
        return self.profile == MINIATURE


@dataclass(frozen=True)
class Frame:
    """The services, what all tabs share (words, language, the visitor's secret token), and the tab being built."""

    behind: Playground
    wording: Wording
    language: gr.Radio
    session: gr.BrowserState
    tab: gr.Tab
    arrivals: list[dict[str, Any]]
    """Events that follow a visitor's arrival, once language and token are known; a tab adds its own."""


def explained(lang: str, error: MedInjectError) -> str:
    """An error of the family in the visitor's language; what has no text of its own says what kind it is."""
    if isinstance(error, Refused):
        texts = [
            say(lang, f"refused.{code}", **error.fields) for code in error.codes if f"refused.{code}" in catalogue()
        ]
        if texts:
            return " ".join(texts)
    kinds: dict[type[MedInjectError], str] = {StoreError: "store", ModelError: "model", InvalidValue: "value"}
    return say(lang, f"refused.{next((key for kind, key in kinds.items() if isinstance(error, kind)), 'other')}")


@contextmanager
def told_to_programs() -> Iterator[None]:
    """An error of the family as a client of the page's interface is told it; the store's may name where votes are."""
    try:
        yield
    except MedInjectError as error:
        told = explained(Lang.EN, error) if isinstance(error, StoreError) else str(error)
        raise gr.Error(told, print_exception=False) from error
