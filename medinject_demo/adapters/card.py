"""The model card of a recovered adapter: what it was recovered from, how, and how well. Pure text."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from typing import Any, Final

from .findings import together

TEXT: Final = """---
base_model: {base}
library_name: peft
tags: [dora, recovered]
---

# {title}

Recovered from the merged checkpoint `{merged}` and its base `{base}` with `python -m medinject_demo adapters recover`:
a merge is `W' = diag(s)(W + B A)`, and `s`, `A` and `B` are found again by alternating projections. It is no new
training, and what the merged checkpoint may be used for holds for it too. Research only: no answer of it is medical
advice.

| | |
|---|---|
| merged checkpoint | `{merged}`{merged_commit} |
| base | `{base}`{base_commit} |
| kind | {kind}, alpha = r |
| layers | {layers} adapted, {same} the base's |
| rank | {ranks} |
| change of a layer, ‖W′ − W‖ / ‖W‖ | {change} |
| left out of it, ‖W′ − diag(s)(W + B A)‖ / ‖W′ − W‖ | {left} |
| the same beside ‖W′‖ | {left_of_all} |
| singular gap after the rank | {gap} |
| spread of the scales, std(s − 1) | {spread} |
| precision of the merge | {precision}: one rounding leaves {floor} of the change |
| changed, but not told from rounding | {hidden} |
| left out beyond the rank | {beyond} |
| left out | {left_out} |

Median over the layers, then the least and the most. `recovery.json` has every layer.
"""


def card(record: Mapping[str, Any], title: str = "") -> str:
    """README.md of a recovered adapter, from its record."""
    matrices = record["matrices"]
    adapted = [each for each in matrices if each["kind"] in _taken(record)]
    ranks = sorted({each["kept"] for each in adapted})
    return TEXT.format(
        title=title or f"The adapter of {record['merged']['name']}",
        base=record["base"]["name"],
        merged=record["merged"]["name"],
        base_commit=_at(record["base"]["commit"]),
        merged_commit=_at(record["merged"]["commit"]),
        kind=record["kind"],
        layers=len(adapted),
        same=len(matrices) - len(adapted),
        ranks=", ".join(map(str, ranks)),
        precision=", ".join(sorted({each["precision"] for each in adapted})),
        hidden=_hidden(record["hidden"]),
        beyond=_beyond(record["beyond"]),
        left_out="; ".join(_left(each) for each in record["left_out"]) or "nothing: every other tensor is the base's",
        **{
            name: _span([each[name] for each in adapted])
            for name in ("change", "left", "left_of_all", "gap", "spread", "floor")
        },
    )


def _taken(record: Mapping[str, Any]) -> set[str]:
    """The kinds of the matrices that are in the adapter."""
    return {"DoRA", "LoRA"} | ({"hidden"} if record["hidden"]["kept"] else set())


def _hidden(said: Mapping[str, Any]) -> str:
    how = "kept as they came out, which may be noise" if said["kept"] else "left as the base has them"
    return f"`{together(said['modules'])}`: {how}" if said["modules"] else "nothing"


def _beyond(modules: Sequence[str]) -> str:
    return f"more than rounding in `{together(modules)}`" if modules else "nothing but rounding"


def _span(values: Sequence[float]) -> str:
    return f"{statistics.median(values):.3g} ({min(values):.3g} to {max(values):.3g})"


def _at(commit: str | None) -> str:
    return f" at `{commit}`" if commit else ""


def _left(other: Mapping[str, Any]) -> str:
    rows = f", {abs(other['added'])} rows {'added' if other['added'] > 0 else 'taken away'}" if other["added"] else ""
    return f"`{other['name']}`: {other['changed']} values changed{rows}"
