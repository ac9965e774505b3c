"""Values to rows and back. Knows what the columns are called, and neither SQL nor a database."""

from __future__ import annotations

import functools
import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, fields, replace
from typing import Any, Final

from ..domain import Answer, Battle, FinishReason, Kind, Mixture, Prompt, Sampling, Turn, Verdict
from ..pairing import Pair, pair_of, pairs
from .rankings import Comparison, comparisons
from .records import Ballot, Criterion, LiveVote, PairCount, Profile, Style, Vote, unsaid
from .suspicion import Doubt

ALIKE: Final = "alike"
"""Beside the verdicts: a tie of a ranking."""


def pair_counts(by_pair: Mapping[Pair, int], tallies: Iterable[Any]) -> dict[Pair, PairCount]:
    """The verdicts and rankings of battles in display order, as verdicts on pairs in the study's order."""
    sums: dict[Pair, dict[str, int]] = {pair: {} for pair in pairs()}
    for row in tallies:
        arms = arms_of(row.arms)
        for said in _comparisons(row):
            left, right = arms[said.left], arms[said.right]
            pair = pair_of(left, right)
            turned = {Verdict.LEFT: Verdict.RIGHT, Verdict.RIGHT: Verdict.LEFT} if pair[0] == right else {}
            tied = row.ranking is not None and said.verdict is Verdict.BOTH_GOOD
            verdict = ALIKE if tied else str(turned.get(said.verdict, said.verdict))
            sums[pair][verdict] = sums[pair].get(verdict, 0) + row.votes
    return {pair: _pair_count(by_pair.get(pair, 0), said) for pair, said in sums.items()}


def _pair_count(count: int, said: Mapping[str, int]) -> PairCount:
    left, right, *rest = (said.get(verdict, 0) for verdict in (*Verdict, ALIKE))
    return PairCount(count, (left, right), *rest)


def _comparisons(row: Any) -> tuple[Comparison, ...]:
    if row.ranking is None:
        return (Comparison(0, 1, Verdict(row.verdict)),)
    return comparisons(tuple(json.loads(row.ranking)))


@functools.lru_cache(1024)  # a duel has 56 values, read for every vote
def arms_of(slugs: str) -> tuple[Mixture, ...]:
    """The arms of a battle in display order, from how they are kept."""
    return tuple(Mixture.parse(slug) for slug in slugs.split("+"))


def clean(text: str) -> str:
    """Text that every database takes: PostgreSQL refuses NUL, and UTF-8 has no half of a surrogate pair."""
    return text.replace("\0", "\ufffd").encode("utf-8", "replace").decode("utf-8")


def _json(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, sort_keys=True)


def row_of_battle(battle: Battle) -> dict[str, object]:
    """A battle without its answers and without the time."""
    prompt = battle.prompt
    return {
        "id": battle.id,
        "voter": battle.voter,
        "prompt": prompt.id,
        "kind": str(prompt.kind),
        "question": clean(prompt.question),
        "context": clean(prompt.context),
        "options": clean(_json(prompt.options)),
        "reference": clean(prompt.reference),
        "specialty": clean(prompt.specialty),
        "origin": clean(prompt.origin),
        "arms": "+".join(map(str, battle.arms)),
        "propensity": battle.propensity,
    }


def rows_of_answers(battle: Battle) -> Iterator[dict[str, object]]:
    """One row for each turn and side."""
    for number, turn in enumerate(battle.turns):
        for place, answer in enumerate(turn.answers):
            yield {
                "battle": battle.id,
                "turn": number,
                "place": place,
                "message": clean(turn.message),
                "mixture": str(answer.mixture),
                "fingerprint": answer.fingerprint,
                "seed": turn.sampling.seed,
                "sampling": _json(asdict(turn.sampling)),
                "text": clean(answer.text),
                "finish_reason": str(answer.finish_reason),
                "tokens": answer.tokens,
                "seconds": answer.seconds,
                "cached": int(answer.cached),
                **asdict(Style.of(answer)),
            }


def battle_of(head: Any, rows: Iterable[Any]) -> Battle:
    """A battle from its row and those of its answers, which come by turn and place."""
    prompt = Prompt(
        Kind(head.kind),
        head.question,
        head.context,
        tuple(json.loads(head.options)),
        head.reference,
        head.specialty,
        head.origin,
    )
    turns: dict[int, list[Any]] = {}
    for row in rows:
        turns.setdefault(row.turn, []).append(row)
    first, *others = map(_turn, turns.values())
    return Battle(head.id, prompt, first.sampling, first.answers, head.propensity, head.voter, tuple(others))


def _turn(rows: list[Any]) -> Turn:
    given = tuple(
        Answer(
            Mixture.parse(row.mixture),
            row.fingerprint,
            row.text,
            FinishReason(row.finish_reason),
            row.tokens,
            row.seconds,
            bool(row.cached),
        )
        for row in rows
    )
    return Turn(rows[0].message, Sampling(**json.loads(rows[0].sampling)), given)


def row_of_vote(vote: Vote) -> dict[str, object]:
    """A vote; a withdrawal has neither verdict nor ranking."""
    said = vote.ballot
    return {
        "id": vote.id,
        "battle": vote.battle,
        "voter": vote.voter,
        "version": vote.version,
        "at": vote.at,
        "verdict": str(said.verdict) if said and said.verdict else None,
        "ranking": _json(said.ranking) if said and said.ranking else None,
        "criteria": _json([sorted(map(str, side)) for side in said.criteria] if said else [[], []]),
        "comment": clean(said.comment) if said else "",
        "profile": str(said.profile if said else Profile.UNDECLARED),
        "equivalent": _json(vote.equivalent),
        "seconds": vote.seconds,
        "blind": int(vote.blind),
    }


def vote_of(row: Any) -> Vote:
    """A vote from its row."""
    ballot = None
    if row.verdict is not None or row.ranking is not None:
        criteria = tuple(frozenset(map(Criterion, side)) for side in json.loads(row.criteria))
        verdict = None if row.verdict is None else Verdict(row.verdict)
        ranking = tuple(json.loads(row.ranking or "[]"))
        ballot = Ballot(verdict, criteria, row.comment, Profile(row.profile), ranking)
    equivalent = tuple(json.loads(row.equivalent))
    return Vote(row.id, row.battle, row.voter, row.version, row.at, ballot, equivalent, row.seconds, bool(row.blind))


def live_vote_of(row: Any, sides: list[Any], reasons: frozenset[Doubt]) -> LiveVote:
    """A live vote: its row joined with its battle's, the summed lengths of each side in turn, its doubts."""
    vote = vote_of(row)
    assert vote.ballot is not None, "the query leaves withdrawals out"
    styles = tuple(Style(*(getattr(side, each.name) for each in fields(Style))) for side in sides)
    arms, kind = arms_of(row.arms), Kind(row.kind)
    said = (*vote.equivalent, *unsaid(len(arms)))[: len(arms)]  # an earlier import kept fewer
    return LiveVote(
        replace(vote, equivalent=said),
        vote.ballot,
        arms,
        styles,
        kind,
        row.specialty,
        row.propensity,
        sides[0].turns,
        reasons,
    )
