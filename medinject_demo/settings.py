"""Settings of a running playground, read from the environment once. Knows nothing of what they configure."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
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
            "help": "weights of the base: `none` (as they are), `int8` or `int4`",
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
    hub_token: str = field(
        default="", repr=False, metadata={"variable": "HF_TOKEN", "help": "token for private repositories of the Hub"}
    )

    @classmethod
    def from_env(cls, environ: Mapping[str, str]) -> Settings:
        """Read the settings from ``environ``; a variable that is missing or blank takes its default.

        Raises:
            InvalidValue: the sentence names the variable.
        """
        given: dict[str, Any] = {each.name: environ.get(each.metadata["variable"], "").strip() for each in fields(cls)}
        given["retention_days"] = _days(given["retention_days"])
        settings = cls(**{name: value for name, value in given.items() if value})
        if settings.votes_dataset and not DATASET.fullmatch(settings.votes_dataset):
            got = repr(settings.votes_dataset)
            raise InvalidValue.of("MEDINJECT_VOTES_DATASET", expected="a data set such as group/votes", got=got)
        if settings.quantization not in QUANTIZATIONS:
            raise InvalidValue.of(
                "MEDINJECT_QUANTIZATION",
                expected=" or ".join(QUANTIZATIONS),
                got=repr(settings.quantization),
                remedy="Unset it for none.",
            )
        for name, url in (
            ("MEDINJECT_DATABASE_URL", settings.database_url),
            ("MEDINJECT_ENGINE_URL", settings.engine_url),
        ):
            if url and "://" not in url:
                raise InvalidValue.of(name, expected="a URL such as scheme://place", got=repr(url))
        return settings


def _days(text: str) -> int:
    """A number of days, 0 where none is given."""
    if not text:
        return 0
    if not text.isdecimal() or not 1 <= int(text) <= MOST_DAYS:
        remedy = "Unset it to keep what was typed."
        raise InvalidValue.of(
            "MEDINJECT_RETENTION_DAYS", expected=f"days from 1 to {MOST_DAYS}", got=repr(text), remedy=remedy
        )
    return int(text)


def as_markdown() -> str:
    """The settings as the table that README.md shows."""
    rows = ["| variable | default | what it does |", "|---|---|---|"]
    for each in fields(Settings):
        default = f"`{each.default}`" if each.default else "empty"
        rows.append(f"| `{each.metadata['variable']}` | {default} | {each.metadata['help']} |")
    return "\n".join(rows)
