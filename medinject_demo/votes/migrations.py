"""The numbered steps that made the tables of the votes, as SQL for both SQLite and PostgreSQL.

A step that was released is never edited: a change is a new one at the end. Knows no library; ``schema`` applies them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True)
class Migration:
    """One step of the schema: its statements, all applied or none."""

    name: str
    statements: tuple[str, ...]


MIGRATIONS: Final = (
    Migration(
        "battles, answers, votes",
        (
            """
            CREATE TABLE battles (
                id TEXT PRIMARY KEY,
                at TEXT NOT NULL,                -- when first voted on, ISO 8601 in UTC
                voter TEXT NOT NULL,             -- salted hash of whom it was made for
                prompt TEXT NOT NULL,            -- content hash
                kind TEXT NOT NULL,
                question TEXT NOT NULL,
                context TEXT NOT NULL,
                options TEXT NOT NULL,           -- JSON
                reference TEXT NOT NULL,
                specialty TEXT NOT NULL,
                origin TEXT NOT NULL,
                arms TEXT NOT NULL,              -- slugs in display order, joined by +
                propensity DOUBLE PRECISION NOT NULL CHECK (propensity > 0 AND propensity <= 1)
            )
            """,
            "CREATE INDEX battles_by_arms ON battles (arms)",
            """
            CREATE TABLE answers (
                battle TEXT NOT NULL REFERENCES battles (id),
                turn INTEGER NOT NULL,           -- from 0
                place INTEGER NOT NULL,          -- in display order, from 0
                message TEXT NOT NULL,           -- what the voter wrote; empty for the first turn, which is the prompt
                mixture TEXT NOT NULL,
                fingerprint TEXT NOT NULL,
                seed BIGINT NOT NULL,
                sampling TEXT NOT NULL,          -- JSON
                text TEXT NOT NULL,
                finish_reason TEXT NOT NULL,
                tokens INTEGER NOT NULL,
                seconds DOUBLE PRECISION NOT NULL,
                words INTEGER NOT NULL,
                headers INTEGER NOT NULL,
                bold INTEGER NOT NULL,
                lists INTEGER NOT NULL,
                emoji INTEGER NOT NULL,
                PRIMARY KEY (battle, turn, place)
            )
            """,
            """
            CREATE TABLE votes (
                id TEXT PRIMARY KEY,
                battle TEXT NOT NULL REFERENCES battles (id),
                voter TEXT NOT NULL,
                version INTEGER NOT NULL,        -- the highest of a battle and voter is the live one
                at TEXT NOT NULL,
                verdict TEXT CHECK (verdict IN ('left', 'right', 'both_good', 'both_bad', 'unsure')), -- NULL: withdrawn
                criteria TEXT NOT NULL,          -- JSON, by place
                comment TEXT NOT NULL,
                profile TEXT NOT NULL,
                equivalent TEXT NOT NULL,        -- JSON, by place
                seconds DOUBLE PRECISION,
                blind INTEGER NOT NULL,          -- 0 where the verdict came after the reveal
                UNIQUE (battle, voter, version)
            )
            """,
        ),
    ),
    Migration(
        "rankings",
        (
            "ALTER TABLE votes ADD COLUMN ranking TEXT",  # JSON, ranks by place; NULL: a verdict, or withdrawn
            "ALTER TABLE answers ADD COLUMN cached INTEGER NOT NULL DEFAULT 0",
            """
            CREATE TABLE cached_answers (        -- first answers to the bundled prompts
                prompt TEXT NOT NULL,            -- content hash
                fingerprint TEXT NOT NULL,       -- of what answered
                sampling TEXT NOT NULL,          -- JSON
                at TEXT NOT NULL,
                text TEXT NOT NULL,
                finish_reason TEXT NOT NULL,
                tokens INTEGER NOT NULL,
                seconds DOUBLE PRECISION NOT NULL,
                PRIMARY KEY (prompt, fingerprint, sampling)
            )
            """,
            """
            CREATE TABLE shared_battles (        -- those whose maker asked for a link
                battle TEXT PRIMARY KEY REFERENCES battles (id),
                at TEXT NOT NULL
            )
            """,
        ),
    ),
    Migration(
        "suspicions",
        (
            """
            CREATE TABLE suspicions (
                vote TEXT NOT NULL,
                reason TEXT NOT NULL,            -- a reason to doubt it, or 'cleared', which takes them all back
                at TEXT NOT NULL,
                PRIMARY KEY (vote, reason)
            )
            """,
            "CREATE INDEX votes_by_voter ON votes (voter)",
        ),
    ),
    Migration(
        "sharing",
        (
            "ALTER TABLE battles ADD COLUMN erased INTEGER NOT NULL DEFAULT 0",  # 1: its voter's own words are gone
            "ALTER TABLE votes ADD COLUMN erased INTEGER NOT NULL DEFAULT 0",
            """
            CREATE TABLE shards (
                dataset TEXT NOT NULL,
                name TEXT NOT NULL,              -- a file of the data set that was read here, or written from here
                stale INTEGER NOT NULL,          -- 1 where it is to be written anew, and its history to be dropped
                PRIMARY KEY (dataset, name)
            )
            """,
            """
            CREATE TABLE shared (
                dataset TEXT NOT NULL,
                vote TEXT NOT NULL,
                shard TEXT NOT NULL,
                PRIMARY KEY (dataset, vote, shard)  -- in this order: whether a vote is shared is asked of each
            )
            """,
            "CREATE INDEX shared_by_shard ON shared (dataset, shard)",
        ),
    ),
    Migration(
        "debts",
        (
            """
            CREATE TABLE owed (                  -- what is to be done after a transaction that is stored
                debt TEXT NOT NULL,              -- 'examine' a voter, or 'scrub' the files
                name TEXT NOT NULL,              -- the voter; else empty
                mark TEXT NOT NULL,              -- of the transaction
                PRIMARY KEY (debt, name, mark)
            )
            """,
        ),
    ),
)
