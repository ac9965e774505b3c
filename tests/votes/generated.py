"""Plausible votes by the thousand, from a seed: the same call makes the same votes.

The base writes long and with markdown, the seven arms are short; voters like long answers, lean to the left a little,
and are not all alike. ``STRENGTHS`` is what each arm is worth to them when nothing else differs.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Final

from sqlalchemy import insert

from medinject_demo.domain import BASE, MIXTURES, Answer, Battle, FinishReason, Kind, Mixture, Prompt, Sampling, Verdict
from medinject_demo.prompts import load_prompts
from medinject_demo.votes.database import Database
from medinject_demo.votes.records import UNSAID, Ballot, Equivalence, Profile, Vote
from medinject_demo.votes.rows import row_of_battle, row_of_vote, rows_of_answers
from medinject_demo.votes.schema import answers, battles, votes

STRENGTHS: Final = dict(zip(MIXTURES, (0.0, 0.7, 0.3, 0.2, 0.9, 0.8, 0.4, 1.0), strict=True))
LONGER: Final = 0.45
"""Logits for each doubling of the length."""
TO_THE_LEFT: Final = 0.12
BEGUN: Final = datetime(2026, 3, 6, 9, 0, tzinfo=UTC)
AT_ONCE: Final = 2_000
"""Rows of one statement."""


@dataclass(frozen=True)
class Cast:
    """A battle, and one voter's word on it."""

    battle: Battle
    vote: Vote


def plausible(count: int, *, seed: int = 7, voters: int | None = None) -> Iterator[Cast]:
    """So many votes by ``voters`` (one for six votes or so), in the order of their time."""
    chance, prompts = Random(seed), load_prompts()
    people = [_person(chance, number) for number in range(voters or max(1, count // 6))]
    for number in range(count):
        yield _cast(chance, number, chance.choice(prompts), *chance.choice(people))


def fill(database: Database, casts: Iterator[Cast]) -> None:
    """Store votes by the thousand, in one transaction for each."""
    while some := list(itertools.islice(casts, AT_ONCE)):
        database.write(lambda connection, some=some: _insert(connection, some))


def _insert(connection: object, casts: Sequence[Cast]) -> None:
    when = {cast.battle.id: cast.vote.at for cast in casts}
    heads = [row_of_battle(cast.battle) | {"at": when[cast.battle.id]} for cast in casts]
    sides = [row for cast in casts for row in rows_of_answers(cast.battle)]
    for table, rows in ((battles, heads), (answers, sides), (votes, [row_of_vote(cast.vote) for cast in casts])):
        connection.execute(insert(table), rows)  # type: ignore[attr-defined]


def _person(chance: Random, number: int) -> tuple[str, Profile, float]:
    """A voter, what they declare, and how much more or less than others they like length."""
    return f"voter {number}", chance.choice(list(Profile)), chance.gauss(1, 0.5)


def _cast(chance: Random, number: int, prompt: Prompt, voter: str, profile: Profile, taste: float) -> Cast:
    left, right = chance.sample(MIXTURES, 2)
    sides = tuple(_answer(chance, each, prompt) for each in (left, right))
    battle = Battle(f"duel {number}", prompt, Sampling(), sides, 1 / 28, voter)
    verdict = _verdict(chance, battle, taste)
    seconds = chance.lognormvariate(2.5, 0.7)
    at = (BEGUN + timedelta(seconds=90 * number)).isoformat(timespec="microseconds")
    blind = chance.random() > 0.03
    ballot = Ballot(verdict, profile=profile)
    return Cast(
        battle, Vote(f"vote {number}", battle.id, voter, 1, at, ballot, _equivalent(chance, battle), seconds, blind)
    )


def _verdict(chance: Random, battle: Battle, taste: float) -> Verdict:
    if chance.random() < 0.1:
        return Verdict.BOTH_BAD
    if chance.random() < 0.05:
        return Verdict.UNSURE
    left, right = battle.answers
    longer = math.log2((left.words + 1) / (right.words + 1))
    logit = STRENGTHS[left.mixture] - STRENGTHS[right.mixture] + taste * LONGER * longer + TO_THE_LEFT
    if chance.random() < 0.3 * math.exp(-abs(logit)):
        return Verdict.BOTH_GOOD
    return Verdict.LEFT if chance.random() < 1 / (1 + math.exp(-logit)) else Verdict.RIGHT


def _equivalent(chance: Random, battle: Battle) -> Equivalence:
    """What one voter in three says of the reference of an open question."""
    if battle.prompt.kind is not Kind.OEQ or chance.random() > 1 / 3:
        return UNSAID
    return tuple(chance.random() < 1 / (1 + math.exp(-STRENGTHS[each])) for each in battle.arms)


def _answer(chance: Random, mixture: Mixture, prompt: Prompt) -> Answer:
    text = _written(chance, mixture) if prompt.kind is Kind.OEQ else _letters(chance, mixture, prompt)
    words = len(text.split())
    return Answer(mixture, f"print-{mixture}", text, FinishReason.STOP, words, words / 40)


def _letters(chance: Random, mixture: Mixture, prompt: Prompt) -> str:
    """The reference's letters, the more often the stronger the arm; else the first option's."""
    right = chance.random() < 1 / (1 + math.exp(-STRENGTHS[mixture]))
    return prompt.reference if right else prompt.letters[0]


def _written(chance: Random, mixture: Mixture) -> str:
    """Ten words or so; the base's two hundred, with marks of each kind more or less often."""
    words = max(1, round(chance.lognormvariate(math.log(240 if mixture == BASE else 10), 0.3)))
    marks = ("## Réponse\n", "**Oui.** ", "💪 ", "- un\n- deux\n") if mixture == BASE else ()
    return "".join(mark * chance.randrange(3) for mark in marks) + " ".join(["mot"] * words)
