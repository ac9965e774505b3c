"""What a recovery found: the report of each tensor, and what the adapter holds of them. Pure values and text."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Any

from .findings import Kind, Matrix, Other, together


@dataclass(frozen=True)
class Recovery:
    """What was recovered, and how well."""

    merged: str
    base: str
    commits: tuple[str | None, str | None]
    marks: tuple[str, str]
    kind: Kind
    matrices: tuple[Matrix, ...]
    others: tuple[Other, ...]
    keep_hidden: bool = False

    @property
    def adapted(self) -> tuple[Matrix, ...]:
        """The matrices that the adapter changes."""
        return tuple(each for each in self.matrices if each.told or (self.keep_hidden and each.kind is Kind.HIDDEN))

    @property
    def hidden(self) -> tuple[str, ...]:
        """The modules whose change cannot be told from rounding."""
        return tuple(each.module for each in self.matrices if each.kind is Kind.HIDDEN)

    @property
    def beyond(self) -> tuple[str, ...]:
        """The modules of the adapter in which something beyond its rank changed too, and is left out."""
        return tuple(each.module for each in self.adapted if not each.alone)

    @property
    def left_out(self) -> tuple[Other, ...]:
        """What changed and is in no adapter."""
        return tuple(each for each in self.others if not each.same)

    def as_dict(self) -> dict[str, Any]:
        """The record beside the adapter."""
        return {
            "merged": {"name": self.merged, "commit": self.commits[0], "mark": self.marks[0]},
            "base": {"name": self.base, "commit": self.commits[1], "mark": self.marks[1]},
            "kind": str(self.kind),
            "matrices": [asdict(each) for each in self.matrices],
            "hidden": {"modules": self.hidden, "kept": self.keep_hidden},
            "beyond": self.beyond,
            "left_out": [asdict(each) for each in self.left_out],
        }


def summary(recovery: Recovery) -> str:
    """What was found, in a few lines."""
    adapted = recovery.adapted
    ranks = ", ".join(sorted({str(each.kept) for each in adapted}))
    gap, left, spread = (
        f"{min(values):.3g} to {max(values):.3g}"
        for values in zip(*((each.gap, each.left, each.spread) for each in adapted), strict=True)
    )
    precision = ", ".join(sorted({each.precision for each in adapted}))
    floor = max(each.floor for each in adapted)
    lines = [
        f"{recovery.merged}: {recovery.kind} of rank {ranks} in {len(adapted)} of {len(recovery.matrices)} layers",
        f"  singular gap {gap}, spread of the scales {spread}",
        f"  left out of the change: {left} (||W' - diag(s)(W + B A)|| / ||W' - W||)",
        f"  merged in {precision}: one rounding leaves up to {floor:.3g} of the change",
        *_left(recovery),
    ]
    return "\n".join(lines)


def _left(recovery: Recovery) -> Iterator[str]:
    """A line for each thing that the adapter is not known to hold."""
    if recovery.hidden:
        done = "kept, and may be noise" if recovery.keep_hidden else "left as the base has them"
        yield f"  changed, but not told from rounding, {done}: {together(recovery.hidden)}"
    if recovery.beyond:
        yield f"  left out, beyond the rank and more than rounding: in {together(recovery.beyond)}"
    yield from (f"  left out, as no adapter holds it: {other}" for other in recovery.left_out)
