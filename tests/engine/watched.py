"""Steps that someone looks at: what each is given, before it is done as ever."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from medinject_demo.engine.local import LocalEngine
from medinject_demo.engine.outcome import Outcome
from medinject_demo.engine.steps import Steps


class Watched:
    """An engine's own steps, whose tokens, tokens fed and slots are told."""

    def __init__(self, steps: Steps, look: Callable[[Sequence[int], Sequence[int], Sequence[int]], Any]) -> None:
        self._steps, self._look, self.feed = steps, look, steps.feed

    def step(self, tokens: Sequence[int], fed: Sequence[int], slots: Sequence[int], steady: bool = False) -> Outcome:
        self._look(tokens, fed, slots)
        return self._steps.step(tokens, fed, slots, steady)


def watch(engine: LocalEngine, look: Callable[[Sequence[int], Sequence[int], Sequence[int]], Any]) -> None:
    """Look at every step of an engine from now on."""
    engine._batcher.steps = Watched(engine._batcher.steps, look)
