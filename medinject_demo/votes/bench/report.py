"""What was measured of keeping votes, as text, as a document for machines, and as a part of docs/statistics.md."""

from __future__ import annotations

import importlib.metadata
import json
import os
import platform
from collections.abc import Sequence
from dataclasses import dataclass

from .crowd import Keeping, quantile
from .sessions import Found


def machine() -> str:
    """Cores of this machine, what else runs on them at this moment, and libraries."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    load = (
        f", on which {os.getloadavg()[0]:.1f} other programs ran before (mean of a minute)"
        if hasattr(os, "getloadavg")
        else ""
    )
    versions = ", ".join(f"{name} {importlib.metadata.version(name)}" for name in ("sqlalchemy", "psycopg"))
    return f"{cores} CPU cores{load}; {versions}, Python {platform.python_version()}"


@dataclass(frozen=True)
class Report:
    """Crowds, simulated visitors, and where they were."""

    keepings: Sequence[Keeping]
    found: Sequence[Found]
    machine: str

    def as_text(self) -> str:
        """A line for each crowd and each habit."""
        kept = [", ".join(f"{name}: {value}" for name, value in _row(each)) for each in self.keepings]
        return "\n".join([*kept, *(": ".join([each.habit.name, _share(each)]) for each in self.found), self.machine])

    def as_json(self) -> str:
        """Every figure."""
        document = {
            "keeping": [_document(each) for each in self.keepings],
            "suspicion": [_found(each) for each in self.found],
            "machine": self.machine,
        }
        return json.dumps(document, ensure_ascii=False, indent=2)

    def as_markdown(self, command: str) -> str:
        """The part of the document that is kept."""
        return f"{self._keeping(command)}\n\n{self._suspicion()}\n\nMachine: {self.machine}."

    def _keeping(self, command: str) -> str:
        rows = [dict(_row(each)) for each in self.keepings]
        heads = ["", *(row.pop("kept by") for row in rows)]
        lines = [heads, ["---"] * len(heads), *([name, *(row[name] for row in rows)] for name in rows[0])]
        voters = self.keepings[0].voters
        return (
            f"Written by `{command}`. {voters} voters vote without pause, as {voters} threads of one page, through the "
            "page's own store with the rules of suspicion beside it; battle, answers and vote are one transaction, on "
            "the disk before it is acknowledged. In the middle the server is ended as by a crash and started again. "
            'A voter who is told "not stored" tries again until it is.\n\n'
            f"{_table(lines)}"
        )

    def _suspicion(self) -> str:
        heads = ["visitor", "honest", "visitors", "votes", "votes left out", "visitors with any", "for"]
        rows = [
            [
                each.habit.name,
                "yes" if each.habit.honest else "no",
                f"{each.sessions:,}",
                f"{each.votes:,}",
                f"{each.doubted:,} ({each.share:.2%})",
                f"{each.sessions_doubted / each.sessions:.1%}",
                ", ".join(f"{doubt} {count:,}" for doubt, count in sorted(each.reasons.items())) or "-",
            ]
            for each in self.found
        ]
        return (
            "What [the rules of suspicion](decisions/018-suspicion-never-deletes.md) leave out of the board, of "
            "simulated visitors (`medinject_demo/votes/bench/sessions.py`, seed 1) of 5 to 120 votes each. The last "
            "one is what they cannot find.\n\n"
            f"{_table([heads, ['---'] * len(heads), *rows])}"
        )


def _table(lines: Sequence[Sequence[str]]) -> str:
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _row(each: Keeping) -> list[tuple[str, str]]:
    """The figures of one crowd by name, in the order of the table."""
    away = "-" if each.away is None else f"{each.away[1] - each.away[0]:.1f} s"
    return [
        ("kept by", each.system),
        ("votes acknowledged", f"{len(each.votes):,}"),
        ("votes in the database", f"{each.rows:,}"),
        ("one by one the same", "yes" if each.exact else f"no: {each.unknown} are not"),
        ('told "not stored", and tried again', f"{each.refused:,} times"),
        ("votes a second", f"{each.rate:.0f}"),
        ("a vote takes: p50", _milliseconds(quantile(each.waits, 0.5))),
        ("p99", _milliseconds(quantile(each.waits, 0.99))),
        ("at most", _milliseconds(each.waits[-1])),
        ("p99 but for votes while the server was away", _milliseconds(quantile(each.calm, 0.99))),
        ("the server was away", away),
    ]


def _document(each: Keeping) -> dict[str, object]:
    away = None if each.away is None else each.away[1] - each.away[0]
    counts = {"acknowledged": len(each.votes), "rows": each.rows, "unknown": each.unknown, "refused": each.refused}
    waits = {f"p{round(100 * share)}": quantile(each.waits, share) for share in (0.5, 0.9, 0.99)}
    whole = {"system": each.system, "voters": each.voters, "seconds": each.seconds, "exact": each.exact, "away": away}
    return whole | counts | {"waits": waits | {"most": each.waits[-1], "p99_calm": quantile(each.calm, 0.99)}}


def _found(each: Found) -> dict[str, object]:
    return {
        "habit": each.habit.name,
        "honest": each.habit.honest,
        "sessions": each.sessions,
        "votes": each.votes,
        "doubted": each.doubted,
        "sessions_doubted": each.sessions_doubted,
        "reasons": {str(doubt): count for doubt, count in each.reasons.items()},
    }


def _share(each: Found) -> str:
    return f"{each.doubted} of {each.votes} votes left out ({each.share:.2%})"


def _milliseconds(seconds: float) -> str:
    return f"{1000 * seconds:,.0f} ms"
