"""The card of a data set of votes: what it is, how it was collected, its fields, and what it is not."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from .sheet import Sheet, SheetAnswer, SheetTurn

MADE_HERE: Final = "<!-- made by medinject_demo votes -->"
"""Stands in a card of ours, so that no other README is ever replaced."""

_COMMON: Final = {
    "vote": "id of the vote",
    "battle": "id of the battle",
    "voter": "salted hash of the voter",
    "kind": "mcqu, mcq or oeq",
    "specialty": "of the prompt",
    "profile": "what the voter declares to be",
    "propensity": "probability with which the arms were drawn",
    "prompt_id": "content hash of the prompt",
    "seeds": "of each turn",
    "turns": "how many; with more than one, the completion holds the voter's later messages too",
}
_SIDE: Final = "arm, fingerprint, reasons given, and whether it is equivalent to the reference"
TRAINING: Final[Mapping[str, Mapping[str, str]]] = {
    "dpo": {
        "prompt": "chat messages: the question",
        "chosen": "chat messages: the answer preferred",
        "rejected": "chat messages: the other",
        **_COMMON,
        "chosen_…, rejected_…": f"of each of the two: {_SIDE}",
    },
    "kto": {
        "prompt": "chat messages: the question",
        "completion": "chat messages: one answer",
        "label": "true for a good answer: both were good, it was preferred, or it was ranked first; false: both were "
        "bad, the other was preferred, or it was ranked last; ranks between give no row",
        **_COMMON,
        "arm, fingerprint, criteria, equivalent": f"of the answer: {_SIDE}",
    },
}


def card(form: str, files: str, rows: int | None = None) -> str:
    """A card for files of a form: ``jsonl``, ``csv``, ``parquet``, ``dpo`` or ``kto``."""
    how_many = "" if rows is None else f"Rows when this was written: {rows}.\n\n"
    listed = "\n".join(f"| `{name}` | {said} |" for name, said in fields_of(form).items())
    return f"""---
license: other
license_name: to-be-chosen-by-the-collector
language: fr
pretty_name: Votes on MedInjection-FR
tags: [medical, human-feedback, preference]
configs:
  - config_name: default
    data_files: {files}
---
{MADE_HERE}

# Votes on the arms of MedInjection-FR

Preferences between answers of the eight configurations of the MedInjection-FR study (arXiv 2603.06905): a base model
and seven fine-tunings, one for each mixture of native, translated and synthetic data.

{how_many}## What it is not

Answers of language models to medical questions, with what visitors thought of them. **Nothing here is medical advice**,
no answer was checked by anybody, and a preferred answer may be wrong and dangerous. Do not train on it what would be
shown to patients. On open questions the fine-tunings answer in about ten words and the base at length, with markdown: a
raw preference measures style first.

## How it was collected

Visitors of a page put a question of their own or a bundled one to two or more arms drawn by lot, and voted without
knowing which was which; `propensity` is the probability of that draw, among the arms whose answers to the question the
voter had not seen by name. `blind` is false for a verdict given after the reveal, or by who had seen one of them. Votes
are never changed: a change or a withdrawal is another row with a higher `version`, and the highest of a
`battle` and `voter` is the live one. Voters are random tokens of a browser, kept as **salted hashes**; no
address was kept. Profiles are declared, nobody checked them. Questions and comments are free text: what seemed to
hold personal data was held back when it was typed, which is no guarantee. Keep this data set private unless you have
read them.

Where somebody asked to be forgotten, their hash was replaced (`forgotten-…`) and what they typed was erased, with the
answers to it; `erased` and `battle_erased` say so. Their verdicts, arms and lengths are still true.

## Fields

| field | |
|---|---|
{listed}

## Licence

The collector chooses the licence of the votes. The answers are those of models with licences of their own
(Qwen3-4B-Instruct-2507: Apache 2.0); questions typed by visitors are theirs.
"""


def fields_of(form: str) -> Mapping[str, str]:
    """Each field of a form, and what it is."""
    if form in TRAINING:
        return TRAINING[form]
    turns = {f"turns[].{name}": each.description or "" for name, each in SheetTurn.model_fields.items()}
    turns |= {f"turns[].answers[].{name}": each.description or "" for name, each in SheetAnswer.model_fields.items()}
    return {name: each.description or "" for name, each in Sheet.model_fields.items()} | turns
