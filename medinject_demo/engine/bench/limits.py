"""How near the engine comes to what the machine can do: the step beside its bytes, tokens a second, loading.

Knows nothing of peft, nor of how lines are printed.
"""

from __future__ import annotations

import itertools
from functools import partial
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import Any

from ...domain import ARMS
from .measure import Clock, Goal, Line, side_by_side
from .random_adapters import files_again
from .sizes import Sizes
from .stage import Stage, said_by
from .subject import RANDOM_4B


def step(stage: Stage) -> list[Line]:
    """Seconds of one decode step, and what they are over the time to read its bytes once.

    A step is the slope between answers of half the tokens and of all: prompts and starting cost the same in both.
    """
    engine, work = stage.engine, stage.work
    arms, half = stage.arms(work.rows), max(1, work.tokens // 2)
    whole, first = stage.requests(arms), stage.requests(arms, tokens=half)
    variants = {"whole": lambda: said_by(engine, whole), "half": lambda: said_by(engine, first)}
    times = side_by_side(variants, stage.repeats, stage.clock)
    seconds = (times.median("whole") - times.median("half")) / (work.tokens - half)
    length = work.prompt + (half + work.tokens) / 2
    read = Sizes.of(stage.subject, stage.dtype, stage.quantization).step(len(set(arms)), work.rows, length)
    speeds = bandwidths(stage.device, work.buffer, stage.repeats, stage.clock)
    limit = read / median(speeds)
    note = f"{read / 1e9:.2f} GB, {median(speeds) / 1e9:,.0f} GB/s, {1e3 * limit:.2f} ms at least"
    goal = Goal(1.5) if stage.device == "cuda" else None
    return [
        Line("step", f"a decode step of {work.rows} DoRA rows", 1e3 * seconds, "ms", samples=times.seconds),
        Line(
            "step",
            "that step ÷ reading its weights, adapters, keys and values once, at the bandwidth of a copy",
            seconds / limit,
            goal=goal,
            note=note,
            samples={"bytes a second": speeds},
        ),
    ]


def bandwidths(device: str, size: int, repeats: int, clock: Clock) -> list[float]:
    """Bytes a second, those read and those written counted, of copying ``size`` bytes; after a warm-up."""
    import torch

    source = torch.zeros(size // 4, dtype=torch.float32, device=device) + 1  # every page is there
    target = torch.empty_like(source) + 1
    copies = 8 if device == "cuda" else 1  # a copy on a GPU is over in less time than its launch is told exactly

    def copy() -> None:
        for _ in range(copies):
            target.copy_(source)
        if device == "cuda":
            torch.cuda.synchronize()

    times: list[float] = list(side_by_side({"copy": copy}, repeats, clock).seconds["copy"])
    return [2 * size * copies / seconds for seconds in times]


def answers(stage: Stage) -> list[Line]:
    """Seconds of eight whole answers, prompts included."""
    engine, work = stage.engine, stage.work
    requests = stage.requests(stage.arms(work.rows))
    times = side_by_side({"answers": lambda: said_by(engine, requests)}, stage.repeats, stage.clock)
    seconds = times.median("answers")
    meant = "H200" in stage.device_name and stage.subject.name == RANDOM_4B and work.tokens == 256
    what = f"{work.rows} answers of {work.tokens} tokens, prompts of {work.prompt}"
    note = f"{work.rows * work.tokens / seconds:,.0f} tokens/s"
    return [Line("answers", what, seconds, "s", Goal(0.8) if meant else None, note, times.seconds)]


def rows(stage: Stage) -> list[Line]:
    """Tokens a second of batches of several sizes."""
    engine, work = stage.engine, stage.work
    asked = {str(count): stage.requests(stage.arms(count)) for count in work.row_counts if count <= work.most_rows}
    variants = {count: partial(said_by, engine, each) for count, each in asked.items()}
    times = side_by_side(variants, stage.repeats, stage.clock)
    return [
        Line(
            "rows",
            f"{count} DoRA rows at once",
            int(count) * work.tokens / times.median(count),
            "tokens/s",
            samples={count: times.seconds[count]},
        )
        for count in asked
    ]


def load(stage: Stage) -> list[Line]:
    """Seconds to put seven adapters in place of the seven that answer, their scales computed, and again found."""
    engine: Any = stage.engine
    with TemporaryDirectory() as made:
        numbers = itertools.count()

        def fresh() -> None:
            place = Path(made) / str(next(numbers))
            for mixture in ARMS:
                engine.swap(mixture, files_again(stage.subject.dora[mixture], place / mixture.slug))

        def kept() -> None:
            for mixture in ARMS:
                engine.swap(mixture, stage.subject.dora[mixture])

        repeats = stage.repeats if stage.quantization == "none" else 1  # a quantised base is read anew for each scale
        times = side_by_side({"fresh": fresh, "kept": kept}, repeats, stage.clock)
    return [
        Line("load", f"seven adapters read, their scales {how}", times.median(name), "s", samples={name: each})
        for (name, each), how in zip(times.seconds.items(), ("computed", "kept beside them"), strict=True)
    ]
