"""Settings of a running playground, read from the environment once. Knows nothing of what they configure."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import Field, dataclass, field, fields
from typing import Any, Final

from .errors import InvalidValue

QUANTIZATIONS: Final = ("none", "int8", "int4")
DATASET: Final = re.compile(r"[\w.-]+/[\w.-]+")
MOST_DAYS: Final = 36_500


@dataclass(frozen=True)
class Settings:
    """Every setting, its default and, in the field's metadata, its variable and what it does."""

    model: str = field(
        default="auto",
        metadata={
            "variable": "MEDINJECT_MODEL",
            "help": "`auto`, `mini`, `qwen3-4b` or another profile of `adapters/registry.toml`; `auto` is "
            "`qwen3-4b` where a GPU, its base and an arm of it are here, else `mini`",
        },
    )
    database_url: str = field(
        default="sqlite:///data/votes.db",
        metadata={
            "variable": "MEDINJECT_DATABASE_URL",
            "help": "where votes go: `sqlite:///<file>` or `postgresql://…`",
        },
    )
    votes_dataset: str = field(
        default="",
        metadata={
            "variable": "MEDINJECT_VOTES_DATASET",
            "help": "Hub data set, such as `group/votes`, to which votes go every minute and from which they come back "
            "after a restart; made private where there is none; needs `HF_TOKEN`",
        },
    )
    retention_days: int = field(
        default=0,
        metadata={
            "variable": "MEDINJECT_RETENTION_DAYS",
            "help": "days after which what visitors typed (questions, comments, follow-ups) is erased while a page is "
            "served; empty keeps it",
            "most": MOST_DAYS,
        },
    )
    engine_url: str = field(
        default="",
        metadata={
            "variable": "MEDINJECT_ENGINE_URL",
            "help": "OpenAI-compatible server that answers for all arms, such as `http://host:8000/v1`; `auto` is then "
            "the profile `remote`",
        },
    )
    engine_key: str = field(
        default="",
        repr=False,
        metadata={"variable": "MEDINJECT_ENGINE_KEY", "help": "bearer token of the servers that answer for arms"},
    )
    quantization: str = field(
        default="none",
        metadata={
            "variable": "MEDINJECT_QUANTIZATION",
            "help": "weights of the base: `none` (as they are), `int8` or `int4`; on a processor they save no time",
        },
    )
    secret: str = field(
        default="",
        repr=False,
        metadata={
            "variable": "MEDINJECT_SECRET",
            "help": "salt of the voters' hashes; drawn anew at each start where it is not set",
        },
    )
    asks_per_voter: str = field(
        default="20/minute; 300/hour",
        metadata={
            "variable": "MEDINJECT_ASKS_PER_VOTER",
            "help": "questions (duels, comparisons, further turns) that one browser may ask; `none` for no limit",
        },
    )
    asks_per_address: str = field(
        default="600/minute; 12000/hour",
        metadata={
            "variable": "MEDINJECT_ASKS_PER_ADDRESS",
            "help": "the same for one address, behind which there may be a whole audience",
        },
    )
    votes_per_voter: str = field(
        default="30/minute; 400/hour",
        metadata={
            "variable": "MEDINJECT_VOTES_PER_VOTER",
            "help": "votes, changes and withdrawals that one browser may give",
        },
    )
    votes_per_address: str = field(
        default="900/minute; 15000/hour",
        metadata={"variable": "MEDINJECT_VOTES_PER_ADDRESS", "help": "the same for one address"},
    )
    proxies: int = field(
        default=0,
        metadata={
            "variable": "MEDINJECT_PROXIES",
            "help": "trusted proxies in front of the page, each of which appends to `X-Forwarded-For`: 1 on a Space; "
            "with 0 the header is not read",
        },
    )
    hub_token: str = field(
        default="", repr=False, metadata={"variable": "HF_TOKEN", "help": "token for private repositories of the Hub"}
    )

    @classmethod
    def from_env(cls, environ: Mapping[str, str]) -> Settings:
        """Read the settings from ``environ``; a variable that is missing or blank takes its default.

        Raises:
            InvalidValue: the sentence names the variable.
        """
        given = {each: environ.get(each.metadata["variable"], "").strip() for each in fields(cls)}
        settings = cls(**{each.name: _read(each, text) for each, text in given.items() if text})
        if settings.votes_dataset and not DATASET.fullmatch(settings.votes_dataset):
            raise _wrong("MEDINJECT_VOTES_DATASET", "a data set such as group/votes")
        if settings.quantization not in QUANTIZATIONS:
            raise _wrong("MEDINJECT_QUANTIZATION", " or ".join(QUANTIZATIONS), "Unset it for none.")
        for name, url in (
            ("MEDINJECT_DATABASE_URL", settings.database_url),
            ("MEDINJECT_ENGINE_URL", settings.engine_url),
        ):
            if url and "://" not in url:
                raise _wrong(name, "a URL such as scheme://place")
        return settings


def _read(each: Field[Any], text: str) -> Any:
    """A value as its setting holds it: a text, or a whole number where the default is one.

    Raises:
        InvalidValue: it is no whole number, or not from 1 to the ``most`` of its setting.
    """
    if not isinstance(each.default, int):
        return text
    most: int | None = each.metadata.get("most")
    if not (text.isascii() and text.isdigit()) or (most is not None and not 1 <= int(text) <= most):
        expected = "a whole number" if most is None else f"a whole number from 1 to {most}"
        raise _wrong(each.metadata["variable"], expected)
    return int(text)


def _wrong(variable: str, expected: str, remedy: str = "Mend or unset it.") -> InvalidValue:
    """The refusal of a value, which is not told: it may be a secret in the wrong place, and a log its next one."""
    return InvalidValue.of(variable, expected=expected, got="another, not shown", remedy=remedy)


def as_markdown() -> str:
    """The settings as the table that README.md shows."""
    rows = ["| variable | default | what it does |", "|---|---|---|"]
    for each in fields(Settings):
        default = "empty" if each.default == "" or "most" in each.metadata else f"`{each.default}`"
        rows.append(f"| `{each.metadata['variable']}` | {default} | {each.metadata['help']} |")
    return "\n".join(rows)
