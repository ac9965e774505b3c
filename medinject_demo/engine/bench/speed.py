"""The lines of the table of goals: the engine beside the base alone, beside peft's ways, and under many visitors.

Each function takes a stage and gives lines; what it loads it lets go of. Knows nothing of how they are printed.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from ...domain import BASE
from ..base import Delta, Event, Finished, Request
from .baselines import plain, through_peft
from .measure import Goal, Line, side_by_side
from .stage import Stage, said_by, whole

SWITCHES = 8
"""Successive answers of one sample where the cost of another arm is looked for."""


def base_batch(stage: Stage) -> list[Line]:
    """Eight rows with adapters beside eight rows of the base, both in the engine."""
    engine, work = stage.engine, stage.work
    arms, base = stage.requests(stage.arms(work.rows)), stage.requests([BASE] * work.rows)
    times = side_by_side(
        {"arms": lambda: said_by(engine, arms), "base": lambda: said_by(engine, base)}, stage.repeats, stage.clock
    )
    what = f"{work.rows} DoRA rows ÷ base-only batch of {work.rows}, time"
    return [Line("base-batch", what, times.ratio("arms", "base"), goal=Goal(1.10), samples=times.seconds)]


def plain_batch(stage: Stage) -> list[Line]:
    """Eight rows with adapters beside transformers' own batch of the bare base, in which no adapter is looked for."""
    engine, work = stage.engine, stage.work
    bare, arms = plain(stage), stage.requests(stage.arms(work.rows))
    base = stage.requests([BASE] * work.rows)
    times = side_by_side(
        {"arms": lambda: said_by(engine, arms), "generate": lambda: bare.say(base)}, stage.repeats, stage.clock
    )
    what = f"{work.rows} DoRA rows ÷ transformers' generate on the bare base, batch of {work.rows}, time"
    return [
        Line("plain-batch", what, times.ratio("arms", "generate"), samples=times.seconds),
        agreement(stage, "plain-batch", "the base's rows", said_by(engine, base), times.last["generate"]),
    ]


def quicker(stage: Stage) -> list[Line]:
    """Eight rows beside the same rows through transformers' forward, all else alike."""
    engine, work = stage.engine, stage.work
    plain: Any = stage.load(work.rows, work.context)
    try:
        plain.use_transformers()
        arms = stage.requests(stage.arms(work.rows))
        times = side_by_side(
            {"ours": lambda: said_by(engine, arms), "transformers": lambda: said_by(plain, arms)},
            stage.repeats,
            stage.clock,
        )
    finally:
        plain.close()
    what = f"{work.rows} DoRA rows, times faster than by transformers' forward in the same engine"
    return [
        Line("quicker", what, times.ratio("transformers", "ours"), "x", samples=times.seconds),
        agreement(stage, "quicker", "DoRA rows", times.last["ours"], times.last["transformers"]),
    ]


def peft_sequential(stage: Stage) -> list[Line]:
    """Eight rows in one batch beside peft's own way: ``set_adapter`` and ``generate``, one after the other."""
    engine, work = stage.engine, stage.work
    tokens = min(work.tokens, work.sequential_tokens)
    requests = stage.requests(stage.arms(work.rows), tokens=tokens)
    places = itertools.cycle(range(work.rows))
    said: dict[int, str] = {}

    def sample() -> list[str]:
        chosen = list(itertools.islice(places, work.sequential))
        said.update(zip(chosen, peft.one_by_one([requests[place] for place in chosen]), strict=True))
        return []

    with through_peft(stage, stage.subject.dora) as peft:
        peft.one_by_one(stage.requests(stage.arms(work.rows), tokens=1))  # every adapter's norms are cached
        times = side_by_side({"ours": lambda: said_by(engine, requests), "peft": sample}, stage.repeats, stage.clock)
    faster = times.ratio("peft", "ours") * work.rows / work.sequential
    what = f"{work.rows} DoRA rows in one batch against peft sequential (DoRA caching on), times faster"
    goal = Goal(30 if stage.device == "cuda" else 4.5, at_most=False)
    sampled = "" if work.sequential == work.rows else f"peft: {work.sequential} of the answers a sample, in turn"
    shorter = "" if tokens == work.tokens else f"{tokens} new tokens on both sides"
    note = "; ".join(filter(None, (sampled, shorter)))
    ours = [times.last["ours"][place] for place in sorted(said)]
    return [
        Line("peft-sequential", what, faster, "x", goal, note, times.seconds),
        agreement(stage, "peft-sequential", "DoRA rows", ours, [said[place] for place in sorted(said)]),
    ]


def peft_mixed(stage: Stage) -> list[Line]:
    """Eight DoRA rows beside peft's mixed batch, which takes plain LoRA only: the same A and B without magnitudes."""
    engine, work = stage.engine, stage.work
    tokens = min(work.tokens, work.mixed_tokens)
    requests = stage.requests(stage.arms(work.rows), tokens=tokens)
    with through_peft(stage, stage.subject.lora) as peft:
        times = side_by_side(
            {"ours": lambda: said_by(engine, requests), "peft": lambda: peft.mixed(requests)},
            stage.repeats,
            stage.clock,
        )
    what = f"{work.rows} DoRA rows against peft's mixed batch of {work.rows} LoRA rows, times faster"
    note = "" if tokens == work.tokens else f"{tokens} new tokens on both sides"
    return [Line("peft-mixed", what, times.ratio("peft", "ours"), "x", Goal(2, at_most=False), note, times.seconds)]


def switch(stage: Stage) -> list[Line]:
    """Short answers, one after the other, of arms in turn and of one arm: what differs is the cost of switching."""
    engine, tokens = stage.engine, max(1, stage.work.tokens // SWITCHES)
    turns = stage.requests(stage.arms(SWITCHES), tokens=tokens)
    same = stage.requests(stage.arms(1) * SWITCHES, tokens=tokens)

    def one_by_one(requests: Sequence[Request]) -> list[str]:
        return [text for request in requests for text in said_by(engine, [request])]

    variants = {"arms in turn": lambda: one_by_one(turns), "one arm": lambda: one_by_one(same)}
    times = side_by_side(variants, stage.repeats, stage.clock)
    what = f"another adapter for each new row ÷ the same one ({SWITCHES} answers of {tokens} tokens), time"
    return [Line("switch", what, times.ratio("arms in turn", "one arm"), goal=Goal(1.05), samples=times.seconds)]


def visitors(stage: Stage) -> list[Line]:
    """Tokens a second of many visitors at once, two rows each, over those of one visitor."""
    engine, count, tokens = stage.engine, stage.work.visitors, stage.work.tokens
    requests = stage.requests(stage.arms(2 * count))
    pairs = [requests[place : place + 2] for place in range(0, 2 * count, 2)]

    def crowd() -> list[list[str]]:
        with ThreadPoolExecutor(count) as threads:
            return list(threads.map(lambda pair: said_by(engine, pair), pairs))

    variants = {"crowd": crowd, "one": lambda: [said_by(engine, pairs[0])]}
    times = side_by_side(variants, stage.repeats, stage.clock)
    alone, together = 2 * tokens / times.median("one"), 2 * count * tokens / times.median("crowd")
    what = f"{count} visitors × 2 rows at once ÷ one visitor, tokens/s"
    goal = Goal(5, at_most=False) if stage.device == "cpu" else None
    note = f"{together:,.0f} and {alone:,.0f} tokens/s"
    return [Line("visitors", what, together / alone, "x", goal, note, times.seconds)]


def join(stage: Stage) -> list[Line]:
    """Decode steps from a row's joining a full batch to its first token.

    All rows are of one call, so that their events come in the order in which they happened. One more than the engine
    has places: the last waits until the one before it ends, and joins. Every other row gives a piece of text at each
    step; the most pieces that any gives between that end and the newcomer's first are the steps, the newcomer's own
    prefill (less than a chunk) included.
    """
    most, tokens = stage.work.most_rows, min(stage.work.tokens, 12)
    arms = stage.arms(most + 1)
    busy = stage.requests(arms[: most - 1], tokens=tokens, prompt=12)
    leaver = stage.requests(arms[most - 1 : most], tokens=max(1, tokens // 3), prompt=12)
    newcomer = stage.requests(arms[:1], tokens=1)
    requests = [*busy, *leaver, *newcomer]
    counts = [float(_steps_to_first(list(whole(stage.engine, requests)), most - 1, most)) for _ in range(stage.repeats)]
    what = f"a row that joins a batch of {most - 1}: decode steps to its first token, its prefill included, at most"
    return [Line("join", what, max(counts), goal=Goal(2), samples={"steps": counts})]


def _steps_to_first(events: Sequence[Event], leaver: int, newcomer: int) -> int:
    """The most pieces that one row gives between the end of ``leaver`` and the first event of ``newcomer``."""
    left = next(place for place, each in enumerate(events) if isinstance(each, Finished) and each.row == leaver)
    first = next(place for place, each in enumerate(events) if each.row == newcomer)
    rows = [each.row for each in events[left:first] if isinstance(each, Delta)]
    return max((rows.count(row) for row in set(rows)), default=0)


def agreement(stage: Stage, name: str, whose: str, ours: Sequence[str], theirs: Sequence[str]) -> Line:
    """How many of the answers are, letter for letter, those of the other way; a goal in fp32 only.

    In half precision two correct orders of summation part at the first near-tie, and greedy answers with them.
    """
    same = sum(one == other for one, other in zip(ours, theirs, strict=True))
    what = f"{whose}: greedy answers equal to that way's, of {len(ours)}"
    exact = stage.dtype == "fp32" and stage.quantization == "none"
    note = "" if exact else "no goal below fp32"
    return Line(name, what, same, goal=Goal(len(ours), at_most=False) if exact else None, note=note)
