"""What a bench of the recovery found, as Markdown and as JSON. Pure text."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass

from .arms import RoundTrip
from .known import PLAIN, Found
from .whole import Spent

MB = 1e6


@dataclass(frozen=True)
class Whole:
    """The recovery of a whole large pair."""

    merged: int
    """Bytes of the merged checkpoint."""
    base: int
    adapter: int
    interpreter: int
    """Bytes resident of a process that has only loaded the libraries."""
    local: Spent
    """From folders, without interruption."""
    first: Spent
    """From a server that fails now and then, killed half-way."""
    second: Spent
    """The same command again, to the end."""
    same: bool
    """Whether both ways gave the same bytes."""
    requests: int
    failures: int
    ranks: tuple[int, ...]
    left: float


@dataclass(frozen=True)
class Report:
    """All of it."""

    command: str
    machine: str
    matrices: Sequence[Found]
    arms: Sequence[RoundTrip]
    whole: Whole | None
    questions: int

    def as_json(self) -> str:
        """Every figure."""
        said = {
            "command": self.command,
            "machine": self.machine,
            "matrices": [asdict(each) for each in self.matrices],
            "arms": [asdict(each) for each in self.arms],
            "whole": asdict(self.whole) if self.whole else None,
        }
        return json.dumps(said, ensure_ascii=False, indent=2)

    def as_markdown(self) -> str:
        """The document that is kept."""
        parts = [
            "# Recovery of adapters from merged checkpoints",
            f"Written by `{self.command}`.",
            f"{self.machine}.",
            "A merge is `W' = diag(s)(W + B A)`. *Left* is ‖W′ − diag(s)(W + BA)‖ / ‖W′ − W‖; *from the truth* is the "
            "distance of the effective weights to those of the true adapter, beside the true change; *plain SVD* is "
            "the public practice, a truncated SVD of W′ − W, measured the same way. How it is done is in "
            "[decision 012](decisions/012-undoing-a-merge.md).",
            *self._arms(),
            *self._matrices(),
            *(_whole(self.whole) if self.whole else []),
        ]
        return "\n\n".join(parts) + "\n"

    def _arms(self) -> list[str]:
        if not self.arms:
            return []
        rows = [
            (
                each.arm,
                each.precision,
                ", ".join(map(str, each.ranks)),
                f"{each.left:.1e}",
                f"{each.away:.1e}",
                f"{each.checkpoint:.1e}",
                *(f"{loss:.1%}" for loss in each.plain),
                f"{each.logits:.1e}",
                f"{each.same} of {self.questions}",
            )
            for each in self.arms
        ]
        heads = ["arm", "merged in", "ranks found", "left, most", "from the truth", "checkpoint from the truth"]
        heads += [*(f"plain SVD {rank}" for rank in PLAIN), "logits from merged", "same greedy answers"]
        say = (
            "Trained adapters, merged by peft. In bf16 the base itself is rounded too; the adapter is then applied to "
            "the base in fp32. Logits are compared through peft in fp32 with the merged model's, the largest of all "
            "positions of three questions; answers are the engine's, with the recovered adapter and with the true one."
        )
        return ["## The miniature's seven arms, round trip", say, _table(heads, rows)]

    def _matrices(self) -> list[str]:
        if not self.matrices:
            return []
        rows = [
            (
                each.name,
                str(each.rank),
                each.precision,
                str(each.found),
                f"{each.gap:.3g}",
                f"{each.left:.1e}",
                f"{each.away:.1e}",
                f"{each.checkpoint:.1e}",
                *(f"{loss:.1%}" for loss in each.plain),
                f"{each.seconds:.1f} s",
            )
            for each in self.matrices
        ]
        heads = ["layer", "rank", "merged in", "rank found", "gap", "left", "from the truth"]
        heads += ["checkpoint from the truth", *(f"plain SVD {rank}" for rank in PLAIN), "time"]
        say = (
            "Random adapters whose change is 2 % of the weight, whose singular values fall by ten, and whose scales "
            "spread by 0.005; the rank is not given. *bf16* is one rounding of the merge."
        )
        right = sum(each.found == each.rank for each in self.matrices)
        return [
            "## Qwen3-4B's matrix shapes",
            say,
            _table(heads, rows),
            f"Rank exact: {right} of {len(self.matrices)}. "
            f"Left on F32, most: {_most(self.matrices, 'F32', lambda each: each.left)}. After bf16, the recovered "
            f"layer is {_times(self.matrices)} times closer to the truth than the checkpoint.",
        ]


def _most(found: Sequence[Found], precision: str, of: Callable[[Found], float]) -> str:
    return f"{max((of(each) for each in found if each.precision == precision), default=0.0):.1e}"


def _times(found: Sequence[Found]) -> str:
    times = [each.checkpoint / each.away for each in found if each.precision == "bf16"]
    return f"{min(times):.1f} to {max(times):.1f}" if times else "-"


def _whole(whole: Whole) -> list[str]:
    above = [(each.peak - whole.interpreter) / MB for each in (whole.local, whole.first, whole.second)]
    rows = [
        ("from folders, in one go", *_spent(whole.local), f"{above[0]:,.0f} MB"),
        ("from a server, killed half-way (SIGKILL)", *_spent(whole.first), f"{above[1]:,.0f} MB"),
        ("the same command again", *_spent(whole.second), f"{above[2]:,.0f} MB"),
    ]
    heads = ("run", "time", "processor time, all cores", "peak memory above the interpreter")
    return [
        "## A whole pair of Qwen3-4B's size",
        f"Random, in shards: base {whole.base / 1e9:.1f} GB in bf16, merged {whole.merged / 1e9:.1f} GB in F32; "
        f"rank found: {', '.join(map(str, whole.ranks))}; left, most: {whole.left:.1e}; "
        f"adapter {whole.adapter / MB:.0f} MB.",
        _table(heads, rows),
        f"The interpreter with its libraries takes {whole.interpreter / MB:,.0f} MB. The server answered "
        f"{whole.requests:,} requests, {whole.failures} of them with 503 (as many again were cut in the middle). Both "
        f"ways gave {'the same bytes' if whole.same else '**different bytes**'}. Other work ran on the machine's cores "
        "meanwhile where the time is more than the processor time divided by the cores.",
    ]


def _spent(spent: Spent) -> tuple[str, str]:
    return f"{spent.seconds:.0f} s", f"{spent.processor:.0f} s"


def _table(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [heads, ["---"] * len(heads), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)
