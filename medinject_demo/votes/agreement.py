"""Whether a vote or a battle from elsewhere says what the one of the same id says that is here. Pure; knows no SQL.

What was erased on one side is not compared, nor is what an instance may count or name by itself: versions, and the
names of voters who were forgotten.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from ..domain import Sampling
from ..errors import InvalidData
from .forgetting import is_erased
from .moments import moment_of
from .sheet import Record
from .voters import is_nobody

Kept = Mapping[str, Any]
"""A row as its table keeps it."""

_VOTE: Final = ("battle", "at", "verdict", "ranking", "criteria", "equivalent", "profile", "seconds", "blind")
_BATTLE: Final = ("arms", "kind", "propensity", "specialty", "origin")
_ANSWER: Final = ("mixture", "fingerprint", "sampling", "finish_reason", "tokens", "seconds")
_STYLE: Final = ("words", "headers", "bold", "lists", "emoji")


def require_same_vote(ours: Kept, record: Record) -> None:
    """Raises InvalidData where the record's vote says something else than ours; the sentence names the field."""
    theirs, what = record.vote, f"the vote {ours['id']}"
    names = [*_VOTE]
    names += [] if ours["erased"] or theirs["erased"] else ["comment"]
    for name in (*names, *_owner(ours, theirs)):
        _require(name, ours, theirs, record.where, what)


def require_same_battle(ours: Kept, sides: Sequence[Kept], record: Record) -> None:
    """The same of a battle and its answers, by turn and place."""
    theirs, what = record.battle, f"the battle {ours['id']}"
    names = [*_BATTLE]
    names += [] if is_erased(ours["prompt"]) or is_erased(theirs["prompt"]) else ["prompt"]
    for name in (*names, *_owner(ours, theirs)):
        _require(name, ours, theirs, record.where, what)
    here, there = (_by_place(each) for each in (sides, record.answers))
    _require("answers", {"answers": [*here]}, {"answers": [*there]}, record.where, what)
    for place, side in here.items():
        other = there[place]
        hidden = (ours["erased"] and not side["text"]) or (theirs["erased"] and not other["text"])
        for name in (*_ANSWER, *_STYLE, *(() if hidden else ("message", "text"))):
            _require(name, side, other, record.where, f"{what}, {side['mixture']} in turn {place[0]}")


def _owner(ours: Kept, theirs: Kept) -> tuple[str, ...]:
    return () if is_nobody(ours["voter"]) or is_nobody(theirs["voter"]) else ("voter",)


def _by_place(sides: Sequence[Kept]) -> dict[tuple[int, int], Kept]:
    return dict(sorted(((side["turn"], side["place"]), side) for side in sides))


def _require(name: str, ours: Kept, theirs: Kept, where: str, what: str) -> None:
    if ours[name] == theirs[name]:
        return
    if name in _READ and _READ[name](ours[name]) == _READ[name](theirs[name]):
        return
    expected, got = (_short(f"{side[name]}") for side in (ours, theirs))
    remedy = "A vote is never changed: find out which of the two is true."
    raise InvalidData.of(f"{where}, {name}", expected=f"{expected}, as in {what} that is here", got=got, remedy=remedy)


def _short(said: str) -> str:
    said = " ".join(said.split())
    return said if len(said) < 60 else said[:57] + "..."


def _said(text: str) -> list[Any]:
    """What is said of each answer; of none, however many places that is."""
    sides: list[Any] = json.loads(text)
    return sides if any(side not in (None, []) for side in sides) else []


def _sampling(text: str) -> Sampling:
    """A temperature of 0 is one of 0.0, and what an earlier program did not write is the default."""
    return Sampling(**json.loads(text))


_READ: Final[Mapping[str, Callable[[str], Any]]] = {
    "criteria": _said,
    "equivalent": _said,
    "sampling": _sampling,
    "at": moment_of,
}
