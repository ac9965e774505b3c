"""Answers kept for the bundled prompts: a duel on one of them starts at once, which says nothing of its arms.

A prompt is prepared for all arms that can answer, or not at all: how fast answers come then depends on the prompt and
never on the arms drawn (docs/decisions/019). Kept are greedy first answers that ended by themselves. Knows no page.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection, Iterable, Iterator
from typing import Final

from .domain import Answer, FinishReason, Mixture, Prompt, Sampling
from .duel import Duel, Exchange
from .engine.base import Delta, Engine, Finished, Request, answers
from .engine.base import Event as EngineEvent
from .errors import StoreError
from .prompts import messages
from .votes.kept import KeptAnswers

WHOLE: Final = (FinishReason.STOP, FinishReason.LENGTH)
"""How an answer ends by itself: it would end so again."""

_log = logging.getLogger(__name__)


class Prepared:
    """The kept answers of one engine. ``prompts`` are the identifiers of the prompts whose answers are kept."""

    def __init__(self, engine: Engine, kept: KeptAnswers, prompts: Collection[str]) -> None:
        self._engine, self._kept, self._prompts = engine, kept, frozenset(prompts)

    def find(self, duel: Duel) -> tuple[tuple[str, ...], Iterator[EngineEvent]] | None:
        """The fingerprints and events of kept answers to a duel's last turn; None where it must be answered.

        Raises:
            ModelError: an arm is not there.
        """
        if not self._may_keep(duel.prompt, duel.last) or len(duel.exchanges) > 1:
            return None
        kept = self._answers(duel.prompt, duel.last.sampling)
        if kept is None or not set(duel.arms) <= set(kept):
            return None
        given = [kept[arm] for arm in duel.arms]
        return tuple(each.fingerprint for each in given), _replayed(given)

    def keep(self, duel: Duel) -> None:
        """Keep what was answered to the first turn; where it cannot be stored, it is answered again next time."""
        turn = duel.last
        if not self._may_keep(duel.prompt, turn) or turn.cached or turn.begun is None or len(duel.exchanges) > 1:
            return
        self._store(duel.prompt, turn.sampling, map(duel.answer, range(len(duel.arms))))

    def warm(self, prompts: Iterable[Prompt], sampling: Sampling, told: Callable[[Prompt], object]) -> None:
        """Have every arm answer the bundled prompts that are not prepared; ``told`` hears of each that is.

        Raises:
            ModelError: an arm cannot answer.
        """
        for prompt in prompts:
            if self._answers(prompt, sampling) is None:
                put = [Request(messages(prompt), mixture, sampling) for mixture in self._engine.mixtures]
                self._store(prompt, sampling, answers(self._engine, put))
            told(prompt)

    def _may_keep(self, prompt: Prompt, turn: Exchange) -> bool:
        return turn.sampling.greedy and prompt.id in self._prompts

    def _answers(self, prompt: Prompt, sampling: Sampling) -> dict[Mixture, Answer] | None:
        """The kept answers of all arms; None where one is missing."""
        prints = {mixture: self._engine.fingerprint(mixture) for mixture in self._engine.mixtures}
        try:
            kept = self._kept.find(prompt.id, sampling, prints)
        except StoreError as error:
            _log.warning("kept answers cannot be read: %s", error)
            return None
        return kept if len(kept) == len(prints) else None

    def _store(self, prompt: Prompt, sampling: Sampling, given: Iterable[Answer]) -> None:
        whole = [each for each in given if each.finish_reason in WHOLE]
        try:
            self._kept.keep(prompt.id, sampling, whole)
        except StoreError as error:
            _log.warning("answers could not be kept: %s", error)


def _replayed(given: Iterable[Answer]) -> Iterator[EngineEvent]:
    """Kept answers as an engine would give them, each in one piece; all are there before the first has ended."""
    rows = list(enumerate(given))
    yield from (Delta(row, answer.text) for row, answer in rows if answer.text)
    yield from (Finished(row, each.finish_reason, each.tokens, each.seconds) for row, each in rows)
