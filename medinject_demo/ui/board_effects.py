"""What fine-tuning does, what each provenance adds, how they combine: bars, figures, a sentence for each. Pure."""

from __future__ import annotations

import html
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from ..domain import Provenance
from ..stats.board import POINTS, Rule
from ..stats.estimate import Estimate
from ..stats.provenance import Conclusion, Effect, Effects, Outcome, Provenances, Step
from .board_parts import provisional, section, stacked
from .board_ranking import legend
from .measures import Axis, bar, between, figure, scale, signed, track, with_interval
from .stacks import Row
from .texts import Lang, number, say


@dataclass(frozen=True)
class Unit:
    """How an outcome is shown: in what, how many of it a unit of the model is, and its axis."""

    name: str
    factor: float
    digits: int
    step: float
    widest: float


UNITS: Final = {
    Outcome.PREFERENCE: Unit("points", POINTS, 0, 50.0, 500.0),
    Outcome.EQUIVALENCE: Unit("share", 100.0, 1, 5.0, 100.0),
    Outcome.EXACTNESS: Unit("share", 100.0, 1, 5.0, 100.0),
}
COLUMNS: Final = ("effect", "plot", "size", "said")
_ORDERS: Final = ("tuning", "main", "pair")


def effects(lang: str, found: Provenances, rule: Rule = Rule()) -> str:
    """The effects on preference, then on each outcome that votes or answers tell of; by the rule, some provisional."""
    parts = [_outcome(lang, found.preference, rule, found.raw_preference)]
    for outcome, each in ((Outcome.EQUIVALENCE, found.equivalence), (Outcome.EXACTNESS, found.exactness)):
        parts.append(_outcome(lang, each, rule) if each else f"<p>{say(lang, f'board.no_{outcome}')}</p>")
    return section(lang, "effects", "".join(parts))


def sentence(lang: str, effect: Effect, outcome: Outcome) -> str:
    """What an effect is said to be."""
    key = f"board.effect_{_ORDERS[effect.order]}_{effect.conclusion}"
    fields = {key: _source(lang, each) for key, each in zip(("source", "other"), effect.provenances, strict=False)}
    return _first_upper(say(lang, key, **fields, size=size(lang, effect.estimate, effect.conclusion, outcome)))


def step_sentence(lang: str, step: Step, outcome: Outcome) -> str:
    """What a provenance is said to add to a mixture."""
    key = f"board.step_{step.conclusion}"
    fields = {"source": _source(lang, step.added), "target": say(lang, f"board.to_{step.to}")}
    return _first_upper(say(lang, key, **fields, size=size(lang, step.estimate, step.conclusion, outcome)))


def size(lang: str, estimate: Estimate, conclusion: Conclusion, outcome: Outcome) -> str:
    """How much, in the outcome's unit: what is lost without a sign, what is not clear with one."""
    unit = UNITS[outcome]
    shown = estimate.scaled(unit.factor)
    told = conclusion in (Conclusion.ADDS, Conclusion.TAKES)
    if conclusion is Conclusion.TAKES:
        shown = Estimate(-shown.value, shown.error, -shown.high, -shown.low)
    write = figure if told else signed
    space = "\u00a0" if lang == Lang.FR else " "
    value = f"{write(lang, shown.value, unit.digits)}{space}{_named(lang, unit, shown.value)}"
    interval = between(lang, shown, unit.digits, write=write)
    return f"{value}, {interval}" if conclusion is Conclusion.UNKNOWN else f"{value} ({interval})"


def label(lang: str, provenances: Iterable[Provenance]) -> str:
    """``Natif × traduit``; of none, fine-tuning."""
    named = " × ".join(say(lang, f"board.effect_{each}") for each in provenances)
    return _first_upper(named or say(lang, "board.effect_tuning"))


def _outcome(lang: str, found: Effects, rule: Rule, raw: Effects | None = None) -> str:
    """One outcome: its effects as a table, and the twelve steps folded; all of it folded where nothing can be told."""
    shown = _estimates(lang, found, raw)
    said = {each.conclusion for each in found.effects} | {each.conclusion for each in found.steps}
    if said <= {Conclusion.UNKNOWN}:
        folded = f"<details><summary>{say(lang, 'board.effects_estimates')}</summary>{shown}</details>"
        shown = f"<p>{say(lang, 'board.effects_unknown')} {_basis(lang, found)}</p>{folded}"
    else:
        steps = "".join(f"<li>{html.escape(step_sentence(lang, each, found.outcome))}</li>" for each in found.steps)
        shown += f"<details><summary>{say(lang, 'board.steps')}</summary><ul>{steps}</ul></details>"
    mark = "" if _settled(found, rule) else f" {provisional(lang)}"
    return f"<h4>{say(lang, f'board.outcome_{found.outcome}')}{mark}</h4>{shown}"


def _settled(found: Effects, rule: Rule) -> bool:
    """Whether it rests on enough to be more than provisional; what is of answers has prompts alone for clusters."""
    of_votes = found.outcome is Outcome.PREFERENCE
    least = rule.settled_voters if of_votes else rule.settled_prompts
    return found.units >= rule.settled_votes and found.clusters >= least and found.prompts >= rule.settled_prompts


def _estimates(lang: str, found: Effects, raw: Effects | None) -> str:
    """The table of the effects, and what a small one is."""
    axis, unit = axis_of(found, raw), UNITS[found.outcome]
    rows = (_row(lang, found, place, raw, axis) for place in range(len(found.effects)))
    matters = unit.factor * found.matters
    fields = {"matters": figure(lang, matters), "unit": _named(lang, unit, matters)}
    return (
        f"{legend(lang) if raw else ''}{stacked(lang, 'effects', COLUMNS, rows, plot=scale(lang, axis, signed))}"
        f'<p class="note">{_basis(lang, found)} {say(lang, "board.effects_narrow", **fields)}</p>'
    )


def _basis(lang: str, found: Effects) -> str:
    """What it rests on."""
    what, fields = say(lang, f"board.units_{found.outcome}"), ("units", "clusters", "prompts")
    key = "board.effects_rest" if found.outcome is Outcome.PREFERENCE else "board.effects_rest_answers"
    return say(lang, key, what=what, **{each: number(lang, getattr(found, each)) for each in fields})


def axis_of(found: Effects, raw: Effects | None = None) -> Axis:
    """One axis for all effects on an outcome."""
    unit = UNITS[found.outcome]
    every = [*found.effects, *(raw.effects if raw else ())]
    estimates = (each.estimate.scaled(unit.factor) for each in every)
    return Axis.around(estimates, zero=0.0, step=unit.step, widest=unit.widest)


def _row(lang: str, found: Effects, place: int, raw: Effects | None, axis: Axis) -> Row:
    effect, unit = found.effects[place], UNITS[found.outcome]
    shown = effect.estimate.scaled(unit.factor)
    muted = " muted" if effect.conclusion is Conclusion.UNKNOWN else ""
    bars = [bar(axis, shown, f"controlled{muted}")]
    if raw:
        bars.append(bar(axis, raw.effects[place].estimate.scaled(unit.factor), "raw"))
    size = with_interval(lang, shown, unit.digits, write=signed)
    said = html.escape(sentence(lang, effect, found.outcome))
    return Row(f"order-{effect.order}", (label(lang, effect.provenances), track(axis, bars), size, said))


def _source(lang: str, provenance: Provenance) -> str:
    return say(lang, f"board.source_{provenance}")


def _named(lang: str, unit: Unit, count: float) -> str:
    """The unit, in the singular where it is one; in French zero and a half are singular too."""
    many = abs(round(count, unit.digits))
    single = many < 2 if lang == Lang.FR else many == 1
    return say(lang, f"board.unit_{unit.name}_one" if single else f"board.unit_{unit.name}")


def _first_upper(text: str) -> str:
    return text[:1].upper() + text[1:]
