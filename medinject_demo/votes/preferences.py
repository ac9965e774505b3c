"""Votes as the rows that preference training takes: pairs for DPO, single answers for KTO, as chat messages (trl).

Only what was voted blind and counts. An answer that failed, that is empty, or that was erased gives no row. Pure: rows
of ``sheet`` in, rows of a training file out.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from typing import Any, Final

from ..domain import FinishReason, Kind, Prompt, Verdict
from ..prompts import Message, messages
from .sheet import Row

WINNERS: Final = {Verdict.LEFT: (0, 1), Verdict.RIGHT: (1, 0)}
GOOD: Final = {Verdict.BOTH_GOOD: (True, True), Verdict.BOTH_BAD: (False, False)}


def dpo_rows(row: Row) -> Iterator[Row]:
    """``prompt``, ``chosen``, ``rejected``: one row for a preference, one for each pair of ranks of a ranking."""
    for better, worse in _preferences(row):
        chosen, rejected = (_conversation(row, place) for place in (better, worse))
        if chosen and rejected and chosen != rejected:
            sides = {"chosen": chosen, "rejected": rejected}
            told = {
                f"{name}_{what}": value
                for name, place in (("chosen", better), ("rejected", worse))
                for what, value in _of_side(row, place).items()
            }
            yield {"prompt": _prompt(row), **sides, **_of_vote(row), **told}


def kto_rows(row: Row) -> Iterator[Row]:
    """``prompt``, ``completion``, ``label``: true for a good answer.

    Both are good or both bad where the vote says so; the preferred one is good and the other bad; of a ranking, those
    in first place are good and those in last place bad, and nothing is said of those between.
    """
    for place, good in _labels(row):
        if completion := _conversation(row, place):
            head = {"prompt": _prompt(row), "completion": completion, "label": good}
            yield {**head, **_of_vote(row), **_of_side(row, place)}


def _preferences(row: Row) -> Iterator[tuple[int, int]]:
    ranks = row.get("ranking")
    if ranks is not None:
        for one, other in itertools.permutations(range(len(ranks)), 2):
            if ranks[one] < ranks[other]:
                yield one, other
    elif row["verdict"] in WINNERS:
        yield WINNERS[Verdict(row["verdict"])]


def _labels(row: Row) -> Iterator[tuple[int, bool]]:
    ranks = row.get("ranking")
    if ranks is not None:
        first, last = min(ranks), max(ranks)
        if first < last:
            yield from ((place, rank == first) for place, rank in enumerate(ranks) if rank in (first, last))
    elif row["verdict"] in GOOD:
        yield from enumerate(GOOD[Verdict(row["verdict"])])
    elif row["verdict"] in WINNERS:
        better, worse = WINNERS[Verdict(row["verdict"])]
        yield from sorted([(better, True), (worse, False)])


def _prompt(row: Row) -> list[Message]:
    prompt = Prompt(Kind(row["kind"]), row["question"], row["context"], tuple(row["options"]))
    return messages(prompt)


def _conversation(row: Row, place: int) -> list[Message]:
    """What one side said, and what the voter said between; empty where a part of it cannot be trained on."""
    told: list[Message] = []
    for number, turn in enumerate(row["turns"]):
        answer = turn["answers"][place]
        if not answer["text"].strip() or answer["finish_reason"] == FinishReason.ERROR:
            return []
        if number:
            told.append({"role": "user", "content": turn["message"]})
        told.append({"role": "assistant", "content": answer["text"]})
    return told if row["question"] else []


def _of_vote(row: Row) -> dict[str, Any]:
    names = ("vote", "battle", "voter", "kind", "specialty", "profile", "propensity")
    seeds = [turn["sampling"]["seed"] for turn in row["turns"]]
    return {name: row[name] for name in names} | {"prompt_id": row["prompt"], "seeds": seeds, "turns": len(seeds)}


def _of_side(row: Row, place: int) -> dict[str, Any]:
    answer = row["turns"][-1]["answers"][place]
    reasons = row["criteria"][place] if place < len(row["criteria"]) else []
    told = {"arm": answer["mixture"], "fingerprint": answer["fingerprint"], "criteria": reasons}
    return told | {"equivalent": row["equivalent"][place] if place < len(row["equivalent"]) else None}
