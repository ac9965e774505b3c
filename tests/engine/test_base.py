"""The engine that ships as a fake keeps the laws of the real one."""

from __future__ import annotations

import pytest

from medinject_demo.domain import FinishReason
from medinject_demo.engine.base import Delta, Finished, Request, ScriptedEngine

from .laws import EngineLaws, asked


def said(request: Request) -> str:
    return f"{request.mixture} : œdème 💪 {request.messages[-1]['content']}"


class TestScriptedEngine(EngineLaws):
    @pytest.fixture
    def engine(self) -> ScriptedEngine:
        return ScriptedEngine(said)


def test_a_row_whose_script_fails_finishes_with_an_error_and_the_others_go_on() -> None:
    def broken(request: Request) -> str:
        if request.messages[-1]["content"] == "non":
            raise KeyError("script")
        return "oui"

    events = list(ScriptedEngine(broken, clock=lambda: 0.0).stream([asked("non"), asked("oui")]))
    assert Finished(0, FinishReason.ERROR, 0, 0.0, "KeyError: 'script'") in events
    assert Delta(1, "oui") in events
