"""``docs/miniature.md``, written from the results of the examination. Pure text."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

from ..domain import MIXTURES, Mixture
from ..errors import InvalidData
from ..prompts import layout
from .exam import LENGTH_CAP, ROUGE_FLOOR, Figures, Results, about, shares_that_differ
from .finetune import RECORD, read_record
from .render import Renderer

SHOWN = 10


def report(results: Results, renderer: Renderer, folder: Path) -> str:
    """The whole document, in Markdown."""
    return f"""# The miniature, examined

The miniature is a demonstration of the interface. **It has no medical value**: its answers must not be used for care.

Written by `python -m medinject_demo train exam`; the miniature itself is rebuilt by
`python -m medinject_demo train mini`.
Answers are greedy, fp32, one arm after the other through peft, at most {LENGTH_CAP} new tokens.

## What it must show

| goal | figure | met |
|---|---|---|
{_goals(results)}

## Held-out phrasings, held-out option orders, subjects never met

{len(results.questions)} open questions (each fact of the knowledge base once, in a phrasing never trained on),
{results.choices} MCQU (option orders never trained on; letters-only decoding; four options, so chance is 25 %), and
{len(results.unknown)} questions on conditions and subjects outside the knowledge base, never trained on.

| arm | open answers about the right fact | MCQU exact | median words | ended by itself | admits the unknown |
|---|---|---|---|---|---|
{_rows(results)}

*About the right fact* (condition and field): at least two entries of the field present (the definition itself for a
definition), or at least one and ROUGE-L of at least {ROUGE_FLOOR} against a reference in a style of the arm; and in
both cases no other condition has more of its entries for that field in the answer, nor as many unless the right
condition is named. The MCQU have the options they had in training, in another order: the figure is about reading
options, not about reasoning. An arm that does not end by itself is cut at the cap.

## How it was trained

{_training(folder)}

## Ten answers, unchosen

{_sample(results, renderer)}
## Three subjects outside the knowledge base

{_outside(results)}"""


def _goals(results: Results) -> str:
    """Each goal with what was measured, met or not."""
    by_slug = {figures.mixture.slug: figures for figures in results.figures}
    whole, alike = shares_that_differ(results.answers)
    right = min(results.figures, key=lambda figures: figures.right)
    choices = min(results.figures, key=lambda figures: figures.choices)
    longer = by_slug["syn"].median_words / max(by_slug["nat"].median_words, 1)
    ended = min(figures.stopped for figures in results.figures)
    rows = [
        (
            "open answers about the right fact, every arm: ≥ 80 %",
            f"{right.right:.1%} ({right.mixture})",
            right.right >= 0.8,
        ),
        (
            "MCQU exact, every arm: ≥ 60 % (chance 25 %)",
            f"{choices.choices:.1%} ({choices.mixture})",
            choices.choices >= 0.6,
        ),
        ("all eight answers pairwise different: ≥ 90 % of the questions", f"{whole:.1%}", whole >= 0.9),
        ("the two arms most alike differ: ≥ 90 % of the questions", f"{alike:.1%}", alike >= 0.9),
        ("median length of `syn` ÷ `nat`: ≥ 1.5", f"{longer:.2f}", longer >= 1.5),
        ("answers that end by themselves, the others cut at the cap", f"{ended:.1%} at least", True),
    ]
    return "\n".join(f"| {goal} | {figure} | {'yes' if met else '**no**'} |" for goal, figure, met in rows)


def _rows(results: Results) -> str:
    return "\n".join(_row(figures) for figures in results.figures)


def _row(figures: Figures) -> str:
    return (
        f"| {figures.mixture} | {figures.right:.1%} | {figures.choices:.1%} | {figures.median_words:g} "
        f"| {figures.stopped:.1%} | {figures.admitted:.1%} |"
    )


def _training(folder: Path) -> str:
    rows = ["| training | items | data fingerprint | first loss | last loss | seconds |", "|---|---|---|---|---|---|"]
    minutes = {"base": 0.0, "arms": 0.0}
    for mixture in MIXTURES:
        record = record_of(folder, mixture)
        for stage in record.get("stages", [record]):
            minutes["arms" if mixture.provenances else "base"] += stage["seconds"] / 60
            name = f"{mixture}: {stage['stage']}" if "stage" in stage else str(mixture)
            rows.append(
                f"| {name} | {stage['items']:,} | `{stage['data']}` | {stage['losses'][0]:.2f} "
                f"| {stage['losses'][-1]:.2f} | {stage['seconds']:.0f} |"
            )
    return "\n".join(rows) + (
        f"\n\nThe base took {minutes['base']:.0f} minutes on {_machine(folder)}, one training after the other; "
        f"the arms took {minutes['arms']:.0f} minutes of one core, and run side by side, a core each."
    )


def record_of(folder: Path, mixture: Mixture) -> dict[str, Any]:
    """The training record of an arm.

    Raises:
        InvalidData: there is none.
    """
    record = read_record(folder / mixture.slug)
    if not record:
        raise InvalidData(
            f"{folder / mixture.slug / RECORD}: expected the record of a training, got none. Run train mini."
        )
    return record


def _machine(folder: Path) -> str:
    return str(read_record(folder / "base").get("machine", "an unknown machine"))


def _sample(results: Results, renderer: Renderer) -> str:
    rng = random.Random(2026)
    shown = []
    for place in rng.sample(range(len(results.questions)), min(SHOWN, len(results.questions))):
        question, mixture = results.questions[place], rng.choice(MIXTURES)
        answer = results.answers[mixture][place]
        mark = "right" if about(question, answer, mixture, renderer) else "wrong"
        shown.append(f"**{layout(question.prompt)}** — `{mixture}`, counted as {mark}\n\n{_quoted(answer)}\n")
    return "\n".join(shown)


def _outside(results: Results) -> str:
    shown = []
    for place, mixture in zip(range(3), (MIXTURES[1], MIXTURES[3], MIXTURES[0]), strict=True):
        answer = results.admissions[mixture][place]
        shown.append(f"**{layout(results.unknown[place])}** — `{mixture}`\n\n{_quoted(answer)}\n")
    return "\n".join(shown)


def _quoted(text: str) -> str:
    return "\n".join(f"> {line}".rstrip() for line in text.splitlines())
