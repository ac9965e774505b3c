"""Battles and ballots made by hand."""

from __future__ import annotations

from medinject_demo.domain import MIXTURES, Answer, Battle, FinishReason, Kind, Mixture, Prompt, Sampling, Turn, Verdict
from medinject_demo.votes.records import Ballot, Criterion, Profile

PROMPT = Prompt(Kind.MCQ, "Lesquels ?", "Un cas.", ("un", "deux", "trois"), "A, C", "cardiologie", "medinjection")
LEFT, RIGHT = MIXTURES[1], MIXTURES[6]
BALLOT = Ballot(
    Verdict.LEFT, (frozenset({Criterion.CLARITY}), frozenset({Criterion.HARM})), "Œdème 💪", Profile.RESIDENT
)


def answer(mixture: Mixture, text: str = "## Oui\n**non** 💪") -> Answer:
    return Answer(mixture, f"print-{mixture}", text, FinishReason.STOP, 7, 0.25)


def battle(
    name: str = "duel", left: Mixture = LEFT, right: Mixture = RIGHT, *follow_ups: Turn, prompt: Prompt = PROMPT
) -> Battle:
    answers = (answer(left), answer(right, "un deux trois"))
    return Battle(name, prompt, Sampling(seed=2**63 - 1), answers, 1 / 28, "owner", follow_ups)


def ballot(verdict: Verdict) -> Ballot:
    return Ballot(verdict)
