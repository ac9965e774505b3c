"""``/board`` for programs: what the votes say, as one document. Waits for the first result without holding a thread."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Final

import gradio as gr

from ..boards import Boards, Reading
from ..domain import Kind, Prompt
from ..errors import InvalidValue
from ..limiter import Act
from ..stats.selection import Selection
from ..votes.records import Profile, known
from .board_documents import record
from .frame import told_to_programs
from .gate import Gate
from .texts import Lang, say

PATIENCE: Final = 60.0
"""Seconds to wait for the first result."""
LOOK_AGAIN: Final = 0.1


def endpoint(
    boards: Boards, prompts: Sequence[Prompt], gate: Gate, *, patience: float = PATIENCE
) -> Callable[..., Awaitable[dict[str, Any]]]:
    """The function behind ``/board``."""
    specialties = {each.specialty for each in prompts if each.specialty}

    async def board(sent: gr.Request, kind: str = "", specialty: str = "", profile: str = "") -> dict[str, Any]:
        """What the votes say of the eight arms, in whole or of a part of the votes (empty is any).

        All of it is of that part: battles, votes, voters and the verdicts of the 28 pairs (``wins`` in the order of
        ``arms``), strengths raw and style-controlled with 95 % intervals, standings by the stated rule, the effects of
        the provenances, the biases. ``votes`` are those ``counted``, those not given blind (``after_reveal``) and those
        ``suspect``; all else is of those counted. ``outdated`` is true where the votes cannot be read now and this is
        from before. No answer of an arm is medical advice; nothing here is either.
        """
        with told_to_programs():
            selection = asked(kind, specialty, profile, specialties)
            gate.admit(Act.ASK, sent)
        return await _waited(boards, selection, patience)

    return board


def asked(kind: str, specialty: str, profile: str, specialties: set[str]) -> Selection:
    """The part of the votes that a program asks for.

    Raises:
        InvalidValue: a kind, specialty or profile that there is not.
    """
    if specialty and specialty not in specialties:
        names = ", ".join(sorted(specialties))
        raise InvalidValue.of("specialty", expected=f"one of {names}", got=repr(specialty)[:60])
    return Selection(
        known(Kind, kind, "kind").value if kind else None,
        specialty or None,
        known(Profile, profile, "profile").value if profile else None,
    )


async def _waited(boards: Boards, selection: Selection, patience: float) -> dict[str, Any]:
    """The last result, or the first where there is none yet."""
    for _ in range(max(1, round(patience / LOOK_AGAIN))):
        look = boards.look(selection)
        if look.value is not None or look.failed:
            break
        await asyncio.sleep(LOOK_AGAIN)
    if look.value is not None:
        return _told(look.value, outdated=look.failed)
    raise gr.Error(say(Lang.EN, "board.unreadable" if look.failed else "board.waiting"), print_exception=False)


def _told(reading: Reading, *, outdated: bool) -> dict[str, Any]:
    return record(reading) | {"outdated": outdated}
