"""Battles and ballots made by hand."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

from medinject_demo.domain import MIXTURES, Answer, Battle, FinishReason, Kind, Mixture, Prompt, Sampling, Turn, Verdict
from medinject_demo.votes.records import Ballot, Criterion, Profile, unsaid
from medinject_demo.votes.store import VoteStore

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


def ranked(name: str, *arms: Mixture, prompt: Prompt = PROMPT) -> Battle:
    """A battle of several answers."""
    return Battle(name, prompt, Sampling(), tuple(map(answer, arms)), 1 / 56, "owner")


def every_sort_of_vote(store: VoteStore, prompts: Sequence[Prompt] = (PROMPT,)) -> None:
    """Votes that were changed, withdrawn, given after the reveal, doubted, cleared; several on one battle; rankings.

    On each pair of five arms one sort after the other, so that some pairs have no vote that counts.
    """
    for number, (left, right) in enumerate(itertools.permutations(MIXTURES[:5], 2)):
        prompt, voter = prompts[number % len(prompts)], f"voter {number % 7}"
        one, said = battle(f"of {number}", left, right, prompt=prompt), [*Verdict][number % 5]
        profile = [*Profile][number % 3]
        store.cast(one, voter, Ballot(said, profile=profile), seconds=9.0, blind=number % 6 != 1)
        if number % 6 == 2:
            store.cast(one, voter, Ballot(Verdict.RIGHT, profile=profile), seconds=9.0, blind=number % 12 == 2)
        elif number % 6 == 3:
            store.cast(one, voter, None)
        elif number % 6 == 4:
            store.cast(one, f"fast {number}", Ballot(said, profile=profile), seconds=0.01, blind=number % 12 == 4)
            store.suspicions.examine(f"fast {number}")
        elif number % 6 == 5:
            store.cast(one, "guest", Ballot(Verdict.LEFT, profile=profile), seconds=9.0)
    cleared = store.cast(battle("cleared", prompt=prompts[0]), "quick", BALLOT, seconds=0.01)
    store.suspicions.examine("quick")
    store.suspicions.clear(cleared.id)
    for number, blind in enumerate((True, False)):
        one = ranked(f"ranking {number}", *MIXTURES[2 + number : 6 + number], prompt=prompts[-1])
        store.cast(one, "voter 1", Ballot.ranked([1, 2, 2, 3]), equivalent=unsaid(4), seconds=20.0, blind=blind)
