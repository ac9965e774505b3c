"""What is asked for of a base of a hundred thousand parameters."""

from __future__ import annotations

from pathlib import Path

from medinject_demo.engine.bench.stage import Work
from medinject_demo.engine.bench.subject import Miniature

SMALL = Work(prompt=9, tokens=6, most_rows=9, row_counts=(2, 8), visitors=3, mixed_tokens=4, buffer=2**12)
NOWHERE = Miniature(Path("absent"), {})
SLOW = ("memory",)  # it starts a process of its own
