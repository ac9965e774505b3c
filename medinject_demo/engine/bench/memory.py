"""Memory of an engine that answers, in a process of its own: what it takes above weights, adapters and KV.

On a CPU the peak of the resident set, read from Linux; on CUDA the allocator's own peak.
"""

from __future__ import annotations

import multiprocessing
import time
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory

from ...domain import ARMS
from ...errors import ModelError
from ..device import return_freed
from .measure import Goal, Line
from .sizes import Sizes
from .stage import Stage, quiet, said_by
from .subject import TINY, random_subject

STATUS = Path("/proc/self/status")
FORGET_PEAK = Path("/proc/self/clear_refs")


@dataclass(frozen=True)
class Growth:
    """Bytes above what the process had before the engine was loaded."""

    loaded: int
    """Once loaded."""
    peak: int
    """At most, loading included."""
    serving: int
    """At most, once loaded."""


def memory(stage: Stage) -> list[Line]:
    """Peak of an engine with as many places as rows, all filled to their last token.

    Of several processes, on a CPU, the one whose peak is the median: what a process took before it loads an engine, and
    how its allocator lays things out, differ by megabytes from one to the next.
    """
    work, times = stage.work, 1 if stage.device == "cuda" else stage.repeats
    if stage.device == "cpu":
        stage.close()  # a large base is not held twice
    each = sorted((_grown_apart(stage) for _ in range(times)), key=lambda growth: growth.peak)
    growth = each[len(each) // 2]
    sizes = Sizes.of(stage.subject, stage.dtype, stage.quantization)
    cached = work.rows * (work.prompt + work.tokens) * sizes.token
    due = sizes.weights + len(ARMS) * sizes.adapter + cached
    note = (
        f"{_mb(due)}: weights {_mb(sizes.weights)}, adapters {_mb(len(ARMS) * sizes.adapter)}, KV {_mb(cached)}; "
        f"peak {_mb(growth.peak)}, answering {_mb(growth.serving)}"
    )
    above = Line(
        "memory",
        f"peak memory above weights, seven adapters and the KV of {work.rows} rows",
        100 * (growth.peak / due - 1),
        "%",
        Goal(15),
        note,
        {"loaded": [one.loaded for one in each], "peak": [one.peak for one in each]},
    )
    held = (growth.loaded - sizes.weights) / 1e6
    what = "held once loaded, above the weights: adapters and what is made with them"
    return [above, Line("memory", what, held, "MB")]


def _grown_apart(stage: Stage) -> Growth:
    with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as fresh:
        return fresh.submit(grown, replace(stage, clock=time.perf_counter, _loaded=[])).result()


def grown(stage: Stage) -> Growth:
    """Load an engine, let it answer, and read what the process grew by; for a process of its own.

    Raises:
        ModelError: this system does not tell a process's memory.
    """
    quiet()
    _warm(stage)
    requests = stage.requests(stage.arms(stage.work.rows))
    return_freed()  # what an engine would take of it is not seen to grow
    read = _on_cuda if stage.device == "cuda" else _resident
    before, _ = read()
    _forget_peak(stage.device)
    engine = stage.load(stage.work.rows, stage.work.prompt + stage.work.tokens)
    loaded, peak = read()
    _forget_peak(stage.device)
    said_by(engine, requests)
    engine.close()
    _, serving = read()
    return Growth(loaded - before, max(peak, serving) - before, serving - before)


def _warm(stage: Stage) -> None:
    """Have the libraries take what they take for any model, however small: it is not this one's."""
    with TemporaryDirectory() as folder:
        tiny = random_subject("tiny", TINY, Path(folder), stage.device, stage.dtype)
        small = replace(stage, subject=tiny, _loaded=[])
        said_by(small.engine, small.requests(small.arms(stage.work.rows), tokens=2))
        small.close()


def _on_cuda() -> tuple[int, int]:
    import torch

    return torch.cuda.memory_allocated(), torch.cuda.max_memory_allocated()


def _resident() -> tuple[int, int]:
    """Resident bytes now and at most, since the peak was last forgotten."""
    try:
        told = dict(line.split(":", 1) for line in STATUS.read_text(encoding="utf-8").splitlines())
        now, most = (1024 * int(told[name].split()[0]) for name in ("VmRSS", "VmHWM"))
    except (OSError, KeyError) as error:
        raise ModelError.of("memory", expected="VmRSS and VmHWM in /proc (Linux)", got=str(error)) from error
    return now, most


def _forget_peak(device: str) -> None:
    if device == "cuda":
        import torch

        torch.cuda.reset_peak_memory_stats()
    else:
        FORGET_PEAK.write_text("5", encoding="utf-8")  # proc(5): sets VmHWM to VmRSS


def _mb(size: float) -> str:
    return f"{size / 1e6:,.0f} MB"
