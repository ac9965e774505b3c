"""Where answers to the bundled prompts are kept, by what was asked and what answered. Knows no engine, duel or page."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any, Final

from sqlalchemy import Connection, select

from ..domain import Answer, FinishReason, Mixture, Sampling
from .database import Database
from .moments import text_of
from .rows import clean
from .schema import cached_answers as kept

MOST: Final = 5_000
"""Answers kept; beyond, the oldest go. The bundled prompts have 608 for one set of eight arms."""


class KeptAnswers:
    """The table of kept answers; every method may raise StoreError, and none waits for a store that does not answer.

    ``setting`` is what else decides an answer: the precision that the weights are run in, which no fingerprint has.
    """

    def __init__(
        self,
        database: Database,
        *,
        setting: str = "",
        most: int = MOST,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._database, self._setting, self._most, self._now = database, setting, most, now

    def find(self, prompt: str, sampling: Sampling, prints: Mapping[Mixture, str]) -> dict[Mixture, Answer]:
        """The kept answers to a prompt of those arms that have one under their fingerprint."""
        asked = (kept.c.prompt == prompt, kept.c.sampling == self._key(sampling))
        query = select(kept).where(*asked, kept.c.fingerprint.in_(set(prints.values())))
        rows = self._database.read(
            lambda connection: {row.fingerprint: row for row in connection.execute(query)}, patient=False
        )
        return {mixture: _answer(mixture, rows[each]) for mixture, each in prints.items() if each in rows}

    def keep(self, prompt: str, sampling: Sampling, answers: Sequence[Answer]) -> None:
        """Keep answers to a prompt; of one that is kept already, the first stays."""
        rows = {each.fingerprint: self._row(prompt, sampling, each) for each in answers}
        if not rows:
            return
        asked = (kept.c.prompt == prompt, kept.c.sampling == self._key(sampling))

        def work(connection: Connection) -> None:
            there = set(connection.scalars(select(kept.c.fingerprint).where(*asked, kept.c.fingerprint.in_(rows))))
            if new := [row for fingerprint, row in rows.items() if fingerprint not in there]:
                connection.execute(kept.insert(), new)
                self._forget_the_oldest(connection)

        self._database.write(work, patient=False)

    def _forget_the_oldest(self, connection: Connection) -> None:
        newest = select(kept.c.at).order_by(kept.c.at.desc())
        if last := connection.scalar(newest.offset(self._most - 1).limit(1)):
            connection.execute(kept.delete().where(kept.c.at < last))

    def _row(self, prompt: str, sampling: Sampling, answer: Answer) -> dict[str, object]:
        return {
            "prompt": prompt,
            "fingerprint": answer.fingerprint,
            "sampling": self._key(sampling),
            "at": text_of(self._now()),
            "text": clean(answer.text),
            "finish_reason": str(answer.finish_reason),
            "tokens": answer.tokens,
            "seconds": answer.seconds,
        }

    def _key(self, sampling: Sampling) -> str:
        return json.dumps(asdict(sampling) | {"setting": self._setting}, sort_keys=True)


def _answer(mixture: Mixture, row: Any) -> Answer:
    reason = FinishReason(row.finish_reason)
    return Answer(mixture, row.fingerprint, row.text, reason, row.tokens, row.seconds, cached=True)
