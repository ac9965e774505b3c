"""How far a quantised base's logits lie from those of the whole weights, and whether the adapters' scales stay theirs.

Knows nothing of clocks or of how lines are printed.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from ...domain import ARMS, MIXTURES
from .measure import Goal, Line
from .random_adapters import files_again
from .stage import Stage


def quantised(stage: Stage) -> list[Line]:
    """Logits after the prompts of all arms, in eight and four bits beside the whole weights; scales computed anew."""
    if stage.quantization == "none":
        return [line for name in ("int8", "int4") for line in _beside(stage, stage.engine, name)]
    whole = _loaded(stage, "none")
    try:
        return _beside(stage, whole, stage.quantization)
    finally:
        whole.close()


def _loaded(stage: Stage, quantization: str) -> Any:
    """An engine with room for one row of each arm, whose adapters have no scales kept beside them."""
    with TemporaryDirectory() as made:
        dora = {each: files_again(stage.subject.dora[each], Path(made) / each.slug) for each in ARMS}
        fresh = replace(stage, quantization=quantization, subject=replace(stage.subject, dora=dora), _loaded=[])
        return fresh.load(len(MIXTURES), stage.work.context)


def _beside(stage: Stage, whole: Any, name: str) -> list[Line]:
    engine = _loaded(stage, name)
    try:
        requests = stage.requests(MIXTURES)
        ours, theirs = engine.logits(requests), whole.logits(requests)
        scales = [(engine.scales(arm), whole.scales(arm)) for arm in ARMS]
    finally:
        engine.close()
    same = sum(bool((one[layer] == other[layer]).all()) for one, other in scales for layer in other)
    count = sum(len(other) for _, other in scales)
    apart = (ours - theirs).abs().mean(-1) / theirs.std(-1)  # (arms)
    by_arm = {mixture.slug: [float(each)] for mixture, each in zip(MIXTURES, apart, strict=True)}
    agreed = int((ours.argmax(-1) == theirs.argmax(-1)).sum())
    what = f"{name}: mean difference of the logits to the whole weights' ÷ their standard deviation, mean of the arms"
    note = f"{float(apart.min()):.3g} to {float(apart.max()):.3g} by arm; {agreed} of {len(MIXTURES)} next tokens alike"
    return [
        Line("quantised", what, float(apart.mean()), note=note, samples=by_arm),
        Line("quantised", f"{name}: layers whose scale is that of the whole weights", same, goal=Goal(count, False)),
    ]
