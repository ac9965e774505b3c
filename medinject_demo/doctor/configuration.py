"""The settings in force, without their secrets, and whether the votes have a place. Knows nothing of models."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import fields
from pathlib import Path
from typing import Final

from ..errors import InvalidValue
from ..settings import Settings
from .findings import Finding, Level

VARIABLE: Final = "MEDINJECT_DATABASE_URL"


def in_force(environ: Mapping[str, str]) -> tuple[Settings, list[Finding]]:
    """The settings, and what is to say of them; the defaults, and a fault, where one of them is wrong."""
    try:
        settings = Settings.from_env(environ)
    except InvalidValue as error:
        variable, _, what = str(error).partition(": ")
        return Settings(), [Finding("settings", variable, Level.FAIL, what)]
    findings = []
    for each in fields(Settings):
        value = str(getattr(settings, each.name) or "")
        shown = without_secrets(value) if each.repr else "set, not shown"
        findings.append(Finding("settings", each.metadata["variable"], Level.OK, shown if value else "not set"))
    return settings, findings


def without_secrets(url: str) -> str:
    """A URL without its password and its query; any other text as it is."""
    scheme, found, rest = url.partition("://")
    if not found:
        return url
    place, query, _ = rest.partition("?")
    login, at, address = place.rpartition("@")
    user, colon, _ = login.partition(":")
    return f"{scheme}://{user}{':***' if colon else ''}{at}{address}{'?***' if query else ''}"


def votes(url: str) -> Finding:
    """Whether the place of the votes can be written; the page is not served without it."""
    scheme, _, place = url.partition("://")
    if scheme.partition("+")[0] != "sqlite":
        return Finding("votes", "database", Level.OK, f"{without_secrets(url)}, a server, not tried")
    name = place.partition("?")[0].removeprefix("/")
    if name in ("", ":memory:"):
        remedy = f"Unset {VARIABLE}, or name a file: sqlite:///data/votes.db"
        return Finding("votes", "database", Level.FAIL, "in memory, where no vote would last", remedy)
    path = Path(name).absolute()
    if _writable(path):
        return Finding("votes", "database", Level.OK, f"{path} can be written")
    remedy = f"Make it writable, or set {VARIABLE} to another place."
    return Finding("votes", "database", Level.FAIL, f"{path} cannot be written: no vote would be stored", remedy)


def dataset(settings: Settings) -> list[Finding]:
    """Whether votes can go to the Hub, where they are to; the page is served without it."""
    if not settings.votes_dataset:
        return []
    if settings.hub_token:
        return [Finding("votes", "Hub data set", Level.OK, f"{settings.votes_dataset}, not tried")]
    remedy = f"Set HF_TOKEN to a token that may write to {settings.votes_dataset}."
    what = f"{settings.votes_dataset} cannot be written without a token: votes stay here, and wait"
    return [Finding("votes", "Hub data set", Level.WARN, what, remedy)]


def _writable(path: Path) -> bool:
    """True where a file is, or can be made; SQLite also writes a journal beside it."""
    if path.exists() and not (path.is_file() and os.access(path, os.W_OK)):
        return False
    above = next(each for each in path.parents if each.exists())
    return above.is_dir() and os.access(above, os.W_OK | os.X_OK)
